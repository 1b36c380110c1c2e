"""Readers of streams: a place in the log that moves on as messages become durable and the socket has room.

A reader keeps nothing: a slow one simply stays behind, and goes on from its offset. What retention took meanwhile is told as ``trimmed``.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Iterator

from ....core.durable.stream import Stream
from ....core.format.effect import Deliver
from ....core.format.record import Publish, Record
from ....core.machine import Machine
from ....core.rules.declare import offset_of
from ....errors import PostroadError, QueueNotFound
from ...engine import DeliveryBatch, ReadSink, ReadSpec
from ..write.bodies import Bodies
from ..write.delivery import batches

STEP = 1024
"""Messages read in one turn of the loop, for each reader; at most."""

STEP_BYTES = 256 * 1024
"""Bytes of bodies after which its turn is over."""


Place = tuple[int, int, int]
"""Stream, first and last offset."""


class _Shared:
    """Batches that several readers take: each is made when the first of them asks for it."""

    def __init__(self, place: Place, source: Iterator[DeliveryBatch]) -> None:
        self.place = place
        self._source = source
        self._made: list[DeliveryBatch] = []
        self._error: PostroadError | None = None

    def __iter__(self) -> Iterator[DeliveryBatch]:
        at = 0
        while True:
            if at == len(self._made):
                batch = self._next()
                if batch is None:
                    return
                self._made.append(batch)
            yield self._made[at]
            at += 1

    def _next(self) -> DeliveryBatch | None:
        """Raises: Gone, Corrupt: a body cannot be read, for whoever comes to it."""
        if self._error is not None:
            raise self._error
        try:
            return next(self._source, None)
        except PostroadError as error:
            self._error = error
            raise


class EmbeddedReader:
    """See ``engine.Reader``."""

    def __init__(self, readers: Readers, stream: Stream, sink: ReadSink, offset: int, end: int) -> None:
        self._readers = readers
        self.stream = stream
        self.sink = sink
        self.offset = offset
        self.end = end
        self.position = 0
        self.is_paused = False
        self.is_waiting = False
        self.is_closed = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self._readers.go_on(self)

    def cancel(self) -> None:
        self._readers.remove(self)


class Readers:
    """All readers of an engine, by stream."""

    def __init__(
        self, machine: Machine, bodies: Bodies, loop: AbstractEventLoop, durable: Callable[[int], Awaitable[None]]
    ) -> None:
        self._machine = machine
        self._bodies = bodies
        self._loop = loop
        self._durable = durable
        self._open: dict[int, list[EmbeddedReader]] = {}
        self._shared: _Shared | None = None

    async def open(self, spec: ReadSpec, sink: ReadSink) -> EmbeddedReader:
        """Raises: QueueNotFound: no such stream."""
        stream = self._machine.state.streams.get(spec.stream)
        if stream is None:
            raise QueueNotFound(f'There is no stream named "{spec.stream[:75]}".', stream=spec.stream[:75])
        end = stream.log.next
        start = spec.start
        if isinstance(start, tuple) and start[0] == "last":
            start = ("offset", max(end - start[1], 0))
        reader = EmbeddedReader(self, stream, sink, offset_of(stream, start), end)
        if isinstance(start, tuple) and start[0] == "offset":
            reader.offset = min(start[1], end)  # before the earliest kept: said as trimmed
        self._open.setdefault(stream.number, []).append(reader)
        position = self._machine.state.position
        reader.is_waiting = True
        await self._durable(position)
        reader.position = position
        reader.is_waiting = False
        self._loop.call_soon(self.go_on, reader)
        return reader

    def remove(self, reader: EmbeddedReader) -> None:
        reader.is_closed = True
        readers = self._open.get(reader.stream.number, [])
        if reader in readers:
            readers.remove(reader)
            if not readers:
                del self._open[reader.stream.number]

    def close(self, error: PostroadError) -> None:
        for readers in list(self._open.values()):
            for reader in list(readers):
                reader.is_closed = True
                reader.sink.ended(error)
        self._open.clear()

    def on_durable(self, records: list[tuple[int, Record]]) -> None:
        """Records are durable: streams may have grown, or be gone."""
        if not self._open:
            return
        grown: dict[int, int] = {}
        for _, record in records:
            if isinstance(record, Publish):
                for log, first, only in record.targets:
                    if log in self._open:
                        grown[log] = first + (len(record.sizes) if only is None else len(only))
        for log, end in grown.items():
            for reader in list(self._open.get(log, ())):
                reader.end = end
                self.go_on(reader)
        for number in [number for number in self._open if number not in self._machine.state.stream_logs]:
            for reader in self._open.pop(number):
                reader.is_closed = True
                reader.sink.ended(QueueNotFound(f'"{reader.stream.name}" was deleted.', stream=reader.stream.name))

    def go_on(self, reader: EmbeddedReader) -> None:
        """Deliver more, if there is more and the socket has room; at most ``STEP`` messages or ``STEP_BYTES`` a turn."""
        if reader.is_closed or reader.is_paused or reader.is_waiting or reader.offset >= reader.end:
            return
        trimmed = reader.stream.trimmed(reader.offset)
        first = max(reader.offset, reader.stream.log.first)
        last = min(reader.end, first + STEP) - 1
        if last < first:
            return
        size = 0
        try:
            for batch in self._batches(reader.stream, first, last):
                reader.offset = batch.runs[-1].sequence + batch.runs[-1].count
                reader.sink.messages(batch, trimmed)
                trimmed = None
                size += sum(batch.sizes)
                if reader.is_paused:
                    return
                if size >= STEP_BYTES:
                    break
            else:
                reader.offset = last + 1  # behind the last message there may be a gap that compaction left
        except PostroadError as error:
            self.remove(reader)
            reader.sink.ended(error)
            return
        if reader.offset < reader.end:
            reader.is_waiting = True
            self._loop.call_soon(self._next_turn, reader)

    def _next_turn(self, reader: EmbeddedReader) -> None:
        reader.is_waiting = False
        self.go_on(reader)

    def _batches(self, stream: Stream, first: int, last: int) -> Iterator[DeliveryBatch]:
        """Made once for all readers that are at one place in this turn of the loop, as most are; and only what one of them takes."""
        place = (stream.number, first, last)
        if self._shared is None or self._shared.place != place:
            if self._shared is None:
                self._loop.call_soon(self._forget)
            grant = Deliver(
                0, stream.number, 0, first, last - first + 1, list(stream.log.pieces(first, last)), None, 0, ""
            )
            self._shared = _Shared(place, batches([grant], self._bodies))
        return iter(self._shared)

    def _forget(self) -> None:
        self._shared = None
