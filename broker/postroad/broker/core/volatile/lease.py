"""Leases: who holds which deliveries until when. Volatile: gone at a restart.

A grant hands a run of consecutive sequences to one subscription under consecutive delivery numbers: one ``Lease``.
Delivery numbers count up per subscription and are never used again, so a settle that comes after its lease ended cannot touch the
message's next holder: the number is no longer there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from heapq import heappop, heappush

from .holdings import Holdings, Lease

DEADLINES_SPARE = 1024
"""Deadlines of leases that have ended before may lie about, as many as there are leases and so many more."""

__all__ = ("Lease", "Leases", "split")


class Leases:
    """The leases of one subscription, by delivery number; those of its queue, ``holdings``, are kept along.

    A settle that names exactly what was granted costs one dictionary look-up; any other is a bisection and a cut.
    """

    __slots__ = ("_by_number", "_deadlines", "_holder", "_holdings", "_numbers", "count")

    def __init__(self, holder: int, holdings: Holdings) -> None:
        self._holder = holder
        self._holdings = holdings
        self._deadlines: list[tuple[int, int]] = []
        self._numbers: list[int] = []
        self._by_number: dict[int, Lease] = {}
        self.count = 0

    def __iter__(self) -> Iterator[Lease]:
        return iter([self._by_number[number] for number in self._numbers])

    @property
    def pieces(self) -> int:
        """How many leases there are; ``count`` is how many deliveries."""
        return len(self._by_number)

    def add(self, lease: Lease) -> None:
        if not self._numbers or lease.number > self._numbers[-1]:
            self._numbers.append(lease.number)
        else:
            self._numbers.insert(bisect_left(self._numbers, lease.number), lease.number)
        self._by_number[lease.number] = lease
        self.count += lease.count
        self._holdings.add(self._holder, lease)
        heappush(self._deadlines, (lease.deadline, lease.number))
        if len(self._deadlines) > DEADLINES_SPARE + 2 * len(self._numbers):
            self._deadlines = sorted((lease.deadline, number) for number, lease in self._by_number.items())

    def take(self, first: int, last: int) -> list[Lease]:
        """Remove deliveries ``first`` … ``last``; returns what was held, as leases cut to that range."""
        exact = self._by_number.get(first)
        if exact is not None and exact.last == last:
            self._remove(exact)
            return [exact]
        taken = []
        overlapping = self._overlapping(first, last)
        if len(overlapping) > 1 and overlapping[0].number >= first and overlapping[-1].last <= last:
            return self._take_whole(overlapping)
        for lease in overlapping:
            self._remove(lease)
            if lease.number < first:
                lease, rest = _cut(lease, first)
                self.add(lease)
                lease = rest
            if lease.last > last:
                lease, rest = _cut(lease, last + 1)
                self.add(rest)
            taken.append(lease)
        return taken

    def held(self, first: int, last: int) -> list[Lease]:
        """What ``take`` would return; nothing is removed."""
        exact = self._by_number.get(first)
        if exact is not None and exact.last == last:
            return [exact]
        return [
            lease if first <= lease.number and lease.last <= last else _part(lease, first, last)
            for lease in self._overlapping(first, last)
        ]

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of deliveries ``first`` … ``last`` that are held."""
        exact = self._by_number.get(first)
        if exact is not None and exact.last == last:
            return [(first, last)]
        return [(max(lease.number, first), min(lease.last, last)) for lease in self._overlapping(first, last)]

    def extend(self, first: int, last: int, deadline: int) -> list[tuple[int, int]]:
        """Set the deadline of ``first`` … ``last``; returns the ranges that were held."""
        held = []
        for lease in self.take(first, last):
            lease.deadline = deadline
            self.add(lease)
            held.append((lease.number, lease.last))
        return held

    def expired(self, at_ms: int, limit: int) -> list[Lease]:
        """Leases whose deadline has come, earliest first, of up to ``limit`` messages: the last may be cut. Nothing is removed."""
        due: dict[int, Lease] = {}
        while limit > 0 and (deadline := self.next_deadline()) is not None and deadline <= at_ms:
            _, number = heappop(self._deadlines)
            if number not in due:
                lease = self._by_number[number]
                due[number] = lease if lease.count <= limit else _part(lease, number, number + limit - 1)
                limit -= lease.count
        for lease in due.values():
            heappush(self._deadlines, (lease.deadline, lease.number))
        return list(due.values())

    def next_deadline(self) -> int | None:
        """When the next lease ends; None: there is none."""
        deadlines = self._deadlines
        while deadlines:
            deadline, number = deadlines[0]
            lease = self._by_number.get(number)
            if lease is not None and lease.deadline == deadline:
                return deadline
            heappop(deadlines)  # it has ended, or was extended
        return None

    @property
    def first(self) -> int | None:
        """The lowest delivery number; None: there is none."""
        return self._numbers[0] if self._numbers else None

    def find(self, number: int) -> Lease | None:
        """The lease that a delivery number is in."""
        exact = self._by_number.get(number)
        return exact if exact is not None else next(iter(self._overlapping(number, number)), None)

    def clear(self) -> list[Lease]:
        leases = list(self)
        for lease in leases:
            self._holdings.remove(self._holder, lease)
        self._numbers.clear()
        self._by_number.clear()
        self._deadlines.clear()
        self.count = 0
        return leases

    def _take_whole(self, leases: list[Lease]) -> list[Lease]:
        """Remove these, which are neighbours, at once."""
        at = bisect_left(self._numbers, leases[0].number)
        del self._numbers[at : at + len(leases)]
        for lease in leases:
            del self._by_number[lease.number]
            self.count -= lease.count
            self._holdings.remove(self._holder, lease)
        return leases

    def _remove(self, lease: Lease) -> None:
        if self._numbers[0] == lease.number:
            del self._numbers[0]
        else:
            del self._numbers[bisect_left(self._numbers, lease.number)]
        del self._by_number[lease.number]
        self.count -= lease.count
        self._holdings.remove(self._holder, lease)

    def _overlapping(self, first: int, last: int) -> list[Lease]:
        numbers = self._numbers
        at = max(bisect_right(numbers, first) - 1, 0)
        found = []
        while at < len(numbers) and numbers[at] <= last:
            lease = self._by_number[numbers[at]]
            if lease.last >= first:
                found.append(lease)
            at += 1
        return found


def _part(lease: Lease, first: int, last: int) -> Lease:
    """What of the lease is within deliveries ``first`` … ``last``."""
    first, last = max(first, lease.number), min(last, lease.last)
    sequence = lease.sequence + first - lease.number
    return Lease(first, last - first + 1, sequence, lease.priority, lease.granted_at, lease.deadline)


def split(leases: list[Lease], number: int) -> tuple[list[Lease], list[Lease]]:
    """The leases up to a delivery number, and those above it; one that has both is cut."""
    below, above = [], []
    for lease in leases:
        if lease.last <= number:
            below.append(lease)
        elif lease.number > number:
            above.append(lease)
        else:
            head, rest = _cut(lease, number + 1)
            below.append(head)
            above.append(rest)
    return below, above


def _cut(lease: Lease, number: int) -> tuple[Lease, Lease]:
    """The lease in two, the second starting at delivery ``number``."""
    head = number - lease.number
    return (
        Lease(lease.number, head, lease.sequence, lease.priority, lease.granted_at, lease.deadline),
        Lease(number, lease.count - head, lease.sequence + head, lease.priority, lease.granted_at, lease.deadline),
    )
