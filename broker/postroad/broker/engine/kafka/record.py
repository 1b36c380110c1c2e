"""Records of a queue's or group's log.

A Kafka record's key says what it is::

    "m"  messages   one publish frame:   u32 length of meta, little-endian | meta, JSON | bodies, back to back
    "d"  done       as messages, with  seq the message that is acked   out what to publish, rows of to, kind, n, meta (``outbox.py``)
    "c"  command    JSON

``meta``, of which all from ``p`` on is absent where unused, columns have a value for each message::

    w [gateway, serial number]   t published at, ms   i prefix of the ids   h envelopes   b sizes of the bodies
    p priorities   k ordering keys   d dues   u dedup [key, digest]   s dedup scope   f [producer session, frame]
    o where each was moved from, so that a move that is tried again moves nothing twice   m most messages the queue may have

A command has ``do`` (a method of ``Machine``), ``w`` as above, and what that needs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import orjson

from ..engine import Json
from ..external import Send

MESSAGES = b"m"
DONE = b"d"
COMMAND = b"c"
INDEX_BITS = 16
"""Sequence of a message: offset of its record, then its place there."""

_LENGTH = struct.Struct("<I")


def pack(meta: Json, headers: Sequence[bytes], bodies: Sequence[bytes]) -> bytes:
    meta["b"] = [len(body) for body in bodies]
    head = orjson.dumps(meta)
    head = b'%b,"h":[%b]}' % (head[:-1], b",".join(headers))
    return b"".join((_LENGTH.pack(len(head)), head, *bodies))


def pack_send(send: Send, only: list[int] | None, length_max: int | None) -> tuple[Json, list[bytes], list[bytes]]:
    """What ``pack`` needs for a target of a publish."""
    picked = range(len(send.headers)) if only is None else only
    meta: Json = {"t": send.at, "i": send.prefix}
    columns: tuple[tuple[str, Sequence[Any] | None], ...] = (
        ("p", send.priorities), ("k", send.keys), ("d", send.dues), ("u", send.dedup)
    )  # fmt: skip
    for name, values in columns:
        if values is not None and any(values[index] for index in picked):
            meta[name] = [values[index] for index in picked]
    if "u" in meta:
        meta["s"] = send.dedup_scope
    if send.producer is not None:
        meta["f"] = list(send.producer)
    if length_max is not None:
        meta["m"] = length_max
    if only is None:
        return meta, send.headers, send.bodies
    return meta, [send.headers[index] for index in only], [send.bodies[index] for index in only]


class Batch:
    """One record of messages.

    Attributes:
        kept: Whether the bodies are here; else they have to be fetched.
    """

    __slots__ = ("__weakref__", "_starts", "_value", "headers", "meta", "offset", "size")

    def __init__(self, offset: int, value: bytes) -> None:
        (length,) = _LENGTH.unpack_from(value)
        self.offset = offset
        self.meta: Json = orjson.loads(memoryview(value)[4 : 4 + length])
        self.headers: list[Json] = self.meta["h"]
        self.size = len(value)
        self._value: bytes | None = value
        self._starts: list[int] | None = None

    @property
    def kept(self) -> bool:
        return self._value is not None

    def drop_bodies(self) -> None:
        self._value = None

    def body(self, index: int) -> bytes:
        assert self._value is not None
        sizes = self.meta["b"]
        if self._starts is None:
            starts, at = [], len(self._value) - sum(sizes)
            for size in sizes:
                starts.append(at)
                at += size
            self._starts = starts
        start = self._starts[index]
        return self._value[start : start + sizes[index]]


def runs(sequences: list[int]) -> list[list[int]]:
    """``[first, count]`` of neighbours."""
    found: list[list[int]] = []
    for sequence in sequences:
        if found and found[-1][0] + found[-1][1] == sequence:
            found[-1][1] += 1
        else:
            found.append([sequence, 1])
    return found
