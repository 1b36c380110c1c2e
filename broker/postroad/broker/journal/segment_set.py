"""All segments in order: which one holds a position, how many references it has, whether it is being read."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Corrupt, Gone
from .files import Files
from .locate import locate
from .lookup import read_record, read_run, walk
from .segment import Segment

_HANDLES_MAX = 32


def _first(segment: Segment) -> int:
    return segment.first


class SegmentSet:
    """All segments of a journal.

    Args:
        files: Where they are.
        mutex: Guards ``segments`` and their counters.
    """

    def __init__(self, files: Files, mutex: threading.Lock) -> None:
        self._files, self._mutex = files, mutex
        self.segments: list[Segment] = []
        self._handles: OrderedDict[str, int] = OrderedDict()
        self._handles_lock = threading.Lock()

    @property
    def earliest(self) -> int:
        """First position from which on nothing is missing."""
        with self._mutex:
            return self._earliest()

    def retain(self, position: int, count: int) -> None:
        with self._mutex:
            self._of(position).live += count

    def release(self, position: int, count: int) -> None:
        with self._mutex:
            segment = self._of(position)
            segment.live -= count
            assert segment.live >= 0, f"more references released than held at position {position}"

    def read(self, position: int) -> tuple[bytes, memoryview]:
        """A written record.

        Raises:
            Gone: older than what is kept.
            Corrupt: damaged.
        """
        with self._pinned(position) as segment, self._handles_lock:
            handle = self._handle(segment)
            return read_record(self._files, handle, segment, position)

    def read_run(self, position: int, last: int, nbytes: int) -> list[tuple[int, bytes, memoryview]]:
        """A written record, and those behind it up to ``last`` that come with one read of ``nbytes``."""
        with self._pinned(position) as segment, self._handles_lock:
            handle = self._handle(segment)
            end = min(last + 1, segment.end if segment.end is not None else last + 1)
            return read_run(self._files, handle, segment, position, end, nbytes)

    def scan(self, first: int, last: int) -> Iterator[tuple[int, bytes, int]]:
        """Position, header and bodies length of written records; safe in any thread."""
        position = first
        with self._mutex:
            earliest = self._earliest()
        if first < earliest:
            raise Gone(f"Position {first} is no longer kept; the earliest is {earliest}.", earliest=earliest)
        while position <= last:
            with self._pinned(position) as segment:
                handle = self._files.open(segment.name)
                try:
                    end = min(last + 1, segment.end if segment.end is not None else last + 1)
                    with self._handles_lock:  # every lookup may add to the index
                        at, offset = locate(self._files, handle, segment, position)
                    for found, _, header, length, _ in walk(self._files, handle, segment, at, offset, end):
                        if found >= position:
                            yield found, header, length
                    position = end
                finally:
                    self._files.close(handle)

    def forget(self, name: str) -> None:
        """Close the file, which is about to be deleted."""
        with self._handles_lock:
            handle = self._handles.pop(name, None)
        if handle is not None:
            self._files.close(handle)

    def close(self) -> None:
        with self._handles_lock:
            for handle in self._handles.values():
                self._files.close(handle)
            self._handles.clear()

    def _earliest(self) -> int:
        segments = self.segments
        at = len(segments) - 1
        while at > 0 and segments[at - 1].end == segments[at].first:
            at -= 1
        return segments[at].first if segments else 1

    def _of(self, position: int) -> Segment:
        segments = self.segments
        segment = segments[-1]
        if position < segment.first:
            at = bisect_right(segments, position, key=_first) - 1
            segment = segments[max(at, 0)]
            if position < segment.first or (segment.end is not None and position >= segment.end):
                raise Gone(f"Position {position} is no longer kept.", earliest=self._earliest())
        return segment

    @contextmanager
    def _pinned(self, position: int) -> Iterator[Segment]:
        with self._mutex:
            segment = self._of(position)
            if segment.header is None:
                raise Corrupt(f"Position {position} was not written.", segment=segment.name, offset=0)
            segment.pins += 1
        try:
            yield segment
        finally:
            with self._mutex:
                segment.pins -= 1

    def _handle(self, segment: Segment) -> int:
        handle = self._handles.get(segment.name)
        if handle is not None:
            self._handles.move_to_end(segment.name)
            return handle
        handle = self._handles[segment.name] = self._files.open(segment.name)
        if len(self._handles) > _HANDLES_MAX:
            self._files.close(self._handles.popitem(last=False)[1])
        return handle
