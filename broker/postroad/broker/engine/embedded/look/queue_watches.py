"""Watches of queues, streams and groups: their events as they happen, their numbers now and then."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ....core.durable.stream import GROUP_SEPARATOR
from ....core.format.effect import Deliver, Effect, Returned
from ....core.format.event import event_of
from ....core.format.record import Record, Undefine
from ....core.machine import Machine
from ....errors import PostroadError, QueueNotFound
from ...engine import Json, WatchSink
from .concerned import logs_of
from .slices import Slices
from .stats import Stats

QUEUE_STATE_S = 0.1
DELIVERIES_MAX = 50
STATE_QUEUES_MAX = 200
"""Numbers of so many queues in one state: what a watch of all gets after a busy time comes in parts."""

OnceDurable = Callable[[Callable[[], None]], None]
"""Calls back when all that is applied now is durable: numbers are those of the core, which runs ahead of the disk."""


class QueueWatch:
    """A watcher of one queue, or of all (``queue`` None).

    Attributes:
        after: Events up to this position have been told, or were not wanted.
        is_open: It may be told numbers; before, its opening has not been answered.
        is_live: It is told events as they happen; before, history is being read to it.
        error: Why it is over, to be told once history has been.
    """

    def __init__(self, queue: str | None, sink: WatchSink, after: int) -> None:
        self.queue = queue
        self.sink = sink
        self.after = after
        self.is_open = False
        self.is_live = False
        self.is_over = False
        self.error: PostroadError | None = None
        self.dirty: dict[str, None] = {}
        self.deliveries: list[Json] = []


class QueueWatches:
    """Found by name, so that what happens to one queue costs nothing for the watches of others."""

    def __init__(self, machine: Machine, stats: Stats, loop: AbstractEventLoop, once_durable: OnceDurable) -> None:
        self._machine = machine
        self._stats = stats
        self._loop = loop
        self._once_durable = once_durable
        self._of: dict[str | None, list[QueueWatch]] = {}
        self._with_news: dict[QueueWatch, None] = {}
        self._timer: TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def add(self, watch: QueueWatch) -> None:
        self._of.setdefault(watch.queue, []).append(watch)

    def remove(self, watch: QueueWatch) -> None:
        watch.is_over = True
        self._with_news.pop(watch, None)
        watches = self._of.get(watch.queue, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._of[watch.queue]

    def open(self, watch: QueueWatch) -> None:
        """Its opening was answered: numbers that changed since may be told."""
        watch.is_open = True
        self._send_soon()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def on_durable(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        if not self._of:
            return
        state = self._machine.state
        touched: dict[str, None] = {}
        events: list[Json] = []
        for position, record in records:
            event = event_of(record, position, state.names, state.id_prefix)
            if event is not None:
                events.append(event)
            for log in logs_of(record):
                touched[state.names[log]] = None
        for effect in effects:
            if isinstance(effect, Deliver | Returned):
                touched[state.names[effect.log]] = None
            if isinstance(effect, Deliver):
                self._note_delivery(effect, at_ms)
        if events:
            self._tell(events)
        for _, record in records:
            if isinstance(record, Undefine):
                self._end(record.name)
        self.mark_changed(touched)

    def mark_changed(self, names: Iterable[str]) -> None:
        """The numbers of these queues changed."""
        if not self._of:
            return
        everybody = self._of.get(None, ())
        for name in dict.fromkeys(other for each in names for other in self._together(each)):
            for watch in (*self._of.get(name, ()), *everybody):
                watch.dirty[name] = None
                self._with_news[watch] = None
        self._send_soon()

    def _together(self, name: str) -> Iterator[str]:
        """A stream's numbers change with those of its groups, and theirs with what is published to it."""
        yield name
        stream = self._machine.state.streams.get(name.partition(GROUP_SEPARATOR)[0])
        if stream is not None:
            yield stream.name
            yield from (group.name for group in stream.groups.values())

    def _tell(self, events: list[Json]) -> None:
        """Each watcher gets those that concern it; all that follow one thing get the same list."""
        wanted: dict[str | None, list[Json]] = {None: events} if None in self._of else {}
        for event in events:
            for name in self._names_of(event):
                if name in self._of:
                    wanted.setdefault(name, []).append(event)
        for followed, found in wanted.items():
            for watch in list(self._of[followed]):
                if not watch.is_live:
                    continue  # it reads them from the journal
                news = found
                if news[0]["position"] <= watch.after:
                    news = [event for event in news if event["position"] > watch.after]
                if news:
                    watch.sink.events(news, None)

    def _names_of(self, event: Json) -> Iterable[str]:
        """Whose event it is: that of a group is its stream's as well, and a start everybody's (``event.concerns``)."""
        if event["kind"] == "started":
            return [name for name in self._of if name is not None]
        names = (event["queue"], event.get("to"), event.get("from"), *event.get("queues", ()))
        return dict.fromkeys(each for name in names if name for each in (name, name.partition(GROUP_SEPARATOR)[0]))

    def _end(self, name: str) -> None:
        """The queue or stream was deleted."""
        for watch in list(self._of.get(name, ())):
            error = QueueNotFound(f'"{name}" was deleted.', queue=name)
            if watch.is_live:
                self.remove(watch)
                watch.sink.ended(error)
            else:
                watch.error = error

    def _note_delivery(self, grant: Deliver, at_ms: int) -> None:
        state = self._machine.state
        name = state.names[grant.log]
        watches = (*self._of.get(name, ()), *self._of.get(None, ()))
        if not watches:
            return
        rows: list[Json] = []
        for position, index, count, sequence in grant.pieces[-DELIVERIES_MAX:]:
            prefix = state.id_prefix(position)
            for offset in range(max(count - DELIVERIES_MAX, 0), count):
                at = sequence - grant.sequence + offset
                attempt = grant.attempts[at] if grant.attempts else 1
                row = {
                    "id": f"{prefix}{index + offset}",
                    "queue": name,
                    "consumer": grant.consumer,
                    "attempt": attempt,
                    "at": at_ms,
                }
                rows.append(row)
        for watch in watches:
            watch.deliveries = (watch.deliveries + rows)[-DELIVERIES_MAX:]
            self._with_news[watch] = None

    def _send_soon(self) -> None:
        is_sending = self._sending is not None and not self._sending.done()
        if self._timer is None and not is_sending and any(watch.is_open for watch in self._with_news):
            self._timer = self._loop.call_later(QUEUE_STATE_S, self._send)

    def _send(self) -> None:
        self._timer = None
        self._sending = self._loop.create_task(self._send_all())
        self._sending.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._send_soon()

    async def _send_all(self) -> None:
        slices = Slices()
        computed: dict[str, Json | None] = {}
        for watch in [watch for watch in self._with_news if watch.is_open]:
            if watch.is_over:
                continue
            self._with_news.pop(watch, None)
            dirty, watch.dirty = watch.dirty, {}
            deliveries, watch.deliveries = watch.deliveries, []
            changed: list[Json] = []
            for name in dirty:
                if name not in computed:
                    computed[name] = self._stats.of_name(name, self._machine.now)
                if (stats := computed[name]) is not None:
                    changed.append(stats)
                if slices.is_over() or len(changed) >= STATE_QUEUES_MAX:
                    self._send_state(watch, changed, deliveries)
                    changed, deliveries = [], []
                    await slices.give_way()
            if changed or deliveries:
                self._send_state(watch, changed, deliveries)

    def _send_state(self, watch: QueueWatch, changed: list[Json], deliveries: list[Json]) -> None:
        state: Json = {}
        if watch.queue is None:
            state["queues"] = [stats for stats in changed if stats["kind"] == "queue"]
            if streams := [stats for stats in changed if stats["kind"] == "stream"]:
                state["streams"] = streams
        elif changed:
            state["stream" if changed[0]["kind"] == "stream" else "queue"] = changed[0]
        if deliveries:
            state["deliveries"] = deliveries
        self._once_durable(partial(self._hand_over, watch, state))

    def _hand_over(self, watch: QueueWatch, state: Json) -> None:
        if state and not watch.is_over:
            watch.sink.state(state)
