"""Where records are: one entry for every 4 KiB of journal, the rest is found by walking from the entry before."""

from __future__ import annotations

from array import array
from bisect import bisect_right

STRIDE_BYTES = 4096


class SparseIndex:
    """Position → offset in one segment: 12 bytes for each ``STRIDE_BYTES``."""

    __slots__ = ("_offsets", "_positions", "next_offset")

    def __init__(self) -> None:
        self._positions = array("Q")
        self._offsets = array("I")
        self.next_offset = 0
        """Records that start here or later are worth an entry; callers look first, to save the call."""

    def add(self, position: int, offset: int) -> None:
        """Note a record. Positions must ascend."""
        self._positions.append(position)
        self._offsets.append(offset)
        self.next_offset = offset + STRIDE_BYTES

    def before(self, position: int) -> tuple[int, int] | None:
        """The last entry at or before a position: its position and offset."""
        at = bisect_right(self._positions, position) - 1
        return None if at < 0 else (self._positions[at], self._offsets[at])

    def __len__(self) -> int:
        return len(self._positions)
