"""Who follows what: queues' events and numbers, and single messages.

Everything here sees only what the gate has released, so a watcher never knows more than the disk.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from ....core.durable.stream import GROUP_SEPARATOR
from ....core.format.effect import Deliver, Effect, Progressed, Returned
from ....core.format.event import concerns, event_of
from ....core.format.record import Define, Move, Publish, Record, Return, Settle, Undefine
from ....core.format.story import Story
from ....core.machine import Machine
from ....errors import QueueNotFound
from ....settings import FOREVER
from ....users_json import fragment
from ...engine import Json, WatchSink
from ...message_logs import LINES_MAX, MessageLogs
from .progress import ProgressBoard
from .stats import Stats

QUEUE_STATE_S = 0.1
MESSAGE_STATE_S = 0.05
DELIVERIES_MAX = 50

OnceDurable = Callable[[Callable[[], None]], None]
"""Calls back when all that is applied now is durable: numbers are those of the core, which runs ahead of the disk."""


class QueueWatch:
    """A watcher of one queue, or of all (``queue`` None)."""

    def __init__(self, queue: str | None, sink: WatchSink) -> None:
        self.queue = queue
        self.sink = sink
        self.dirty: dict[str, None] = {}
        self.deliveries: list[Json] = []


class MessageWatch:
    """A watcher of one message, with its stories: one for each queue and group it went to."""

    def __init__(self, id: str, publish: Publish, index: int, stories: list[Story], sink: WatchSink) -> None:
        self.id = id
        self.publish = publish
        self.index = index
        self.stories = stories
        self.sink = sink

    def json(self, machine: Machine) -> Json:
        return message_json(self.id, self.publish, self.index, self.stories, machine)


Followed = tuple[MessageWatch, Story]


class Watching:
    """All watches of an engine. ``on_durable`` is fed by the gate, in order."""

    def __init__(self, machine: Machine, stats: Stats, loop: AbstractEventLoop, once_durable: OnceDurable) -> None:
        self._machine = machine
        self._stats = stats
        self._loop = loop
        self._once_durable = once_durable
        self.progress = ProgressBoard()
        self.logs = MessageLogs()
        self._queues: list[QueueWatch] = []
        self._messages: dict[int, dict[int, list[Followed]]] = {}
        self._tails: list[list[tuple[int, Record]]] = []
        self._dirty: dict[MessageWatch, None] = {}
        self._lines: dict[MessageWatch, list[Json]] = {}
        self._queue_timer: TimerHandle | None = None
        self._message_timer: TimerHandle | None = None
        self._messages_sent_at = 0.0

    def add_queue(self, watch: QueueWatch) -> None:
        self._queues.append(watch)

    def remove_queue(self, watch: QueueWatch) -> None:
        if watch in self._queues:
            self._queues.remove(watch)

    def add_message(self, watch: MessageWatch) -> None:
        for story in watch.stories:
            self._follow((watch, story))

    def remove_message(self, watch: MessageWatch) -> None:
        self._dirty.pop(watch, None)
        self._lines.pop(watch, None)
        for story in watch.stories:
            self._unfollow((watch, story))

    def _follow(self, followed: Followed) -> None:
        story = followed[1]
        self._messages.setdefault(story.log, {}).setdefault(story.sequence, []).append(followed)

    def _unfollow(self, followed: Followed) -> None:
        story = followed[1]
        at = self._messages.get(story.log, {})
        here = at.get(story.sequence, [])
        if followed in here:
            here.remove(followed)
            if not here:
                del at[story.sequence]
            if not at:
                del self._messages[story.log]

    @contextmanager
    def tail(self) -> Iterator[list[tuple[int, Record]]]:
        """Within it, the list grows by every record that is released."""
        tail: list[tuple[int, Record]] = []
        self._tails.append(tail)
        try:
            yield tail
        finally:
            self._tails = [other for other in self._tails if other is not tail]

    def on_durable(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        """Records and effects are out: tell whoever follows them."""
        self.progress.on_durable(records, effects, at_ms)
        for tail in self._tails:
            tail.extend(records)
        if self._queues:
            self._tell_queues(records, effects, at_ms)
        if self._messages:
            self._tell_messages(records, effects, at_ms)

    def logged(self, log: int, sequence: int, lines: list[Json]) -> None:
        """The handler of this message said something."""
        for watch, _ in self._at(log, sequence, sequence):
            self._lines[watch] = (self._lines.get(watch, []) + lines)[-LINES_MAX:]
        self._send_soon()

    def mark_changed(self, names: Iterable[str]) -> None:
        """The numbers of these queues changed."""
        names = list(dict.fromkeys(each for name in names for each in self._together(name)))
        for watch in self._queues:
            for name in names:
                if watch.queue is None or watch.queue == name:
                    watch.dirty[name] = None
        if self._queue_timer is None and any(watch.dirty for watch in self._queues):
            self._queue_timer = self._loop.call_later(QUEUE_STATE_S, self._send_queues)

    def _together(self, name: str) -> Iterator[str]:
        """A stream's numbers change with those of its groups, and theirs with what is published to it."""
        yield name
        stream = self._machine.state.streams.get(name.partition(GROUP_SEPARATOR)[0])
        if stream is not None:
            yield stream.name
            yield from (group.name for group in stream.groups.values())

    def close(self) -> None:
        for timer in (self._queue_timer, self._message_timer):
            if timer is not None:
                timer.cancel()

    def _tell_queues(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        state = self._machine.state
        touched: dict[str, None] = {}
        events = []
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
            for watch in self._queues:
                wanted = [event for event in events if concerns(event, watch.queue)]
                if wanted:
                    watch.sink.events(wanted, None)
        for _, record in records:
            if isinstance(record, Undefine):
                self._end(record.name)
        self.mark_changed(touched)

    def _end(self, name: str) -> None:
        """The queue or stream was deleted."""
        for watch in [watch for watch in self._queues if watch.queue == name]:
            self._queues.remove(watch)
            watch.sink.ended(QueueNotFound(f'"{name}" was deleted.', queue=name))

    def _note_delivery(self, grant: Deliver, at_ms: int) -> None:
        state = self._machine.state
        name = state.names[grant.log]
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
        for watch in self._queues:
            if watch.queue is None or watch.queue == name:
                watch.deliveries = (watch.deliveries + rows)[-DELIVERIES_MAX:]

    def _send_queues(self) -> None:
        self._queue_timer = None
        computed: dict[str, Json | None] = {}
        for watch in list(self._queues):
            if not watch.dirty and not watch.deliveries:
                continue
            changed = []
            for name in watch.dirty:
                if name not in computed:
                    computed[name] = self._stats.of_name(name, self._machine.now)
                if (stats := computed[name]) is not None:
                    changed.append(stats)
            state: Json = {}
            if watch.queue is None:
                state["queues"] = [stats for stats in changed if stats["kind"] == "queue"]
                if streams := [stats for stats in changed if stats["kind"] == "stream"]:
                    state["streams"] = streams
            elif changed:
                state["stream" if changed[0]["kind"] == "stream" else "queue"] = changed[0]
            if watch.deliveries:
                state["deliveries"] = watch.deliveries
            watch.dirty, watch.deliveries = {}, []
            self._once_durable(partial(self._send_state, watch, state))

    def _send_state(self, watch: QueueWatch, state: Json) -> None:
        if state and watch in self._queues:
            watch.sink.state(state)

    def _tell_messages(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        for position, record in records:
            for watch, story in list(self._concerned(record)):
                self._unfollow((watch, story))
                if story.apply(position, record):
                    self._dirty[watch] = None
                self._follow((watch, story))
        for effect in effects:
            if isinstance(effect, Deliver):
                for watch, story in self._at(effect.log, effect.sequence, effect.sequence + effect.count - 1):
                    attempts = effect.attempts
                    attempt = attempts[story.sequence - effect.sequence] if attempts else 1
                    story.granted(effect.at, effect.consumer, attempt)
                    self._dirty[watch] = None
            elif isinstance(effect, Returned):
                for watch, story in self._at(effect.log, effect.first, effect.last):
                    story.released(at_ms)
                    self._dirty[watch] = None
            elif isinstance(effect, Progressed):
                for watch, story in self._at(effect.log, effect.sequence, effect.sequence):
                    story.progressed(at_ms, effect.percent, effect.note)
                    self._dirty[watch] = None
        self._send_soon()

    def _send_soon(self) -> None:
        if self._message_timer is None and (self._dirty or self._lines):
            # The first change goes at once, so that who waits for a result waits for nothing else; a burst is one.
            wait = max(self._messages_sent_at + MESSAGE_STATE_S - self._loop.time(), 0)
            self._message_timer = self._loop.call_later(wait, self._send_messages)

    def _send_messages(self) -> None:
        self._message_timer = None
        self._messages_sent_at = self._loop.time()
        dirty, self._dirty = self._dirty, {}
        lines, self._lines = self._lines, {}
        for watch in dirty | dict.fromkeys(lines):
            state: Json = {"message": watch.json(self._machine)} if watch in dirty else {}
            if watch in lines:
                state["logs"] = lines[watch]
            watch.sink.state(state)

    def _concerned(self, record: Record) -> Iterator[Followed]:
        match record:
            case Settle():
                for first, last, _ in record.runs:
                    yield from self._at(record.log, first, last)
            case Return():
                for sequence, *_ in record.entries:
                    yield from self._at(record.log, sequence, sequence)
            case Move():
                for entry in record.entries:
                    yield from self._at(record.origin, entry[4], entry[4])
            case Undefine():
                yield from self._at(record.log, 0, FOREVER)
            case _:
                return

    def _at(self, log: int, first: int, last: int) -> list[Followed]:
        by_sequence = self._messages.get(log)
        if not by_sequence:
            return []
        if last - first < len(by_sequence):
            return [followed for s in range(first, last + 1) for followed in by_sequence.get(s, ())]
        return [followed for s, here in by_sequence.items() if first <= s <= last for followed in here]


def logs_of(record: Record) -> list[int]:
    """The logs whose numbers this record changes."""
    match record:
        case Publish():
            return [log for log, *_ in record.targets]
        case Move():
            return [record.log, record.origin]
        case Settle() | Return() | Define():
            return [record.log]
        case _:
            return [record.log] if hasattr(record, "log") else []


def message_json(id: str, publish: Publish, index: int, stories: list[Story], machine: Machine) -> Json:
    """The *message* object of docs/protocol.md §6, without body, headers and key.

    Its state is that of the first placement; with more than one, ``placements`` has them all.
    """
    placements = [_placement_json(story, machine) for story in stories]
    first = placements[0] if placements else _unplaced_json(publish, index, machine)
    found = {
        "id": id,
        "type": publish.attribute("type", "types", index) or "json",
        "size": publish.sizes[index],
        "published_at": publish.at,
        "priority": publish.attribute("priority", "priorities", index) or 0,
    } | first
    if publish.topic is not None:
        found["topic"] = publish.topic
    if len(placements) > 1:
        found["placements"] = placements
    return found


def _placement_json(story: Story, machine: Machine) -> Json:
    state = machine.state
    queue = state.logs.get(story.log)
    attempts_max = queue.settings.attempts_max if queue else None
    if story.dead_in is not None and queue and queue.dead_letter_of in state.queues:
        attempts_max = state.queues[queue.dead_letter_of].settings.attempts_max
    return {
        "queue": state.names.get(story.log),
        "sequence": story.sequence,
        "state": story.state,
        "attempts": story.attempts,
        "attempts_max": attempts_max,
        "due": story.due,
        "reason": story.reason,
        "consumer": story.consumer,
        "progress": story.progress,
        "result": fragment(story.result) if story.result is not None else None,
        "timeline": [_named(entry, machine) for entry in story.timeline],
    }


def _named(entry: Json, machine: Machine) -> Json:
    """A timeline entry with the queue's name instead of its number."""
    if "log" not in entry:
        return entry
    return {name: value for name, value in entry.items() if name != "log"} | {
        "queue": machine.state.names.get(entry["log"])
    }


def _unplaced_json(publish: Publish, index: int, machine: Machine) -> Json:
    """A message of a stream without groups, or one that no binding wanted."""
    where = publish.sequences_of(index)
    name = machine.state.names.get(where[0][0]) if where else None
    timeline = [{"at": publish.at, "kind": "published"}]
    state = "kept" if where else "unrouted"
    return {
        "queue": name,
        "sequence": where[0][1] if where else None,
        "state": state,
        "timeline": timeline,
    } | dict.fromkeys(("attempts", "attempts_max", "due", "reason", "consumer", "progress", "result"))
