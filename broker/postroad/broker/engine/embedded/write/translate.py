"""The seam's values ↔ the core's commands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from ....core.format import command as c
from ....core.rules.context import COMMAND_BYTES, ITEM_BYTES
from ....core.volatile.lease import Leases
from ...engine import Buffer, PublishBatch, SettleBatch

PUBLISH_BYTES = 2048
"""Beside messages and attributes: names, numbers, and the settings of a queue that is made."""

MESSAGE_BYTES = 16
DEDUP_BYTES = 64
"""Of each message with a dedup key: a digest, and where it was stored before."""

RUN_BYTES = 80
"""One run of what was settled, and where one of it was."""

RECORD_BYTES = 2048
"""A settle with its consumer's name, and pieces of where messages were."""

REASON_BYTES = 2048
ESCAPED = 6
"""Bytes of JSON that one character takes at most."""

MOVED_BYTES = 192
"""Of each message that an operation acts on."""

ORIGIN_BYTES = 512
"""Of each queue that they go back to: a move and a settle."""


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
    """At most so many bytes of journal: for the queue, should it be made, and for the messages. (What a topic has as targets is not
    counted: its one record is the first, and is refused by itself.)"""
    attributes = batch.attributes
    size = len(batch.bodies) + MESSAGE_BYTES * len(batch.sizes) + PUBLISH_BYTES
    if attributes:
        size += len(orjson.dumps(attributes))
        if "dedup_key" in attributes or "dedup_keys" in attributes:
            size += DEDUP_BYTES * len(batch.sizes)
    return size


def settle_size(command: c.SettleDeliveries, batches: list[PublishBatch], leases: Leases | None) -> int:
    """At most so many bytes of journal; ``batches``: the publishes of its completions, ``leases``: those of its consumer."""
    size = COMMAND_BYTES + sum(map(size_of, batches))
    if command.acks:
        size += RUN_BYTES * (len(command.acks) + (leases.pieces if leases is not None else 0))
    if command.nacks:
        nacked = sum(nack.last - nack.first + 1 for nack in command.nacks)
        size += ITEM_BYTES * min(nacked, leases.count if leases is not None else 0)
        reasons = {nack.reason or "" for nack in command.nacks}
        size += 3 * sum(ESCAPED * len(reason) + REASON_BYTES for reason in reasons)  # a return, a move, a settle
    for completion in command.completions:
        size += RECORD_BYTES + RUN_BYTES + len(completion.result or b"")
        for _, result in completion.others:
            size += RUN_BYTES + len(result or b"")
    return size


def needed(command: object, queues: int) -> int:
    """At most so many bytes of journal, for commands that come with no bodies; ``queues``: how many what they move may come from."""
    named: Sequence[object] | None = getattr(command, "sequences", None)
    limit: int | None = getattr(command, "limit", None)
    items = len(named) if named is not None else limit
    return COMMAND_BYTES + MOVED_BYTES * (items or 0) + ORIGIN_BYTES * min(items or 0, queues)


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
