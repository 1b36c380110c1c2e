"""Operations on many messages as generators of steps, for ``write/work.py``.

What bounds one (the end of a queue as of when it was asked for) is given to it: nothing in it runs before its first step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...core.durable.queue import Queue
from ...core.durable.stream import Stream
from ...core.format import command as c
from ...core.machine import Machine
from ...errors import InvalidState, QueueFull, QueueNotFound
from ..engine import Json
from .places import Places
from .write.work import Steps

MOVE_ITEMS = 250
"""Messages that one step of a redrive or a replay moves: each is an entry of a record, about 15 µs."""

ID_ITEMS = 50
"""Ids that one step looks up: each may be a look into the journal."""

COUNT_ITEMS = 100_000
"""Offsets that one step of a dry run counts."""


@dataclass(slots=True)
class Moved:
    """What the steps of a redrive or a replay have come to so far; see ``Stepped``."""

    count: int = 0
    seen: int = 0
    left: int = 0
    full: list[int] = field(default_factory=list)

    def add(self, reply: c.Stepped) -> None:
        self.count, self.seen, self.left = self.count + reply.count, self.seen + reply.seen, self.left + reply.left
        self.full = reply.full


class Step(Protocol):
    """Carries out one command and returns its reply at once; ``adds``: its records are new ones, for which the disk must have room."""

    def __call__(self, command: object, *, adds: bool = False) -> Any: ...


class LongOperations:
    def __init__(self, machine: Machine, places: Places, step: Step) -> None:
        self._machine = machine
        self._places = places
        self._step = step

    def purge(self, queue: Queue, until: int) -> Steps:
        following: int | None = 0
        while following is not None:
            self._need(queue)
            reply: c.Stepped = self._step(c.Purge(queue=queue.name, first=following, until=until))
            following = reply.next
            yield reply.count
        return {}

    def discard(self, queue: Queue, ids: list[str]) -> Steps:
        for some in _slices(ids):
            self._need(queue)
            sequences = self._places.sequences(queue, some)
            yield self._step(c.Discard(queue=queue.name, sequences=sequences)) if sequences else 0
        return {}

    def redrive(self, queue: Queue, until: int, limit: int) -> Steps:
        following: int | None = 0
        moved = Moved()
        while following is not None and moved.count + moved.left < limit:
            self._need(queue)
            step = min(MOVE_ITEMS, limit - moved.count - moved.left)
            command = c.Redrive(queue=queue.name, first=following, until=until, limit=step, full=moved.full)
            reply: c.Stepped = self._step(command, adds=True)
            following = reply.next
            moved.add(reply)
            yield reply.count
        return self._came_to(queue, moved)

    def redrive_chosen(self, queue: Queue, ids: list[str]) -> Steps:
        moved = Moved()
        for some in _slices(ids):
            self._need(queue)
            sequences = self._places.sequences(queue, some)
            command = c.Redrive(queue=queue.name, sequences=sequences, full=moved.full)
            reply: c.Stepped = self._step(command, adds=True)
            moved.add(reply)
            yield reply.count
        return self._came_to(queue, moved)

    def _came_to(self, queue: Queue, moved: Moved) -> Json:
        """What a redrive answers.

        Raises:
            InvalidState: there was something, and none of it could go back. QueueFull: there was no room for any of it.
        """
        if moved.seen and not moved.count and not moved.left:
            raise InvalidState(
                f'Nothing chosen in "{queue.name}" came from a queue that still exists.', queue=queue.name
            )
        return self._what_fitted(moved)

    def _what_fitted(self, moved: Moved) -> Json:
        """Raises: QueueFull: nothing did."""
        if not moved.left:
            return {}
        if moved.count:
            return {"left": moved.left, "reason": QueueFull.code}
        target = self._machine.state.logs.get(moved.full[0])
        name = target.name if target is not None else "The queue"
        raise QueueFull(f'"{name}" has no room for any of these messages.', queue=name, left=moved.left)

    def replay(self, stream: Stream, first: int, last: int, queue: str) -> Steps:
        following: int | None = first
        moved = Moved()
        target = self._machine.state.queues.get(queue)
        while following is not None and not moved.left:
            self._need(stream)
            if target is not None:
                self._need(target)  # deleted meanwhile, and perhaps made again: it is not ours to fill
            reply: c.Stepped = self._step(
                c.Replay(stream=stream.name, first=following, last=last, queue=queue, limit=MOVE_ITEMS), adds=True
            )
            target = target or self._machine.state.queues.get(queue)
            following = reply.next
            moved.add(reply)
            yield reply.count
        for start in range(following, last + 1, COUNT_ITEMS) if following is not None else ():
            moved.left += sum(b - a + 1 for a, b in stream.log.kept(start, min(last, start + COUNT_ITEMS - 1)))
            yield 0
        return self._what_fitted(moved)

    def count(self, stream: Stream, first: int, last: int) -> Steps:
        """A dry run."""
        for start in range(first, last + 1, COUNT_ITEMS):
            yield sum(b - a + 1 for a, b in stream.log.kept(start, min(last, start + COUNT_ITEMS - 1)))
        return {"first": first, "last": last}

    def _need(self, thing: Queue | Stream) -> None:
        """Raises: QueueNotFound: it was deleted meanwhile."""
        state = self._machine.state
        if state.logs.get(thing.number) is not thing and state.stream_logs.get(thing.number) is not thing:
            raise QueueNotFound(f'"{thing.name}" was deleted.', queue=thing.name)


def _slices(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), ID_ITEMS):
        yield ids[start : start + ID_ITEMS]
