"""A stream: a topic with one record a message, as any Kafka client reads and writes them; the envelope is in the header ``postroad``."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from confluent_kafka import Message

from ...errors import PostroadError, QueueNotFound
from ..engine import Json
from ..external import Definition, Received, Send
from .link import Link
from .log import now_ms
from .place import Place
from .tail import Follower

TIDY_S = 30.0
RECENT_BYTES = 8 * 1024 * 1024
HEADER = "postroad"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Stream(Follower):
    """Attributes:
    next: Offset that the next message will have, as far as was read.
    on_new: Called when there are new messages.
    """

    def __init__(self, link: Link, definition: Definition, topic: str) -> None:
        self.topic = topic
        self.definition = definition
        self.low = 0
        self.on_new: dict[str, Callable[[], None]] = {}
        self._link = link
        self._recent: deque[tuple[int, Json, bytes]] = deque()
        self._recent_bytes = 0
        self._tidied = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._place = Place()

    @property
    def next(self) -> int:
        return self._place.offset

    async def open(self) -> None:
        """Follow its end.

        Raises:
            Unavailable, QueueNotFound.
        """
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.get_running_loop().create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        self.low, high = await self._link.bounds(self.topic)
        self._place.reach(high)
        await self._link.follow(self.topic, high, self)

    def torn(self) -> None:
        self._link.unfollow([self.topic])
        self._recent.clear()
        self._recent_bytes = 0
        self._opening = None

    def close(self, error: PostroadError) -> None:
        self._link.unfollow([self.topic])
        if self._opening is not None:
            self._opening.cancel()
        self._place.fail(error)

    def tailed(self, messages: list[Message]) -> None:
        for message in messages:
            offset, header, body = unpacked(message)
            if offset < self.next:
                continue
            self._recent.append((offset, header, body))
            self._recent_bytes += len(body) + 500
            self._place.reach(offset + 1)
        while self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft()[2]) + 500
        for told in list(self.on_new.values()):
            told()

    async def bounds(self) -> tuple[int, int]:
        """As the server has them now; what it has is read here then, too."""
        await self.open()
        self.low, high = await self._link.bounds(self.topic)
        await self._place.until(high)
        return self.low, high

    async def read(self, offset: int, count: int) -> list[Received]:
        """What is still there of ``offset`` … ``offset + count - 1``."""
        await self.open()
        if offset >= self.next:
            await self.bounds()
        end = min(offset + count, self.next)
        if offset >= end:
            return []
        if self._recent and self._recent[0][0] <= offset:
            start = offset - self._recent[0][0]
            return [Received(self._recent[at][0], self._recent[at][0], *self._recent[at][1:]) for at in range(start, start + end - offset)]  # fmt: skip
        try:
            found = await self._link.fetch(self.topic, offset, end - offset)
        except QueueNotFound:
            await self.bounds()
            if self.low <= offset:
                raise
            return await self.read(self.low, count)
        return [Received(at, at, header, body) for at, header, body in map(unpacked, found)]

    async def those(self, offsets: Sequence[int]) -> dict[int, Received]:
        """Messages by offset; those that are no longer kept are missing."""
        found: dict[int, Received] = {}
        at = 0
        while at < len(offsets):
            end = at + 1
            while end < len(offsets) and offsets[end] == offsets[end - 1] + 1:
                end += 1
            first, last = offsets[at], offsets[end - 1]
            while first <= last:
                for message in await self.read(first, last - first + 1):
                    found[message.sequence] = message
                    first = message.sequence
                first += 1
            at = end
        return found

    def post(self, send: Send, only: list[int] | None) -> asyncio.Future[list[int]]:
        """Write messages; the future has their offsets when all are stored."""
        picked = range(len(send.headers)) if only is None else only
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        offsets: list[int] = []
        wanted = len(picked)

        def done(error: Any, offset: int) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(self._link.failure(error))
                return
            offsets.append(offset)
            if len(offsets) == wanted:
                future.set_result(offsets)

        for index in picked:
            key = send.keys[index] if send.keys else None
            self._link.produce(
                self.topic, send.bodies[index], done, key=key, at=send.at, headers=[(HEADER, send.headers[index])]
            )
        return future

    async def tidy(self) -> None:
        """Let go of what is more than its settings allow."""
        settings = self.definition.settings
        age, most = settings.get("retention_ms"), settings.get("retention_count")
        now = time.monotonic()
        if (age is None and most is None) or (most is None and now < self._tidied + TIDY_S):
            return
        self._tidied = now
        low, high = await self._link.bounds(self.topic)
        before = low if most is None else max(low, high - most)
        if age is not None and low < high:
            first_kept = await self._link.offset_at(self.topic, now_ms() - age)
            before = max(before, high if first_kept is None else first_kept)
        if before > low:
            await self._link.topics.cut(self.topic, before)
            self.low = before
            while self._recent and self._recent[0][0] < before:
                self._recent_bytes -= len(self._recent.popleft()[2]) + 500


def unpacked(message: Message) -> tuple[int, Json, bytes]:
    """Offset, envelope and body of a record; one that is not from a Postroad gets an envelope of its own."""
    offset = message.offset() or 0
    for pair in message.headers() or ():
        if pair[0] == HEADER and isinstance(pair[1], bytes):
            return offset, orjson.loads(pair[1]), message.value() or b""
    number, text = offset, ""
    while number or not text:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    header: Json = {"i": f"external-{text}-", "x": 0, "t": message.timestamp()[1], "y": "bytes"}
    key: object = message.key()
    if isinstance(key, bytes):
        header["k"] = key.decode(errors="replace")[:256]
    return offset, header, message.value() or b""
