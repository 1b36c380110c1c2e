"""Producer sessions: which numbered publish frames were stored, so that a frame sent again is stored once (docs/protocol.md §4.2)."""

from __future__ import annotations

FRAMES_KEPT = 1024
KEEP_MS = 600_000


class ProducerSession:
    """Attributes:
    last_frame: The highest frame number stored.
    frames: Frame number → (position, count) of those stored among the last ``FRAMES_KEPT`` numbers.
    at: When the last one was stored, milliseconds.
    """

    __slots__ = ("at", "frames", "last_frame")

    def __init__(self) -> None:
        self.last_frame = 0
        self.frames: dict[int, tuple[int, int]] = {}
        self.at = 0

    def stored(self, frame: int, position: int, count: int, at_ms: int) -> None:
        self.frames[frame] = (position, count)
        self.at = at_ms
        if frame <= self.last_frame:
            return
        # By number, not by age: a gap may be filled late, and ``is_forgotten`` goes by number.
        gone = range(self.last_frame - FRAMES_KEPT + 1, frame - FRAMES_KEPT + 1)
        self.last_frame = frame
        for old in gone if len(gone) <= FRAMES_KEPT else [old for old in self.frames if old < gone.stop]:
            self.frames.pop(old, None)

    def is_forgotten(self, frame: int) -> bool:
        """True if the frame is so old that the broker no longer knows whether it was stored."""
        return frame not in self.frames and frame <= self.last_frame - FRAMES_KEPT
