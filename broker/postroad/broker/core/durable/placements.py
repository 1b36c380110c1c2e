"""Where messages are now that came by reference: dead letters, and what was redriven or replayed.

An index from the message, by position and index of its publish record, to a log and a sequence, without an object for each: what the
index gives is compared with what the log says. So the entries of a deleted queue need no search: they say nothing, and are dropped a page at
a time by the calls that follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .hash_index import HashIndex
from .queue import Queue

SEQUENCE_BITS = 40
SEQUENCE_MASK = (1 << SEQUENCE_BITS) - 1
LOG_MAX = (1 << 24) - 1

Place = tuple[int, int]
"""Position and index of a publish record; or number of a log, and sequence."""


class Placements:
    """Args: logs: All queues by number."""

    __slots__ = ("_beyond", "_index", "_logs", "_stale")

    def __init__(self, logs: Mapping[int, Queue]) -> None:
        self._logs = logs
        self._index = HashIndex(self._hash_of)
        self._stale = 0
        """Pages to look through, since entries there may say nothing any more."""
        self._beyond: dict[Place, list[Place]] = {}
        """What does not fit into 64 bits: logs after the first 16 million."""

    def add(self, position: int, index: int, log: int, sequence: int) -> None:
        """The message is in that log now (too); its log knows it already."""
        if log > LOG_MAX or sequence > SEQUENCE_MASK:
            self._beyond.setdefault((position, index), []).append((log, sequence))
            return
        self._index.add(_hash(position, index), log << SEQUENCE_BITS | sequence)
        if self._stale:
            self._stale -= 1
            self._index.clean()

    def remove(self, position: int, index: int, log: int, sequence: int) -> None:
        """The message is there no more; its log still knows it."""
        if log > LOG_MAX or sequence > SEQUENCE_MASK:
            left = [place for place in self._beyond.pop((position, index), []) if place != (log, sequence)]
            if left:
                self._beyond[position, index] = left
            return
        self._index.remove(_hash(position, index), log << SEQUENCE_BITS | sequence)

    def take_up(self, queues: Sequence[Queue]) -> None:
        """Note all messages in these queues that came by reference; nothing may have been noted yet."""
        self._index.reserve(sum(queue.log.placed.count for queue in queues))
        for queue in queues:
            for first, last, *_ in queue.log.placed:
                for position, index, count, sequence in queue.log.pieces(first, last):
                    for k in range(count):
                        self.add(position, index + k, queue.number, sequence + k)

    def of(self, position: int, index: int) -> list[Place]:
        """``(log, sequence)`` of everywhere the message is."""
        numbers = self._index.find(_hash(position, index))
        places = [(number >> SEQUENCE_BITS, number & SEQUENCE_MASK) for number in numbers]
        found = [place for place in places if self._place_of(*place) == (position, index)]
        return sorted(found + [place for place in self._beyond.get((position, index), []) if place[0] in self._logs])

    def log_gone(self) -> None:
        """A queue was deleted."""
        self._stale = self._index.pages if len(self._index) else 0

    def _place_of(self, log: int, sequence: int) -> Place | None:
        queue = self._logs.get(log)
        return queue.log.locate(sequence) if queue is not None and sequence in queue.log.placed else None

    def _hash_of(self, number: int) -> int | None:
        queue = self._logs.get(number >> SEQUENCE_BITS)
        return _hash(*queue.log.locate(number & SEQUENCE_MASK)) if queue is not None else None


def _hash(position: int, index: int) -> int:
    """Bits that differ in all places, also for neighbours."""
    mixed = (position * 0x9E3779B97F4A7C15 + index * 0xC2B2AE3D27D4EB4F) & 0xFFFFFFFFFFFFFFFF
    return mixed ^ mixed >> 29
