"""Where records are: one entry for every 4 KiB of a segment. Other records are found by walking from the entry before."""

from __future__ import annotations

from array import array
from bisect import bisect_right

STRIDE_BYTES = 4096
ENTRY_BYTES = 12


class SparseIndex:
    """Position → offset in one segment: 12 bytes for each ``STRIDE_BYTES``.

    Args:
        is_complete: Records are entered as they are appended. False for a segment from before this start: entries are added as
            records are found (``locate``).
    """

    __slots__ = ("_offsets", "_positions", "is_complete", "next_offset")

    def __init__(self, *, is_complete: bool = True) -> None:
        self._positions = array("Q")
        self._offsets = array("I")
        self.is_complete = is_complete
        self.next_offset = 0
        """A record that starts here or later gets an entry; callers compare first, to save the call."""

    def add(self, position: int, offset: int) -> None:
        """Add a record. Positions must ascend."""
        self._offsets.append(offset)  # first: another thread that sees the position finds its offset
        self._positions.append(position)
        self.next_offset = offset + STRIDE_BYTES

    def note(self, position: int, offset: int) -> None:
        """Add a record anywhere, unless there is an entry within the stride before it. Not while another thread reads."""
        at = bisect_right(self._positions, position)
        if at and offset - self._offsets[at - 1] < STRIDE_BYTES:
            return
        self._positions.insert(at, position)
        self._offsets.insert(at, offset)

    def before(self, position: int) -> tuple[int, int] | None:
        """The last entry at or before a position: its position and offset."""
        at = bisect_right(self._positions, position) - 1
        return None if at < 0 else (self._positions[at], self._offsets[at])

    def after(self, position: int) -> tuple[int, int] | None:
        """The first entry behind a position."""
        at = bisect_right(self._positions, position)
        return None if at == len(self._positions) else (self._positions[at], self._offsets[at])

    def __len__(self) -> int:
        return len(self._positions)
