"""Reading the journal back: one message's story, and past events.

Scans run in a thread of their own, page by page, so that a long one lets others pass, and snapshots need not wait for any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from ....core.format.codec import decode, prefix
from ....core.format.event import concerns, event_of
from ....core.format.ids import parse_id
from ....core.format.record import Publish
from ....core.format.story import Story
from ....core.machine import Machine
from ....errors import Gone, MessageNotFound
from ....journal import Journal
from ...engine import Json
from .recent import Recent

PLACE = b'{"k":"place",'
EVENTS_MAX = 1000
LOOK_BACK = 64
"""Records a search for the last n events goes back by at first; it doubles."""

LOOK_BACK_MAX = 20_000
"""Records it reads at most: an idle queue's last events may be far behind what others did."""

PAGE_EVENTS = 500
PAGE_RECORDS = 4000
PAGE_BYTES = 1024 * 1024
"""A page is read at once: it ends after so many events, or records, or bytes of record headers."""

T = TypeVar("T")


class Page(NamedTuple):
    """Events up to position ``last``. ``trimmed``: the journal begins only there, later than what was asked for."""

    events: list[Json]
    last: int
    trimmed: int | None


class LastEvents(NamedTuple):
    """``looked_from``: there may be older ones, before this position, that were not looked for; None: there are none."""

    events: list[Json]
    looked_from: int | None


class History:
    """What the journal still knows. ``last`` arguments are durable positions."""

    def __init__(self, machine: Machine, journal: Journal) -> None:
        self._machine = machine
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, "postroad-reading")
        self.recent = Recent(machine.state.position)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

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

    def begin(self, message: str) -> tuple[int, list[Story]]:
        """Position of a message's publish record, and its stories up to there: one for each queue and group it went to.

        Raises:
            MessageNotFound, Gone.
        """
        position, index, publish = self.find(message)
        stories = []
        for log, sequence in publish.sequences_of(index):
            stream = self._machine.state.stream_logs.get(log)
            numbers = [group.number for group in stream.groups.values()] if stream else [log]
            stories += [Story(message, publish, index, number, sequence) for number in numbers]
        return position, stories

    async def follow(self, stories: list[Story], after: int, last: int) -> None:
        """Tell the stories what happened after position ``after``, up to ``last``."""
        while after < last and any(not story.is_over for story in stories):
            after = await self._read(self._follow_page, stories, after, last)

    def _follow_page(self, stories: list[Story], after: int, last: int) -> int:
        going = [story for story in stories if not story.is_over]
        wanted, position = _wanted(going), after
        for count, (position, header, _) in enumerate(self._journal.scan(after + 1, last), 1):
            if header.startswith(wanted):
                record = decode(header)
                if [story for story in going if story.apply(position, record)]:
                    going = [story for story in going if not story.is_over]
                    wanted = _wanted(going)
            if count >= PAGE_RECORDS or not going:
                break
        return position if position > after else last

    async def page(self, queue: str | None, after: int, last: int) -> Page:
        """Events of ``queue`` (None: all) after position ``after``, up to ``last`` or the end of a page."""
        earliest = self._journal.earliest
        trimmed = earliest if after + 1 < earliest else None
        events, end = await self._read(self._events, queue, max(after + 1, earliest), last, PAGE_EVENTS)
        return Page(events, end, trimmed)

    async def last_events(self, queue: str | None, count: int, last: int) -> LastEvents:
        """The last ``count`` events of ``queue`` up to position ``last``, oldest first."""
        count = min(count, EVENTS_MAX)
        if not count:
            return LastEvents([], None)
        events: list[Json] = []
        end = last
        if queue is not None:
            positions, known_from = self._recent_of(queue)
            positions = [position for position in positions if position <= last]
            events = await self._read(self._events_at, queue, positions)
            end = min(known_from - 1, last)
        step, read = max(count * 2, LOOK_BACK), 0
        while len(events) < count and end >= (earliest := self._journal.earliest):
            if read >= LOOK_BACK_MAX:
                return LastEvents(events, end + 1)
            first = max(end - step + 1, earliest)
            older: list[Json] = []
            at = first
            while at <= end:
                found, at = await self._read(self._events, queue, at, end, EVENTS_MAX)
                older += found
                at += 1
            events = older + events
            read += end - first + 1
            end, step = first - 1, min(step * 2, PAGE_RECORDS)
        return LastEvents(events[-count:], None)

    def _recent_of(self, name: str) -> tuple[list[int], int]:
        """Positions of the last records that may be its events, starts among them, which are everybody's; and from where on."""
        positions, known_from = self.recent.of(name)
        starts = [position for position, _ in self._machine.state.epochs if position >= known_from]
        return sorted({*positions, *starts}), known_from

    def _events_at(self, queue: str | None, positions: list[int]) -> list[Json]:
        events: list[Json] = []
        for first, last in _runs(positions):
            events += self._events(queue, first, last, EVENTS_MAX)[0]
        return events

    def _events(self, queue: str | None, first: int, last: int, limit: int) -> tuple[list[Json], int]:
        """Events of a page, and the position that it ends with."""
        state = self._machine.state
        events: list[Json] = []
        position, size = first - 1, 0
        try:
            for count, (position, header, _) in enumerate(self._journal.scan(first, last), 1):
                event = event_of(decode(header), position, state.names, state.id_prefix)
                if event is not None and concerns(event, queue):
                    events.append(event)
                size += len(header)
                if len(events) >= limit or count >= PAGE_RECORDS or size >= PAGE_BYTES:
                    return events, position
        except Gone:  # the window moved on while we read
            return events, max(position, self._journal.earliest - 1)
        return events, last

    async def _read(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)


def _runs(positions: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Neighbours together: ``(first, last)``."""
    first = last = -1
    for position in positions:
        if first >= 0 and position != last + 1:
            yield first, last
            first = position
        elif first < 0:
            first = position
        last = position
    if first >= 0:
        yield first, last


def _wanted(stories: list[Story]) -> tuple[bytes, ...]:
    """How the headers begin that can touch these stories."""
    logs = {story.log for story in stories}
    return (PLACE, *(prefix(kind, log) for log in sorted(logs) for kind in ("settle", "return", "undefine")))
