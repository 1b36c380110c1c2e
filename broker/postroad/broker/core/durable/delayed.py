"""What waits for its time: runs of sequences in buckets of one second, 32 bytes a run.

A heap entry a message would cost ten times the memory; a bucket is an array that is sorted only when its second has come.

A row is not looked for when its message is settled early: ``members`` says what still waits, and rows are checked against it. Those
that lie about are known by their sequences, so that one that waits again (redriven to a group, say) does not come at its former time.
"""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterator
from heapq import heappop, heappush

from .runs import Runs

BUCKET_MS = 1000

ROWS_SPARE = 1024
"""Rows of settled messages that may lie about before they are cleared away."""

Row = tuple[int, int, int, int]
"""``(due, first, last, priority)``."""


class Delayed:
    """Runs of sequences with a due time and a priority.

    Attributes:
        members: Which sequences wait here.
    """

    __slots__ = ("_buckets", "_current", "_current_key", "_heap", "_left_behind", "_row_count", "members")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.members = Runs()
        self._buckets: dict[int, array[int]] = {}
        self._heap: list[int] = []
        self._current: list[Row] = []
        self._current_key = -1
        self._row_count = 0
        self._left_behind = Runs()

    def add(self, due_ms: int, first: int, last: int, priority: int) -> None:
        if self._left_behind and self._left_behind.within(first, last):
            self._take_over(self.flat_rows())
        self.members.add(first, last)
        self._row_count += 1
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
        return [(first, last, priority) for _, first, last, priority in self.take_due_rows(at_ms)]

    def take_due_rows(self, at_ms: int) -> list[Row]:
        """``take_due`` with the due times."""
        taken: list[Row] = []
        while True:
            while self._current and self._current[-1][0] <= at_ms:
                due, first, last, priority = self._current.pop()
                self._row_count -= 1
                if self._left_behind:
                    self._left_behind.remove(first, last)
                taken.extend((due, a, b, priority) for a, b in self.members.remove(first, last))
            if not self._heap or self._heap[0] * BUCKET_MS > at_ms:
                return taken
            self._current_key = heappop(self._heap)
            self._current = sorted(_unflatten(self._buckets.pop(self._current_key)), key=_latest_first)

    def remove(self, first: int, last: int) -> list[tuple[int, int]]:
        """Take out what of ``first`` … ``last`` waits here (settled before its time)."""
        removed = self.members.remove(first, last)
        for a, b in removed:
            self._left_behind.add(a, b)
        if removed and self._row_count > 2 * self.members.count + ROWS_SPARE:
            self._take_over(self.flat_rows())
        return removed

    def _take_over(self, flat: list[int]) -> None:
        """Begin again with these rows, without those of what no longer waits."""
        self.clear()
        for due, first, last, priority in _unflatten(flat):
            self.add(due, first, last, priority)

    def due_of(self, sequence: int) -> int | None:
        """When this sequence comes due; None if it does not wait here."""
        if sequence not in self.members:
            return None
        return next((due for due, first, last, _ in self._rows() if first <= sequence <= last), None)

    def prioritised(self) -> Iterator[tuple[int, int, int]]:
        """``(first, last, priority)`` of rows with another priority than 0; some of what they name may wait no longer."""
        return ((first, last, priority) for _, first, last, priority in self._rows() if priority)

    def live_rows(self) -> list[Row]:
        """What still waits, in order."""
        return sorted(
            (due, a, b, priority)
            for due, first, last, priority in self._rows()
            for a, b in self.members.within(first, last)
        )

    def flat_rows(self) -> list[int]:
        """``[due, first, last, priority, …]`` of what still waits, in order, for snapshots."""
        return [value for row in self.live_rows() for value in row]

    @classmethod
    def from_flat_rows(cls, flat: list[int]) -> Delayed:
        delayed = cls()
        delayed._take_over(flat)
        return delayed

    def _rows(self) -> Iterator[Row]:
        yield from self._current
        for bucket in self._buckets.values():
            yield from _unflatten(bucket)


def _latest_first(row: Row) -> tuple[int, int]:
    return -row[0], -row[1]


def _unflatten(flat: array[int] | list[int]) -> Iterator[Row]:
    return zip(flat[0::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
