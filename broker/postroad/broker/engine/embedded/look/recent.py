"""Where the last records of each queue are, so that what happened last to an idle one is found without reading what others did.

Filled by what happens while the process runs; of what was before it knows nothing, and says so. Bounded: some positions for each of
some queues, of which those that were silent longest are forgotten first.
"""

from __future__ import annotations

from array import array

POSITIONS_MAX = 128
"""Kept of each name; a stream has those of its groups as well."""

NAMES_MAX = 4096


class _Ring:
    __slots__ = ("known_from", "next", "positions")

    def __init__(self, known_from: int) -> None:
        self.positions = array("Q")
        self.next = 0
        self.known_from = known_from

    @property
    def last(self) -> int:
        return self.positions[self.next - 1]


class Recent:
    """By name, so that a queue that was deleted and made anew has what happened to it before.

    Args:
        start: Of records after this position everything is told to ``note``.
    """

    def __init__(self, start: int) -> None:
        self._known_from = start + 1
        self._rings: dict[str, _Ring] = {}

    def note(self, name: str, position: int) -> None:
        """A record that concerns this queue, stream or group is durable. Positions must not descend."""
        ring = self._rings.get(name)
        if ring is None:
            ring = self._begin(name)
        positions = ring.positions
        if len(positions) < POSITIONS_MAX:
            positions.append(position)
        else:
            at = ring.next
            positions[at] = position
            ring.next = at + 1 if at + 1 < POSITIONS_MAX else 0

    def _begin(self, name: str) -> _Ring:
        rings = self._rings
        if len(rings) >= NAMES_MAX:
            by_age = sorted(rings.items(), key=lambda item: item[1].last)
            silent, self._rings = by_age[: NAMES_MAX // 2], dict(by_age[NAMES_MAX // 2 :])
            # From here on a name without a ring may be one that was forgotten.
            self._known_from = max(self._known_from, silent[-1][1].last + 1)
        ring = self._rings[name] = _Ring(self._known_from)
        return ring

    def of(self, name: str) -> tuple[list[int], int]:
        """Positions of its last records, ascending; and the position from which on none is missing."""
        ring = self._rings.get(name)
        if ring is None:
            return [], self._known_from
        positions = sorted(set(ring.positions))
        is_full = len(ring.positions) == POSITIONS_MAX
        return positions, max(positions[0], ring.known_from) if is_full else ring.known_from

    @property
    def bytes(self) -> int:
        """About the memory it takes."""
        return len(self._rings) * (200 + 8 * POSITIONS_MAX)
