"""Watches: events as they are told, and the latest state of what changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from ...errors import PostroadError
from ..engine import Json, WatchSink
from ..message_logs import LINES_MAX
from .chronicle import Chronicle, Kept, concerns, event_of
from .registry import GROUP_SEPARATOR
from .story import Story

log = logging.getLogger("postroad.engine")

QUEUE_STATE_S = 0.1
MESSAGE_STATE_S = 0.05
DELIVERIES_MAX = 50
StatsOf = Callable[[str], Awaitable[Json | None]]


class ExternalWatch:
    """See ``engine.Watch``."""

    def __init__(self, position: int, snapshot: Json, cancel: Callable[[], None]) -> None:
        self.position = position
        self.snapshot = snapshot
        self.cancel = cancel

    def pause(self) -> None:
        """Nothing waits: what is told of before is bounded, and told at once."""

    def resume(self) -> None: ...


class QueueWatch:
    def __init__(self, queue: str | None, sink: WatchSink, after: int) -> None:
        self.queue = queue
        self.sink = sink
        self.after = after
        self.dirty: dict[str, None] = {}
        self.deliveries: list[Json] = []


class MessageWatch:
    def __init__(self, prefix: str, index: int, sink: WatchSink) -> None:
        self.prefix = prefix
        self.index = index
        self.sink = sink


class Watching:
    """All watches of this gateway; ``saw`` is fed by the chronicle."""

    def __init__(self, chronicle: Chronicle, stats_of: StatsOf, story_of: Callable[[str, int], Story | None]) -> None:
        self._chronicle = chronicle
        self._stats_of = stats_of
        self._story_of = story_of
        self._queues: list[QueueWatch] = []
        self._messages: dict[str, list[MessageWatch]] = {}
        self._dirty: dict[MessageWatch, None] = {}
        self._lines: dict[MessageWatch, list[Json]] = {}
        self._queue_timer: asyncio.TimerHandle | None = None
        self._message_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def add_queue(self, watch: QueueWatch) -> None:
        self._queues.append(watch)

    def remove_queue(self, watch: QueueWatch) -> None:
        if watch in self._queues:
            self._queues.remove(watch)

    def add_message(self, watch: MessageWatch) -> None:
        self._messages.setdefault(watch.prefix, []).append(watch)

    def remove_message(self, watch: MessageWatch) -> None:
        here = self._messages.get(watch.prefix, [])
        if watch in here:
            here.remove(watch)
            if not here:
                del self._messages[watch.prefix]
        self._dirty.pop(watch, None)
        self._lines.pop(watch, None)

    def saw(self, records: list[Kept]) -> None:
        for watch in self._queues:
            events = [event_of(kept) for kept in records if kept[0] > watch.after and concerns(kept[1], watch.queue)]
            if events:
                watch.sink.events(events, None)
            self._note(watch, records)
        if self._queue_timer is None and any(watch.dirty for watch in self._queues):
            self._queue_timer = asyncio.get_running_loop().call_later(QUEUE_STATE_S, self._send_queues)
        if self._messages:
            self._note_messages(records)

    def _note(self, watch: QueueWatch, records: list[Kept]) -> None:
        for _, record in records:
            if record["k"] == "logged":
                continue
            names = {record.get("q"), record.get("to"), record.get("from"), *record.get("queues", ())} - {None}
            # A stream is shown with its groups, so what happens to one changes it.
            names |= {name.partition(GROUP_SEPARATOR)[0] for name in names}
            if watch.queue is not None and watch.queue not in names:
                continue
            for name in names if watch.queue is None else (watch.queue,):
                watch.dirty[name] = None
            if record["k"] == "delivered" and (watch.queue is None or record["q"] == watch.queue):
                watch.deliveries = (watch.deliveries + _deliveries(record))[-DELIVERIES_MAX:]

    def _note_messages(self, records: list[Kept]) -> None:
        for _, record in records:
            for prefix, first, count in record.get("i", ()):
                for watch in self._messages.get(prefix, ()):
                    if not first <= watch.index < first + count:
                        continue
                    if record["k"] == "logged":
                        self._lines[watch] = (self._lines.get(watch, []) + record["numbered"])[-LINES_MAX:]
                    else:
                        self._dirty[watch] = None
        if (self._dirty or self._lines) and self._message_timer is None:
            self._message_timer = asyncio.get_running_loop().call_later(MESSAGE_STATE_S, self._send_messages)

    def _send_messages(self) -> None:
        self._message_timer = None
        dirty, self._dirty = self._dirty, {}
        lines, self._lines = self._lines, {}
        for watch in dirty | dict.fromkeys(lines):
            story = self._story_of(watch.prefix, watch.index) if watch in dirty else None
            state: Json = {"message": story.to_json()} if story is not None else {}
            if watch in lines:
                state["logs"] = lines[watch]
            if state:
                watch.sink.state(state)

    def _send_queues(self) -> None:
        self._queue_timer = None
        if self._task is None:
            self._task = asyncio.create_task(self._send_states(), name="postroad states")
            self._task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            log.error("state of queues could not be told", exc_info=task.exception())

    async def _send_states(self) -> None:
        computed: dict[str, Json | None] = {}
        for watch in list(self._queues):
            dirty, deliveries = watch.dirty, watch.deliveries
            if not dirty and not deliveries:
                continue
            watch.dirty, watch.deliveries = {}, []
            for name in dirty:
                if name not in computed:
                    try:
                        computed[name] = await self._stats_of(name)
                    except PostroadError:
                        computed[name] = None
            changed = [stats for name in dirty if (stats := computed[name]) is not None]
            state = told_of_all(changed) if watch.queue is None else told_of_one(changed[0]) if changed else {}
            if deliveries:
                state["deliveries"] = deliveries
            if watch in self._queues:
                watch.sink.state(state)

    def touch(self, names: list[str]) -> None:
        """Their rates moved."""
        for watch in self._queues:
            for name in names:
                for one in (name, name.partition(GROUP_SEPARATOR)[0]):
                    if watch.queue in (None, one):
                        watch.dirty[one] = None
        if self._queue_timer is None and any(watch.dirty for watch in self._queues):
            self._queue_timer = asyncio.get_running_loop().call_later(QUEUE_STATE_S, self._send_queues)

    def close(self) -> None:
        for timer in (self._queue_timer, self._message_timer):
            if timer is not None:
                timer.cancel()
        if self._task is not None:
            self._task.cancel()


def told_of_one(stats: Json) -> Json:
    """The state of a queue, a group or a stream, under the name of what it is."""
    return {"stream" if stats["kind"] == "stream" else "queue": stats}


def told_of_all(stats: Iterable[Json]) -> Json:
    """The state of many; groups are told with their streams."""
    state: Json = {"queues": [], "streams": []}
    for one in stats:
        if one["kind"] != "group":
            state["streams" if one["kind"] == "stream" else "queues"].append(one)
    return state


def _deliveries(record: Json) -> list[Json]:
    rows: list[Json] = []
    for prefix, first, count in record["i"]:
        for index in range(first, first + min(count, DELIVERIES_MAX)):
            row = {"id": f"{prefix}{index}", "queue": record["q"], "consumer": record["c"], "attempt": 1}
            rows.append(row | {"at": record["at"]})
    return rows[-DELIVERIES_MAX:]
