"""What waits for its time: rows of sequences that come due together, found by sequence and by time.

By sequence there is a run map of ``(due, priority)``. By time there are *buckets*, each an array of the first sequences of rows. A bucket
of level 0 is one millisecond, of level 1 256 of them, of level 2 65,536 (about a minute), and so on: a row goes to the level of the highest
byte in which its due time differs from now, so each level has at most 256 buckets, whatever the due times are. When the start of a
bucket has come, what is not due yet goes on to buckets of lower levels, a bounded number of rows a call. So 30 bytes a row is all.

An entry of a bucket is not looked for when its row is settled early: an entry whose row is gone says nothing, and is dropped when its
bucket is looked at. Where such entries are most of all, each removal looks through some.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from heapq import heappop, heappush

from .run_map import Row, RunMap
from .runs import Range

LEVEL_BITS = 8
DUE_MAX = 2**62
PRIORITY_MAX = 2**16 - 1

STALE_SPARE = 1024
"""Entries without a row that may lie about before they are looked for."""

SWEEP_MIN = 64
"""A removal looks through at least so many entries, while too many have no row."""

LATE = (0, 0)
"""The bucket of what was due already when it was added."""

Key = tuple[int, int]
"""Start and level of a bucket."""


class Delayed:
    """Rows ``(first, last, due, priority)``, in order of sequence.

    Which rows there are depends on ``add`` and ``remove`` alone; the buckets depend also on when they were looked at.
    """

    __slots__ = ("_buckets", "_entries", "_heap", "_now", "_rows", "_swept", "_turned")

    KINDS = "QIQH"
    """Type codes of ``to_arrays``."""

    def __init__(self) -> None:
        self._rows = RunMap("QH")
        self._now = 0
        self._clear()

    def _clear(self) -> None:
        self._buckets: dict[Key, array[int]] = {}
        self._heap: list[Key] = []
        self._turned: Key | None = None
        """The bucket that is being emptied, from its end: its entries were turned round, so that the first that came goes first."""
        self._entries = 0
        self._swept: tuple[Key, int, int] | None = None
        """A bucket that is being looked through: entries read, and entries kept."""

    def __bool__(self) -> bool:
        return self._rows.count > 0

    def __len__(self) -> int:
        """How many rows there are; ``count`` is how many sequences."""
        return len(self._rows)

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @property
    def count(self) -> int:
        return self._rows.count

    def add(self, due_ms: int, first: int, last: int, priority: int, at_ms: int = 0) -> None:
        """``first`` … ``last``, none of which wait here, come due at ``due_ms``; ``at_ms``: the time now, as far as is known."""
        self._now = max(self._now, at_ms)
        due_ms, priority = min(due_ms, DUE_MAX), min(priority, PRIORITY_MAX)
        if self._rows.add(first, last, due_ms, priority):
            self._enter(due_ms, first)
        elif due_ms <= self._now and (row := self._rows.row_at(first)) is not None:
            self._enter(due_ms, row[0])  # the row that it joined may have been passed over already

    def next_due(self) -> int | None:
        """When to look again, milliseconds: exact if it is near, else the start of a bucket."""
        return self._heap[0][0] if self._heap and self._rows.count else None

    def take_due(self, at_ms: int, limit: int) -> tuple[list[Row], bool]:
        """Remove rows that are due at ``at_ms``, and return them; and whether there may be more.

        At most ``limit`` entries are looked at.
        """
        due, is_more = self.pass_due(at_ms, limit)
        taken = [row for first, last, *_ in due for row in self._rows.remove(first, last)]
        if not self._rows.count:
            self._clear()
        return taken, is_more

    def pass_due(self, at_ms: int, limit: int) -> tuple[list[Row], bool]:
        """Like ``take_due``, but the rows stay; they are not given again, except for what is left of a row that was cut in two."""
        rows, heap = self._rows, self._heap
        self._now = max(self._now, at_ms)
        due: list[Row] = []
        while heap and heap[0][0] <= at_ms:
            if limit <= 0:
                return due, True
            key = heap[0]
            bucket = self._buckets[key]
            if self._swept is not None and self._swept[0] == key:
                self._end_sweep()
            if key != self._turned:
                self._turned = key
                bucket.reverse()
            entries = bucket[-limit:]
            del bucket[-limit:]
            limit -= len(entries)
            self._entries -= len(entries)
            if not bucket:
                heappop(heap)
                self._turned = None
                del self._buckets[key]
            for sequence in reversed(entries):
                row = rows.row_at(sequence)
                if row is None or row[0] != sequence:
                    continue
                if row[2] <= at_ms:
                    due.append(row)
                else:
                    self._enter(row[2], sequence)
        return due, False

    def remove(self, first: int, last: int) -> list[Row]:
        """Take out what of ``first`` … ``last`` waits here, and return it."""
        if not self._rows.count:
            return []
        removed = self._rows.remove(first, last)
        if removed:
            if not self._rows.count:
                self._clear()
                return removed
            rest = self._rows.row_at(last + 1)
            if rest is not None and rest[0] == last + 1 and rest[2:] == removed[-1][2:] and removed[-1][1] == last:
                self._enter(rest[2], last + 1)  # a row was cut in two: the rest has an entry of its own
            if self._entries > 3 * len(self._rows) + STALE_SPARE:
                self._sweep(SWEEP_MIN + 4 * len(removed))
        return removed

    def row_at(self, sequence: int) -> Row | None:
        return self._rows.row_at(sequence)

    def due_of(self, sequence: int) -> int | None:
        """When this sequence comes due; None if it does not wait here."""
        row = self._rows.row_at(sequence)
        return row[2] if row is not None else None

    def within(self, first: int, last: int) -> list[Row]:
        return self._rows.within(first, last)

    def starting(self, sequence: int) -> Iterator[Range]:
        """The runs from ``sequence`` on; the first is cut to begin there."""
        return ((row[0], row[1]) for row in self._rows.starting(sequence))

    def to_arrays(self) -> list[array[int]]:
        """All rows, for snapshots."""
        return self._rows.to_arrays()

    @classmethod
    def from_views(cls, arrays: list[memoryview], at_ms: int) -> Delayed:
        """What ``to_arrays`` gave, and a snapshot has."""
        delayed = cls()
        delayed._now = at_ms
        delayed._rows = RunMap.from_views("QH", arrays)
        for first, due in zip(arrays[0], arrays[2], strict=True):
            delayed._enter(due, first)
        return delayed

    @classmethod
    def from_rows(cls, flat: list[int], at_ms: int) -> Delayed:
        """``[due, first, last, priority, …]``, as snapshots of version 1 have it."""
        delayed = cls()
        delayed._now = at_ms
        for due, first, last, priority in zip(flat[0::4], flat[1::4], flat[2::4], flat[3::4], strict=True):
            delayed.add(due, first, last, priority)
        return delayed

    def _enter(self, due: int, sequence: int) -> None:
        """Note in a bucket that a row begins at ``sequence``."""
        key = self._key(due)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = array("Q")
            heappush(self._heap, key)
        bucket.append(sequence)
        self._entries += 1

    def _key(self, due: int) -> Key:
        if due <= self._now:
            return LATE
        bits = ((due ^ self._now).bit_length() - 1) // LEVEL_BITS * LEVEL_BITS
        return due >> bits << bits, bits

    def _sweep(self, limit: int) -> None:
        """Look through ``limit`` entries, and drop those without a row."""
        if self._swept is None:
            key = next(iter(self._buckets))
            self._buckets[key] = self._buckets.pop(key)  # the next sweep takes another
            self._swept = key, 0, 0
        key, read, kept = self._swept
        start, bits = key
        bucket = self._buckets[key]
        end = min(read + limit, len(bucket))
        for at in range(read, end):
            row = self._rows.row_at(bucket[at])
            if row is not None and row[0] == bucket[at] and (key == LATE or row[2] >> bits << bits == start):
                bucket[kept] = row[0]
                kept += 1
        self._swept = key, end, kept
        if end == len(bucket):
            self._end_sweep()

    def _end_sweep(self) -> None:
        """Take out of the bucket what was read and not kept."""
        assert self._swept is not None, "a sweep is going on"
        key, read, kept = self._swept
        del self._buckets[key][kept:read]
        self._entries -= read - kept
        self._swept = None
