"""A queue: a log and one group. A message leaves it when it is settled.

A consumer group of a stream is the same thing on a log that it shares: settling moves the group's position, and the message stays until
the stream's retention lets it go.
"""

from __future__ import annotations

from ...settings import QueueSettings
from .arrival import Arrivals
from .dedup import DedupWindow
from .group import Group
from .log import Log

TOTALS = (
    "published", "acked", "dead", "dropped", "purged", "expired", "cancelled", "redriven", "retried", "trimmed",
    "compacted",
)  # fmt: skip


class Queue:
    """Durable state of a queue, or of a stream's consumer group.

    Attributes:
        name: Of a group: ``<stream>/<group>``.
        number: Of its log, or of the group, for ever.
        dead_letter_of: The queue whose exhausted messages come here, if it is a dead-letter queue.
        stream: Number of the stream whose group this is; None: a queue.
        totals: Counts since the queue was made, by ``TOTALS``.
    """

    __slots__ = (
        "dead_letter_of", "dedup", "group", "log", "name", "number", "pause_reason", "paused", "settings", "stream",
        "totals",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        number: int,
        settings: QueueSettings,
        dead_letter_of: str | None = None,
        stream: int | None = None,
        log: Log | None = None,
    ) -> None:
        self.name = name
        self.number = number
        self.settings = settings
        self.dead_letter_of = dead_letter_of
        self.stream = stream
        self.paused = False
        self.pause_reason: str | None = None
        self.log = log if log is not None else Log(rows=settings.bytes_max is None)
        self.group = Group()
        self.group.expiring.change(self.log.next, settings.expire_ms)
        self.dedup = DedupWindow()
        self.totals = dict.fromkeys(TOTALS, 0)
        self.set_up_log()

    def append(self, sequence: int, arrived: Arrivals, position: int) -> None:
        """The messages of a publish record arrive; ``sequence`` is that of the first."""
        assert self.log.next == sequence, f"{self.name}: record says sequence {sequence}, log is at {self.log.next}"
        self.log.take_in(arrived, position)
        self.arrive(sequence, arrived)

    def arrive(self, sequence: int, arrived: Arrivals) -> None:
        """Messages are in the log; the group takes note."""
        self.totals["published"] += arrived.count
        self.group.arrive(sequence, arrived)

    def change(self, settings: QueueSettings) -> None:
        """Other settings, for what arrives from now on."""
        self.settings = settings
        self.group.expiring.change(self.log.next, settings.expire_ms, self.group.floor)
        self.set_up_log()

    def set_up_log(self) -> None:
        """How exactly a queue's own log must know sizes and times; a stream's always knows both."""
        if self.stream is None:
            self.log.rows = self.settings.bytes_max is None
            self.log.exact_times = self.settings.expire_ms is not None

    def settle(self, first: int, last: int) -> list[int]:
        """``first`` … ``last`` are done with; returns journal positions that are no longer needed for it."""
        self.group.settle(first, last, self.log)
        return [] if self.stream is not None else self.log.settle(first, last)
