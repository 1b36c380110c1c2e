"""What was done, told to all gateways in one topic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
from confluent_kafka import Message

from ...errors import Unavailable
from ..external import Tail
from .link import Link
from .tail import ANSWER_S, Follower

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
        self._primed: asyncio.Future[None] | None = None
        self._goal = 0

    async def open(self, tail: Tail) -> None:
        """Raises: Unavailable."""
        self._tail = tail
        sizes = {
            "retention_ms": str(KEPT_MS),
            "retention_bytes": str(KEPT_BYTES),
            "segment_bytes": str(KEPT_BYTES // 8),
        }
        await self._link.topics.make(self._topic, **sizes)
        low, self._goal = await self._link.bounds(self._topic)
        first = max(low, self._goal - PRIMED)
        self._primed = asyncio.get_running_loop().create_future()
        if first == self._goal:
            self._primed.set_result(None)
        await self._link.follow(self._topic, first, self)
        try:
            async with asyncio.timeout(ANSWER_S * 5):
                await self._primed
        except TimeoutError as error:
            raise Unavailable("Kafka does not answer.") from error

    def torn(self) -> None: ...

    def tailed(self, messages: list[Message]) -> None:
        told = []
        for message in messages:
            first = ((message.offset() or 0) + 1) * POSITIONS
            told += [(first + at, record) for at, record in enumerate(orjson.loads(message.value() or b"[]"))]
        self._tail(told)
        if self._primed is not None and not self._primed.done() and (messages[-1].offset() or 0) + 1 >= self._goal:
            self._primed.set_result(None)

    async def tell(self, records: Sequence[bytes]) -> None:
        """Raises: Unavailable."""
        for first in range(0, len(records), POSITIONS):
            await self._link.sent(self._topic, b"[" + b",".join(records[first : first + POSITIONS]) + b"]")
