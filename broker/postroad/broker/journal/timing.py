"""Histogram of how long syncs take. Adding to it allocates nothing."""

from __future__ import annotations

import math

_STEPS = 96
_GROWTH = 1.25
_LOG = math.log(_GROWTH)


class SyncTimes:
    """Steps of 25 %, from 10 µs up."""

    def __init__(self) -> None:
        self._counts = [0] * _STEPS
        self.count = 0
        self.max_ms = 0.0

    def add(self, seconds: float) -> None:
        step = int(math.log(seconds * 1e5) / _LOG) + 1 if seconds > 1e-5 else 0
        self._counts[min(step, _STEPS - 1)] += 1
        self.count += 1
        self.max_ms = max(self.max_ms, seconds * 1000)

    def quantile_ms(self, share: float) -> float:
        """Upper edge of the step that holds this share of the syncs; 0 without any."""
        rest = self.count * share
        for step, count in enumerate(self._counts):
            rest -= count
            if rest <= 0 and self.count:
                return min(round(0.01 * _GROWTH**step, 3), self.max_ms)
        return 0.0
