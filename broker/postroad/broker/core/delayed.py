"""What waits for its time: runs of sequences in buckets of one second, 32 bytes a run.

A heap entry a message would cost ten times the memory; a bucket is an array that is sorted only when its second has come.

A sequence is added again only after its former row has come due, so a row needs no removal when its message is settled early:
``members`` says what still waits, and rows are checked against it.
"""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from .runs import Runs

BUCKET_MS = 1000

Row = tuple[int, int, int, int]
"""``(due, first, last, priority)``."""


class Delayed:
    """Runs of sequences with a due time and a priority.

    Attributes:
        members: Which sequences wait here.
    """

    __slots__ = ("_buckets", "_current", "_current_key", "_heap", "members")

    def __init__(self) -> None:
        self.members = Runs()
        self._buckets: dict[int, array[int]] = {}
        self._heap: list[int] = []
        self._current: list[Row] = []
        self._current_key = -1

    def add(self, due_ms: int, first: int, last: int, priority: int) -> None:
        self.members.add(first, last)
        key = due_ms // BUCKET_MS
        if key <= self._current_key:
            insort(self._current, (due_ms, first, last, priority), key=_latest_first)
            return
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = array("Q")
            heappush(self._heap, key)
        bucket.extend((due_ms, first, last, priority))

    def next_due(self) -> int | None:
        """When to look again, milliseconds: exact within the current second, else the start of a later one."""
        if not self.members:
            return None
        if self._current:
            return self._current[-1][0]
        return self._heap[0] * BUCKET_MS if self._heap else None

    def take_due(self, at_ms: int) -> list[tuple[int, int, int]]:
        """Remove what is due at ``at_ms``: ``(first, last, priority)`` in order of due time."""
        taken: list[tuple[int, int, int]] = []
        while True:
            while self._current and self._current[-1][0] <= at_ms:
                _, first, last, priority = self._current.pop()
                taken.extend((a, b, priority) for a, b in self.members.remove(first, last))
            if not self._heap or self._heap[0] * BUCKET_MS > at_ms:
                return taken
            self._current_key = heappop(self._heap)
            self._current = sorted(_rows(self._buckets.pop(self._current_key)), key=_latest_first)

    def remove(self, first: int, last: int) -> list[tuple[int, int]]:
        """Take out what of ``first`` … ``last`` waits here (settled before its time)."""
        removed = self.members.remove(first, last)
        if removed and not self.members:
            self.__init__()  # type: ignore[misc]  # nothing waits: let the rows go at once
        return removed

    def due_of(self, sequence: int) -> int | None:
        """When this sequence comes due; None if it does not wait here."""
        if sequence not in self.members:
            return None
        return next((due for due, first, last, _ in self._all() if first <= sequence <= last), None)

    def rows(self) -> list[int]:
        """``[due, first, last, priority, …]`` of what still waits, in order, for snapshots."""
        alive = [
            (due, a, b, priority)
            for due, first, last, priority in self._all()
            for a, b in self.members.within(first, last)
        ]
        return [value for row in sorted(alive) for value in row]

    @classmethod
    def from_rows(cls, flat: list[int]) -> Delayed:
        delayed = cls()
        for due, first, last, priority in _rows(flat):
            delayed.members.add(first, last)
            delayed._buckets.setdefault(due // BUCKET_MS, array("Q")).extend((due, first, last, priority))
        delayed._heap = list(delayed._buckets)
        heapify(delayed._heap)
        return delayed

    def _all(self) -> Iterator[Row]:
        yield from self._current
        for bucket in self._buckets.values():
            yield from _rows(bucket)


def _latest_first(row: Row) -> tuple[int, int]:
    return -row[0], -row[1]


def _rows(flat: array[int] | list[int]) -> Iterator[Row]:
    return zip(flat[0::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
