"""Records that are appended and not yet written: their place in the files is decided here, with no I/O.

All that is appended while the disk syncs becomes one batch. A batch stays in one segment, so a unit that does not fit
closes the batch and begins a segment, in memory only; the writer makes the file when it gets there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from ..errors import LimitExceeded
from .files import Buffer
from .index import STRIDE_BYTES, SparseIndex
from .record import BATCH_BYTES, FRAME_BYTES, RECORD_BYTES, TRAILER_BYTES
from .segment import HEADER_BYTES, Segment, segment_name

_BATCH_BYTES_SOFT = 4 * 1024 * 1024
"""A batch beyond this is closed, so that one sync does not grow with the backlog."""


class PendingBatch:
    """Records that become one batch."""

    __slots__ = ("bodies", "end", "first", "headers", "offset", "segment")

    def __init__(self, segment: Segment, offset: int, first: int) -> None:
        self.segment = segment
        self.offset = offset
        self.first = first
        self.end = offset + BATCH_BYTES
        self.headers: list[bytes] = []
        self.bodies: list[Buffer] = []

    @property
    def last(self) -> int:
        return self.first + len(self.headers) - 1


class BatchBuilder:
    """Gives appended records their place, and hands them to the writer.

    Args:
        mutex: Guards this and the list of segments; ``take`` and ``mark`` are called with it held.
        segments: All segments, ascending; new ones are added at the end.
        offset: Where the next batch starts in the last of them.
        position: The last position given.
        capacity: Bytes of a new segment.
        epoch: Of this start.
        claim: Called for each new segment.
    """

    def __init__(
        self,
        mutex: threading.Lock,
        segments: list[Segment],
        *,
        offset: int,
        position: int,
        capacity: int,
        epoch: int,
        claim: Callable[[], None],
    ) -> None:
        self._mutex, self._segments, self._claim = mutex, segments, claim
        self._capacity, self._epoch = capacity, epoch
        self.unit_bytes_max = capacity - HEADER_BYTES - FRAME_BYTES
        """Bytes of the largest unit: it fills a segment."""
        self.position = position
        self.unwritten: deque[PendingBatch] = deque()
        """Closed batches, also the one being written, oldest first."""
        self._taken = 0
        self._is_torn = False
        self.current = PendingBatch(segments[-1], offset, position + 1)

    @property
    def empty(self) -> bool:
        """Nothing waits for the writer."""
        return not self.current.headers and len(self.unwritten) == self._taken

    @property
    def left(self) -> int:
        """Bytes left for records in the last segment."""
        return self.current.segment.capacity - self.current.end - TRAILER_BYTES

    def append(self, records: Sequence[tuple[bytes, Buffer | None]]) -> int:
        """Add one atomic unit; returns the position of its first record.

        Whatever raises in here leaves a unit that may be half laid out: of the batch that it is in nothing is written any more.
        """
        size = 0
        sizes = []
        for header, body in records:
            length = (RECORD_BYTES + len(header) + (len(body) if body is not None else 0) + 7) & ~7
            sizes.append(length)
            size += length
        if size > self.unit_bytes_max:
            raise LimitExceeded(
                "One append is larger than a segment.", limit="segment_bytes", value=self.unit_bytes_max
            )
        with self._mutex:
            self._is_torn = True
            batch = self.current
            offset = batch.end
            if offset + size + TRAILER_BYTES > batch.segment.capacity or (
                offset - batch.offset > _BATCH_BYTES_SOFT and batch.headers
            ):
                batch = self._next(size)
                offset = batch.end
            index = batch.segment.index
            position = first = self.position + 1
            headers, bodies = batch.headers, batch.bodies
            for length, (header, body) in zip(sizes, records, strict=True):
                if offset >= index.next_offset:
                    index.add(position, offset)
                headers.append(header)
                bodies.append(b"" if body is None else body)
                offset += length
                position += 1
            batch.end = offset
            self.position = position - 1
            self._is_torn = False
        return first

    def take(self) -> list[PendingBatch]:
        """Everything appended, as batches to write; the mutex is held."""
        if self.current.headers and not self._is_torn:
            self._close()
        taken = list(self.unwritten)[self._taken :]
        self._taken = len(self.unwritten)
        return taken

    def mark(self) -> PendingBatch | None:
        """An empty batch, if there is nothing to write and a place for it; the mutex is held."""
        if not self.empty or self.left < FRAME_BYTES or self._is_torn:
            return None
        return self._close()

    def written(self) -> None:
        """The oldest taken batch is in the file; the mutex is held."""
        self.unwritten.popleft()
        self._taken -= 1

    def find(self, position: int) -> tuple[bytes, Buffer] | None:
        """A record that is not in the file yet."""
        with self._mutex:
            for batch in (*self.unwritten, self.current):
                if batch.first <= position <= batch.last:
                    at = position - batch.first
                    return batch.headers[at], batch.bodies[at]
        return None

    def _close(self) -> PendingBatch:
        batch = self.current
        batch.end += TRAILER_BYTES
        self.unwritten.append(batch)
        self.current = PendingBatch(batch.segment, batch.end, self.position + 1)
        return batch

    def _next(self, size: int) -> PendingBatch:
        if self.current.headers:
            self._close()
        batch = self.current
        if batch.end + size + TRAILER_BYTES > batch.segment.capacity:
            first = self.position + 1
            segment = Segment(segment_name(first, self._epoch), first, self._epoch, self._capacity)
            segment.index = SparseIndex()
            batch.segment.end = first
            self._segments.append(segment)
            self._claim()
            self.current = batch = PendingBatch(segment, HEADER_BYTES, first)
        return batch


def slack(records: int = 1) -> int:
    """Upper bound of the bytes that framing adds."""
    return FRAME_BYTES + STRIDE_BYTES + records * (RECORD_BYTES + 8)
