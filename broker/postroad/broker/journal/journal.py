"""The journal: one append-only sequence of records for everything a broker must remember.

A record is a header and optional bodies, both opaque. Its position counts up from 1, without gaps. What ``append`` was
given in one call is on disk whole or not at all. ``open`` → ``records`` → ``begin`` → the rest → ``close``.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..clock import Clock, SystemClock
from ..errors import InvalidState, StorageFull, Unavailable
from .begin import begin
from .checkpoint import SLICE_BYTES
from .files import NO_SPACE, Buffer, Files
from .index import ENTRY_BYTES, SparseIndex
from .options import JournalOptions, Recovered
from .pending_batch import BatchBuilder, slack
from .reader import SegmentReader
from .record import BATCH_BYTES, records_of
from .recover import Found, recover
from .segment import Segment, segment_name
from .segment_set import SegmentSet
from .spares import SETTLE_SHARE, START_RESERVE, Spares
from .upkeep import Upkeep
from .writer import Post, Writer

_NOTHING = (0, 0)


class Journal:
    """One store. ``append``, ``flush``, ``has_room``, ``retain`` and ``release`` are cheap and do no I/O.

    Args:
        files: The directory.
        options: Sizes and promises.
        post: Runs a callback in the owner's thread, as ``loop.call_soon_threadsafe`` does.
        clock: For the age of segments.

    Attributes:
        on_durable: Called through ``post`` with the new durable position.
        on_failure: Called through ``post``, once, when a write or a sync failed. Nothing is confirmed after that.
    """

    on_durable: Callable[[int], None]
    on_failure: Callable[[BaseException], None]

    def __init__(self, files: Files, options: JournalOptions, *, post: Post, clock: Clock | None = None) -> None:
        self._files, self._options, self._post = files, options, post
        self._clock: Clock = clock or SystemClock()
        self._mutex = threading.Lock()
        self._segments = SegmentSet(files, self._mutex)
        self._spares = Spares(files, options.segment_bytes, options.retry_ms / 1000, self._spares_failed)
        self._found: Found | None = None
        self._builder: BatchBuilder | None = None
        self._writer: Writer | None = None
        self._upkeep: Upkeep | None = None
        self._cut_bytes = 0
        self._most = _NOTHING
        self._locked = False
        self._closed_at = 0
        self.on_durable = lambda position: None
        self.on_failure = lambda error: None

    def open(self) -> Recovered:
        """Take the lock, read and check what is there.

        Raises:
            Unavailable: another process holds the store.
            Corrupt: damage before a proven point; nothing was changed.
            Unsupported: a later version wrote it; nothing was changed.
        """
        started = time.perf_counter()
        self._files.lock()
        self._locked = True
        try:
            found = self._found = recover(self._files)
        except BaseException:
            self.close()
            raise
        epoch = found.manifest.epoch + 1
        segments = self._segments.segments = list(found.segments)
        if segments and segments[-1].first == found.proven + 1:
            segments.pop()
        elif segments:
            segments[-1].end = found.proven + 1
        first = found.proven + 1
        segments.append(Segment(segment_name(first, epoch), first, epoch, self._options.segment_bytes))
        self._cut_bytes = found.cut_bytes
        return Recovered(
            snapshot=found.snapshot,
            snapshot_position=found.snapshot_position,
            store=found.manifest.store,
            epoch=epoch,
            last_position=found.last,
            batches=found.batches,
            cut_bytes=found.cut_bytes,
            quarantine=found.quarantine,
            skipped_snapshots=tuple(found.skipped),
            duration_ms=int((time.perf_counter() - started) * 1000),
        )

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Position and header of every record after the snapshot, in order; between ``open`` and ``begin``."""
        found = self._found
        if found is None:
            raise InvalidState("The journal is not open, or has begun.")
        after = found.snapshot_position
        for segment in found.segments[found.scanned :]:
            assert segment.header is not None
            end = found.last + 1 if segment is found.segments[-1] else segment.end
            assert end is not None
            index = SparseIndex()
            handle = self._files.open(segment.name)
            try:
                for batch in SegmentReader(self._files, handle, segment.header):
                    if batch.first >= end:
                        break
                    offset = batch.offset + BATCH_BYTES
                    position = batch.first
                    for header, start, length in records_of(batch.data, batch.count):
                        if offset >= index.next_offset:
                            index.add(position, offset)
                        if position > after:
                            yield position, header
                        offset = batch.offset + ((start + length + 7) & ~7)
                        position += 1
            finally:
                self._files.close(handle)
            segment.index = index

    def begin(self) -> None:
        """Make what was read durable, and get ready to append.

        Raises:
            StorageFull: no space for one segment.
            OSError: a failing disk.
        """
        found = self._found
        if found is None:
            raise InvalidState("The journal is not open, or has begun.")
        self._found = None
        segments = self._segments.segments
        try:
            self._spares.load()
            begun = begin(self._files, found, segments[-1], self._spares, self._clock)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise StorageFull("There is no space for a journal segment.") from error
            raise
        self._builder = BatchBuilder(
            self._mutex,
            segments,
            offset=begun.offset,
            position=found.last,
            capacity=self._options.segment_bytes,
            epoch=begun.manifest.epoch,
            claim=self._spares.claim,
        )
        self._most = (self._builder.unit_bytes_max - slack(),) * 2
        self._writer = Writer(
            self._files,
            self._options,
            self._mutex,
            self._builder,
            self._spares,
            self._clock,
            store=bytes.fromhex(begun.manifest.store),
            epoch=begun.manifest.epoch,
            handle=begun.handle,
            previous=begun.previous,
            synced=found.last,
            post=self._post,
            durable=lambda position: self.on_durable(position),
            failure=lambda error: self.on_failure(error),
        )
        self._upkeep = Upkeep(
            self._files, self._options, self._segments, self._mutex, self._spares, self._writer, begun.manifest
        )
        self._spares.reserve()
        self._spares.start()
        self._writer.start()

    def append(self, records: Sequence[tuple[bytes, Buffer | None]]) -> int:
        """Append records as one atomic unit; returns the position of the first. ``flush`` has them written.

        The buffers are kept by reference and must not change.

        Raises:
            LimitExceeded: more than one segment holds.
            Unavailable: a write has failed, or the journal is closed.
        """
        builder, writer = self._builder, self._writer
        if builder is None or writer is None or writer.failed is not None:
            raise Unavailable("The journal takes no more records.")
        return builder.append(records)

    @property
    def failed(self) -> BaseException | None:
        """Why nothing is written any more."""
        return self._writer.failed if self._writer is not None else None

    def abandon(self, error: BaseException) -> None:
        """Write nothing more: further records would not follow on those that are there."""
        if self._writer is not None:
            self._writer.fail(error)

    def flush(self) -> None:
        """Write everything pending: now if the disk is idle, else with the next sync."""
        if self._writer is not None:
            self._writer.wake()

    @property
    def position(self) -> int:
        """The last position given."""
        return self._builder.position if self._builder is not None else 0

    @property
    def durable_position(self) -> int:
        """Everything up to here is durable, as ``JournalOptions.durability`` means it."""
        return self._writer.durable if self._writer is not None else self._closed_at

    @property
    def earliest(self) -> int:
        """The first position from which on nothing is missing."""
        return self._segments.earliest

    @property
    def unit_bytes_max(self) -> int:
        """The largest ``room`` that there can be."""
        return self._most[0]

    def room(self) -> tuple[int, int]:
        """Bytes of one append that have their place reserved on disk: for a settle, and for a publish, which leaves the reserve alone.

        What counts is headers and bodies, and ``RECORD_BYTES_MAX`` for each record.
        """
        builder, writer = self._builder, self._writer
        if builder is None or writer is None or writer.failed is not None:
            return _NOTHING
        free = self._spares.free
        if free <= START_RESERVE and not self._spares.full:
            with contextlib.suppress(OSError):  # the thread that makes spares gets the same error and reports it
                self._spares.reserve()  # that thread is only late: make the spare here
            free = self._spares.free
        if free > START_RESERVE:
            return self._most
        left = max(builder.left - slack(), 0)
        return left, max(left - self._options.segment_bytes // SETTLE_SHARE, 0) if free == START_RESERVE else 0

    def has_room(self, nbytes: int, *, settle: bool = False) -> bool:
        """Whether one record of that many bytes has its place; ``settle``: it may use the reserve."""
        return nbytes <= self.room()[0 if settle else 1]

    def read(self, position: int) -> tuple[bytes, memoryview]:
        """Header and bodies of a record, also before it is durable.

        Raises:
            Gone: no longer kept; ``earliest`` says what is.
            Corrupt: damaged; nothing of it is returned.
        """
        pending, _ = self._pending(position)
        return pending or self._segments.read(position)

    def read_run(self, position: int, nbytes: int) -> list[tuple[int, bytes, memoryview]]:
        """Position, header and bodies of a record, and of those behind it that one read of ``nbytes`` brings along.

        Raises:
            Gone, Corrupt: as ``read``, of the first one.
        """
        pending, written = self._pending(position)
        return [(position, *pending)] if pending else self._segments.read_run(position, written, nbytes)

    def _pending(self, position: int) -> tuple[tuple[bytes, memoryview] | None, int]:
        """A record that is not in the file yet, and the last position that is."""
        builder, writer = self._builder, self._writer
        if builder is None or writer is None:
            raise InvalidState("The journal has not begun.")
        if not 0 < position <= builder.position:
            raise InvalidState(f"There is no record {position} yet.")
        written = writer.written
        if position > written and (pending := builder.find(position)) is not None:
            return (pending[0], memoryview(pending[1])), written
        return None, max(written, position)

    def scan(self, first: int, last: int | None = None) -> Iterator[tuple[int, bytes, int]]:
        """Position, header and bodies length of records ``first`` … ``last`` (the last durable one); in any thread.

        Raises:
            Gone: ``first`` is older than ``earliest``.
            Corrupt: damage was met.
        """
        writer = self._writer
        written = writer.written if writer is not None else 0
        return self._segments.scan(first, written if last is None else min(last, written))

    def retain(self, position: int, count: int = 1) -> None:
        """Keep the segment of a record; after ``open`` already."""
        self._segments.retain(position, count)

    def release(self, position: int, count: int = 1) -> None:
        self._segments.release(position, count)

    def write_snapshot(self, position: int, data: bytes) -> None:
        """``stream_snapshot`` of what is whole in memory."""
        view = memoryview(data)
        self.stream_snapshot(
            position, len(data), [view[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES)]
        )

    def stream_snapshot(self, position: int, length: int, slices: Iterable[Buffer]) -> None:
        """Make the owner's state as of a durable position a starting point. Blocks: call it in a thread.

        Args:
            length: Bytes of all ``slices`` together; these are asked for one by one.
            slices: What raises in it must not be an ``OSError``, which is the disk's.

        Raises:
            OSError: no space, or a failing disk; the latter ends the journal as any failed sync does.
            InvalidState: the position is not written yet.
            Corrupt: the length is another one, or it read back differently.
        """
        if self._upkeep is None:
            raise InvalidState("The journal has not begun.")
        self._upkeep.write_snapshot(position, length, slices)

    def collect(self, now_ms: int) -> int:
        """Delete or recycle segments that nobody needs; returns how many. Blocks: call it in a thread."""
        return self._upkeep.collect(now_ms) if self._upkeep is not None else 0

    def stats(self) -> dict[str, object]:
        """Numbers for metrics and the console; all cheap."""
        with self._mutex:
            segments = list(self._segments.segments)
        writer = self._writer
        times = writer.times if writer is not None else None
        return {
            "segments": len(segments),
            "bytes": sum(segment.capacity for segment in segments),
            "live": sum(segment.live for segment in segments),
            "spares": self._spares.free,
            "full": self._spares.full,
            "position": self.position,
            "durable_position": self.durable_position,
            "earliest": self.earliest,
            "batches": writer.batches if writer is not None else 0,
            "syncs": times.count if times is not None else 0,
            "sync_p50_ms": times.quantile_ms(0.5) if times is not None else 0.0,
            "sync_p99_ms": times.quantile_ms(0.99) if times is not None else 0.0,
            "sync_max_ms": times.max_ms if times is not None else 0.0,
            "cut_bytes": self._cut_bytes,
            "snapshots": list(self._upkeep.snapshots) if self._upkeep is not None else [],
        }

    def memory(self) -> tuple[int, int]:
        """Bytes of what is not written yet, and of the index of where records are."""
        builder = self._builder
        with self._mutex:
            indexes = sum(len(segment.index) for segment in self._segments.segments)
            pending = [*builder.unwritten, builder.current] if builder is not None else []
        return sum(batch.end - batch.offset for batch in pending), indexes * ENTRY_BYTES

    def close(self) -> None:
        """Write what is pending, prove it, mark the store clean, release the lock. Idempotent.

        After a failure nothing is written any more; the next start sorts it out.
        """
        writer, upkeep, self._writer = self._writer, self._upkeep, None
        try:
            if writer is not None and upkeep is not None:
                writer.wake()
                writer.stop()
                self._closed_at = writer.durable
                self._spares.stop()
                with contextlib.closing(writer):
                    if writer.failed is None:
                        upkeep.mark_clean(*writer.seal())
        finally:
            self._upkeep = None
            self._segments.close()
            if self._locked:
                self._locked = False
                self._files.unlock()

    def _spares_failed(self, error: BaseException) -> None:
        if self._writer is not None:
            self._writer.fail(error)
