"""Opening a watch: history first, then what happens, with no gap between the two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ....core.machine import Machine
from ....errors import PostroadError
from ...engine import Json, WatchSink, WatchSpec
from ..write.gate import Gate
from .history import History
from .queries import Queries
from .watching import MessageWatch, QueueWatch, Watching

Durable = Callable[[int], Awaitable[None]]


class EmbeddedWatch:
    """See ``engine.Watch``."""

    def __init__(self, position: int, snapshot: Json, cancel: Callable[[], None]) -> None:
        self.position = position
        self.snapshot = snapshot
        self.cancel = cancel


class Held:
    """Keeps what happens while history is read, to tell it afterwards."""

    def __init__(self, sink: WatchSink) -> None:
        self._sink = sink
        self._kept: list[Callable[[], None]] | None = []

    def events(self, events: Sequence[Json], trimmed: int | None) -> None:
        self._tell(lambda: self._sink.events(events, trimmed))

    def state(self, state: Json) -> None:
        self._tell(lambda: self._sink.state(state))

    def ended(self, error: PostroadError) -> None:
        self._tell(lambda: self._sink.ended(error))

    def let_go(self) -> None:
        kept, self._kept = self._kept or [], None
        for tell in kept:
            tell()

    def _tell(self, tell: Callable[[], None]) -> None:
        if self._kept is None:
            tell()
        else:
            self._kept.append(tell)


async def open_watch(
    spec: WatchSpec,
    sink: WatchSink,
    machine: Machine,
    watching: Watching,
    history: History,
    queries: Queries,
    gate: Gate,
    durable: Durable,
) -> EmbeddedWatch:
    """Follow a queue, all queues or a message.

    Raises:
        QueueNotFound, MessageNotFound, Gone, Unavailable.
    """
    if spec.message is not None:
        return await _message(spec.message, sink, machine, watching, history, queries, gate, durable)
    if spec.queue is not None and spec.queue not in machine.state.streams:
        machine.queue(spec.queue)
    held = Held(sink)
    watch = QueueWatch(spec.queue, held)
    position = gate.durable
    watching.add_queue(watch)
    try:
        if spec.from_position is not None:
            events, trimmed = await history.events_after(spec.queue, spec.from_position, position)
        else:
            events, trimmed = await history.last_events(spec.queue, spec.last, position) if spec.last else [], None
        snapshot = queries.numbers(spec.queue)
        await durable(machine.state.position)  # the numbers rest on everything so far
    except PostroadError:
        watching.remove_queue(watch)
        raise
    # The caller sends its reply when we return; history and what came meanwhile follow in the next turn of the loop.
    if events or trimmed is not None:
        asyncio.get_running_loop().call_soon(sink.events, events, trimmed)
    asyncio.get_running_loop().call_soon(held.let_go)
    return EmbeddedWatch(position, snapshot, lambda: watching.remove_queue(watch))


async def _message(
    id: str, sink: WatchSink, machine: Machine, watching: Watching, history: History, queries: Queries, gate: Gate,
    durable: Durable,
) -> EmbeddedWatch:  # fmt: skip
    position = gate.durable
    at, index, publish = history.find(id)
    with watching.tail() as tail:
        stories = await history.stories(id, position)
    for story in stories:
        for told, record in tail:
            story.apply(told, record)
        queries.add_lease(story)
    held = Held(sink)
    watch = MessageWatch(id, publish, index, stories, held)
    watching.add_message(watch)
    snapshot: Json = {"message": watch.json(machine)}
    if logs := watching.logs.of(f"{machine.state.id_prefix(at)}{index}"):
        snapshot["logs"] = logs
    try:
        await durable(machine.state.position)  # a lease rests on what was applied when it was granted
    except PostroadError:
        watching.remove_message(watch)
        raise
    asyncio.get_running_loop().call_soon(held.let_go)
    return EmbeddedWatch(position, snapshot, lambda: watching.remove_message(watch))
