"""Reading the journal back: one message's story, and past events. Scans run in a thread; the loop goes on."""

from __future__ import annotations

import asyncio

from ....core.format.codec import decode, prefix
from ....core.format.event import concerns, event_of
from ....core.format.ids import parse_id
from ....core.format.record import Publish
from ....core.format.story import Story
from ....core.machine import Machine
from ....errors import Gone, MessageNotFound
from ....journal import Journal
from ...engine import Json

PLACE = b'{"k":"place",'
EVENTS_MAX = 1000
LOOK_BACK = 64
"""Records a search for the last n events goes back by at first; it doubles."""


class History:
    """What the journal still knows. ``last`` arguments are durable positions."""

    def __init__(self, machine: Machine, journal: Journal) -> None:
        self._machine = machine
        self._journal = journal

    def find(self, message: str) -> tuple[int, int, Publish]:
        """Position, index and publish record of a message id.

        Raises:
            MessageNotFound: there never was one, in this store. Gone: the journal no longer has it.
        """
        state = self._machine.state
        epoch, position, index = parse_id(message)
        if not 0 < position <= state.position or state.epoch_of(position) != epoch:
            raise MessageNotFound(f"There is no message {message[:64]!a}.", message_id=message[:64])
        header, _ = self._journal.read(position)
        record = decode(header)
        if not isinstance(record, Publish) or index not in record.stored():
            raise MessageNotFound(f"There is no message {message[:64]!a}.", message_id=message[:64])
        return position, index, record

    def publish_at(self, position: int) -> Publish | None:
        """The publish record at ``position``; None if it is no longer kept."""
        try:
            record = decode(self._journal.read(position)[0])
        except Gone:
            return None
        return record if isinstance(record, Publish) else None

    async def stories(self, message: str, last: int) -> list[Story]:
        """The stories of a message up to position ``last``: one for each queue and group it went to.

        Raises:
            MessageNotFound, Gone.
        """
        position, index, publish = self.find(message)
        stories = []
        for log, sequence in publish.sequences_of(index):
            stream = self._machine.state.stream_logs.get(log)
            numbers = [group.number for group in stream.groups.values()] if stream else [log]
            stories += [Story(message, publish, index, number, sequence) for number in numbers]
        await asyncio.to_thread(self._read, stories, position, last)
        return stories

    def _read(self, stories: list[Story], position: int, last: int) -> None:
        going = [story for story in stories if not story.is_over]
        wanted = _wanted(going)
        for at, header, _ in self._journal.scan(position + 1, last) if going else ():
            if not header.startswith(wanted):
                continue
            record = decode(header)
            touched = [story for story in going if story.apply(at, record)]
            if touched:
                going = [story for story in going if not story.is_over]
                wanted = _wanted(going)
                if not going:
                    return

    async def events_after(self, queue: str | None, first: int, last: int) -> tuple[list[Json], int | None]:
        """Events of ``queue`` (None: all) after position ``first`` up to ``last``; and, if the journal no longer reaches back so
        far, the earliest position it has."""
        earliest = self._journal.earliest
        trimmed = earliest if first + 1 < earliest else None
        return await asyncio.to_thread(self._events, queue, max(first + 1, earliest), last), trimmed

    async def last_events(self, queue: str | None, count: int, last: int) -> list[Json]:
        """The last ``count`` events of ``queue`` up to position ``last``, oldest first."""
        return await asyncio.to_thread(self._last, queue, min(count, EVENTS_MAX), last)

    def _last(self, queue: str | None, count: int, last: int) -> list[Json]:
        step = max(count * 2, LOOK_BACK)
        events: list[Json] = []
        end = last
        while end > 0 and len(events) < count:
            first = max(end - step, self._journal.earliest - 1)
            if first >= end:
                break
            events = self._events(queue, first + 1, end) + events
            end, step = first, step * 2
        return events[-count:] if count else []

    def _events(self, queue: str | None, first: int, last: int) -> list[Json]:
        state = self._machine.state
        events = []
        try:
            for position, header, _ in self._journal.scan(first, last):
                event = event_of(decode(header), position, state.names, state.id_prefix)
                if event is not None and concerns(event, queue):
                    events.append(event)
        except Gone:  # the window moved on while we read
            return events
        return events


def _wanted(stories: list[Story]) -> tuple[bytes, ...]:
    """How the headers begin that can touch these stories."""
    logs = {story.log for story in stories}
    return (PLACE, *(prefix(kind, log) for log in sorted(logs) for kind in ("settle", "return", "undefine")))
