"""A queue: a log and one group. A message leaves it when it is settled."""

from __future__ import annotations

from typing import Any

from ..settings import QueueSettings
from .dedup import DedupWindow
from .group import Group
from .log import Log
from .ordering import key_hash

TOTALS = ("published", "acked", "dead", "dropped", "purged", "expired", "cancelled", "redriven", "retried")


class Queue:
    """Durable state of a queue.

    Attributes:
        number: Of its log, for ever.
        dead_letter_of: The queue whose exhausted messages come here, if it is a dead-letter queue.
        totals: Counts since the queue was made, by ``TOTALS``.
    """

    __slots__ = (
        "dead_letter_of",
        "dedup",
        "group",
        "log",
        "name",
        "number",
        "pause_reason",
        "paused",
        "settings",
        "totals",
    )

    def __init__(self, name: str, number: int, settings: QueueSettings, dead_letter_of: str | None = None) -> None:
        self.name = name
        self.number = number
        self.settings = settings
        self.dead_letter_of = dead_letter_of
        self.paused = False
        self.pause_reason: str | None = None
        self.log = Log()
        self.group = Group()
        self.dedup = DedupWindow()
        self.totals = dict.fromkeys(TOTALS, 0)

    def append(self, sequence: int, sizes: list[int], attributes: dict[str, Any], at: int, position: int) -> None:
        """The messages of a publish record arrive; ``sequence`` is that of the first."""
        count = len(sizes)
        first = self.log.append(count, position, 0, sum(sizes), at, _key_hashes(attributes, count))
        assert first == sequence, f"{self.name}: record says sequence {sequence}, log is at {first}"
        self.totals["published"] += count
        last = first + count - 1
        if not attributes:
            self.group.add_ready(first, last, 0)
            return
        self._note_expiry(first, last, attributes, at)
        dues = attributes.get("delays_ms")
        priorities = attributes.get("priorities")
        due = at + delay if (delay := attributes.get("delay_ms")) else 0
        priority: int = attributes.get("priority") or 0
        if dues is None and priorities is None:
            self._arrive(first, last, due, priority)
            return
        start, state = first, None
        for offset in range(count):
            if dues is not None:
                due = at + delay if (delay := dues[offset]) else 0
            if priorities is not None:
                priority = priorities[offset] or 0
            if state is not None and state != (due, priority):
                self._arrive(start, first + offset - 1, *state)
                start = first + offset
            state = (due, priority)
        assert state is not None
        self._arrive(start, last, *state)

    def _note_expiry(self, first: int, last: int, attributes: dict[str, Any], at: int) -> None:
        expiries = attributes.get("expires_ms")
        if expiries is None:
            if expire := attributes.get("expire_ms"):
                self.group.expiring.add(at + expire, first, last, 0)
            return
        for sequence, expire in enumerate(expiries, first):
            if expire:
                self.group.expiring.add(at + expire, sequence, sequence, 0)

    def _arrive(self, first: int, last: int, due: int, priority: int) -> None:
        if due:
            self.group.add_delayed(due, first, last, priority)
        else:
            self.group.add_ready(first, last, priority)


def _key_hashes(attributes: dict[str, Any], count: int) -> list[int] | None:
    if not attributes:
        return None
    if (keys := attributes.get("keys")) is not None:
        return [key_hash(key) for key in keys]
    if (key := attributes.get("key")) is not None:
        return [key_hash(key)] * count
    return None
