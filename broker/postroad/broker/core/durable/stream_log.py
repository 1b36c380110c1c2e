"""A stream's log: retention drops messages at its front, compaction in its middle.

What is gone from the middle stays in the arrays, noted in ``gone``, until more is gone than kept. Then the arrays are packed: each entry
is a run of messages that are there, and the hashes of ordering keys stand in the order of the entries. So memory follows what is kept,
not the distance between the first offset and the last.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Self

from .log import ARRAYS, Log
from .parts import PartReader, PartWriter
from .runs import Runs, gaps

PACK_MIN = 1024
"""Messages that may be gone from the middle, whatever is kept, before the arrays are packed."""


class StreamLog(Log):
    """Attributes:
    count: Messages kept.
    gone: Offsets dropped from the middle since the arrays were packed last.
    sparse: Something was dropped from the middle at some time, so offsets have gaps.
    """

    __slots__ = ("_ranks", "count", "gone", "sparse")

    def __init__(self, *, rows: bool = False) -> None:
        super().__init__(rows=rows)
        self.count = 0
        self.gone = Runs()
        self.sparse = False
        self._ranks: array[int] | None = None
        """Of each entry: where in ``keys`` those of its messages begin. None: they are by offset, as in any log."""

    @property
    def first(self) -> int:
        """Offset of the oldest message kept; ``next`` if there is none."""
        first, gone = super().first, self.gone
        return gone.first_run[1] + 1 if gone and gone.first == first else first

    def append(self, count: int, position: int, index: int, size: int, at: int, keys: Any = None) -> int:
        if self._ranks is not None:
            self._ranks.append(len(self.keys))
        self.count += count
        return super().append(count, position, index, size, at, keys)

    def key_of(self, sequence: int) -> int:
        if self._ranks is None:
            return super().key_of(sequence)
        at = self._entry(sequence)
        return self.keys[self._ranks[at] + sequence - self.firsts[at]]

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
        """As in any log, of the messages that are kept."""
        if not self.sparse:
            if first <= last:
                yield from super().pieces(first, last)
            return
        at = max(self._entry(first), self.head)
        while at < len(self.firsts) and (start := self.firsts[at]) <= last:
            for a, b in self._kept_of(at, max(first, start), min(last, self._end(at) - 1)):
                yield self.positions[at], self.indexes[at] + a - start, b - a + 1, a
            at += 1

    def kept(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The runs of ``first`` … ``last`` that are kept."""
        if not self.sparse:
            if (first := max(first, self.first)) <= (last := min(last, self.next - 1)):
                yield first, last
            return
        start, end = -1, -2
        for _, _, count, sequence in self.pieces(first, last):
            if sequence != end + 1:
                if start >= 0:
                    yield start, end
                start = sequence
            end = sequence + count - 1
        if start >= 0:
            yield start, end

    def _kept_of(self, at: int, first: int, last: int) -> list[tuple[int, int]]:
        """Of an entry."""
        if first > last or not self.live[at]:
            return []
        return gaps(first, last, self.gone.within(first, last)) if self.gone else [(first, last)]

    def find(self, position: int, index: int) -> int:
        """Offset of message ``index`` of the record at ``position``; -1: not here (any more)."""
        at = bisect_left(self.positions, position, self.head)
        while at < len(self.positions) and self.positions[at] == position:
            offset = index - self.indexes[at]
            if 0 <= offset < self.counts[at]:
                found = self.firsts[at] + offset
                return -1 if found in self.gone else found
            at += 1
        return -1

    def boundary(self, sequence: int) -> int:
        """First sequence of the entry that ``sequence`` is in; ``next`` for what is yet to come."""
        if sequence >= self.next:
            return self.next
        at = self._entry(sequence)
        return self.firsts[at] if at >= self.head else self.first

    def boundary_by_bytes(self, size: int, entries: int) -> int:
        """First sequence of the oldest entry to keep, so that no more than ``size`` bytes are; the newest entry always stays.

        Only what goes is visited, and no more than ``entries`` go.
        """
        kept, at = self.bytes, self.head
        end = min(self.head + entries, len(self.firsts) - 1)
        while at < end and kept > size:
            kept -= self.sizes[at]
            at += 1
        return self.firsts[at] if at < len(self.firsts) else self.next

    def boundary_by_time(self, time: int) -> int:
        """First sequence of the oldest entry published at ``time`` or later; ``next`` if there is none."""
        at = bisect_left(self.times, time, self.head)
        return self.firsts[at] if at < len(self.firsts) else self.next

    def trim(self, first: int) -> list[int]:
        """Drop whole entries before ``first``, whatever is live in them; returns positions no longer needed."""
        freed: list[int] = []
        while self.head < len(self.firsts) and self.firsts[self.head] < first:
            if self.live[self.head]:
                freed.append(self.positions[self.head])
            self.bytes -= self.sizes[self.head]
            self.count -= self.live[self.head]
            self.live[self.head] = 0
            self.head += 1
        self._shrink()
        self._forget_gone()
        return freed

    def take_out(self, first: int, last: int) -> list[int]:
        """Let go of ``first`` … ``last``, all of which are kept; returns positions no longer needed."""
        self.sparse = True
        self.count -= last - first + 1
        self.gone.add(first, last)
        freed = self.settle(first, last)
        self._forget_gone()
        return freed

    def _forget_gone(self) -> None:
        if self.gone and self.gone.first < (front := super().first):
            self.gone.remove(0, front - 1)

    def pack(self) -> list[int]:
        """Take what is gone out of the arrays, if that is most of them; returns positions needed once more, by entries that were split."""
        if self.gone.count <= self.count + PACK_MIN:
            return []
        needed: list[int] = []
        kept = StreamLog()
        keys = array("I")
        gone, gap = self.gone.to_array(), 0
        starts, ends = gone[0::2], gone[1::2]
        for at in range(self.head, len(self.firsts)):
            left = self.live[at]
            if not left:
                continue
            first, count, size = self.firsts[at], self.counts[at], self.sizes[at]
            position, index, time = self.positions[at], self.indexes[at], self.times[at]
            while gap < len(ends) and ends[gap] < first:
                gap += 1
            if left == count:
                kept._keep(first, position, index, count, size, time)
                keys.extend(self._keys_of(at, first, count))
                continue
            run, following, is_split = first, gap, False
            while run < first + count:  # what is kept up to the next gap, then on behind the gap
                end = after = first + count
                if following < len(starts) and starts[following] < end:
                    end, after = starts[following], ends[following] + 1
                    following += 1
                if run < end:
                    part = size * (end - run) // left
                    left, size = left - (end - run), size - part
                    kept._keep(run, position, index + run - first, end - run, part, time)
                    keys.extend(self._keys_of(at, run, end - run))
                    if is_split:
                        needed.append(position)
                    is_split = True
                run = after
        kept.live, kept.strides = kept.counts[:], array("I", bytes(4 * len(kept.counts)))
        for name in ARRAYS:
            setattr(self, name, getattr(kept, name))
        self.head = 0
        self.gone = Runs()
        if self.keyed:
            self.keys, self.keys_from = keys, 0
            self._ranks = _ranks(self.counts)
        return needed

    def _keep(self, first: int, position: int, index: int, count: int, size: int, time: int) -> None:
        """Add an entry, all of which is kept; ``live`` and ``strides`` come at the end."""
        self.firsts.append(first)
        self.positions.append(position)
        self.indexes.append(index)
        self.counts.append(count)
        self.sizes.append(size)
        self.times.append(time)

    def _keys_of(self, at: int, first: int, count: int) -> Sequence[int]:
        """Hashes of the keys of ``count`` messages of an entry."""
        if not self.keyed:
            return ()
        if self._ranks is not None:
            start = self._ranks[at] + first - self.firsts[at]
        elif first >= self.keys_from:
            start = first - self.keys_from
        else:
            return [self.key_of(sequence) for sequence in range(first, first + count)]
        return self.keys[start : start + count]

    def _shrink(self) -> None:
        head, ranks = self.head, self._ranks
        if ranks is None:
            super()._shrink()
        elif head > 1024 and head * 2 > len(self.live):
            start = ranks[head] if head < len(ranks) else len(self.keys)
            for name in ARRAYS:
                del getattr(self, name)[:head]
            del self.keys[:start]
            self._ranks = _ranks(self.counts)
            self.head = 0

    def to_json(self, parts: PartWriter) -> dict[str, Any]:
        head = super().to_json(parts)
        head |= {"gone": parts.put(self.gone.to_array()), "sparse": self.sparse, "ranked": self._ranks is not None}
        return head

    def _keys_kept(self) -> tuple[int, array[int]]:
        if self._ranks is None:
            return super()._keys_kept()
        return 0, self.keys[self._ranks[self.head] if self.head < len(self.firsts) else len(self.keys) :]

    @classmethod
    def from_json(cls, head: dict[str, Any], parts: PartReader, sizes: list[int] | None = None) -> Self:
        log = super().from_json(head, parts, sizes)
        log.rows = False
        log.count = sum(log.live)
        gone = head.get("gone", [])
        log.gone = Runs.from_flat(gone if sizes is not None else parts.views("Q", gone)[0])
        log.sparse = head.get("sparse", False)
        if head.get("ranked"):
            log._ranks = _ranks(log.counts)
        return log


def _ranks(counts: array[int]) -> array[int]:
    return array("Q", [*accumulate(counts, initial=0)][:-1])
