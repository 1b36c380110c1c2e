"""What was done, told to all gateways in one topic."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from confluent_kafka import Message

from ..external import Tail
from .link import Link
from .place import Place
from .tail import Follower

PRIMED = 2000
"""Records of Kafka of the past that a starting gateway reads; each has up to 500 of ours."""

POSITIONS = 512
KEPT_MS = 86_400_000
KEPT_BYTES = 256 * 1024 * 1024


class Events(Follower):
    def __init__(self, link: Link, topic: str) -> None:
        self._link = link
        self._topic = topic
        self._tail: Tail
        self._place = Place()

    async def open(self, tail: Tail) -> None:
        """Raises: Unavailable."""
        self._tail = tail
        sizes = {
            "retention_ms": str(KEPT_MS),
            "retention_bytes": str(KEPT_BYTES),
            "segment_bytes": str(KEPT_BYTES // 8),
        }
        await self._link.topics.make(self._topic, **sizes)
        low, high = await self._link.bounds(self._topic)
        await self._follow(max(low, high - PRIMED))
        await self._place.until(high, patiently=True)

    async def _follow(self, offset: int) -> None:
        self._place.reach(offset)
        await self._link.follow(self._topic, offset, self)

    def torn(self) -> None:
        """What comes next was let go of before it was read here, or Kafka has lost it."""
        self._link.unfollow([self._topic])
        self._link.anew(self._go_on)

    async def _go_on(self) -> None:
        low, high = await self._link.bounds(self._topic)
        await self._follow(min(max(low, self._place.offset), high))

    def tailed(self, messages: list[Message]) -> None:
        told = []
        for message in messages:
            first = ((message.offset() or 0) + 1) * POSITIONS
            told += [(first + at, record) for at, record in enumerate(orjson.loads(message.value() or b"[]"))]
        self._tail(told)
        self._place.reach((messages[-1].offset() or 0) + 1)

    async def tell(self, records: Sequence[bytes]) -> None:
        """Raises: Unavailable."""
        for first in range(0, len(records), POSITIONS):
            await self._link.sent(self._topic, b"[" + b",".join(records[first : first + POSITIONS]) + b"]")
