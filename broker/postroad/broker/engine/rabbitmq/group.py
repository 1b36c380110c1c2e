"""A group of a stream: what the stream has is copied to a queue, which is consumed like any other.

How far it is copied is in one message of a queue of its own, the cursor: whoever holds it, unacked, copies. The copies are confirmed before the
new cursor is, and that before the old one is acked; so a gateway that dies in between may copy some messages twice, and never loses one.

A reset gives the group another queue (its ``generation``) and removes the old one with all that was in it, in hand or on its way back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from ...errors import Unavailable
from ..external import Received
from .link import LOST

if TYPE_CHECKING:
    from .backend import RabbitBackend

COPIES = 256
AHEAD = 2_000
"""Copies that wait in the queue before no more are made."""

PATIENCE_S = 5.0
"""How long another gateway may hold the cursor before the group is thought to be gone."""

OFFSET = "postroad-offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Attributes:
    version: Grows with each change; should there be two after a crash, the higher one wins.
    next: Offset that is copied next.
    generation: Of the queue that is copied to.
    """

    version: int
    next: int
    generation: int


class Group:
    def __init__(self, backend: RabbitBackend, name: str) -> None:
        self.name = name
        self.known: Cursor | None = None
        self._backend = backend
        self._cursor_queue = f"{backend.prefix}cursor.{name}"
        self._lock = asyncio.Lock()
        self._channel: AbstractChannel | None = None

    async def _open(self) -> AbstractChannel:
        """A channel of its own: one that RabbitMQ closes, because the group is gone, shall not take others with it. Called with the lock held."""
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._backend.link.channel(confirms=True)
        return self._channel

    def queue(self, cursor: Cursor) -> str:
        return f"{self._backend.prefix}q.{self.name}.{cursor.generation}"

    async def look(self) -> Cursor:
        """Where it is. Raises: Unavailable: another gateway does not let go of the cursor."""
        async with self._lock:
            tags, cursor = await self._take()
            if cursor is None and self.known is not None:
                return self.known
            if cursor is None:
                tags, cursor = await self._take_patiently()
            await self._give_back(tags, cursor)
            return cursor

    async def begin(self, offset: int) -> None:
        """Go on at ``offset``, with nothing in hand; a new group, or one that is reset."""
        async with self._lock:
            channel = await self._open()
            await channel.queue_declare(self._cursor_queue, durable=True)
            tags, old = await self._take()
            if old is None and self.known is not None:
                tags, old = await self._take_patiently()
            cursor = Cursor(
                version=old.version + 1 if old else 1, next=offset, generation=old.generation + 1 if old else 1
            )
            await self._backend.make_queue(self.queue(cursor))
            await self._move(tags, cursor)
            if old is not None:
                await channel.queue_delete(self.queue(old))

    async def skip(self, offset: int) -> int:
        """Copy nothing before ``offset``; returns how many that leaves out."""
        async with self._lock:
            tags, cursor = await self._take_patiently()
            await self._move(tags, replace(cursor, version=cursor.version + 1, next=max(offset, cursor.next)))
            return max(offset - cursor.next, 0)

    async def copy(self) -> bool:
        """Copy some messages, if nobody else does and there are some; whether there may be more."""
        async with self._lock:
            channel = await self._open()
            tags, cursor = await self._take()
            if cursor is None:
                return False
            try:
                ready = await channel.queue_declare(self.queue(cursor), passive=True)
                messages: Sequence[Received] = ()
                if (ready.message_count or 0) < AHEAD:
                    messages = await self._backend.streams.stream(self.name.partition("/")[0]).read(cursor.next, COPIES)
                if messages:
                    await asyncio.gather(*(self._publish(self.queue(cursor), message) for message in messages))
                    later = replace(cursor, version=cursor.version + 1, next=messages[-1].sequence + 1)
                    await self._move(tags, later)
                    return True
                await self._give_back(tags, cursor)
                return False
            except BaseException:
                self._channel = None  # the cursor goes back with it
                if not channel.is_closed:
                    with contextlib.suppress(*LOST, TimeoutError):
                        async with asyncio.timeout(1):
                            await channel.close()
                raise

    async def _publish(self, queue: str, message: Received) -> None:
        headers: dict[str, Any] = {"postroad": orjson.dumps(message.header).decode(), OFFSET: message.sequence}
        id = f"{message.header['i']}{message.header['x']}"
        properties = Basic.Properties(delivery_mode=2, headers=headers, message_id=id)
        await self._backend.publisher.publish(message.body, queue, properties)

    async def erase(self) -> None:
        cursor = await self.look()
        async with self._lock:
            channel = await self._open()
            await channel.queue_delete(self.queue(cursor))
            await channel.queue_delete(self._cursor_queue)

    # The cursor

    async def _take(self) -> tuple[list[int], Cursor | None]:
        channel = await self._open()
        tags: list[int] = []
        best: Cursor | None = None
        while True:
            got = await channel.basic_get(self._cursor_queue, no_ack=False)
            if not isinstance(got.delivery, Basic.GetOk) or got.delivery.delivery_tag is None:
                break
            tags.append(got.delivery.delivery_tag)
            found = Cursor(**orjson.loads(got.body))
            best = found if best is None or best.version < found.version else best
        if best is not None:
            self.known = best
        return tags, best

    async def _take_patiently(self) -> tuple[list[int], Cursor]:
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while asyncio.get_running_loop().time() < until:
            tags, cursor = await self._take()
            if cursor is not None:
                return tags, cursor
            await asyncio.sleep(0.01)
        raise Unavailable("Another gateway holds the place of the group.")

    async def _move(self, tags: list[int], cursor: Cursor) -> None:
        """Another cursor in place of those taken."""
        channel = self._taken_on()
        body = orjson.dumps(cursor)
        await channel.basic_publish(
            body, routing_key=self._cursor_queue, properties=Basic.Properties(delivery_mode=2), mandatory=True
        )
        self.known = cursor
        for tag in tags:
            await channel.basic_ack(tag)

    async def _give_back(self, tags: list[int], cursor: Cursor) -> None:
        if len(tags) > 1:
            await self._move(tags, replace(cursor, version=cursor.version + 1))
        elif tags:
            await self._taken_on().basic_nack(tags[0], requeue=True)

    def _taken_on(self) -> AbstractChannel:
        """The channel that the cursor was taken on: tags mean nothing on another."""
        if self._channel is None:
            raise Unavailable("RabbitMQ cannot be reached now.")
        return self._channel
