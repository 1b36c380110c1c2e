"""Operations on many messages as generators of steps, for ``write/work.py``.

What bounds one (the end of a queue as of when it was asked for) is given to it: nothing in it runs before its first step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from ...core.durable.queue import Queue
from ...core.durable.stream import Stream
from ...core.format import command as c
from ...core.machine import Machine
from ...errors import InvalidState, QueueNotFound
from .places import Places
from .write.work import Steps

MOVE_ITEMS = 250
"""Messages that one step of a redrive or a replay moves: each is an entry of a record, about 15 µs."""

ID_ITEMS = 50
"""Ids that one step looks up: each may be a look into the journal."""

COUNT_ITEMS = 100_000
"""Offsets that one step of a dry run counts."""


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
        count = seen = 0
        while following is not None and count < limit:
            self._need(queue)
            step = min(MOVE_ITEMS, limit - count)
            reply: c.Stepped = self._step(
                c.Redrive(queue=queue.name, first=following, until=until, limit=step), adds=True
            )
            following = reply.next
            count, seen = count + reply.count, seen + reply.seen
            yield reply.count
        self._check_moved(queue, count, seen)
        return {}

    def redrive_chosen(self, queue: Queue, ids: list[str]) -> Steps:
        count = seen = 0
        for some in _slices(ids):
            self._need(queue)
            sequences = self._places.sequences(queue, some)
            reply: c.Stepped = self._step(c.Redrive(queue=queue.name, sequences=sequences), adds=True)
            count, seen = count + reply.count, seen + reply.seen
            yield reply.count
        self._check_moved(queue, count, seen)
        return {}

    def _check_moved(self, queue: Queue, count: int, seen: int) -> None:
        """Raises: InvalidState: there was something, and none of it could go back."""
        if seen and not count:
            raise InvalidState(
                f'Nothing chosen in "{queue.name}" came from a queue that still exists.', queue=queue.name
            )

    def replay(self, stream: Stream, first: int, last: int, queue: str) -> Steps:
        following: int | None = first
        while following is not None:
            self._need(stream)
            reply: c.Stepped = self._step(
                c.Replay(stream=stream.name, first=following, last=last, queue=queue, limit=MOVE_ITEMS), adds=True
            )
            following = reply.next
            yield reply.count
        return {}

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
