"""Who holds what of a queue: the one home of that. Volatile: gone at a restart.

A lease says which deliveries of one subscription are which messages. The leases of a subscription are kept by delivery number
(``lease.py``), for what its client says; all leases of a queue are kept here by sequence, for everybody who asks about messages. Each
is put in and taken out here by ``Leases``, which is the only one to change either.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Lease:
    """Deliveries ``number`` … ``number + count - 1`` are messages ``sequence`` … ``sequence + count - 1``."""

    number: int
    count: int
    sequence: int
    priority: int
    granted_at: int
    deadline: int

    @property
    def last(self) -> int:
        return self.number + self.count - 1

    @property
    def last_sequence(self) -> int:
        return self.sequence + self.count - 1


Held = tuple[int, Lease]
"""A subscription and a lease of its own."""


class Holdings:
    """The leases of one queue or group, by sequence; no message is in two.

    Granting and settling in order cost one entry at an end; any other is a bisection. Nothing but ``__iter__`` looks at all.

    Attributes:
        count: Messages under a lease.
        freed: Subscriptions of which a lease has ended since this was last cleared: they may have room again.
    """

    __slots__ = ("_firsts", "_held", "count", "freed")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._held: dict[int, Held] = {}
        self.count = 0
        self.freed: dict[int, None] = {}

    def __iter__(self) -> Iterator[Held]:
        return iter([self._held[first] for first in self._firsts])

    def __len__(self) -> int:
        """How many leases there are; ``count`` is how many messages."""
        return len(self._firsts)

    def add(self, subscription: int, lease: Lease) -> None:
        firsts, first = self._firsts, lease.sequence
        if not firsts or first > firsts[-1]:
            firsts.append(first)
        else:
            firsts.insert(bisect_left(firsts, first), first)
        self._held[first] = (subscription, lease)
        self.count += lease.count

    def remove(self, subscription: int, lease: Lease) -> None:
        firsts, first = self._firsts, lease.sequence
        if firsts[0] == first:
            del firsts[0]
        elif firsts[-1] == first:
            del firsts[-1]
        else:
            del firsts[bisect_left(firsts, first)]
        del self._held[first]
        self.count -= lease.count
        self.freed[subscription] = None

    def find(self, sequence: int) -> Held | None:
        """Who holds a message, and the lease that it is in."""
        at = bisect_right(self._firsts, sequence) - 1
        if at < 0:
            return None
        held = self._held[self._firsts[at]]
        return held if held[1].last_sequence >= sequence else None

    def within(self, first: int, last: int) -> list[Held]:
        """The leases that have something of ``first`` … ``last``, in order of sequence."""
        firsts = self._firsts
        at = max(bisect_right(firsts, first) - 1, 0)
        found = [self._held[start] for start in firsts[at : bisect_right(firsts, last)]]
        if found and found[0][1].last_sequence < first:
            del found[0]
        return found

    def starting(self, sequence: int) -> Iterator[tuple[int, int]]:
        """``(first, last)`` of what is held from a sequence on, in order."""
        firsts = self._firsts
        for at in range(max(bisect_right(firsts, sequence) - 1, 0), len(firsts)):
            _, lease = self._held[firsts[at]]
            if lease.last_sequence >= sequence:
                yield max(lease.sequence, sequence), lease.last_sequence

    def runs(self) -> list[tuple[int, int, int]]:
        """``(first, last, priority)`` of all that is held, in order."""
        return [(lease.sequence, lease.last_sequence, lease.priority) for _, lease in self]

    def holders(self) -> list[int]:
        """Subscriptions that hold something, each once, in the order of what they hold."""
        return list(dict.fromkeys(subscription for subscription, _ in self))
