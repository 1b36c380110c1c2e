"""Producer sessions: which numbered publish frames were stored, so that a frame sent again is stored once (docs/protocol.md §4.2)."""

from __future__ import annotations

FRAMES_KEPT = 1024
KEEP_MS = 600_000


class ProducerSession:
    """Attributes:
    last_frame: The highest frame number stored.
    frames: Frame number → (position, count) of the last ``FRAMES_KEPT`` stored.
    at: When the last one was stored, milliseconds.
    """

    __slots__ = ("at", "frames", "last_frame")

    def __init__(self) -> None:
        self.last_frame = 0
        self.frames: dict[int, tuple[int, int]] = {}
        self.at = 0

    def stored(self, frame: int, position: int, count: int, at_ms: int) -> None:
        self.frames[frame] = (position, count)
        self.last_frame = max(self.last_frame, frame)
        self.at = at_ms
        while len(self.frames) > FRAMES_KEPT:
            del self.frames[next(iter(self.frames))]

    def is_forgotten(self, frame: int) -> bool:
        """True if the frame is so old that the broker no longer knows whether it was stored."""
        return frame not in self.frames and frame <= self.last_frame - FRAMES_KEPT
