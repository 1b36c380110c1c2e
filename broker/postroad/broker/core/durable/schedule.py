"""State of a schedule: what it publishes, where to, and when next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..format.record import DefineSchedule


@dataclass(slots=True, kw_only=True)
class Schedule:
    """Durable state of a schedule.

    Attributes:
        publish: Where to and with what attributes.
        body: Of the message; at most 64 KiB, kept in memory.
        next_at: When it fires next, milliseconds. last_at: when it last did; 0: never.
        last_error: Why the last firing was refused: ``at``, ``code``, ``message``; None once one has been published again.
    """

    name: str
    cron: str | None
    every_ms: int | None
    zone: str
    kind: str
    target: str
    attributes: dict[str, Any]
    body: bytes
    paused: bool
    next_at: int
    last_at: int = 0
    fired: int = 0
    last_error: dict[str, Any] | None = None

    def to_record(self, at: int) -> DefineSchedule:
        return DefineSchedule(at, self.name, self.cron, self.every_ms, self.zone, self.kind, self.target, self.attributes,
                              self.body.hex(), self.paused, self.next_at, self.last_at, self.fired, self.last_error)  # fmt: skip
