"""What is known of exceptional messages: small numbers by sequence, for runs of neighbours that have the same.

A row is a run of sequences and its values; rows are in order, disjoint, and joined where neighbours have the same values. They are kept in
chunks of parallel arrays, of at most ``CHUNK`` rows each: 12 bytes a row and those of its values, however many rows there are, and a
change moves the bytes of one chunk. Looking up a sequence is two bisections; removing a range visits only the rows in it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from .parts import array_of

CHUNK = 512
COUNT_MAX = 2**32 - 1

Row = tuple[int, ...]
"""``(first, last, value, …)``."""


class RunMap:
    """Args:
        types: Array type codes of the values.

    Attributes:
        count: How many sequences are in the map; ``len`` is how many rows.
    """

    __slots__ = ("_chunks", "_length", "_starts", "_types", "count")

    def __init__(self, types: str) -> None:
        self._types = types
        self._starts: list[int] = []
        """The first sequence of each chunk."""
        self._chunks: list[_Chunk] = []
        self._length = 0
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def __len__(self) -> int:
        return self._length

    def __contains__(self, sequence: int) -> bool:
        return self.row_at(sequence) is not None

    def __iter__(self) -> Iterator[Row]:
        return self.starting(0)

    def row_at(self, sequence: int) -> Row | None:
        """The row that a sequence is in."""
        at = bisect_right(self._starts, sequence) - 1
        if at < 0:
            return None
        chunk = self._chunks[at]
        row = bisect_right(chunk.firsts, sequence) - 1
        first = chunk.firsts[row]
        last = first + chunk.counts[row] - 1
        return (first, last, *[column[row] for column in chunk.columns]) if sequence <= last else None

    def get(self, sequence: int, default: int = 0) -> int:
        """The first value of a sequence."""
        row = self.row_at(sequence)
        return row[2] if row is not None else default

    def add(self, first: int, last: int, *values: int) -> bool:
        """Add ``first`` … ``last``, none of which may be in the map yet; False if that made a row longer that begins before."""
        self.count += last - first + 1
        at = bisect_right(self._starts, first) - 1
        if at < 0:
            at = 0
            if not self._chunks:
                self._starts.append(first)
                self._chunks.append(_Chunk(self._types))
        chunk = self._chunks[at]
        row = len(chunk.firsts)
        if row and first < chunk.firsts[-1]:
            row = bisect_right(chunk.firsts, first)
        # The neighbour behind may be the first row of the next chunk.
        if row < len(chunk.firsts):
            behind, at_behind = chunk, row
        elif at + 1 < len(self._chunks):
            behind, at_behind = self._chunks[at + 1], 0
        else:
            behind, at_behind = chunk, -1
        count = last - first + 1
        if at_behind >= 0 and behind.firsts[at_behind] == last + 1 and behind.fits(at_behind, values, count):
            count += behind.counts[at_behind]
            behind.delete(at_behind, at_behind + 1)
            self._length -= 1
            if behind is not chunk:
                self._changed(at + 1)
        if row and chunk.firsts[row - 1] + chunk.counts[row - 1] == first and chunk.fits(row - 1, values, count):
            chunk.counts[row - 1] += count
            self._changed(at)
            return False
        self._length += 1
        if row == len(chunk.firsts) >= CHUNK and at + 1 == len(self._chunks):  # appending leaves full chunks behind
            chunk.trim()
            chunk, row = _Chunk(self._types), 0
            self._starts.append(first)
            self._chunks.append(chunk)
            at += 1
        chunk.insert(row, first, count, values)
        self._changed(at)
        return True

    def remove(self, first: int, last: int) -> list[Row]:
        """Remove what of ``first`` … ``last`` is in the map, and return that as rows."""
        removed: list[Row] = []
        at = max(bisect_right(self._starts, first) - 1, 0)
        while at < len(self._starts) and self._starts[at] <= last:
            chunk = self._chunks[at]
            before = len(chunk.firsts)
            found = chunk.cut(first, last)
            self._length += len(chunk.firsts) - before
            removed.extend(found)
            if self._changed(at):
                at += 1
        for row in removed:
            self.count -= row[1] - row[0] + 1
        return removed

    def within(self, first: int, last: int) -> list[Row]:
        """What of ``first`` … ``last`` is in the map, as rows."""
        found: list[Row] = []
        for row in self.starting(first):
            if row[0] > last:
                break
            found.append(row if row[1] <= last else (row[0], last, *row[2:]))
        return found

    def starting(self, sequence: int) -> Iterator[Row]:
        """The rows from ``sequence`` on; the first is cut to begin there. The map must not change meanwhile."""
        at = max(bisect_right(self._starts, sequence) - 1, 0)
        if at >= len(self._chunks):
            return
        chunk = self._chunks[at]
        row = max(bisect_right(chunk.firsts, sequence) - 1, 0)
        for first, last, *values in chunk.rows(row):
            if last >= sequence:
                yield max(first, sequence), last, *values
        for chunk in self._chunks[at + 1 :]:
            yield from chunk.rows(0)

    def to_arrays(self) -> list[array[int]]:
        """Firsts, counts and values, for snapshots."""
        found = [array("Q"), array("I"), *[array(kind) for kind in self._types]]
        for chunk in self._chunks:
            for whole, part in zip(found, chunk.arrays(), strict=True):
                whole.extend(part)
        return found

    @classmethod
    def from_views(cls, types: str, arrays: Sequence[memoryview]) -> RunMap:
        """What ``to_arrays`` gave, and a snapshot has: it is copied a chunk at a time."""
        found = cls(types)
        for at in range(0, len(arrays[0]), CHUNK):
            chunk = _Chunk(types)
            chunk.firsts, chunk.counts, *chunk.columns = [
                array_of(kind, values[at : at + CHUNK]) for kind, values in zip(f"QI{types}", arrays, strict=True)
            ]
            found._starts.append(chunk.firsts[0])
            found._chunks.append(chunk)
        found._length, found.count = len(arrays[0]), sum(arrays[1])
        return found

    def _changed(self, at: int) -> bool:
        """Keep the bounds of a chunk; False if it was empty, and is gone."""
        chunk = self._chunks[at]
        if not chunk.firsts:
            del self._starts[at], self._chunks[at]
            return False
        self._starts[at] = chunk.firsts[0]
        if len(chunk.firsts) > CHUNK:
            behind = chunk.split(len(chunk.firsts) // 2)
            self._starts.insert(at + 1, behind.firsts[0])
            self._chunks.insert(at + 1, behind)
        return True


class _Chunk:
    __slots__ = ("columns", "counts", "firsts")

    def __init__(self, types: str) -> None:
        self.firsts = array("Q")
        self.counts = array("I")
        self.columns = [array(kind) for kind in types]

    def arrays(self) -> list[array[int]]:
        return [self.firsts, self.counts, *self.columns]

    def fits(self, row: int, values: Sequence[int], count: int) -> bool:
        """Whether ``count`` neighbours with these values can join a row."""
        for column, value in zip(self.columns, values, strict=True):
            if column[row] != value:
                return False
        return self.counts[row] + count <= COUNT_MAX

    def insert(self, row: int, first: int, count: int, values: Sequence[int]) -> None:
        self.firsts.insert(row, first)
        self.counts.insert(row, count)
        for column, value in zip(self.columns, values, strict=True):
            column.insert(row, value)

    def delete(self, start: int, end: int) -> None:
        for values in self.arrays():
            del values[start:end]

    def cut(self, first: int, last: int) -> list[Row]:
        """Remove ``first`` … ``last``; returns what was there."""
        firsts, counts = self.firsts, self.counts
        start = max(bisect_right(firsts, first) - 1, 0)
        if firsts[start] + counts[start] <= first:
            start += 1
        end = bisect_right(firsts, last, start)
        if start >= end:
            return []
        removed: list[Row] = list(self.rows(start, end))
        before, behind = first - firsts[start], firsts[end - 1] + counts[end - 1] - 1 - last
        if behind > 0:
            removed[-1] = (removed[-1][0], last, *removed[-1][2:])
        if before > 0:
            removed[0] = (first, *removed[0][1:])
            counts[start] = before
            if behind > 0 and start + 1 == end:  # out of the middle of one row
                self.insert(end, last + 1, behind, [column[start] for column in self.columns])
                return removed
            start += 1
        if behind > 0:
            end -= 1
            firsts[end], counts[end] = last + 1, behind
        self.delete(start, end)
        return removed

    def rows(self, start: int, end: int | None = None) -> Iterator[Row]:
        firsts, counts = self.firsts[start:end], self.counts[start:end]
        columns = [column[start:end] for column in self.columns]
        for first, count, *values in zip(firsts, counts, *columns, strict=True):
            yield first, first + count - 1, *values

    def split(self, row: int) -> _Chunk:
        """The rows from ``row`` on, which go to a chunk of their own."""
        behind = _Chunk("")
        behind.firsts, behind.counts, *behind.columns = [values[row:] for values in self.arrays()]
        self.firsts, self.counts, *self.columns = [values[:row] for values in self.arrays()]
        return behind

    def trim(self) -> None:
        """Give back what the arrays have set aside for growing."""
        self.firsts, self.counts, *self.columns = [values[:] for values in self.arrays()]
