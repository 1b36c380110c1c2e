"""Opening a watch: history first, then what happens, with no gap between the two.

A watch of queues is told its history in pages out of the journal, and the next page is read when the reader has room; what happens
meanwhile is journaled and so comes with a later page. Once it has been told all that is durable it is told what happens live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ....core.machine import Machine
from ....errors import PostroadError, Unavailable
from ...engine import Json, WatchSink, WatchSpec
from .history import History
from .message_watches import MessageWatch
from .queries import Queries
from .queue_watches import QueueWatch
from .watching import Watching

Durable = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a watch is made of."""

    machine: Machine
    watching: Watching
    history: History
    queries: Queries
    durable: Durable


class EmbeddedWatch:
    """See ``engine.Watch``."""

    def __init__(
        self, position: int, snapshot: Json, cancel: Callable[[], None], reading: HistoryReading | None = None
    ) -> None:
        self.position = position
        self.snapshot = snapshot
        self._cancel = cancel
        self._reading = reading

    def cancel(self) -> None:
        self._cancel()
        if self._reading is not None:
            self._reading.cancel()

    def pause(self) -> None:
        if self._reading is not None:
            self._reading.room.clear()

    def resume(self) -> None:
        if self._reading is not None:
            self._reading.room.set()


class HistoryReading:
    """Tells a watch of queues what the journal has, until it has told everything.

    Attributes:
        room: Set while the watcher takes more.
    """

    def __init__(self, watch: QueueWatch, sources: Sources, last_events: list[Json]) -> None:
        self._watch = watch
        self._sources = sources
        self._last_events = last_events
        self._task: asyncio.Task[None] | None = None
        self.room = asyncio.Event()
        self.room.set()

    def start(self) -> None:
        """To be called when the watch is about to be answered: what is told comes in later turns of the loop."""
        self._sources.watching.queues.open(self._watch)
        if self._last_events or self._watch.error is not None or not self._has_told_all():
            self._task = asyncio.get_running_loop().create_task(self._tell())

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _has_told_all(self) -> bool:
        """From then on it is live: there is no turn of the loop between the two."""
        watch, sources = self._watch, self._sources
        if watch.after < sources.watching.seen:
            return False
        watch.is_live = True
        if watch.error is not None:
            sources.watching.queues.remove(watch)
            watch.sink.ended(watch.error)
        return True

    async def _tell(self) -> None:
        watch, sources = self._watch, self._sources
        if self._last_events and not watch.is_over:
            watch.sink.events(self._last_events, None)
            self._last_events = []
        while not watch.is_over and not self._has_told_all():
            await self.room.wait()
            try:
                page = await sources.history.page(watch.queue, watch.after, sources.watching.seen)
            except (PostroadError, OSError) as error:
                sources.watching.queues.remove(watch)
                watch.sink.ended(
                    error if isinstance(error, PostroadError) else Unavailable("The journal is not readable.")
                )
                return
            watch.after = page.last
            if not watch.is_over and (page.events or page.trimmed is not None):
                watch.sink.events(page.events, page.trimmed)


async def open_watch(spec: WatchSpec, sink: WatchSink, sources: Sources) -> EmbeddedWatch:
    """Follow a queue, all queues or a message.

    Raises:
        QueueNotFound, MessageNotFound, Gone, Unavailable.
    """
    if spec.message is not None:
        return await _message(spec.message, sink, sources)
    machine, watching = sources.machine, sources.watching
    if spec.queue is not None and spec.queue not in machine.state.streams:
        machine.queue(spec.queue)
    position = watching.seen
    watch = QueueWatch(spec.queue, sink, position if spec.from_position is None else min(spec.from_position, position))
    watching.queues.add(watch)
    events: list[Json] = []
    try:
        if spec.last and spec.from_position is None:
            events = (await sources.history.last_events(spec.queue, spec.last, position)).events
        snapshot = await sources.queries.numbers(spec.queue)
        await sources.durable(machine.state.position)  # the numbers rest on everything so far
    except BaseException:
        watching.queues.remove(watch)
        raise
    reading = HistoryReading(watch, sources, events)
    reading.start()
    return EmbeddedWatch(position, snapshot, lambda: watching.queues.remove(watch), reading)


async def _message(id: str, sink: WatchSink, sources: Sources) -> EmbeddedWatch:
    watching, history, machine = sources.watching, sources.history, sources.machine
    position = watching.seen
    at, index, publish = history.find(id)
    _, stories = history.begin(id)
    after = at
    while True:
        with watching.messages.tail([story.log for story in stories]) as tail:
            last = watching.seen
            await history.follow(stories, after, last)
        if not tail.is_cut:
            break
        after = last
    for told, record in tail.records:
        for story in stories:
            story.apply(told, record)
    for story in stories:
        sources.queries.add_lease(story)
    watch = MessageWatch(id, publish, index, stories, sink)
    watching.messages.add(watch)
    snapshot: Json = {"message": watch.json(machine)}
    if logs := watching.logs.of(f"{machine.state.id_prefix(at)}{index}"):
        snapshot["logs"] = logs
    try:
        await sources.durable(machine.state.position)  # a lease rests on what was applied when it was granted
    except PostroadError:
        watching.messages.remove(watch)
        raise
    watching.messages.open(watch)
    return EmbeddedWatch(position, snapshot, lambda: watching.messages.remove(watch))
