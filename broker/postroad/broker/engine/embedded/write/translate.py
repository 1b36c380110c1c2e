"""The seam's values ↔ the core's commands."""

from __future__ import annotations

import hashlib

import orjson

from ....core.format import command as c
from ...engine import Buffer, PublishBatch, SettleBatch
from .ticker import TICK_BYTES


def to_command(batch: PublishBatch) -> c.PublishMessages:
    return c.PublishMessages(
        queue=batch.queue, kind=batch.kind, mandatory=batch.mandatory, sizes=batch.sizes, attributes=batch.attributes, producer=batch.producer,
        declare=batch.declare, digests=digests_of(batch),
    )  # fmt: skip


def settle_command(subscription: int, batch: SettleBatch) -> c.SettleDeliveries:
    return c.SettleDeliveries(
        subscription=subscription,
        acks=batch.acks,
        nacks=[
            c.NackRange(first=n.first, last=n.last, delay_ms=n.delay_ms, reason=n.reason, dead=n.dead)
            for n in batch.nacks
        ],
        releases=batch.releases,
        extends=batch.extends,
        lease_ms=batch.lease_ms,
        begun=batch.begun,
        progress=[(p.number, p.percent, p.note) for p in batch.progress],
        completions=[
            c.Complete(
                number=done.number,
                result=done.result,
                others=done.others,
                publishes=[to_command(p) for p in done.publishes] if done.publishes else [],
            )
            for done in batch.completions
        ],
    )


def size_of(batch: PublishBatch) -> int:
    """At most so many bytes of journal."""
    attributes = len(orjson.dumps(batch.attributes)) if batch.attributes else 0
    return len(batch.bodies) + attributes + 32 * len(batch.sizes) + 1024


def settle_size(command: c.SettleDeliveries, batches: list[PublishBatch], held: int) -> int:
    """At most so many bytes of journal; ``batches``: the publishes of its completions, ``held``: leases of its consumer."""
    nacked = min(sum(nack.last - nack.first + 1 for nack in command.nacks), held)
    size = sum(map(size_of, batches)) + TICK_BYTES * nacked + 64 * len(command.acks) + 4096
    for completion in command.completions:
        if completion.result is not None:
            size += len(completion.result)
        for _, result in completion.others:
            size += 32 + len(result or b"")
    return size


def kept_bodies(batch: PublishBatch, reply: c.Published) -> Buffer:
    """The bodies that were stored: without those of duplicates."""
    if reply.keep is None:
        return batch.bodies
    view, offset, parts = memoryview(batch.bodies), 0, []
    keep = set(reply.keep)
    for index, size in enumerate(batch.sizes):
        if index in keep:
            parts.append(view[offset : offset + size])
        offset += size
    return b"".join(parts)


def digests_of(batch: PublishBatch) -> list[int] | None:
    """A 48-bit digest of each body, where dedup keys are used."""
    if "dedup_key" not in batch.attributes and "dedup_keys" not in batch.attributes:
        return None
    view, offset, digests = memoryview(batch.bodies), 0, []
    for size in batch.sizes:
        digest = hashlib.blake2b(view[offset : offset + size], digest_size=6).digest()
        digests.append(int.from_bytes(digest, "big"))
        offset += size
    return digests
