"""Watches of single messages: found by where the message is, told at once and then now and then."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ....core.format.effect import Deliver, Effect, Progressed, Returned
from ....core.format.record import Move, Publish, Record, Return, Settle, Undefine
from ....core.format.story import Story
from ....core.machine import Machine
from ....settings import FOREVER
from ...engine import Json, WatchSink
from ...message_logs import LINES_MAX
from .concerned import logs_of
from .message_json import message_json
from .slices import Slices

MESSAGE_STATE_S = 0.05
TAIL_MAX = 1000


class MessageWatch:
    """A watcher of one message, with its stories: one for each queue and group it went to.

    Attributes:
        is_open: It may be told something; before, its opening has not been answered.
    """

    def __init__(self, id: str, publish: Publish, index: int, stories: list[Story], sink: WatchSink) -> None:
        self.id = id
        self.publish = publish
        self.index = index
        self.stories = stories
        self.sink = sink
        self.is_open = False

    def json(self, machine: Machine) -> Json:
        return message_json(self.id, self.publish, self.index, self.stories, machine)


class Tail:
    """What happens to some logs while their history is read: at most ``TAIL_MAX`` records; beyond, the rest is read as well.

    Attributes:
        is_cut: There were more.
    """

    def __init__(self, logs: Iterable[int]) -> None:
        self._logs = set(logs)
        self.records: list[tuple[int, Record]] = []
        self.is_cut = False

    def take(self, records: list[tuple[int, Record]]) -> None:
        for position, record in records:
            if self.is_cut or self._logs.isdisjoint(logs_of(record)):
                continue
            if len(self.records) == TAIL_MAX:
                self.is_cut = True
                continue
            self.records.append((position, record))
            if isinstance(record, Move):
                self._logs.add(record.log)  # it may be the message's place from now on


Followed = tuple[MessageWatch, Story]


class MessageWatches:
    def __init__(self, machine: Machine, loop: AbstractEventLoop) -> None:
        self._machine = machine
        self._loop = loop
        self._at_place: dict[int, dict[int, list[Followed]]] = {}
        self._tails: list[Tail] = []
        self._dirty: dict[MessageWatch, None] = {}
        self._lines: dict[MessageWatch, list[Json]] = {}
        self._timer: TimerHandle | None = None
        self._sent_at = 0.0

    def add(self, watch: MessageWatch) -> None:
        for story in watch.stories:
            self._follow((watch, story))

    def remove(self, watch: MessageWatch) -> None:
        self._dirty.pop(watch, None)
        self._lines.pop(watch, None)
        for story in watch.stories:
            self._unfollow((watch, story))

    def open(self, watch: MessageWatch) -> None:
        """Its opening was answered: what happened since may be told."""
        watch.is_open = True
        self._send_soon()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @contextmanager
    def tail(self, logs: Iterable[int]) -> Iterator[Tail]:
        """What happens to these logs within it."""
        tail = Tail(logs)
        self._tails.append(tail)
        try:
            yield tail
        finally:
            self._tails = [other for other in self._tails if other is not tail]

    def logged(self, log: int, sequence: int, lines: list[Json]) -> None:
        """The handler of this message said something."""
        for watch, _ in self._at(log, sequence, sequence):
            self._lines[watch] = (self._lines.get(watch, []) + lines)[-LINES_MAX:]
        self._send_soon()

    def on_durable(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        for tail in self._tails:
            tail.take(records)
        if not self._at_place:
            return
        for position, record in records:
            for watch, story in list(self._concerned(record)):
                self._unfollow((watch, story))
                if story.apply(position, record):
                    self._dirty[watch] = None
                self._follow((watch, story))
        for effect in effects:
            self._take_effect(effect, at_ms)
        self._send_soon()

    def _take_effect(self, effect: Effect, at_ms: int) -> None:
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

    def _follow(self, followed: Followed) -> None:
        story = followed[1]
        self._at_place.setdefault(story.log, {}).setdefault(story.sequence, []).append(followed)

    def _unfollow(self, followed: Followed) -> None:
        story = followed[1]
        at = self._at_place.get(story.log, {})
        here = at.get(story.sequence, [])
        if followed in here:
            here.remove(followed)
            if not here:
                del at[story.sequence]
            if not at:
                del self._at_place[story.log]

    def _send_soon(self) -> None:
        if self._timer is None and any(watch.is_open for watch in (*self._dirty, *self._lines)):
            # The first change goes at once, so that who waits for a result waits for nothing else; a burst is one.
            wait = max(self._sent_at + MESSAGE_STATE_S - self._loop.time(), 0)
            self._timer = self._loop.call_later(wait, self._send)

    def _send(self) -> None:
        self._timer = None
        slices = Slices()
        for watch in [watch for watch in self._dirty | dict.fromkeys(self._lines) if watch.is_open]:
            state: Json = {"message": watch.json(self._machine)} if watch in self._dirty else {}
            if watch in self._lines:
                state["logs"] = self._lines.pop(watch)
            self._dirty.pop(watch, None)
            watch.sink.state(state)
            if slices.is_over():
                self._timer = self._loop.call_later(0, self._send)
                return
        self._sent_at = self._loop.time()

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
        by_sequence = self._at_place.get(log)
        if not by_sequence:
            return []
        if last - first < len(by_sequence):
            return [followed for s in range(first, last + 1) for followed in by_sequence.get(s, ())]
        return [followed for s, here in by_sequence.items() if first <= s <= last for followed in here]
