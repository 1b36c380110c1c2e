"""A stream: a log kept by age, bytes, count or key, with any number of groups, each with its own position."""

from __future__ import annotations

from ...settings import StreamSettings
from ..format.record import Compact
from .arrival import Arrivals
from .compaction import Compaction
from .dedup import DedupWindow
from .delayed import DUE_MAX
from .queue import Queue
from .run_map import RunMap
from .stream_log import StreamLog

GROUP_SEPARATOR = "/"


class Stream:
    """Durable state of a stream. Its first message has offset 0; an offset is a sequence of its log.

    Attributes:
        groups: By the group's own name.
        expiring: When messages kept expire, where they say so: for groups that begin later.
        compaction: None: not wanted.
        trimmed_before: Retention has dropped something before this offset.
    """

    __slots__ = (
        "compacted_total", "compaction", "dedup", "expiring", "groups", "log", "name", "number", "published_total",
        "settings", "trimmed_before", "trimmed_total",
    )  # fmt: skip

    def __init__(self, name: str, number: int, settings: StreamSettings) -> None:
        self.name = name
        self.number = number
        self.settings = settings
        self.log = StreamLog()
        self.expiring = RunMap("Q")
        self.compaction = Compaction() if settings.compaction else None
        self.groups: dict[str, Queue] = {}
        self.dedup = DedupWindow()
        self.published_total = 0
        self.trimmed_total = 0
        self.trimmed_before = 0
        self.compacted_total = 0

    @property
    def earliest(self) -> int:
        """Offset of the oldest message kept."""
        return self.log.first

    def change(self, settings: StreamSettings) -> None:
        """Other settings. Compaction can begin only while nothing is kept: it does not know the keys of what came before."""
        self.settings = settings
        if not settings.compaction:
            self.compaction = None
        elif self.compaction is None and not self.log.count:
            self.compaction = Compaction()

    def trimmed(self, offset: int) -> int | None:
        """The earliest offset kept, if retention has dropped something between ``offset`` and it. Compaction does not count as loss."""
        first = self.log.first
        return first if offset < min(first, self.trimmed_before) else None

    def append(self, sequence: int, arrived: Arrivals, position: int) -> None:
        """The messages of a publish record arrive, for all groups."""
        assert self.log.next == sequence, f"{self.name}: record says offset {sequence}, log is at {self.log.next}"
        self.log.take_in(arrived, position)
        self.published_total += arrived.count
        for due, first, last in arrived.expiries:
            self.expiring.add(sequence + first, sequence + last, min(due, DUE_MAX))
        for group in self.groups.values():
            group.arrive(sequence, arrived)

    def trim(self, first: int) -> list[int]:
        """Let go of everything before offset ``first``; what a group had not settled of it is counted as trimmed there.

        Returns journal positions that are no longer needed for it.
        """
        before = self.log.count
        self.trimmed_before = first
        self.expiring.remove(0, first - 1)
        for group in self.groups.values():
            for a, b in list(group.group.unsettled_within(group.group.floor, first - 1)):
                group.group.settle(a, b, self.log)
                group.totals["trimmed"] += b - a + 1
        freed = self.log.trim(first)
        self.trimmed_total += before - self.log.count
        return freed

    def take_out(self, record: Compact) -> list[int]:
        """Let go of messages in the middle; what a group had not settled of them is counted there, as ``trimmed`` or ``compacted``.

        Returns journal positions that are no longer needed for it.
        """
        if self.compaction is not None:
            self.compaction.take_out(record)
        freed: list[int] = []
        for first, last in record.runs:
            for group in self.groups.values():
                for a, b in list(group.group.unsettled_within(first, last)):
                    group.group.settle(a, b, self.log)
                    group.totals[record.how] += b - a + 1
            self.expiring.remove(first, last)
            freed.extend(self.log.take_out(first, last))
            if record.how == "trimmed":
                self.trimmed_total += last - first + 1
                self.trimmed_before = max(self.trimmed_before, last + 1)
            else:
                self.compacted_total += last - first + 1
        return freed

    def begin(self, group: Queue, start: int) -> None:
        """A group goes on from offset ``start``: what is kept from there on is ready, and expires when it is to."""
        group.group.start_at(start, self.log)
        expiring = group.group.expiring
        for first, last, due in self.expiring.starting(start):
            for a, b in self.log.kept(first, last):
                expiring.own.add(due, a, b, 0)
        expiring.change(start, group.settings.expire_ms)
