"""A stream: a log kept by age, bytes or count, with any number of groups, each with its own position."""

from __future__ import annotations

from ..settings import StreamSettings
from .arrival import Arrivals
from .dedup import DedupWindow
from .log import Log
from .queue import Queue

GROUP_SEPARATOR = "/"


class Stream:
    """Durable state of a stream. Its first message has offset 0; an offset is a sequence of its log.

    Attributes:
        groups: By the group's own name.
    """

    __slots__ = ("dedup", "groups", "log", "name", "number", "published_total", "settings", "trimmed_total")

    def __init__(self, name: str, number: int, settings: StreamSettings) -> None:
        self.name = name
        self.number = number
        self.settings = settings
        self.log = Log(rows=False)
        self.groups: dict[str, Queue] = {}
        self.dedup = DedupWindow()
        self.published_total = 0
        self.trimmed_total = 0

    @property
    def earliest(self) -> int:
        """Offset of the oldest message kept."""
        return self.log.first

    def append(self, sequence: int, arrived: Arrivals, position: int) -> None:
        """The messages of a publish record arrive, for all groups."""
        assert self.log.next == sequence, f"{self.name}: record says offset {sequence}, log is at {self.log.next}"
        self.log.take_in(arrived, position)
        self.published_total += arrived.count
        for group in self.groups.values():
            group.arrive(sequence, arrived)

    def trim(self, first: int) -> list[int]:
        """Let go of everything before offset ``first``; what a group had not settled of it is counted as trimmed there.

        Returns journal positions that are no longer needed for it.
        """
        self.trimmed_total += first - self.log.first
        for group in self.groups.values():
            for a, b in list(group.group.unsettled_within(group.group.floor, first - 1)):
                group.group.settle(a, b, self.log)
                group.totals["trimmed"] += b - a + 1
        return self.log.trim(first)
