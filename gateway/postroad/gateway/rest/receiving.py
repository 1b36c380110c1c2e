"""Long-poll consumers: one subscription a queue inside the gateway, granted on demand.

The engine pushes, HTTP pulls. So the subscription is paused while nobody waits; a waiting request raises its prefetch
by what it wants and resumes it. What comes when nobody waits any more is released at once, and does not count as an
attempt. The engine does not tell when a lease ends, so deadlines are kept here to know how much is really outstanding.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from postroad.broker.engine.engine import (
    ConsumeSpec,
    DeliveryBatch,
    Engine,
    Ranges,
    SettleBatch,
    Settled,
    Subscription,
)
from postroad.broker.errors import PostroadError

from ..protocol.delivering import inline_messages

IDLE_S = 30.0
PREFETCH_MAX = 16_384
CONSUMER_NAME = "http"


@dataclass(slots=True, eq=False)
class Waiter:
    """A request that waits for up to ``wanted`` messages."""

    wanted: int
    found: asyncio.Future[list[dict[str, Any]]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class HttpConsumer:
    """The subscription of one queue and the requests that wait for it."""

    def __init__(self, queue: str, group: str | None, closed: Callable[[HttpConsumer], None]) -> None:
        self.queue = queue
        self.group = group
        self._closed = closed
        self._waiters: deque[Waiter] = deque()
        self._deadlines: dict[int, float] = {}
        self._loop = asyncio.get_running_loop()
        self._idle: asyncio.TimerHandle | None = None
        self._is_ended = False
        self._early: list[DeliveryBatch] = []
        self.subscription: Subscription | None = None

    async def open(self, engine: Engine, wanted: int, *, declare: bool) -> None:
        spec = ConsumeSpec(
            queue=self.queue, group=self.group, consumer=CONSUMER_NAME, client="http", prefetch=wanted, declare=declare
        )
        self.subscription = await engine.consume(spec, self)
        self._adjust()

    async def receive(self, wanted: int, wait_s: float) -> list[dict[str, Any]]:
        """Up to ``wanted`` messages as soon as there is one; empty when the time is over.

        Raises:
            PostroadError: the subscription was ended by the engine.
        """
        waiter = Waiter(wanted)
        self._waiters.append(waiter)
        early, self._early = self._early, []
        for batch in early:
            self.deliver(batch)
        self._adjust()
        try:
            return await asyncio.wait_for(asyncio.shield(waiter.found), wait_s)
        except TimeoutError:
            return waiter.found.result() if waiter.found.done() else []
        except asyncio.CancelledError:
            if waiter.found.done() and waiter.found.exception() is None:
                self.release([message["number"] for message in waiter.found.result()])
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                self._adjust()

    def deliver(self, batch: DeliveryBatch) -> None:
        if self.subscription is None:  # kept for the request that opened it
            self._early.append(batch)
            return
        messages = deque(inline_messages(batch))
        while messages and self._waiters:
            waiter = self._waiters.popleft()
            if waiter.found.done():
                continue
            share = [messages.popleft() for _ in range(min(waiter.wanted, len(messages)))]
            for message in share:
                self._deadlines[message["number"]] = self._loop.time() + self.subscription.lease_ms / 1000
            # They are in somebody's hands from now on: a crash of theirs counts as an attempt.
            self._loop.call_soon(self._settle_quietly, SettleBatch(begun=share[-1]["number"]))
            waiter.found.set_result(share)
        self._adjust()  # pauses when nobody waits, before what is left over goes back
        self.release([message["number"] for message in messages])

    def revoked(self, numbers: Ranges, reason: str) -> None:
        for first, last in numbers:
            for number in range(first, last + 1):
                self._deadlines.pop(number, None)

    def ended(self, error: PostroadError) -> None:
        self._is_ended = True
        self._closed(self)
        for waiter in self._waiters:
            if not waiter.found.done():
                waiter.found.set_exception(error)
        self._waiters.clear()

    def release(self, numbers: list[int]) -> None:
        """Give back, without a counted attempt."""
        if numbers and self.subscription is not None and not self._is_ended:
            for number in numbers:
                self._deadlines.pop(number, None)
            releases = [(number, number) for number in numbers]
            # Not from inside a delivery: the engine could hand the same messages over again, and again.
            self._loop.call_soon(self._settle_quietly, SettleBatch(releases=releases))

    async def settle(self, batch: SettleBatch) -> Settled:
        """Raises: PostroadError: nothing of it was carried out."""
        assert self.subscription is not None
        outcome: asyncio.Future[Settled] = self._loop.create_future()

        def done(value: Settled | PostroadError) -> None:
            if not outcome.done():
                if isinstance(value, PostroadError):
                    outcome.set_exception(value)
                else:
                    outcome.set_result(value)

        self.subscription.settle(batch, done)
        settled = await outcome
        for first, last in [*batch.acks, *((nack.first, nack.last) for nack in batch.nacks), *settled.lost]:
            for number in range(first, last + 1):
                self._deadlines.pop(number, None)
        lease_ms = self.subscription.lease_ms if batch.lease_ms is None else batch.lease_ms
        for first, _ in batch.extends:
            if first in self._deadlines:
                self._deadlines[first] = self._loop.time() + lease_ms / 1000
        return settled

    def _settle_quietly(self, batch: SettleBatch) -> None:
        if self.subscription is not None and not self._is_ended:
            self.subscription.settle(batch, _ignore)

    def close(self) -> None:
        """Nobody waits: leave the queue. What was handed out stays leased until its lease ends."""
        if self._idle is not None:
            self._idle.cancel()
        if self.subscription is not None and not self._is_ended:
            self._is_ended = True
            self.subscription.cancel()

    def _adjust(self) -> None:
        if self.subscription is None or self._is_ended:
            return
        now = self._loop.time()
        self._deadlines = {number: end for number, end in self._deadlines.items() if end > now}
        wanted = sum(waiter.wanted for waiter in self._waiters if not waiter.found.done())
        if wanted:
            self.subscription.prefetch(min(len(self._deadlines) + wanted, PREFETCH_MAX))
            self.subscription.resume()
        else:
            self.subscription.pause()
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._adjust()
        if not self._waiters and not self._deadlines:
            self._closed(self)
            self.close()


class HttpConsumers:
    """The consumers of all queues, by queue and by subscription token."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._by_queue: dict[tuple[str, str | None], asyncio.Task[HttpConsumer]] = {}
        self._by_token: dict[str, HttpConsumer] = {}

    async def of_queue(self, queue: str, group: str | None, wanted: int, *, declare: bool) -> HttpConsumer:
        """The consumer of a queue, or of a stream's group; a new one begins by getting ``wanted``.

        Raises:
            PostroadError: it cannot be consumed from.
        """
        key = (queue, group)
        task = self._by_queue.get(key)
        if task is None:
            task = asyncio.create_task(self._open(queue, group, wanted, declare))
            self._by_queue[key] = task
        try:
            return await asyncio.shield(task)
        except PostroadError:
            if self._by_queue.get(key) is task:
                del self._by_queue[key]
            raise

    def of_token(self, token: str) -> HttpConsumer | None:
        return self._by_token.get(token)

    def close(self) -> None:
        for consumer in list(self._by_token.values()):
            consumer.close()

    async def _open(self, queue: str, group: str | None, wanted: int, declare: bool) -> HttpConsumer:
        consumer = HttpConsumer(queue, group, self._forget)
        await consumer.open(self._engine, wanted, declare=declare)
        assert consumer.subscription is not None
        self._by_token[consumer.subscription.token] = consumer
        return consumer

    def _forget(self, consumer: HttpConsumer) -> None:
        self._by_queue.pop((consumer.queue, consumer.group), None)
        if consumer.subscription is not None:
            self._by_token.pop(consumer.subscription.token, None)


def _ignore(outcome: Settled | PostroadError) -> None:
    """Nobody waits for it: a release that comes too late has nothing left to give back."""
