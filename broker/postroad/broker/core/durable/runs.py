"""Sorted, disjoint, inclusive ranges of sequence numbers: what is ready, settled or leased is kept as runs, not as objects."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

CUT_OFF = 256
"""At least so many runs taken from the front go at a time."""


class Runs:
    """A set of integers that is cheap while they come in runs.

    ``add`` merges with its neighbours, so appending in order costs O(1) and one run, and so does taking from the front
    (what is before ``_head`` is gone, and cut off now and then); the rest is a bisection and a move of a short list.
    """

    __slots__ = ("_head", "count", "firsts", "lasts")

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self.firsts: list[int] = []
        self.lasts: list[int] = []
        self._head = 0
        self.count = 0
        for first, last in runs:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        self._cut_off()
        return zip(self.firsts, self.lasts, strict=True)

    def __len__(self) -> int:
        """How many runs there are; ``count`` is how many integers."""
        return len(self.firsts) - self._head

    @property
    def first(self) -> int:
        """The lowest. The set must not be empty."""
        return self.firsts[self._head]

    def __bool__(self) -> bool:
        return self.count > 0

    def __contains__(self, value: int) -> bool:
        at = bisect_right(self.firsts, value, self._head) - 1
        return at >= self._head and self.lasts[at] >= value

    def add(self, first: int, last: int) -> None:
        """Add ``first`` … ``last``, none of which may be in the set yet."""
        firsts, lasts, head = self.firsts, self.lasts, self._head
        self.count += last - first + 1
        if head == len(firsts) or first > lasts[-1] + 1:
            firsts.append(first)
            lasts.append(last)
            return
        if first == lasts[-1] + 1:
            lasts[-1] = last
            return
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

    def remove(self, first: int, last: int) -> list[tuple[int, int]]:
        """Remove what of ``first`` … ``last`` is in the set, and return that as runs."""
        overlap = self.within(first, last)
        if not overlap:
            return overlap
        firsts, lasts = self.firsts, self.lasts
        at = bisect_right(firsts, overlap[0][0], self._head) - 1
        end = at + len(overlap)
        keep_firsts: list[int] = []
        keep_lasts: list[int] = []
        if firsts[at] < overlap[0][0]:
            keep_firsts.append(firsts[at])
            keep_lasts.append(overlap[0][0] - 1)
        if lasts[end - 1] > overlap[-1][1]:
            keep_firsts.append(overlap[-1][1] + 1)
            keep_lasts.append(lasts[end - 1])
        firsts[at:end] = keep_firsts
        lasts[at:end] = keep_lasts
        self.count -= sum(b - a + 1 for a, b in overlap)
        return overlap

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of ``first`` … ``last`` that are in the set."""
        firsts, lasts = self.firsts, self.lasts
        at = max(bisect_right(firsts, first, self._head) - 1, self._head)
        found = []
        while at < len(firsts) and firsts[at] <= last:
            if lasts[at] >= first:
                found.append((max(firsts[at], first), min(lasts[at], last)))
            at += 1
        return found

    def take(self, count: int) -> tuple[int, int]:
        """Remove up to ``count`` of the first run, and return them as a range. The set must not be empty."""
        head = self._head
        first, last = self.firsts[head], self.lasts[head]
        if last - first < count:
            self._head += 1
            if self._head > CUT_OFF and 2 * self._head > len(self.firsts):
                self._cut_off()
        else:
            last = first + count - 1
            self.firsts[head] = last + 1
        self.count -= last - first + 1
        return first, last

    def after(self, value: int, limit: int) -> list[int]:
        """Up to ``limit`` members greater than ``value``, in order."""
        found: list[int] = []
        at = bisect_left(self.lasts, value + 1, self._head)
        while at < len(self.firsts) and len(found) < limit:
            start = max(self.firsts[at], value + 1)
            found.extend(range(start, min(self.lasts[at], start + limit - len(found) - 1) + 1))
            at += 1
        return found

    def to_list(self) -> list[int]:
        """``[first, last, first, last, …]``, for snapshots."""
        self._cut_off()
        flat = [0] * (2 * len(self.firsts))
        flat[0::2] = self.firsts
        flat[1::2] = self.lasts
        return flat

    def _cut_off(self) -> None:
        if self._head:
            del self.firsts[: self._head], self.lasts[: self._head]
            self._head = 0

    @classmethod
    def from_list(cls, flat: list[int]) -> Runs:
        runs = cls()
        runs.firsts = flat[0::2]
        runs.lasts = flat[1::2]
        runs.count = sum(runs.lasts) - sum(runs.firsts) + len(runs.firsts)
        return runs


def gaps(first: int, last: int, held: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of ``first`` … ``last`` that are not in ``held``, which is in order."""
    found = []
    for a, b in held:
        if first < a:
            found.append((first, a - 1))
        first = b + 1
    if first <= last:
        found.append((first, last))
    return found
