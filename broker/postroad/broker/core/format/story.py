"""One message's life in one queue or group: state and timeline, put together from the records that touch it.

Timelines are not stored. A story is built from the journal, from the message's publish record on, and goes on with new records
while somebody watches. It follows the message into dead-letter queues and back.
"""

from __future__ import annotations

from typing import Any

from .record import Move, Publish, Record, Return, Settle, Undefine

TIMELINE_MAX = 1000

_STATES = {"acked": "done", "dropped": "dead", "purged": "purged", "expired": "expired", "cancelled": "cancelled"}


class Story:
    """Attributes:
    id: The message's id.
    log, sequence: Where the message is, or was last.
    state: As in docs/protocol.md §6.
    dead_in: Log of the dead-letter queue it is in.
    timeline: As in docs/protocol.md §6, with the number of a ``log`` where that has the name of a queue.
    """

    def __init__(self, id: str, publish: Publish, index: int, log: int, sequence: int) -> None:
        self.id = id
        self.log, self.sequence = log, sequence
        self.state = "queued"
        self.attempts = 0
        self.due: int | None = None
        self.reason: str | None = None
        self.consumer: str | None = None
        self.result: bytes | None = None
        self.progress: dict[str, Any] | None = None
        self.dead_in: int | None = None
        self.timeline: list[dict[str, Any]] = []
        delay = publish.attribute("delay_ms", "delays_ms", index)
        self._granted_at = 0
        entry: dict[str, Any] = {"at": publish.at, "kind": "published", "log": log}
        if delay:
            self.state, self.due = "delayed", publish.at + delay
            entry["due"] = self.due
        self._tell(entry)

    @property
    def is_over(self) -> bool:
        """True when nothing can happen to it any more."""
        return self.state in ("done", "purged", "expired", "cancelled") or (
            self.state == "dead" and self.dead_in is None
        )

    def apply(self, position: int, record: Record) -> bool:
        """Take a record into account; returns True if it touched this message."""
        match record:
            case Return() if record.log == self.log:
                for sequence, attempts, due, _, granted_at, *_ in record.entries:
                    if sequence == self.sequence:
                        self._returned(position, record, attempts, due, granted_at)
                        return True
            case Settle() if record.log == self.log:
                for first, last, granted_at in record.runs:
                    if first <= self.sequence <= last:
                        self._settled(position, record, granted_at)
                        return True
            case Move() if record.origin == self.log:
                for sequence, _, _, _, former, attempts, granted_at in record.entries:
                    if former == self.sequence:
                        self._moved(position, record, sequence, attempts, granted_at)
                        return True
            case Undefine() if record.log == self.log and not self.is_over:
                self.state, self.due, self.progress, self.consumer = "purged", None, None, None
                self.reason = f'"{record.name}" was deleted'
                self._tell({"at": record.at, "kind": "purged", "reason": self.reason, "position": position})
                return True
        return False

    def granted(self, at: int, consumer: str, attempt: int) -> None:
        """It was handed to a consumer. Volatile: leases are not journaled."""
        if self._granted_at == at and self.consumer == consumer:
            return
        self.state, self.consumer, self.due, self.progress = "delivered", consumer, None, None
        self._granted_at = at
        self._tell({"at": at, "kind": "delivered", "attempt": attempt, "consumer": consumer})

    def progressed(self, at: int, percent: int | None, note: str | None) -> None:
        self.progress = {"percent": percent, "note": note, "at": at}
        self._tell({"at": at, "kind": "progress", "percent": percent, "note": note})

    def released(self, at: int) -> None:
        """It came back without a counted attempt."""
        self.state, self.consumer, self.progress = ("retrying" if self.attempts else "queued"), None, None
        self._granted_at = 0
        self._tell({"at": at, "kind": "returned"})

    def _returned(self, position: int, record: Return, attempts: int, due: int, granted_at: int) -> None:
        self._was_granted(granted_at, record.consumer, attempts)
        self.state, self.attempts, self.due, self.reason = "retrying", attempts, due or None, record.reason
        self.consumer, self.progress = None, None
        entry: dict[str, Any] = {"at": record.at, "kind": "retrying", "attempt": attempts, "reason": record.reason}
        if record.consumer:
            entry["consumer"] = record.consumer
        if due:
            entry["due"] = due
        self._tell(entry | {"position": position})

    def _settled(self, position: int, record: Settle, granted_at: int) -> None:
        if record.how in ("dead", "redriven"):
            return  # the Move beside it has been applied already
        attempt = self.attempts + 1
        self._was_granted(granted_at, record.consumer, attempt)
        self.state = _STATES[record.how]
        self.due, self.progress = None, None
        if granted_at:
            self.attempts = attempt
            self.consumer = record.consumer
        entry: dict[str, Any] = {"at": record.at, "kind": "dead" if record.how == "dropped" else record.how}
        if granted_at:
            entry |= {"attempt": attempt, "consumer": record.consumer}
        if record.reason:
            self.reason = entry["reason"] = record.reason
        if record.results and self.sequence in record.results:
            self.result = record.results[self.sequence]
        self._tell(entry | {"position": position})

    def _moved(self, position: int, record: Move, sequence: int, attempts: int, granted_at: int) -> None:
        if record.why == "dead":
            self._was_granted(granted_at, record.consumer, attempts)
        self.log, self.sequence = record.log, sequence
        self.consumer, self.progress, self.due = None, None, None
        if record.why == "dead":
            self.state, self.attempts, self.reason, self.dead_in = "dead", attempts, record.reason, record.log
            entry = {"at": record.at, "kind": "dead", "log": record.log, "attempt": attempts, "reason": record.reason}
            if record.consumer:
                entry["consumer"] = record.consumer
        else:
            self.state, self.attempts, self.reason, self.dead_in = "queued", 0, None, None
            entry = {"at": record.at, "kind": "redriven", "log": record.log}
        self._granted_at = 0
        self._tell(entry | {"position": position})

    def _was_granted(self, granted_at: int, consumer: str | None, attempt: int) -> None:
        """Add the delivery that a record ends, unless ``granted`` has added it."""
        if granted_at and not (self._granted_at == granted_at and self.consumer == consumer):
            self._tell({"at": granted_at, "kind": "delivered", "attempt": attempt, "consumer": consumer})
        self._granted_at = 0

    def _tell(self, entry: dict[str, Any]) -> None:
        self.timeline.append(entry)
        if len(self.timeline) > TIMELINE_MAX:
            del self.timeline[1]
