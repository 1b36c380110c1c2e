"""A stream: a queue of the type ``stream``, read by offset.

Its first message is a mark of ours, so a stream is never empty and where it ends can always be read: an offset of ours is RabbitMQ's less one.
RabbitMQ answers a reader that asks beyond the end with silence; so each gateway follows the end of the streams it uses, and nothing
is read that is not known to be there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from ...errors import Unavailable
from ..external import Extent, Received
from .link import header_text

if TYPE_CHECKING:
    from .backend import RabbitBackend

WINDOW = 500
"""Messages on their way to a reader."""

READERS_MAX = 8
PATIENCE_S = 5.0
END_ACKS = 1000
"""An ack for so many; each would cost as much as a message."""

ARGUMENTS = {"x-queue-type": "stream", "x-max-age": "7D"}
MARK = "postroad-mark"


class Reader:
    """Messages from an offset on, as far as they have come."""

    def __init__(self) -> None:
        self.buffer: deque[Received] = deque()
        self._channel: AbstractChannel
        self._came = asyncio.Event()
        self._is_cancelled = False

    async def begin(self, channel: AbstractChannel, queue: str, at: int | str, window: int) -> None:
        self._channel = channel
        channel.on_consumer_cancel_callbacks.add(self._cancelled)
        await channel.basic_qos(prefetch_count=window)
        await channel.basic_consume(queue, self._arrived, arguments={"x-stream-offset": at})

    async def _arrived(self, message: DeliveredMessage) -> None:
        properties = message.header.properties
        headers = properties.headers or {}
        offset, envelope = headers.get("x-stream-offset"), header_text(headers, "postroad")
        if isinstance(offset, int) and envelope is not None:
            received = Received(message.delivery_tag, offset - 1, orjson.loads(envelope), bytes(message.body))
            self.buffer.append(received)
            self._came.set()
        elif message.delivery_tag is not None:
            await self._channel.basic_ack(message.delivery_tag, wait=False)
            if isinstance(offset, int) and headers.get(MARK):
                self.buffer.append(Received(None, -1, {}, b""))
                self._came.set()

    def _cancelled(self, _: object) -> None:
        self._is_cancelled = True
        self._came.set()

    @property
    def _has_some(self) -> bool:
        return bool(self.buffer)

    async def some(self) -> None:
        """Wait until there is a message: one that is known to be there. Raises: Unavailable: the stream has no leader now."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not self._has_some:
                    if self.is_closed:
                        raise Unavailable("RabbitMQ ended the reading of the stream.")
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError as error:
            raise Unavailable("RabbitMQ does not read the stream.") from error

    async def take(self, most: int) -> list[Received]:
        taken: list[Received] = []
        newest = 0
        while self.buffer and len(taken) < most:
            message = self.buffer.popleft()
            if message.sequence >= 0:
                taken.append(message)
                newest = message.tag
        if newest:
            await self._channel.basic_ack(newest, multiple=True, wait=False)
        return taken

    @property
    def is_closed(self) -> bool:
        return self._is_cancelled or self._channel.is_closed

    async def close(self) -> None:
        if not self._channel.is_closed:
            await self._channel.close()


class Stream:
    """One stream as this gateway sees it; made anew with each connection.

    Attributes:
        next: The offset that the next message will have, as far as is known.
        watchers: Called when it has grown.
    """

    def __init__(self, backend: RabbitBackend, name: str) -> None:
        self.next = 0
        self._link = backend.link
        self._queue = backend.stream_name(name)
        self._readers: dict[int, Reader] = {}
        self._lock = asyncio.Lock()
        self._end: Reader | None = None
        self._ours: set[str] = set()
        self.watchers: set[Callable[[], None]] = set()
        self._ours_seen = asyncio.Event()

    async def follow(self) -> None:
        """Know where it ends, from now on."""
        async with self._lock:
            if self._end is not None and not self._end.is_closed:
                return
            self._ours.clear()
            end = _End(self)
            channel = await self._link.channel()
            await end.begin(channel, self._queue, "last", 4 * END_ACKS)
            await end.some()
            # What else is in the chunk that the first was in has been sent before RabbitMQ answers this.
            await channel.queue_declare(self._queue, passive=True)
            self._end = end

    def expect(self, id: str) -> None:
        """A message of ours was confirmed, or will be."""
        self._ours.add(id)

    def forget(self, id: str) -> None:
        self._ours.discard(id)
        self._ours_seen.set()

    def saw(self, offset: int, id: str | None) -> None:
        self.next = max(self.next, offset + 1)
        for watcher in self.watchers:
            watcher()
        if id is not None and id in self._ours:
            self.forget(id)

    async def _up_to_date(self) -> None:
        """Raises: Unavailable."""
        await self.follow()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._ours:
                    self._ours_seen.clear()
                    await self._ours_seen.wait()
        except TimeoutError as error:
            self._ours.clear()
            raise Unavailable("RabbitMQ does not show what was published to the stream.") from error

    async def extent(self) -> Extent:
        await self._up_to_date()
        first = await self._first()
        return Extent(
            earliest=min(first.sequence, self.next),
            next=self.next,
            oldest_at=first.header.get("t") if first.header else None,
        )

    async def _first(self) -> Received:
        reader = Reader()
        await reader.begin(await self._link.channel(), self._queue, "first", 2)
        try:
            await reader.some()
            if reader.buffer[0].sequence < 0 and self.next:
                reader.buffer.popleft()
                await reader.some()
            first = reader.buffer[0]
            return first if first.sequence >= 0 else Received(None, 0, {}, b"")
        finally:
            await reader.close()

    async def read(self, offset: int, most: int, *, window: int = WINDOW) -> list[Received]:
        await self.follow()
        if offset >= self.next:
            await self._up_to_date()
        if offset >= self.next:
            return []
        async with self._lock:
            reader = self._readers.pop(offset, None)
            if reader is None or reader.is_closed:
                reader = Reader()
                await reader.begin(await self._link.channel(), self._queue, offset + 1, window)
            await reader.some()
            taken = await reader.take(most)
            if taken:
                self._readers[taken[-1].sequence + 1] = reader
            while len(self._readers) > READERS_MAX:
                await self._readers.pop(next(iter(self._readers))).close()
            return taken

    async def offset_at(self, at_ms: int) -> int:
        """By halving: times grow with offsets, as far as the gateways' clocks agree."""
        extent = await self.extent()
        low, high = extent.earliest, extent.next
        while low < high:
            middle = (low + high) // 2
            (found,) = await self.read(middle, 1, window=1)
            if found.header["t"] < at_ms:
                low = middle + 1
            else:
                high = middle
        return low


class _End(Reader):
    """Keeps nothing but how far it came."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def _arrived(self, message: DeliveredMessage) -> None:
        properties = message.header.properties
        offset = (properties.headers or {}).get("x-stream-offset")
        if isinstance(offset, int):
            self._stream.saw(offset - 1, properties.message_id)
        self._came.set()
        tag = message.delivery_tag
        if tag is not None and tag % END_ACKS == 0:
            await self._channel.basic_ack(tag, multiple=True, wait=False)

    @property
    def _has_some(self) -> bool:
        return self._came.is_set()


def mark() -> Basic.Properties:
    """Of the first message."""
    return Basic.Properties(delivery_mode=2, headers={MARK: 1})
