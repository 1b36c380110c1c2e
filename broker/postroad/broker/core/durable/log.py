"""A log: messages in order, as places in the journal.

Entries are in parallel arrays, 48 bytes each. An entry is one record, with any number of messages, or a *row* of records that are alike:
``count`` messages each, at positions ``stride`` apart. So a backlog costs next to nothing, be it published in batches or one by one.
Message ``offset`` of an entry is message ``index + offset % count`` of the publish record at ``position + stride * (offset // count)``.
Where ordering keys are used, every message has four bytes more: a hash of its key. Two keys with the same hash only wait for each
other for nothing.
An entry's ``live`` count falls as its messages are settled; at zero nothing in this log needs that record any more.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Self

from .arrival import Arrivals
from .parts import PartReader, PartWriter
from .run_map import RunMap

ARRAYS = ("firsts", "positions", "indexes", "live", "sizes", "times", "counts", "strides")
TYPES = "QQIIQQII"

ROW_RECORDS_MAX = 4096
ROW_MS_MAX = 1000
STRIDE_MAX = 2**32 - 1
"""A row is bounded, since its records are let go, and its age is told, as a whole."""


class Log:
    """Attributes:
    next: Sequence of the next message appended; the first is 0.
    bytes: Body bytes of live messages, exact for whole entries and in proportion within one.
    rows: Whether records may join to rows. A stream (``stream_log.py``) does not, as its retention goes by records; nor a queue
        that must count its bytes exactly.
    keys: Hash of each message's ordering key from sequence ``keys_from`` on, 0: none.
    keyed: A key was used at some time.
    exact_times: Records join to rows only if they came at the same time, since messages expire by the time of their entry.
    placed: Sequence → (position of the record that placed it here, log it came from), for messages that came by reference.
    """

    __slots__ = (
        "bytes",
        "counts",
        "exact_times",
        "firsts",
        "head",
        "indexes",
        "keyed",
        "keys",
        "keys_from",
        "live",
        "next",
        "placed",
        "positions",
        "rows",
        "sizes",
        "strides",
        "times",
    )  # fmt: skip

    def __init__(self, *, rows: bool = True) -> None:
        self.rows = rows
        self.firsts = array("Q")
        self.positions = array("Q")
        self.indexes = array("I")
        self.live = array("I")
        self.sizes = array("Q")
        self.times = array("Q")
        self.counts = array("I")
        self.strides = array("I")
        self.keyed = False
        self.keys = array("I")
        self.keys_from = 0
        self.head = 0
        self.next = 0
        self.bytes = 0
        self.exact_times = False
        self.placed = RunMap("QI")

    @property
    def first(self) -> int:
        """The oldest sequence that still has an entry."""
        return self.firsts[self.head] if self.head < len(self.firsts) else self.next

    def take_in(self, arrived: Arrivals, position: int) -> None:
        """The messages of one record arrive."""
        keys, offset = arrived.keys, 0
        for index, count, size in arrived.pieces:
            self.append(count, position, index, size, arrived.at, keys[offset : offset + count] if keys else None)
            offset += count

    def append(
        self, count: int, position: int, index: int, size: int, at: int, keys: Sequence[int] | None = None
    ) -> int:
        """Add ``count`` messages of one record, published ``at``; ``keys``: hashes. Returns the sequence of the first."""
        first = self.next
        if index or not self.rows or not self._join(count, position, size, at):
            self.firsts.append(first)
            self.positions.append(position)
            self.indexes.append(index)
            self.live.append(count)
            self.sizes.append(size)
            self.times.append(at)
            self.counts.append(count)
            self.strides.append(0)
        if keys is not None:
            if not self.keyed:
                self.keyed = True
                self.keys_from = first
            self.keys.extend(keys)
        elif self.keyed:
            self.keys.extend(bytes(count))
        self.next = first + count
        self.bytes += size
        return first

    def _join(self, count: int, position: int, size: int, at: int) -> bool:
        """Make the record the next of the last entry's row, if it is alike."""
        last = len(self.firsts) - 1
        if last < self.head or not self.live[last] or self.counts[last] != count or self.indexes[last]:
            return False
        records = (self.next - self.firsts[last]) // count
        stride = position - self.positions[last] - self.strides[last] * (records - 1)
        if records == 1:
            if not 0 < stride <= STRIDE_MAX:
                return False
        elif stride != self.strides[last] or records >= ROW_RECORDS_MAX:
            return False
        if at - self.times[last] > (0 if self.exact_times else ROW_MS_MAX):
            return False
        self.strides[last] = stride
        self.live[last] += count
        self.sizes[last] += size
        return True

    def _entry(self, sequence: int) -> int:
        return bisect_right(self.firsts, sequence, self.head) - 1

    def _end(self, at: int) -> int:
        """The sequence behind the entry's last."""
        if not self.strides[at]:
            return self.firsts[at] + self.counts[at]
        return self.firsts[at + 1] if at + 1 < len(self.firsts) else self.next

    def _positions(self, at: int) -> Iterable[int]:
        """Of all records of an entry."""
        first, stride = self.positions[at], self.strides[at]
        if not stride:
            return (first,)
        records = (self._end(at) - self.firsts[at]) // self.counts[at]
        return range(first, first + stride * records, stride)

    def key_of(self, sequence: int) -> int:
        """Hash of the message's ordering key; 0: it has none."""
        return self.keys[sequence - self.keys_from] if self.keyed and sequence >= self.keys_from else 0

    def time_of(self, sequence: int) -> int:
        """When a live message was published, milliseconds."""
        return self.times[self._entry(sequence)]

    def arrived_by(self, time: int) -> int:
        """The first sequence that arrived later; ``next`` if there is none."""
        at = bisect_right(self.times, time, self.head)
        return self.firsts[at] if at < len(self.firsts) else self.next

    def placed_at(self, sequence: int) -> tuple[int, int] | None:
        """Position of the record that placed a message here, and the log it came from; None: it was published here."""
        row = self.placed.row_at(sequence)
        return (row[2], row[3]) if row is not None else None

    def locate(self, sequence: int) -> tuple[int, int]:
        """Position of the publish record and index in it."""
        at = self._entry(sequence)
        record, index = divmod(sequence - self.firsts[at], self.counts[at])
        return self.positions[at] + self.strides[at] * record, self.indexes[at] + index

    def size_of(self, sequence: int) -> int:
        """Bytes of one live message: exact in an entry of one, else its share of what is left of the entry."""
        at = self._entry(sequence)
        return self.sizes[at] // max(self.live[at], 1)

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
        """``(position, index, count, first sequence)`` for each record that ``first`` … ``last`` touches, in order."""
        firsts, counts = self.firsts, self.counts
        at = self._entry(first)
        while first <= last:
            end = min(last + 1, self._end(at))
            position, stride, each = self.positions[at], self.strides[at], counts[at]
            while first < end:
                record, index = divmod(first - firsts[at], each)
                count = min(end - first, each - index)
                yield position + stride * record, self.indexes[at] + index, count, first
                first += count
            at += 1

    def places(self, runs: Iterable[tuple[int, int, int]], limit: int) -> list[tuple[int, int, int]]:
        """``(position, index, count)`` of the first messages of ``runs`` ``(first, last, _)``, at most ``limit`` pieces."""
        found: list[tuple[int, int, int]] = []
        for first, last, _ in runs:
            for position, index, count, _ in self.pieces(first, last):
                if len(found) == limit:
                    return found
                found.append((position, index, count))
        return found

    def settle(self, first: int, last: int) -> list[int]:
        """Messages ``first`` … ``last`` are done with; returns positions that this log no longer needs."""
        live, sizes = self.live, self.sizes
        freed = []
        if self.placed.count:
            for a, b, position, _ in self.placed.remove(first, last):
                freed.extend([position] * (b - a + 1))
        at = self._entry(first)
        while first <= last:
            count = min(last + 1, self._end(at)) - first
            assert count <= live[at], f"{first} … {first + count - 1} are settled twice"
            part = sizes[at] * count // live[at]
            live[at] -= count
            sizes[at] -= part
            self.bytes -= part
            if not live[at]:
                freed.extend(self._positions(at))
            first += count
            at += 1
        self._drop_head()
        return freed

    def _drop_head(self) -> None:
        live, head = self.live, self.head
        while head < len(live) and not live[head]:
            head += 1
        self.head = head
        self._shrink()

    def _shrink(self) -> None:
        live, head = self.live, self.head
        if head > 1024 and head * 2 > len(live):
            for name in ARRAYS:
                del getattr(self, name)[:head]
            self.head = 0
            if self.keyed:
                first = self.firsts[0] if self.firsts else self.next
                del self.keys[: max(first - self.keys_from, 0)]
                self.keys_from = max(first, self.keys_from)

    def references(self) -> Iterator[int]:
        """Every position this log still needs, with repetitions, for counting at start."""
        for at in range(self.head, len(self.live)):
            if self.live[at]:
                yield from self._positions(at)
        for a, b, position, _ in self.placed:
            yield from repeat(position, b - a + 1)

    def to_json(self, parts: PartWriter) -> dict[str, Any]:
        """Durable form, without what was settled before the oldest entry."""
        keys_from, keys = self._keys_kept()
        return {
            "next": self.next,
            "rows": self.rows,
            "bytes": self.bytes,
            "keys_from": keys_from if self.keyed else None,
            "arrays": parts.put(*[getattr(self, name)[self.head :] for name in ARRAYS], keys),
            "placed": parts.put(*self.placed.to_arrays()),
        }

    def _keys_kept(self) -> tuple[int, array[int]]:
        """The hashes of keys that are still needed, and the sequence that they begin at."""
        keys_from = max(self.firsts[self.head] if self.head < len(self.firsts) else self.next, self.keys_from)
        return keys_from, self.keys[keys_from - self.keys_from :]

    @classmethod
    def from_json(cls, head: dict[str, Any], parts: PartReader, sizes: list[int] | None = None) -> Self:
        """``sizes``: lengths of the arrays in a snapshot of version 1, which has them beside the header's object."""
        log = cls(rows=head["rows"])
        log.next = head["next"]
        log.bytes = head["bytes"]
        log.keyed = head["keys_from"] is not None
        log.keys_from = head["keys_from"] or 0
        *arrays, log.keys = parts.take(f"{TYPES}I", sizes if sizes is not None else head["arrays"])
        for name, values in zip(ARRAYS, arrays, strict=True):
            setattr(log, name, values)
        if sizes is None:
            log.placed = RunMap.from_views("QI", parts.views("QIQI", head["placed"]))
        else:
            for sequence, (position, origin) in head["placed"]:
                log.placed.add(sequence, sequence, position, origin)
        return log
