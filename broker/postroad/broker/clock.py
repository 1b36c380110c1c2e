"""Time for the shell; ``core/`` never reads a clock.

There are two clocks, and each has its own work:

- *Engine time* (``now_ms``) is that of records, delays, leases, backoff, expiry and retention. It begins at the wall clock's time, or at
  that of the journal's last record if that is later, and then goes by the monotonic clock. So no jump of the wall clock, in either
  direction, makes anything early or lets time stand still. While a machine is suspended, engine time stands still with it.
- *Wall time* (``wall_ms``) is what the wall clock says now. Only cron expressions, ``deliver_at`` and people go by it.

Their difference is the *skew*. It heals by itself: when the wall clock comes back, at once; else slowly. While they are further apart than
``SLEW_FROM_MS``, engine time runs at most 0.1 % faster or slower, towards the wall clock: an hour of delay is wrong by 3.6 seconds at
most, and two hours of skew are gone after 83 days. A start ends what is left of it, if the wall clock is ahead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

SLEW_FROM_MS = 50
"""A smaller skew is left alone: it is no larger than what a time server corrects all day."""

SLEW_PER_MILLE = 1


def wall_ms() -> int:
    """What the wall clock says, milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Clock(Protocol):
    """Where the engine takes its time from. ``testing.FakeClock`` is the other implementation."""

    def now_ms(self) -> int:
        """Engine time, milliseconds since the epoch, UTC. Never goes backwards while the process lives."""
        ...

    def wall_ms(self) -> int:
        """What the wall clock says, milliseconds since the epoch, UTC. May jump."""
        ...

    def not_before(self, at_ms: int) -> None:
        """Engine time is ``at_ms`` or later from now on."""
        ...

    def slew(self) -> None:
        """Look at the wall clock, and let engine time run towards it. Called about once a second."""
        ...


class SystemClock:
    """The system's clocks.

    Args:
        at_least_ms: As ``not_before``.
        wall_ns: Reads the wall clock.
        monotonic_ns: Reads the monotonic clock.
    """

    def __init__(
        self,
        at_least_ms: int = 0,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        # Engine time at a moment of the monotonic clock, and engine time for a thousand of it since. Replaced as a whole: other
        # threads read it.
        self._line = (max(wall_ns(), at_least_ms * 1_000_000), monotonic_ns(), 1000)

    def now_ms(self) -> int:
        begun_ns, since_ns, per_mille = self._line
        return (begun_ns + (self._monotonic_ns() - since_ns) * per_mille // 1000) // 1_000_000

    def wall_ms(self) -> int:
        return self._wall_ns() // 1_000_000

    def not_before(self, at_ms: int) -> None:
        now_ns, monotonic_ns = self._now_ns()
        self._line = (max(now_ns, at_ms * 1_000_000), monotonic_ns, 1000)

    def slew(self) -> None:
        skew_ms = self.wall_ms() - self.now_ms()
        per_mille = 1000
        if abs(skew_ms) > SLEW_FROM_MS:
            per_mille += SLEW_PER_MILLE if skew_ms > 0 else -SLEW_PER_MILLE
        if per_mille != self._line[2]:
            self._line = (*self._now_ns(), per_mille)

    def _now_ns(self) -> tuple[int, int]:
        """Engine time, and the monotonic clock at the same moment."""
        begun_ns, since_ns, per_mille = self._line
        monotonic_ns = self._monotonic_ns()
        return begun_ns + (monotonic_ns - since_ns) * per_mille // 1000, monotonic_ns
