"""Messages of one queue: an AMQP consumer with a buffer; verdicts become acks, requeues and publishes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson
from aiormq.abc import AbstractChannel, DeliveredMessage

from ...errors import PostroadError, Unavailable
from ..external import FeedSink, Received, Return, Verdicts
from .link import LOST, header_text

if TYPE_CHECKING:
    from .backend import RabbitBackend

PREFETCH_MAX = 65_535
EARLY_MS = 20


class RabbitFeed:
    """See ``external.Feed``. A message's tag is ``(channel generation, delivery tag, properties)``."""

    def __init__(self, backend: RabbitBackend, name: str, sink: FeedSink) -> None:
        self.name = name
        self.sink = sink
        self._backend = backend
        self._queue = ""
        self._buffer: deque[Received] = deque()
        self._unacked: dict[int, None] = {}
        self._channel: AbstractChannel | None = None
        self._generation = 0
        self._consumer: str | None = None
        self._wanted = self._having = 0
        self._sequence = time.time_ns() // 1_000_000 * 1000
        self._turn: asyncio.Task[None] | None = None

    # Consuming

    def want(self, capacity: int) -> None:
        self._wanted = min(capacity, PREFETCH_MAX)
        self.go_on()

    def go_on(self) -> None:
        """Consume with the prefetch that is wanted, if that is not so."""
        if self._turn is None and self._wanted != self._having and self._backend.is_up:
            self._turn = asyncio.get_running_loop().create_task(self._change(), name=f"postroad consume {self.name}")
            self._turn.add_done_callback(self._changed)

    def _changed(self, turn: asyncio.Task[None]) -> None:
        self._turn = None
        if not turn.cancelled() and turn.exception() is None:
            self.go_on()
        elif self._backend.is_up:
            asyncio.get_running_loop().call_later(0.2, self.go_on)

    async def _change(self) -> None:
        wanted = self._wanted
        async with self._backend.link.use():
            if self._channel is None or self._channel.is_closed:
                self.lost()
                self._queue = await self._place()
                self._channel = await self._backend.link.channel()
                self._generation += 1
            channel = self._channel
            if self._consumer is not None:
                consumer, self._consumer = self._consumer, None
                await channel.basic_cancel(consumer)
            if wanted:
                await channel.basic_qos(prefetch_count=wanted)
                ok = await channel.basic_consume(self._queue, self._arrived)
                self._consumer = ok.consumer_tag
            elif self._buffer:
                back = list(self._buffer)
                self._buffer.clear()
                await self._requeue(channel, back)
        if self._channel is channel:  # else it was lost in this very moment
            self._having = wanted

    async def _place(self) -> str:
        """The queue to consume from."""
        return self._backend.queue_name(self.name)

    def _sequence_of(self, headers: Mapping[str, object]) -> int:
        self._sequence += 1
        return self._sequence

    def lost(self) -> None:
        """The channel has gone, and everything held on it."""
        self._buffer.clear()
        self._unacked.clear()
        self._channel, self._consumer, self._having = None, None, 0
        self._generation += 1
        self.sink.lost()

    async def _arrived(self, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        if tag is None:
            return
        headers = message.header.properties.headers or {}
        envelope = header_text(headers, "postroad")
        self._unacked[tag] = None
        if envelope is None:  # not from us: it stays in the queue's hands, out of our way
            return
        attempts = headers.get("postroad-attempts", 0)
        held = (self._generation, tag, message.header.properties)
        received = Received(held, self._sequence_of(headers), orjson.loads(envelope), bytes(message.body))
        received.attempts = attempts if isinstance(attempts, int) else 0
        self._buffer.append(received)
        self.sink.wake()

    async def take(self, most: int) -> list[Received]:
        self._check_channel()
        taken: list[Received] = []
        early: list[Return] = []
        soon = int(time.time() * 1000) + EARLY_MS
        while self._buffer and len(taken) < most:
            message = self._buffer.popleft()
            due = (message.tag[2].headers or {}).get("postroad-due", 0)
            if isinstance(due, int) and due > soon:
                early.append(Return(message=message, attempts=message.attempts, due=due, reason=None))
            else:
                taken.append(message)
        if early:
            with contextlib.suppress(Unavailable):
                await self.settle(Verdicts(returns=early), again=False)
        return taken

    def _check_channel(self) -> None:
        """A channel may be closed while its connection lives, by a consumer timeout."""
        if self._channel is not None and self._channel.is_closed and self._backend.is_up:
            self.lost()
            self.go_on()

    # Settling

    async def settle(self, verdicts: Verdicts, *, again: bool) -> list[Received]:
        channel, generation = self._channel, self._generation
        backend = self._backend
        if not backend.is_up:
            raise Unavailable("RabbitMQ cannot be reached now.")
        lost: list[Received] = []

        def ours(message: Received) -> bool:
            if channel is not None and message.tag[0] == generation:
                return True
            lost.append(message)
            return False

        releases = [message for message in verdicts.releases if ours(message)]
        acks = [message for message in verdicts.acks if ours(message)]
        returns = [back for back in verdicts.returns if ours(back.message)]
        dead = [bury for bury in verdicts.dead if ours(bury.message)]
        if channel is None:
            return lost
        async with backend.link.use():
            await asyncio.gather(
                *(backend.publisher.again(self._queue, item.message, item.attempts, item.due) for item in returns),
                *(backend.publisher.bury(item) for item in dead),
            )
            acks += [back.message for back in returns] + [bury.message for bury in dead]
            if acks:
                await self._ack(channel, [message.tag[1] for message in acks])
            if releases:
                await self._requeue(channel, releases)
            # An answer on the same channel: what was said before it has been taken.
            await channel.basic_qos(prefetch_count=max(self._having, 1))
        return lost

    async def _ack(self, channel: AbstractChannel, tags: list[int]) -> None:
        """All that is oldest in one frame, the rest one by one."""
        rest = set(tags)
        upto = 0
        for tag in self._unacked:
            if tag not in rest:
                break
            upto = tag
        if upto:
            await channel.basic_ack(upto, multiple=True, wait=False)
        for tag in sorted(rest):
            self._unacked.pop(tag, None)
            if tag > upto:
                await channel.basic_ack(tag, wait=False)

    async def _requeue(self, channel: AbstractChannel, messages: list[Received]) -> None:
        for message in messages:
            tag = message.tag[1]
            self._unacked.pop(tag, None)
            await channel.basic_nack(tag, requeue=True, wait=False)

    async def close(self) -> None:
        self._wanted = 0
        if self._turn is not None:
            await asyncio.wait([self._turn], timeout=1)
        self._backend.feeds.pop(self.name, None)
        channel, self._channel = self._channel, None
        if channel is not None:
            await self._close_channel(channel)

    async def _close_channel(self, channel: AbstractChannel) -> None:
        if not channel.is_closed:
            with contextlib.suppress(*LOST, PostroadError):
                await channel.close()
