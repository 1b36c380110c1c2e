"""Rates of queues: messages a second over the last five seconds, from the totals that the core counts anyway."""

from __future__ import annotations

from collections import deque

from ....core.durable.queue import Queue

WINDOW_MS = 5000


class Meter:
    """Samples of a queue's totals, one a second while they change."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int, int]] = deque(maxlen=8)

    def sample(self, queue: Queue, at_ms: int) -> bool:
        """Take a sample; returns False when the queue has been idle for the whole window."""
        samples = self._samples
        samples.append((at_ms, queue.totals["published"], queue.totals["acked"]))
        while len(samples) > 1 and samples[1][0] <= at_ms - WINDOW_MS:
            samples.popleft()
        return samples[0][1:] != samples[-1][1:]

    def rates(self, queue: Queue, at_ms: int) -> tuple[float, float]:
        """``(published, acked)`` a second."""
        first = next((sample for sample in self._samples if sample[0] >= at_ms - WINDOW_MS - 1000), None)
        if first is None:
            return 0.0, 0.0
        seconds = max(at_ms - first[0], 1000) / 1000
        published = (queue.totals["published"] - first[1]) / seconds
        acked = (queue.totals["acked"] - first[2]) / seconds
        return round(published, 1), round(acked, 1)
