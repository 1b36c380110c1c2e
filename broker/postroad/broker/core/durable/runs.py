"""Sorted, disjoint, inclusive ranges of sequence numbers: what is ready, settled or leased is kept as runs, not as objects.

A small set is two lists: nearly every set has one to ten runs, and a list of those is the quickest there is. A set of more than
``LARGE`` runs is kept in *chunks*: arrays of at most ``CHUNK`` runs, 16 bytes a run, so that a change moves one chunk's bytes however
many runs there are. When it has become small again, it goes back to lists.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, MutableSequence, Sequence

CUT_OFF = 256
"""At least so many runs taken from the front go at a time."""

LARGE = 1024
SMALL = 256
"""More runs than ``LARGE`` are kept in chunks, until there are fewer than ``SMALL``."""

CHUNK = 512

Range = tuple[int, int]


class Runs:
    """A set of integers that is cheap while they come in runs.

    ``add`` merges with its neighbours, so appending in order costs O(1) and one run, and so does taking from the front
    (what is before ``_head`` is gone, and cut off now and then); the rest is a bisection and a move of a short list.

    Attributes:
        count: How many integers there are; ``len`` is how many runs.
    """

    __slots__ = ("_chunks", "_firsts", "_head", "_lasts", "count")

    def __init__(self, runs: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._head = 0
        self._chunks: Chunks | None = None
        self.count = 0
        for first, last in runs:
            self.add(first, last)

    def __iter__(self) -> Iterator[Range]:
        if self._chunks is not None:
            return self._chunks.starting(0)
        self._cut_off()
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        return len(self._chunks) if self._chunks is not None else len(self._firsts) - self._head

    @property
    def first(self) -> int:
        """The lowest. The set must not be empty."""
        return self._firsts[self._head] if self._chunks is None else self._chunks.first_run[0]

    @property
    def first_run(self) -> Range:
        """The lowest run. The set must not be empty."""
        if self._chunks is not None:
            return self._chunks.first_run
        return self._firsts[self._head], self._lasts[self._head]

    def __bool__(self) -> bool:
        return self.count > 0

    def __contains__(self, value: int) -> bool:
        if self._chunks is not None:
            return bool(self._chunks.within(value, value))
        at = bisect_right(self._firsts, value, self._head) - 1
        return at >= self._head and self._lasts[at] >= value

    def add(self, first: int, last: int) -> None:
        """Add ``first`` … ``last``, none of which may be in the set yet."""
        self.count += last - first + 1
        if self._chunks is not None:
            self._chunks.add(first, last)
            return
        firsts, lasts, head = self._firsts, self._lasts, self._head
        if head == len(firsts) or first > lasts[-1] + 1:
            firsts.append(first)
            lasts.append(last)
            if len(firsts) - head > LARGE:
                self._to_chunks()
            return
        if first == lasts[-1] + 1:
            lasts[-1] = last
            return
        _insert(firsts, lasts, head, first, last)
        if len(firsts) - head > LARGE:
            self._to_chunks()

    def remove(self, first: int, last: int) -> list[Range]:
        """Remove what of ``first`` … ``last`` is in the set, and return that as runs."""
        if self._chunks is not None:
            overlap = self._chunks.remove(first, last)
            if len(self._chunks) < SMALL:
                self._to_lists()
        else:
            overlap = _cut(self._firsts, self._lasts, self._head, first, last)
            if len(self._firsts) - self._head > LARGE:
                self._to_chunks()
        for a, b in overlap:
            self.count -= b - a + 1
        return overlap

    def within(self, first: int, last: int) -> list[Range]:
        """The parts of ``first`` … ``last`` that are in the set."""
        if self._chunks is not None:
            return self._chunks.within(first, last)
        return _within(self._firsts, self._lasts, self._head, first, last)

    def take(self, count: int) -> Range:
        """Remove up to ``count`` of the first run, and return them as a range. The set must not be empty."""
        if self._chunks is not None:
            first, last = self._chunks.first_run
            last = min(last, first + count - 1)
            self.remove(first, last)
            return first, last
        head = self._head
        first, last = self._firsts[head], self._lasts[head]
        if last - first < count:
            self._head += 1
            if self._head > CUT_OFF and 2 * self._head > len(self._firsts):
                self._cut_off()
        else:
            last = first + count - 1
            self._firsts[head] = last + 1
        self.count -= last - first + 1
        return first, last

    def starting(self, value: int) -> Iterator[Range]:
        """The runs from ``value`` on; the first is cut to begin there. The set must not change meanwhile."""
        if self._chunks is not None:
            yield from self._chunks.starting(value)
            return
        for at in range(bisect_left(self._lasts, value, self._head), len(self._firsts)):
            yield max(self._firsts[at], value), self._lasts[at]

    def after(self, value: int, limit: int) -> list[int]:
        """Up to ``limit`` members greater than ``value``, in order."""
        found: list[int] = []
        for first, last in self.starting(value + 1):
            if len(found) >= limit:
                break
            found.extend(range(first, min(last, first + limit - len(found) - 1) + 1))
        return found

    def to_array(self) -> array[int]:
        """``[first, last, first, last, …]``, for snapshots."""
        flat = array("Q", bytes(16 * len(self)))
        at = 0
        for firsts, lasts in [(self._firsts, self._lasts)] if self._chunks is None else self._chunks.arrays():
            head = self._head if self._chunks is None else 0
            flat[at : at + 2 * (len(firsts) - head) : 2] = array("Q", firsts[head:])
            flat[at + 1 : at + 2 * (len(firsts) - head) : 2] = array("Q", lasts[head:])
            at += 2 * (len(firsts) - head)
        return flat

    @classmethod
    def from_flat(cls, flat: array[int] | list[int] | memoryview) -> Runs:
        """What ``to_array`` gave."""
        runs = cls()
        count = len(flat) // 2
        if count > LARGE:
            runs._chunks = Chunks()
            for at in range(0, 2 * count, 2 * CHUNK):
                part = flat[at : at + 2 * CHUNK]
                runs._chunks.append(array("Q", part[0::2]), array("Q", part[1::2]))
            runs.count = runs._chunks.total()
        else:
            runs._firsts, runs._lasts = list(flat[0::2]), list(flat[1::2])
            runs.count = sum(runs._lasts) - sum(runs._firsts) + count
        return runs

    def _cut_off(self) -> None:
        if self._head:
            del self._firsts[: self._head], self._lasts[: self._head]
            self._head = 0

    def _to_chunks(self) -> None:
        self._cut_off()
        self._chunks = Chunks()
        for at in range(0, len(self._firsts), CHUNK):
            self._chunks.append(array("Q", self._firsts[at : at + CHUNK]), array("Q", self._lasts[at : at + CHUNK]))
        self._firsts, self._lasts = [], []

    def _to_lists(self) -> None:
        assert self._chunks is not None
        runs = list(self._chunks.starting(0))
        self._firsts, self._lasts = [first for first, _ in runs], [last for _, last in runs]
        self._chunks = None


class Chunks:
    """Many runs, in arrays of at most ``CHUNK`` runs each; ``len`` is how many runs there are. No chunk is empty."""

    __slots__ = ("_firsts", "_lasts", "_length", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        """The first value of each chunk."""
        self._firsts: list[array[int]] = []
        self._lasts: list[array[int]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def first_run(self) -> Range:
        return self._firsts[0][0], self._lasts[0][0]

    def arrays(self) -> Iterator[tuple[array[int], array[int]]]:
        return zip(self._firsts, self._lasts, strict=True)

    def total(self) -> int:
        """How many integers there are: for counting once."""
        return sum(sum(lasts) - sum(firsts) + len(firsts) for firsts, lasts in self.arrays())

    def append(self, firsts: array[int], lasts: array[int]) -> None:
        """A chunk behind all others."""
        self._starts.append(firsts[0])
        self._firsts.append(firsts)
        self._lasts.append(lasts)
        self._length += len(firsts)

    def add(self, first: int, last: int) -> None:
        at = self._at(first)
        firsts, lasts = self._firsts[at], self._lasts[at]
        before = len(firsts)
        follows = at + 1 < len(self._starts) and self._starts[at + 1] == last + 1
        if follows:  # it joins to a run that is the first of the next chunk
            last = self._lasts[at + 1][0]
            self._drop_first(at + 1)
        if first > lasts[-1] + 1 and len(firsts) >= CHUNK and at + 1 == len(self._starts):
            self.append(array("Q", (first,)), array("Q", (last,)))  # appending leaves full chunks behind
            return
        _insert(firsts, lasts, 0, first, last)
        self._length += len(firsts) - before
        self._changed(at)

    def remove(self, first: int, last: int) -> list[Range]:
        removed: list[Range] = []
        at = self._at(first)
        while at < len(self._starts) and self._starts[at] <= last:
            firsts, lasts = self._firsts[at], self._lasts[at]
            before = len(firsts)
            removed.extend(_cut(firsts, lasts, 0, first, last))
            self._length += len(firsts) - before
            if self._changed(at):
                at += 1
        return removed

    def within(self, first: int, last: int) -> list[Range]:
        found: list[Range] = []
        at = self._at(first)
        while at < len(self._starts) and self._starts[at] <= last:
            found.extend(_within(self._firsts[at], self._lasts[at], 0, first, last))
            at += 1
        return found

    def starting(self, value: int) -> Iterator[Range]:
        at = self._at(value)
        if at == len(self._starts):
            return
        firsts, lasts = self._firsts[at], self._lasts[at]
        for run in range(bisect_left(lasts, value), len(firsts)):
            yield max(firsts[run], value), lasts[run]
        for chunk in range(at + 1, len(self._starts)):
            yield from zip(self._firsts[chunk], self._lasts[chunk], strict=True)

    def _at(self, value: int) -> int:
        """The chunk in which a run that holds ``value`` is, if there is one."""
        return max(bisect_right(self._starts, value) - 1, 0)

    def _drop_first(self, at: int) -> None:
        del self._firsts[at][0], self._lasts[at][0]
        self._length -= 1
        self._changed(at)

    def _changed(self, at: int) -> bool:
        """Keep the bounds of a chunk; False if it was empty, and is gone."""
        firsts, lasts = self._firsts[at], self._lasts[at]
        if not firsts:
            del self._starts[at], self._firsts[at], self._lasts[at]
            return False
        self._starts[at] = firsts[0]
        if len(firsts) > CHUNK:
            half = len(firsts) // 2
            self._starts.insert(at + 1, firsts[half])
            self._firsts.insert(at + 1, firsts[half:])
            self._lasts.insert(at + 1, lasts[half:])
            self._firsts[at], self._lasts[at] = firsts[:half], lasts[:half]
        return True


def gaps(first: int, last: int, held: Iterable[Range]) -> list[Range]:
    """The parts of ``first`` … ``last`` that are not in ``held`` (in order)."""
    found = []
    for a, b in held:
        if first < a:
            found.append((first, a - 1))
        first = b + 1
    if first <= last:
        found.append((first, last))
    return found


def _insert(firsts: MutableSequence[int], lasts: MutableSequence[int], head: int, first: int, last: int) -> None:
    """Add a run that overlaps none, and join it to its neighbours."""
    at = bisect_right(firsts, first, head)
    joins_left = at > head and lasts[at - 1] == first - 1
    joins_right = at < len(firsts) and firsts[at] == last + 1
    if joins_left and joins_right:
        lasts[at - 1] = lasts[at]
        del firsts[at], lasts[at]
    elif joins_left:
        lasts[at - 1] = last
    elif joins_right:
        firsts[at] = first
    else:
        firsts.insert(at, first)
        lasts.insert(at, last)


def _within(firsts: Sequence[int], lasts: Sequence[int], head: int, first: int, last: int) -> list[Range]:
    at = max(bisect_right(firsts, first, head) - 1, head)
    found = []
    while at < len(firsts) and firsts[at] <= last:
        if lasts[at] >= first:
            found.append((max(firsts[at], first), min(lasts[at], last)))
        at += 1
    return found


def _cut(firsts: MutableSequence[int], lasts: MutableSequence[int], head: int, first: int, last: int) -> list[Range]:
    """Remove what of ``first`` … ``last`` is there; returns that."""
    overlap = _within(firsts, lasts, head, first, last)
    if not overlap:
        return overlap
    start, end = overlap[0][0], overlap[-1][1]
    at = bisect_right(firsts, start, head) - 1
    behind = at + len(overlap)
    rest = lasts[behind - 1]
    if firsts[at] < start:
        lasts[at] = start - 1
        at += 1
    if rest > end:
        if at == behind:  # out of the middle of one run
            firsts.insert(at, end + 1)
            lasts.insert(at, rest)
            return overlap
        behind -= 1
        firsts[behind] = end + 1
    del firsts[at:behind], lasts[at:behind]
    return overlap
