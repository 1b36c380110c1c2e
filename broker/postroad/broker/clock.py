"""Time for the shell; ``core/`` never reads a clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the engine takes its time from. ``testing.FakeClock`` is the other implementation."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC. Never goes backwards while the process lives."""
        ...


class SystemClock:
    """Wall time at start, then the monotonic clock: a step of the wall clock neither ends a lease nor fires a delay early.

    Args:
        at_least_ms: The last time found in the journal; the clock starts no earlier.
    """

    def __init__(self, at_least_ms: int = 0) -> None:
        self._base_ms = max(int(time.time() * 1000), at_least_ms)
        self._started_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        return self._base_ms + (time.monotonic_ns() - self._started_ns) // 1_000_000
