"""What happened lately, as all gateways of an engine were told: events, timelines and producer sessions come from here.

A *record* is a JSON object about one thing that was done, told through the engine to every gateway::

    k kind   q queue or group   at ms   i ids as [[prefix, index, count], …]   c consumer   w [gateway, serial number]

and what the kind needs beside it. The chronicle keeps the last of them, bounded by number; older messages answer ``gone``.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from ..engine import Json
from ..message_logs import MessageLogs

RECORDS_MAX = 50_000
IDS_MAX = 20
SESSIONS_MAX = 10_000
FRAMES_KEPT = 1024
EVENT_KINDS = frozenset(
    ("declared", "deleted", "published", "acked", "returned", "retrying", "dead", "redriven", "purged", "expired", "cancelled",
     "paused", "resumed", "reset", "bound", "unbound", "started")
)  # fmt: skip
_PASSED_ON = ("attempt", "reason", "due", "to", "from", "topic", "queues", "pattern", "offset")

Kept = tuple[int, Json]


class Chronicle:
    """Attributes:
    position: Of the last record seen.
    on_records: Called with each batch of records, after they were kept.
    """

    def __init__(self, node: str) -> None:
        self.position = 0
        self.totals: dict[str, dict[str, int]] = {}
        self.on_records: Callable[[list[Kept]], None] | None = None
        self.logs = MessageLogs()
        self._node = node
        self._kept: deque[Kept] = deque()
        self._by_prefix: dict[str, list[Kept]] = {}
        self._sessions: OrderedDict[str, OrderedDict[int, Json]] = OrderedDict()
        self._seen = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def add(self, records: list[Kept]) -> None:
        for kept in records:
            position, record = kept
            self.position = max(self.position, position)
            if record["k"] == "logged":
                self._logged(record)
            else:
                self._kept.append(kept)
            for prefix in _prefixes(record) if record["k"] != "logged" else ():
                self._by_prefix.setdefault(prefix, []).append(kept)
            if len(self._kept) > RECORDS_MAX:
                self._forget(self._kept.popleft())
            self._count(record)
            if "f" in record:
                self.note_frame(record)
            who = record.get("w")
            if who is not None and who[0] == self._node:
                self._seen = max(self._seen, who[1])
        self._wake()
        if self.on_records is not None:
            self.on_records(records)

    def _logged(self, record: Json) -> None:
        """Log lines are no part of a timeline: they would push it out of what is kept."""
        where = {"attempt": record["a"], "consumer": record["c"], "queue": record["q"]}
        lines = [{"at": record["at"], "level": level, "text": text, **where} for level, text in record["lines"]]
        for prefix, index, _ in record["i"]:
            record["numbered"] = self.logs.add(f"{prefix}{index}", lines)

    def _forget(self, kept: Kept) -> None:
        for prefix in _prefixes(kept[1]):
            here = self._by_prefix.get(prefix)
            if here and here[0] is kept:
                here.pop(0)
                if not here:
                    del self._by_prefix[prefix]

    def _count(self, record: Json) -> None:
        kind = record["k"]
        if kind in ("published", "acked", "dead", "retrying"):
            name = "retried" if kind == "retrying" else str(kind)
            for queue in record.get("queues") or [record["q"]]:
                totals = self.totals.setdefault(queue, {})
                totals[name] = totals.get(name, 0) + record.get("n", 1)
        elif kind == "deleted":
            self.totals.pop(record["q"], None)

    # Waiting until what this gateway told has come back

    async def seen(self, serial: int, timeout_s: float = 1.0) -> None:
        """Wait until the record with this serial number, told here, was seen; not longer than the time given."""
        if self._seen >= serial:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((serial, waiter))
        try:
            await asyncio.wait_for(waiter, timeout_s)
        except TimeoutError:
            return
        finally:
            self._waiters = [entry for entry in self._waiters if entry[1] is not waiter]

    def _wake(self) -> None:
        for serial, waiter in self._waiters:
            if serial <= self._seen and not waiter.done():
                waiter.set_result(None)

    # Looking

    def of_message(self, prefix: str, index: int) -> list[Kept]:
        """Records that touch a message, oldest first."""
        return [
            kept
            for kept in self._by_prefix.get(prefix, ())
            if any(name == prefix and first <= index < first + count for name, first, count in kept[1]["i"])
        ]

    def last_events(self, queue: str | None, count: int) -> list[Json]:
        found: list[Json] = []
        for kept in reversed(self._kept):
            if len(found) >= count:
                break
            if concerns(kept[1], queue):
                found.append(event_of(kept))
        return found[::-1]

    def events_after(self, queue: str | None, position: int) -> tuple[list[Json], int | None]:
        """Events after a position, and the earliest position kept if some may be missing."""
        found: list[Json] = []
        for kept in reversed(self._kept):
            if kept[0] <= position:
                break
            if concerns(kept[1], queue):
                found.append(event_of(kept))
        earliest = self._kept[0][0] if self._kept else 0
        return found[::-1], earliest if earliest > position else None

    # Producer sessions

    def last_frame(self, session: str) -> int:
        frames = self._sessions.get(session)
        return max(frames) if frames else 0

    def frame(self, session: str, number: int) -> tuple[Json | None, bool]:
        """The published record of a frame, and whether it is older than what is remembered."""
        frames = self._sessions.get(session)
        if not frames:
            return None, False
        return frames.get(number), number <= max(frames) - FRAMES_KEPT

    def note_frame(self, record: Json) -> None:
        """A numbered frame was stored."""
        session, number = record["f"]
        frames = self._sessions.setdefault(session, OrderedDict())
        self._sessions.move_to_end(session)
        frames[number] = record
        if len(frames) > FRAMES_KEPT:
            frames.popitem(last=False)
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)


def _prefixes(record: Json) -> Iterable[str]:
    return {entry[0] for entry in record.get("i", ())}


def concerns(record: Json, queue: str | None) -> bool:
    if record["k"] not in EVENT_KINDS:
        return False
    if queue is None or record["k"] == "started":
        return True
    return queue in (record.get("q"), record.get("to"), record.get("from")) or queue in record.get("queues", ())


def event_of(kept: Kept) -> Json:
    """The *event* of docs/protocol.md §7."""
    position, record = kept
    event: Json = {"position": position, "at": record["at"], "kind": record["k"], "queue": record.get("q")}
    if "i" in record:
        event["count"] = record["n"]
        ids: list[str] = []
        for prefix, first, count in record["i"]:
            ids.extend(f"{prefix}{index}" for index in range(first, first + min(count, IDS_MAX - len(ids))))
        event["ids"] = ids
    elif "n" in record:
        event["count"] = record["n"]
    if record.get("c"):
        event["consumer"] = record["c"]
    for name in _PASSED_ON:
        if record.get(name) is not None:
            event[name] = record[name]
    return event
