"""Ordering keys: one message in flight a key, in order also across retries, while other keys go on.

The first unsettled message of a key *holds* it from its first delivery until it is settled, through nacks, returns and waits. What comes
up behind it is *parked*: taken out of ready, and put back in its place when the key is free. So a message that is retried or dead
blocks its own key only, and dead-lettering frees it.

Parked and held are derived, hence volatile: after a restart only what waits for another attempt holds its key.
"""

from __future__ import annotations

from heapq import heappop, heappush
from zlib import crc32

from .runs import Runs


def key_hash(key: str | None) -> int:
    """The number kept for a key; 0: no key."""
    return (crc32(key.encode()) or 1) if key is not None else 0


class KeyOrder:
    """Attributes:
    held: Key hash → sequence that holds it.
    parked: Sequences that wait for their key.
    """

    __slots__ = ("_waiting", "held", "parked")

    def __init__(self) -> None:
        self.held: dict[int, int] = {}
        self.parked = Runs()
        self._waiting: dict[int, list[int]] = {}

    def may_go(self, key: int, sequence: int) -> bool:
        """True if the message may be delivered now; it then holds its key. Else it is parked."""
        if not key:
            return True
        holder = self.held.setdefault(key, sequence)
        if holder == sequence:
            return True
        heappush(self._waiting.setdefault(key, []), sequence)
        self.parked.add(sequence, sequence)
        return False

    def hold(self, key: int, sequence: int) -> None:
        """The message is out already (a lease taken up again, a retry found at start)."""
        if key:
            self.held[key] = sequence

    def settled(self, key: int, sequence: int) -> int | None:
        """The message is done with; returns the parked one that may go now.

        One that nobody delivered yet may have been the next of its key: then it is another's turn.
        """
        self.parked.remove(sequence, sequence)
        if self.held.get(key, sequence) != sequence:
            return None
        self.held.pop(key, None)
        waiting = self._waiting.get(key, [])
        while waiting:
            following = heappop(waiting)
            if not waiting:
                del self._waiting[key]
            if self.parked.remove(following, following):
                return following
        return None
