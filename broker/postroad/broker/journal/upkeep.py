"""Everything that changes the store besides appending: snapshots, deletion, the clean mark. One at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..errors import InvalidState
from .checkpoint import drop_snapshots, list_snapshots, write_snapshot
from .collect import collect
from .files import NO_SPACE, Buffer, Files
from .manifest import Manifest, write_manifest
from .options import JournalOptions
from .segment_set import SegmentSet
from .spares import Spares
from .writer import Writer

WRITTEN_WAIT_S = 10.0
"""How long a snapshot waits until its position is written: with ``durability`` memory a record counts as durable before that."""


class Upkeep:
    """Changes a journal's files besides appending. Calls block, and any thread may make them.

    Args:
        manifest: As it is on disk.

    Attributes:
        snapshots: Positions of the kept ones, ascending.
    """

    def __init__(
        self,
        files: Files,
        options: JournalOptions,
        segment_set: SegmentSet,
        mutex: threading.Lock,
        spares: Spares,
        writer: Writer,
        manifest: Manifest,
    ) -> None:
        self._files, self._options, self._segments, self._mutex = files, options, segment_set, mutex
        self._spares, self._writer, self._manifest = spares, writer, manifest
        self._lock = threading.Lock()
        self.snapshots = list_snapshots(files)

    def write_snapshot(self, position: int, length: int, slices: Iterable[Buffer]) -> None:
        """See ``Journal.stream_snapshot``."""
        until = time.monotonic() + WRITTEN_WAIT_S
        while self._writer.written < position <= self._writer.durable and time.monotonic() < until:
            if self._writer.failed is not None:
                break
            time.sleep(0.002)
        if position > self._writer.written:
            raise InvalidState(f"Position {position} is not written yet.")
        store = bytes.fromhex(self._manifest.store)
        with self._lock, self._failing():
            if self._options.durability != "sync":
                self._sync_through(position)
            try:
                write_snapshot(self._files, store, position, length, slices)
            except OSError as error:
                if error.errno not in NO_SPACE:
                    raise
                # Segments can be deleted only after a snapshot, so it may use even the last spare.
                with self._spares.lent():
                    write_snapshot(self._files, store, position, length, slices)
            self.snapshots = drop_snapshots(self._files, self._options.snapshots_kept)

    def collect(self, now_ms: int) -> int:
        """See ``Journal.collect``."""
        with self._lock, self._failing():
            enough = len(self.snapshots) >= self._options.snapshots_kept
            count, self._manifest = collect(
                self._files, self._segments, self._mutex, self._spares, self._manifest, self._options,
                covered=self.snapshots[0] if enough else 0, now_ms=now_ms,
            )  # fmt: skip
            return count

    def mark_clean(self, position: int, crc: int) -> None:
        """Mark the store clean: the batch with this crc is on disk, and nothing follows it."""
        with self._lock:
            write_manifest(self._files, replace(self._manifest, clean=True, proven=position, proven_crc=crc))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """A failed sync, of a directory too, ends the journal; a full disk does not."""
        try:
            yield
        except OSError as error:
            if error.errno not in NO_SPACE:
                self._writer.fail(error)
            raise

    def _sync_through(self, position: int) -> None:
        """Segments before the last are synced when it begins; so the last two files that hold it are enough."""
        with self._mutex:
            names = [s.name for s in self._segments.segments if s.header is not None and s.first <= position][-2:]
        for name in names:
            handle = self._files.open(name)
            try:
                self._files.sync(handle)
            finally:
                self._files.close(handle)
