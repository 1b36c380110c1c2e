"""One message's state and timeline, put together from the records that touch it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...users_json import fragment
from ..engine import Json
from .chronicle import Kept

_ENDS = {"acked": "done", "purged": "purged", "expired": "expired", "cancelled": "cancelled"}


@dataclass(slots=True)
class Placement:
    """The message in one queue or group. ``at``: where it is now, which a dead letter queue changes."""

    queue: str
    at: str
    sequence: int | None
    attempts_max: int | None = None
    state: str = "queued"
    attempts: int = 0
    due: int | None = None
    reason: str | None = None
    consumer: str | None = None
    progress: Json | None = None
    result: Any = None
    timeline: list[Json] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "purged", "expired", "cancelled") or (self.state == "dead" and self.at == "")

    def to_json(self) -> Json:
        return {
            "queue": self.queue,
            "sequence": self.sequence,
            "state": self.state,
            "attempts": self.attempts,
            "attempts_max": self.attempts_max,
            "due": self.due,
            "reason": self.reason,
            "consumer": self.consumer,
            "progress": self.progress,
            "result": self.result,
            "timeline": self.timeline,
        }


class Story:
    """Fed all records of a message; ``placements`` by queue."""

    def __init__(self, id: str, index: int) -> None:
        self.id = id
        self.index = index
        self.published: Json | None = None
        self.placements: list[Placement] = []

    def apply(self, kept: Kept, attempts_max: int | None = None) -> None:
        position, record = kept
        kind = record["k"]
        if kind == "published":
            self.published = record
            for name, first, only, where in record["p"]:
                self._placed(record, name, first, only, position)
                if where == "stream" and self.placements:
                    self.placements[-1].state = "kept"
            return
        placement = self._find(record, kind)
        if placement is None:
            return
        entry: Json = {"at": record["at"], "kind": kind}
        getattr(self, f"_{kind}", self._ended)(placement, record, entry)
        for name, value in (
            ("consumer", record.get("c")),
            ("reason", record.get("reason")),
            ("due", record.get("due")),
        ):
            if value is not None:
                entry[name] = value
        if kind != "delivered" and kind != "progress":
            entry["position"] = position
        placement.timeline.append(entry)

    def _placed(self, record: Json, name: str, first: int | None, only: list[int] | None, position: int) -> None:
        if only is not None and self.index not in only:
            return
        offset = self.index if only is None else only.index(self.index)
        placement = Placement(name, name, None if first is None else first + offset)
        entry: Json = {"at": record["at"], "kind": "published", "queue": name, "position": position}
        due = record["d"][self.index] if record.get("d") else None
        if due:
            placement.state, placement.due, entry["due"] = "delayed", due, due
        placement.timeline.append(entry)
        self.placements.append(placement)

    def _find(self, record: Json, kind: str) -> Placement | None:
        here = record["from"] if kind == "redriven" else record["q"]
        for placement in self.placements:
            if placement.at == here:
                return placement
        stream = here.split("/", 1)[0]
        for placement in self.placements:  # the first a group does with it
            if "/" in here and placement.queue.split("/", 1)[0] == stream:
                found = Placement(here, here, placement.sequence, timeline=placement.timeline[:1])
                if placement.queue == stream:
                    self.placements.remove(placement)
                self.placements.append(found)
                return found
        return None

    def _delivered(self, placement: Placement, record: Json, entry: Json) -> None:
        placement.state, placement.consumer = "delivered", record.get("c")
        placement.due, placement.progress = None, None
        entry["attempt"] = placement.attempts + 1

    def _progress(self, placement: Placement, record: Json, entry: Json) -> None:
        entry |= {"percent": record.get("percent"), "note": record.get("note")}
        placement.progress = {"percent": record.get("percent"), "note": record.get("note"), "at": record["at"]}

    def _returned(self, placement: Placement, record: Json, entry: Json) -> None:
        placement.state = "retrying" if placement.attempts else "queued"
        placement.consumer = placement.progress = None

    def _retrying(self, placement: Placement, record: Json, entry: Json) -> None:
        placement.state, placement.attempts = "retrying", record["attempt"]
        placement.due, placement.reason = record.get("due"), record.get("reason")
        placement.consumer = placement.progress = None
        entry["attempt"] = placement.attempts

    def _dead(self, placement: Placement, record: Json, entry: Json) -> None:
        placement.state, placement.at = "dead", record.get("to") or ""
        placement.attempts, placement.reason = record["attempt"], record.get("reason")
        placement.consumer = placement.progress = placement.due = None
        entry["attempt"] = placement.attempts

    def _redriven(self, placement: Placement, record: Json, entry: Json) -> None:
        placement.state, placement.at, placement.attempts, placement.reason = "queued", record["q"], 0, None
        prefix, at = self.id.removesuffix(str(self.index)), 0
        for name, first, count in record["i"]:
            if name == prefix and first <= self.index < first + count:
                placement.sequence = record["sq"][at + self.index - first]
            at += count

    def _ended(self, placement: Placement, record: Json, entry: Json) -> None:
        placement.state = _ENDS.get(record["k"], placement.state)
        placement.due = placement.progress = None
        if record["k"] == "acked":
            placement.attempts += 1
            entry["attempt"] = placement.attempts
            placement.consumer = record.get("c")
            placement.result = record.get("results", {}).get(self.id)
            if (raw := record.get("raw_results", {}).get(self.id)) is not None:
                placement.result = fragment(raw.encode())

    def to_json(self) -> Json:
        """The *message* object of docs/protocol.md §6 without body, headers and key."""
        published = self.published or {"at": 0, "sizes": None}
        placements = [placement.to_json() for placement in self.placements]
        found: Json = {
            "id": self.id,
            "type": _of(published.get("y"), self.index) or "json",
            "size": _of(published.get("z"), self.index),
            "published_at": published["at"],
            "priority": _of(published.get("pr"), self.index) or 0,
        }
        if placements:
            found |= placements[0]
        else:
            found |= {"queue": None, "sequence": None, "state": "unrouted", "timeline": []}
        if published.get("topic"):
            found["topic"] = published["topic"]
        if len(placements) > 1:
            found["placements"] = placements
        return found


def _of(values: Any, index: int) -> Any:
    return values[index] if isinstance(values, list) else values
