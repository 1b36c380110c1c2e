"""A log: messages in order, as places in the journal.

One entry a batch, in parallel arrays: 36 bytes whatever the number of messages in it. Message ``sequence`` of the entry
is message ``index + sequence - first`` of the publish record at ``position``.
Where ordering keys are used, every message has four bytes more: a hash of its key. Two keys with the same hash only wait for each
other for nothing.
An entry's ``live`` count falls as its messages are settled; at zero nothing in this log needs that record any more.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .arrival import Arrivals

_ARRAYS = ("firsts", "positions", "indexes", "live", "sizes", "times")
_TYPES = "QQIIQQ"


class Log:
    """Attributes:
    next: Sequence of the next message appended; the first is 0.
    bytes: Body bytes of live messages, exact for whole batches and in proportion within one.
    keys: Hash of each message's ordering key from sequence ``keys_from`` on, 0: none.
    keyed: A key was used at some time.
    placed: Sequence → (position of the record that placed it here, log it came from), for messages that came by reference.
    """

    __slots__ = (
        "bytes", "firsts", "head", "indexes", "keyed", "keys", "keys_from", "live", "next", "placed", "positions", "sizes", "times",
    )  # fmt: skip

    def __init__(self) -> None:
        self.firsts = array("Q")
        self.positions = array("Q")
        self.indexes = array("I")
        self.live = array("I")
        self.sizes = array("Q")
        self.times = array("Q")
        self.keyed = False
        self.keys = array("I")
        self.keys_from = 0
        self.head = 0
        self.next = 0
        self.bytes = 0
        self.placed: dict[int, tuple[int, int]] = {}

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
        self.firsts.append(first)
        self.positions.append(position)
        self.indexes.append(index)
        self.live.append(count)
        self.sizes.append(size)
        self.times.append(at)
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

    def key_of(self, sequence: int) -> int:
        """Hash of the message's ordering key; 0: it has none."""
        return self.keys[sequence - self.keys_from] if self.keyed and sequence >= self.keys_from else 0

    def time_of(self, sequence: int) -> int:
        """When a live message was published, milliseconds."""
        return self.times[bisect_right(self.firsts, sequence, self.head) - 1]

    def locate(self, sequence: int) -> tuple[int, int]:
        """Position of the publish record and index in it."""
        at = bisect_right(self.firsts, sequence, self.head) - 1
        return self.positions[at], self.indexes[at] + sequence - self.firsts[at]

    def find(self, position: int, index: int) -> int:
        """Sequence of message ``index`` of the record at ``position``; -1: not here (any more)."""
        at = bisect_left(self.positions, position, self.head)
        while at < len(self.positions) and self.positions[at] == position:
            offset = index - self.indexes[at]
            end = self.firsts[at + 1] if at + 1 < len(self.firsts) else self.next
            if 0 <= offset < end - self.firsts[at]:
                return self.firsts[at] + offset
            at += 1
        return -1

    def size_of(self, sequence: int) -> int:
        """Bytes of one live message: exact in a batch of one, else its share of what is left of the batch."""
        at = bisect_right(self.firsts, sequence, self.head) - 1
        return self.sizes[at] // max(self.live[at], 1)

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
        """``(position, index, count, first sequence)`` for each record that ``first`` … ``last`` touches, in order."""
        firsts = self.firsts
        at = bisect_right(firsts, first, self.head) - 1
        while first <= last:
            end = firsts[at + 1] if at + 1 < len(firsts) else self.next
            count = min(last + 1, end) - first
            yield self.positions[at], self.indexes[at] + first - firsts[at], count, first
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
        firsts, live, sizes = self.firsts, self.live, self.sizes
        freed = []
        if self.placed:
            for sequence in range(first, last + 1):
                place = self.placed.pop(sequence, None)
                if place is not None:
                    freed.append(place[0])
        at = bisect_right(firsts, first, self.head) - 1
        while first <= last:
            end = firsts[at + 1] if at + 1 < len(firsts) else self.next
            count = min(last + 1, end) - first
            part = sizes[at] * count // live[at]
            live[at] -= count
            sizes[at] -= part
            self.bytes -= part
            if not live[at]:
                freed.append(self.positions[at])
            first += count
            at += 1
        self._drop_head()
        return freed

    def boundary(self, sequence: int) -> int:
        """First sequence of the entry that ``sequence`` is in."""
        at = bisect_right(self.firsts, sequence, self.head) - 1
        return self.firsts[at] if at >= self.head else self.first

    def boundary_by_bytes(self, size: int) -> int:
        """First sequence of the oldest entry to keep, so that no more than ``size`` bytes are; the newest entry always stays."""
        kept, at = 0, len(self.firsts)
        while at > self.head and (kept := kept + self.sizes[at - 1]) <= size:
            at -= 1
        return self.firsts[min(at, len(self.firsts) - 1)] if self.head < len(self.firsts) else self.next

    def boundary_by_time(self, time: int) -> int:
        """First sequence of the oldest entry published at ``time`` or later; ``next`` if there is none."""
        at = bisect_left(self.times, time, self.head)
        return self.firsts[at] if at < len(self.firsts) else self.next

    def trim(self, first: int) -> list[int]:
        """Drop whole entries before ``first``, whatever is live in them; returns positions no longer needed."""
        freed = []
        while self.head < len(self.firsts) and self.firsts[self.head] < first:
            freed.append(self.positions[self.head])
            self.bytes -= self.sizes[self.head]
            self.live[self.head] = 0
            self.head += 1
        self._shrink()
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
            for name in _ARRAYS:
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
                yield self.positions[at]
        for position, _ in self.placed.values():
            yield position

    def to_parts(self) -> tuple[dict[str, object], list[bytes]]:
        first = self.firsts[self.head] if self.head < len(self.firsts) else self.next
        keys_from = max(first, self.keys_from)
        head = {
            "next": self.next,
            "bytes": self.bytes,
            "placed": sorted(self.placed.items()),
            "keys_from": keys_from if self.keyed else None,
        }
        parts = [getattr(self, name)[self.head :].tobytes() for name in _ARRAYS]
        return head, [*parts, self.keys[keys_from - self.keys_from :].tobytes()]

    @classmethod
    def from_parts(cls, head: dict[str, Any], parts: list[bytes]) -> Log:
        log = cls()
        log.next = head["next"]
        log.bytes = head["bytes"]
        log.placed = {sequence: (place[0], place[1]) for sequence, place in head["placed"]}
        log.keyed = head["keys_from"] is not None
        log.keys_from = head["keys_from"] or 0
        log.keys.frombytes(parts[-1])
        for name, kind, part in zip(_ARRAYS, _TYPES, parts[:-1], strict=True):
            values = array(kind)
            values.frombytes(part)
            setattr(log, name, values)
        return log
