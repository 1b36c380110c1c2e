"""The log of a queue, read and written by this gateway."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import Message

from ...errors import PostroadError, QueueNotFound, Unavailable
from ..engine import Json
from ..external import Received
from .link import Link
from .machine import Entry, Machine, Outcome
from .memory import DEDUP_MS
from .place import PATIENCE_S, Place
from .record import COMMAND, DONE, INDEX_BITS, MESSAGES, Batch, pack, runs
from .shelf import Shelf
from .tail import Follower

if TYPE_CHECKING:
    from .feed import KafkaFeed

log = logging.getLogger("postroad.engine")

OPEN_S = 60.0
KEPT_MS = 60_000
"""Records stay that long at least: a publish frame that is sent again is known by its record."""

CUT_RECORDS = 2000
GAP_MAX = 8

Posted = tuple[Outcome, int]


def now_ms() -> int:
    return int(time.time() * 1000)


class Log(Follower):
    """Attributes:
    machine: What the queue is, after ``applied`` records.
    feed: Who hands out its messages here.
    """

    @property
    def applied(self) -> int:
        return self.place.offset

    def __init__(self, link: Link, node: str, name: str, topic: str, shelf: Shelf) -> None:
        self.name = name
        self.topic = topic
        self.machine = Machine()
        self.place = Place()
        self.feed: KafkaFeed | None = None
        self._link = link
        self._node = node
        self._shelf = shelf
        self._serials = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Posted]] = {}
        self._written = 0
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._marks: deque[tuple[int, int]] = deque()
        self._cut = self._past = 0
        self._is_gone = False

    # Opening

    async def open(self) -> None:
        """Read what there is, unless that was done.

        Raises:
            Unavailable, QueueNotFound.
        """
        if self._is_gone:
            raise QueueNotFound(f'"{self.name}" was deleted.', queue=self.name)
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.get_running_loop().create_task(self._open(), name=f"postroad kafka {self.name}")
        if not self._opening.done():
            try:
                async with asyncio.timeout(OPEN_S):
                    await asyncio.shield(self._opening)
            except TimeoutError as error:
                raise Unavailable(f'"{self.name}" is still being read.') from error
        self._opening.result()

    async def _open(self) -> None:
        low, high = await self._link.bounds(self.topic)
        self.machine, self._cut = Machine(), low
        self.place.reach(low)
        self._past = high
        self._begin(high)
        await self._link.follow(self.topic, low, self)
        await self.place.until(high, patiently=True)
        if mine := self.machine.held.get(self._node):  # read again, see ``torn``
            self._write({"do": "settle", "rel": runs(sorted(mine))}, None)

    def _begin(self, high: int) -> None: ...

    def torn(self) -> None:
        """The log was cut before it was read here, by a gateway that had: what is known here is too old."""
        log.warning("%s is read again from its beginning", self.name)
        self._link.unfollow([self.topic])
        self._refuse(Unavailable("It is being read again."))
        self._opening = None
        if self.feed is not None:
            self.feed.lost()

    def close(self, error: PostroadError) -> None:
        """It was deleted, or all ends."""
        self._is_gone = True
        self._link.unfollow([self.topic])
        self._refuse(error)
        if self._timer is not None:
            self._timer.cancel()
        if self._opening is not None:
            self._opening.cancel()

    def _refuse(self, error: PostroadError) -> None:
        asked, self._asked = self._asked, {}
        self.place.fail(error)
        for future in asked.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # it may be that nobody waits any more

    async def caught_up(self) -> Machine:
        """Open, with all that this gateway wrote."""
        await self.open()
        await self.place.until(self._written)
        return self.machine

    # Reading

    def tailed(self, messages: list[Message]) -> None:
        for message in messages:
            offset, value = message.offset(), message.value()
            if offset is None or offset < self.place.offset:
                continue
            self._apply(offset, message.key(), value or b"")
            self.place.reach(offset + 1)
        self._marks.append((self.applied, now_ms()))
        self.look_again()

    def _apply(self, offset: int, key: object, value: bytes) -> None:
        if key == COMMAND:
            command = orjson.loads(value)
            who = command["w"]
            outcome = self.machine.command(command)
            if command["do"] in ("reclaim", "start") and offset >= self._past:
                self._revoked(command)
        elif key == DONE:
            batch = Batch(offset, value)
            who = batch.meta["w"]
            outcome = self.machine.done(batch)
        else:
            batch = Batch(offset, value)
            who = batch.meta["w"]
            if self.feed is None:
                batch.drop_bodies()
            else:
                self._shelf.keep(batch)
            outcome = self.machine.messages(batch)
        if who[0] == self._node and offset >= self._past:
            self._answer(who[1], outcome, offset)

    def _answer(self, serial: int, outcome: Outcome, offset: int) -> None:
        future = self._asked.pop(serial, None)
        if future is not None and not future.done():
            future.set_result((outcome, offset))
        elif outcome.entries:
            # Taken for somebody who does not wait any more.
            mine = [entry for entry in outcome.entries if entry.owner == self._node]
            if self.feed is not None:
                self.feed.keep(mine)
            elif mine:
                self._write({"do": "settle", "rel": runs([entry.sequence for entry in mine])}, None)

    def _revoked(self, command: Json) -> None:
        """Others thought this gateway dead; or the group begins elsewhere, of which the layer tells its consumers."""
        if self.feed is not None and command["do"] == "start":
            self.feed.forget()
        elif self.feed is not None and command["of"] == self._node:
            log.warning("this gateway was silent too long: what it held of %s is handed to others", self.name)
            self.feed.lost()

    def now(self) -> int:
        return now_ms()

    async def extent(self) -> Json:
        """Of a group: where its stream begins and ends, for a command."""
        return {}

    def has_ready(self) -> bool:
        return self.machine.has_ready(now_ms())

    def look_again(self) -> None:
        """Wake the feed if there is something, or when there will be."""
        if self.feed is None:
            return
        if self.has_ready():
            self.feed.sink.wake()
        due = self.machine.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            wait = max(due - now_ms(), 0) / 1000 + 0.001
            self._timer = asyncio.get_running_loop().call_later(wait, self.look_again)

    # Writing

    def _write(self, command: Json, future: asyncio.Future[Posted] | None) -> int:
        serial = next(self._serials)
        value = orjson.dumps({**command, "w": [self._node, serial]})
        self._produce(serial, value, COMMAND, future)
        return serial

    def _produce(self, serial: int, value: bytes, key: bytes | None, future: asyncio.Future[Posted] | None) -> None:
        if future is not None:
            self._asked[serial] = future

        def done(error: Any, offset: int) -> None:
            if error is None:
                self._written = max(self._written, offset + 1)
            elif (waiting := self._asked.pop(serial, None)) is not None and not waiting.done():
                waiting.set_exception(self._link.failure(error))

        self._link.produce(self.topic, value, done, key=key)

    async def ask(self, do: str, **command: Any) -> Outcome:
        """Write a command; returns what it did.

        Raises:
            Unavailable: it may have been done, or be done yet. QueueNotFound.
        """
        await self.open()
        future: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        serial = self._write({"do": do, **command}, future)
        return (await self._answered(serial, future))[0]

    async def _answered(self, serial: int, future: asyncio.Future[Posted]) -> Posted:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await future
        except TimeoutError as error:
            raise Unavailable("Kafka does not answer.") from error
        finally:
            self._asked.pop(serial, None)

    def post(self, meta: Json, headers: Sequence[bytes], bodies: Sequence[bytes]) -> asyncio.Future[Posted]:
        """Write messages. The future has what became of them, if the log is open, else only their offset."""
        serial = next(self._serials)
        meta["w"] = [self._node, serial]
        value = pack(meta, headers, bodies)
        future: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        if self._opening is not None and any(name in meta for name in ("f", "u", "m")):
            self._produce(serial, value, MESSAGES, future)
            return future

        def done(error: Any, offset: int) -> None:
            if error is None:
                self._written = max(self._written, offset + 1)
            if future.done():
                return
            if error is None:
                future.set_result((Outcome(), offset))
            else:
                future.set_exception(self._link.failure(error))

        self._link.produce(self.topic, value, done, key=MESSAGES)
        return future

    async def finish(self, meta: Json, headers: Sequence[bytes], bodies: Sequence[bytes]) -> Posted:
        """Write an ack that publishes; returns what it did, and its offset.

        Raises:
            As ``ask``.
        """
        await self.open()
        serial = next(self._serials)
        value = pack({**meta, "w": [self._node, serial]}, headers, bodies)
        future: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        self._produce(serial, value, DONE, future)
        return await self._answered(serial, future)

    # Messages

    async def take(self, most: int) -> list[Entry]:
        if not self.has_ready():
            return []
        return (await self.ask("take", n=most, at=now_ms())).entries

    def header(self, entry: Entry) -> Json:
        assert entry.batch is not None
        return entry.batch.headers[entry.index]

    async def received(self, entries: Sequence[Entry]) -> list[Received]:
        """Messages as the layer takes them.

        Raises:
            Unavailable.
        """
        missing = sorted({entry.batch.offset for entry in entries if entry.batch and not entry.batch.kept})
        fetched: dict[int, Batch] = {}
        while missing:
            end = 1
            while end < len(missing) and missing[end] - missing[end - 1] <= GAP_MAX:
                end += 1
            first, last, missing = missing[0], missing[end - 1], missing[end:]
            for message in await self._link.fetch(self.topic, first, last - first + 1):
                if message.key() == MESSAGES:
                    fetched[message.offset() or 0] = Batch(message.offset() or 0, message.value() or b"")
        found = []
        for entry in entries:
            batch = entry.batch
            assert batch is not None
            body = (batch if batch.kept else fetched[batch.offset]).body(entry.index)
            found.append(Received(entry.sequence, entry.sequence, batch.headers[entry.index], body, entry.attempts))
        return found

    # Cutting

    async def tidy(self) -> None:
        """Let go of the records that nobody needs: those before the oldest message that is left, when they are old enough."""
        if self._opening is None or not self._opening.done():
            return
        oldest = next(iter(self.machine.entries), None)
        before = min(self.applied if oldest is None else oldest >> INDEX_BITS, *self.machine.outbox, self.applied)
        young = now_ms() - (DEDUP_MS if self.machine.memory.keeps_dedup else KEPT_MS)
        old_enough = self._cut
        while self._marks and self._marks[0][1] <= young:
            old_enough = self._marks.popleft()[0]
        before = min(before, old_enough)
        if before - self._cut >= CUT_RECORDS:
            self._cut = before
            await self._link.topics.cut(self.topic, before)
        elif old_enough > self._cut:
            self._marks.appendleft((old_enough, young))
