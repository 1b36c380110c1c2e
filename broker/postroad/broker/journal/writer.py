"""Group commit: one thread writes and syncs, and is the only caller of a sync on the append path.

While one sync runs, appended records wait in memory; the next sync covers all of them. So the records that arrive during
one sync share the cost of the next, a single record waits for no timer, and throughput grows with load while latency stays
between one and two syncs. No delay is added: it would save syncs under light load only, and it would make every publish
wait longer exactly then.

One write is in flight at a time. It is a single ``pwritev`` that syncs itself where the system can (RWF_DSYNC): two
calls would mean waiting for the interpreter's lock twice. Only after it returned is its position reported, and each
batch carries the position known as durable when it was written. At most the last batch can therefore be torn, and
recovery can tell a torn one from a damaged one.

A failed write or sync ends it: the kernel may have dropped the data and marked the pages clean, so a second sync that
succeeds proves nothing. The owner is told once, nothing is reported after that, and nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from ..clock import Clock
from .files import Files, write_all
from .options import JournalOptions
from .pending_batch import BatchBuilder, PendingBatch
from .record import encode_batch
from .segment import Segment, SegmentHeader
from .spares import Spares, is_recycled
from .timing import SyncTimes

Post = Callable[[Callable[[], None]], None]


def begin_file(files: Files, spare: str, segment: Segment, header: SegmentHeader) -> int:
    """Write a segment's header into a spare and sync it; the caller renames the file. Returns the handle."""
    handle = files.open(spare)
    try:
        write_all(files, handle, [header.pack()], 0)
        files.sync(handle)
    except BaseException:
        files.close(handle)
        raise
    segment.header = header
    return handle


class Writer:
    """The thread behind a journal.

    Args:
        builder: Where batches come from; its mutex is ``mutex``.
        handle: The last segment's file, open.
        previous: Crc to continue from.
        synced: Last position known to be on disk.
        post: Runs a callback in the owner's thread.
        durable: Called there with the new durable position.
        failure: Called there once.
    """

    def __init__(
        self,
        files: Files,
        options: JournalOptions,
        mutex: threading.Lock,
        builder: BatchBuilder,
        spares: Spares,
        clock: Clock,
        *,
        store: bytes,
        epoch: int,
        handle: int,
        previous: int,
        synced: int,
        post: Post,
        durable: Callable[[int], None],
        failure: Callable[[BaseException], None],
    ) -> None:
        self._files, self._options, self._mutex = files, options, mutex
        self._builder, self._spares, self._clock = builder, spares, clock
        self._store, self._epoch = store, epoch
        self._segment, self._previous = builder.current.segment, previous
        self._handle: int | None = handle
        self._post, self._on_durable, self._on_failure = post, durable, failure
        self._sync = options.durability == "sync"
        self._wake = threading.Lock()
        self._wake.acquire()
        self._idle, self._wanted, self._stopping, self._ended, self._mark_due = True, False, False, False, False
        self._thread = threading.Thread(target=self._run, name="postroad-journal", daemon=True)
        self._synced = synced
        self.written = self.durable = synced
        self.failed: BaseException | None = None
        self.times = SyncTimes()
        self.batches = 0

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Write everything appended: now if the thread is idle, else with its next batch."""
        with self._mutex:
            if self._builder.empty or self._stopping:
                return
            self._wanted = True
            if not self._idle:
                return
            self._idle = False
        self._wake.release()

    def stop(self) -> None:
        """Finish the batches that are waiting, and wait for the thread to end."""
        with self._mutex:
            self._stopping = True
            idle, self._idle = self._idle, False
        if idle:
            self._wake.release()
        self._thread.join()

    def seal(self) -> tuple[int, int]:
        """After ``stop``: prove the last batch; returns the last position and crc on disk."""
        with self._mutex:
            mark = self._builder.mark()
        assert self._handle is not None
        self._files.sync(self._handle)
        self._synced = self.written
        if mark is not None:
            self._write(mark)
            self._files.sync(self._handle)
        return self._synced, self._previous

    def close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._files.close(handle)

    def fail(self, error: BaseException) -> None:
        """Remember the first failure and report it to the owner; nothing is reported after it."""
        with self._mutex:
            if self.failed is not None:
                return
            self.failed = error
        self._tell(partial(self._on_failure, error))

    def _run(self) -> None:
        try:
            while not self._ended:
                self._wait()
                while batches := self._take():
                    for batch in batches:
                        self._write(batch)
        except BaseException as error:  # noqa: BLE001 - root of the thread: report it and end
            self.fail(error)

    def _wait(self) -> None:
        timeout = self._options.mark_ms / 1000 if self._mark_due and self._sync else -1
        if self._wake.acquire(timeout=timeout):
            return
        with self._mutex:
            if self._idle:
                self._idle, self._mark_due = False, False
                self._wanted = self._builder.mark() is not None
                return
        self._wake.acquire()  # the wake-up came just after the timeout

    def _take(self) -> list[PendingBatch]:
        with self._mutex:
            if self.failed is not None:
                raise self.failed
            if self._wanted:
                self._wanted = False
                return self._builder.take()
            self._idle, self._ended = not self._stopping, self._stopping
            return []

    def _write(self, batch: PendingBatch) -> None:
        if batch.segment is not self._segment:
            self._turn(batch.segment)
        assert batch.segment.header is not None and self._handle is not None
        buffers, crc = encode_batch(
            batch.headers,
            batch.bodies,
            first=batch.first,
            length=batch.end - batch.offset,
            epoch=self._epoch,
            durable=self._synced,
            previous=self._previous,
            seed=batch.segment.header.seed,
        )
        if self._options.durability == "memory":
            self._report(batch.last)
        started = time.perf_counter()
        write_all(self._files, self._handle, buffers, batch.offset, sync=self._sync)
        took = time.perf_counter() - started
        with self._mutex:
            self.written = batch.last
            self._builder.written()
        self._report(batch.last)
        # Bookkeeping comes after the report: the owner can go on meanwhile.
        self.times.add(took)
        self._previous = crc
        self._mark_due = bool(batch.headers)
        self.batches += 1
        if self._sync:
            self._synced = batch.last

    def _turn(self, segment: Segment) -> None:
        """Begin the next segment. Its file appears only after all before it is on disk, so that its existence proves that."""
        assert self._handle is not None
        if not self._sync:
            self._files.sync(self._handle)
            self._synced = self.written
        self.close()
        spare = self._spares.take()
        header = SegmentHeader(
            store=self._store, epoch=self._epoch, first=segment.first, previous=self._previous,
            created_ms=self._clock.now_ms(), salt=os.urandom(8), recycled=is_recycled(spare),
        )  # fmt: skip
        self._handle = begin_file(self._files, spare, segment, header)
        self._files.rename(spare, segment.name)
        self._files.dirsync()
        self._segment, self._previous = segment, header.crc

    def _report(self, position: int) -> None:
        if position > self.durable and self.failed is None:
            self.durable = position
            self._tell(partial(self._on_durable, position))

    def _tell(self, callback: Callable[[], None]) -> None:
        # RuntimeError: the event loop is closed, and nobody is left to report to.
        with contextlib.suppress(RuntimeError):
            self._post(callback)
