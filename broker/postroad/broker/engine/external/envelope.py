"""The envelope: what travels beside a body through an engine that has no place for it.

A JSON object, as short as may be; what is unused is absent::

    i prefix of the id   x index   t published at, ms   y type   h headers   p priority   k ordering key   e not delivered after, ms
    d delivered not before, ms   m topic   (a, r, o, c, z: attempts, reason, origin, consumer, dead at, where the engine cannot keep them apart)

Bodies are never parsed nor re-encoded.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

from ...errors import InvalidRequest
from ..engine import DeliveryBatch, Json, PublishBatch, Run
from .backend import Received, Send

_ID = re.compile(r"([0-9a-z]{8}-[0-9a-z]+-)([0-9]{1,6})\Z")


def split_id(id: str) -> tuple[str, int] | None:
    """``(prefix, index)`` of an id of the external engines; None: it is none."""
    found = _ID.match(id)
    return (found[1], int(found[2])) if found else None


def column(attributes: Json, scalar: str, name: str, count: int) -> list[Any] | None:
    """An attribute as a column; None if nobody has it."""
    values = attributes.get(name)
    if isinstance(values, list):
        return values if any(value is not None for value in values) else None
    value = attributes.get(scalar)
    return None if value is None else [value] * count


def to_send(batch: PublishBatch, prefix: str, at: int, expire_ms: int | None = None) -> Send:
    """A batch with envelopes, targets still to be filled in.

    Raises:
        InvalidRequest: attributes that exclude each other.
    """
    count, attributes = len(batch.sizes), batch.attributes
    send = Send(targets=[], prefix=prefix, at=at, headers=[], bodies=split_bodies(batch))
    send.producer = batch.producer
    topic = batch.queue if batch.kind == "topic" else None
    if not attributes and expire_ms is None and topic is None:
        start = f'{{"i":"{prefix}","t":{at},"x":'
        send.headers = [f"{start}{index}}}".encode() for index in range(count)]
        return send
    delays = column(attributes, "delay_ms", "delays_ms", count)
    keys = column(attributes, "key", "keys", count)
    priorities = column(attributes, "priority", "priorities", count)
    expires = column(attributes, "expire_ms", "expires_ms", count)
    _check(keys, delays, priorities)
    if delays is not None and any(delays):
        send.dues = [at + delay if delay else 0 for delay in delays]
    if expires is not None or expire_ms is not None:
        each = expires or [None] * count
        send.deadlines = [at + (own or expire_ms or 0) if (own or expire_ms) else 0 for own in each]
    send.keys, send.priorities = keys, priorities
    dedup = column(attributes, "dedup_key", "dedup_keys", count)
    if dedup is not None:
        send.dedup_scope = batch.queue
        send.dedup = [
            None if key is None else (key, hashlib.blake2b(body, digest_size=6).hexdigest())
            for key, body in zip(dedup, send.bodies, strict=True)
        ]
    types = column(attributes, "type", "types", count)
    headers = attributes.get("headers")
    topics = [topic] * count if topic is not None else None
    extras = [("y", types), ("p", priorities), ("k", keys), ("e", send.deadlines), ("d", send.dues), ("m", topics)]
    extras.append(("h", headers if isinstance(headers, list) else [headers] * count if headers else None))
    used = [(name, values) for name, values in extras if values is not None]
    for index in range(count):
        header: Json = {"i": prefix, "t": at, "x": index}
        for name, values in used:
            if values[index]:
                header[name] = values[index]
        send.headers.append(orjson.dumps(header))
    return send


def _check(keys: list[Any] | None, delays: list[Any] | None, priorities: list[Any] | None) -> None:
    if keys is None:
        return
    for others, name in ((delays, "delay"), (priorities, "priority")):
        if others is not None and any(key is not None and other for key, other in zip(keys, others, strict=True)):
            raise InvalidRequest(f"A message with an ordering key can have no {name}.", field="key")


def split_bodies(batch: PublishBatch) -> list[bytes]:
    whole = bytes(batch.bodies)
    bodies, offset = [], 0
    for size in batch.sizes:
        bodies.append(whole[offset : offset + size])
        offset += size
    return bodies


def id_of(message: Received) -> str:
    return f"{message.header['i']}{message.header['x']}"


_COLUMNS = (
    ("types", "y", "json"), ("headers", "h", None), ("keys", "k", None), ("priorities", "p", None),
    ("topics", "m", None),
)  # fmt: skip


def to_batch(number: int, messages: list[Received]) -> DeliveryBatch:
    """Messages as consecutive deliveries from ``number`` on."""
    runs: list[Run] = []
    prefix, index, sequence = "", -1, -1
    has_more = False
    for message in messages:
        header = message.header
        if runs and header["i"] == prefix and header["x"] == index + 1 and message.sequence == sequence + 1:
            runs[-1].count += 1
        else:
            prefix = header["i"]
            runs.append(
                Run(sequence=message.sequence, count=1, id_prefix=prefix, index=header["x"], published_at=header["t"])
            )
        index, sequence = header["x"], message.sequence
        has_more = has_more or message.attempts > 0 or len(header) > 3
    attributes: Json = {}
    if has_more:
        for name, key, default in _COLUMNS:
            if any(key in message.header for message in messages):
                attributes[name] = [message.header.get(key, default) for message in messages]
        if any(message.attempts for message in messages):
            attributes["attempts"] = [message.attempts + 1 for message in messages]
    return DeliveryBatch(
        number=number,
        runs=runs,
        sizes=[len(message.body) for message in messages],
        bodies=[message.body for message in messages],
        attributes=attributes,
    )


def ranges_of(messages: list[Received]) -> list[list[Any]]:
    """Ids as ``[prefix, first index, count]``, neighbours joined."""
    ranges: list[list[Any]] = []
    for message in messages:
        prefix, index = message.header["i"], message.header["x"]
        if ranges and ranges[-1][0] == prefix and ranges[-1][1] + ranges[-1][2] == index:
            ranges[-1][2] += 1
        else:
            ranges.append([prefix, index, 1])
    return ranges
