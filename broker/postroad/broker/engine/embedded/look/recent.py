"""Where the last records of each queue are, so that what happened last to an idle one is found without reading what others did.

Filled by what happens while the process runs; of what was before it knows nothing, and says so. Bounded: some positions for each of
some queues, of which those that were silent longest are forgotten first.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict

POSITIONS_MAX = 128
"""Kept of each name; a stream has those of its groups as well."""

NAMES_MAX = 4096


class _Ring:
    __slots__ = ("_next", "_positions", "known_from")

    def __init__(self, known_from: int) -> None:
        self._positions = array("Q")
        self._next = 0
        self.known_from = known_from

    def add(self, position: int) -> None:
        positions = self._positions
        if positions and positions[self._next - 1] == position:  # a record may name one queue twice
            return
        if len(positions) < POSITIONS_MAX:
            positions.append(position)
            return
        self.known_from = positions[self._next] + 1
        positions[self._next] = position
        self._next = (self._next + 1) % POSITIONS_MAX

    def ordered(self) -> array[int]:
        return self._positions[self._next :] + self._positions[: self._next]

    @property
    def last(self) -> int:
        return self._positions[self._next - 1]


class Recent:
    """By name, so that a queue that was deleted and made anew has what happened to it before.

    Args:
        start: Of records after this position everything is told to ``note``.
    """

    def __init__(self, start: int) -> None:
        self._known_from = start + 1
        self._rings: OrderedDict[str, _Ring] = OrderedDict()

    def note(self, name: str, position: int) -> None:
        """A record that concerns this queue, stream or group is durable. Positions must ascend."""
        rings = self._rings
        ring = rings.get(name)
        if ring is None:
            ring = rings[name] = _Ring(self._known_from)
            if len(rings) > NAMES_MAX:
                _, silent = rings.popitem(last=False)
                # From here on a name without a ring may be one that was forgotten.
                self._known_from = max(self._known_from, silent.last + 1)
        else:
            rings.move_to_end(name)
        ring.add(position)

    def of(self, name: str) -> tuple[list[int], int]:
        """Positions of its last records, ascending; and the position from which on none is missing."""
        ring = self._rings.get(name)
        return ([*ring.ordered()], ring.known_from) if ring is not None else ([], self._known_from)

    @property
    def bytes(self) -> int:
        """About the memory it takes."""
        return len(self._rings) * (200 + 8 * POSITIONS_MAX)
