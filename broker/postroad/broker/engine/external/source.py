"""A queue or group as this gateway sees it: its consumers, what they are handed, and what they say back, in batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Protocol
from zlib import crc32

from ...core.rules.retry import retry_delay_ms
from ...errors import Internal, PostroadError, QueueNotFound, Unavailable
from ...settings import QueueSettings
from ..engine import Capabilities, Json, PublishBatch
from .backend import Backend, Definition, Received, Send, Verdicts
from .consumer import ExternalSubscription
from .envelope import ranges_of
from .pending import Pending
from .records import publish_record
from .registry import Registry

log = logging.getLogger("postroad.engine")

TAKE_MAX = 1000
SETTLE_PATIENCE_S = 30.0
"""How long a settle waits for an engine that is away before it is answered ``unavailable``."""

POLL_S = 1.0
"""A source with room looks again that often, should a wake-up have been lost."""


class Host(Protocol):
    """What a source needs of its engine."""

    backend: Backend
    registry: Registry
    capabilities: Capabilities

    @property
    def position(self) -> int: ...

    def now(self) -> int: ...

    def tell(self, record: Json) -> None: ...

    def forget(self, subscription: ExternalSubscription) -> None: ...

    def prepare(self, batch: PublishBatch) -> Send: ...

    def subscriptions_of(self, source: Source) -> list[ExternalSubscription]: ...

    def make_then(self, batches: list[PublishBatch], then: Callable[[PostroadError | None], None]) -> bool: ...


class Source:
    """Attributes:
    consumers: Those that may be handed messages.
    """

    def __init__(self, host: Host, definition: Definition) -> None:
        self.host = host
        self.name = definition.name
        self.consumers: list[ExternalSubscription] = []
        self._feed = host.backend.feed(definition, self)
        self._event = asyncio.Event()
        self._pending: list[Pending] = []
        self._flusher: asyncio.Task[None] | None = None
        self._stamp = 0
        self._is_told = asyncio.Event()
        self._is_told.set()
        self._closed = False
        self._task = asyncio.create_task(self._run(), name=f"postroad source {self.name}")

    # Handing out

    def wake(self) -> None:
        self._event.set()

    def changed(self) -> None:
        """Consumers came, went, or can take more or less."""
        definition = self.host.registry.find(self.name, "queue", "group")
        is_paused = definition is None or definition.paused
        self._feed.want(0 if is_paused else sum(consumer.capacity for consumer in self.consumers))
        self._event.set()

    def lost(self) -> None:
        """The engine took all messages back: the connection to it was lost."""
        for subscription in self.everyone():
            subscription.revoke(None, "the engine was lost")
        self._event.set()

    def everyone(self) -> list[ExternalSubscription]:
        """Also those that have left but may still settle."""
        return self.host.subscriptions_of(self)

    def join(self, subscription: ExternalSubscription) -> None:
        self.consumers.append(subscription)
        self.changed()

    def leave(self, subscription: ExternalSubscription) -> None:
        if subscription in self.consumers:
            self.consumers.remove(subscription)
        self.changed()

    @property
    def leased(self) -> int:
        return sum(len(subscription.leases) for subscription in self.everyone())

    async def _run(self) -> None:
        while not self._closed:
            try:
                async with asyncio.timeout(POLL_S if self._has_room() else None):
                    await self._event.wait()
            except TimeoutError:
                pass
            self._event.clear()
            try:
                await self._hand_out()
            except QueueNotFound:
                await asyncio.sleep(0.05)  # it was deleted a moment ago, and will be closed
            except Unavailable:
                await asyncio.sleep(0.05)  # the backend wakes us when it is back; the poll is for safety
            except Exception:
                log.exception("handing out from %s failed", self.name)
                await asyncio.sleep(1)

    def _has_room(self) -> bool:
        return any(consumer.room for consumer in self.consumers)

    async def _hand_out(self) -> None:
        while not self._closed:
            definition = self.host.registry.find(self.name, "queue", "group")
            room = sum(consumer.room for consumer in self.consumers)
            if definition is None or definition.paused or not room or not self.host.backend.is_up:
                return
            most = min(room, TAKE_MAX)
            taken = await self._feed.take(most)
            if not taken:
                return
            await self._is_told.wait()  # that they came back is told before that they were delivered again
            self._deal(taken)

    def _deal(self, messages: list[Received]) -> None:
        now = self.host.now()
        if any("e" in message.header for message in messages) and not self._keeps_dead:
            messages = self._without_expired(messages, now)
        while messages:
            free = sorted((c for c in self.consumers if c.room), key=lambda consumer: consumer.served)
            if not free:
                self.release(messages, None)
                return
            share = -(-len(messages) // len(free))
            for consumer in free:
                part = messages[: min(share, consumer.room)]
                messages = messages[len(part) :]
                if part:
                    self._stamp += 1
                    consumer.served = self._stamp
                    self.tell("delivered", i=ranges_of(part), n=len(part), c=consumer.consumer)
                    consumer.grant(part, now)

    @property
    def _keeps_dead(self) -> bool:
        """A dead-letter queue: what is in it stays until somebody decides, whatever its time was when it was alive."""
        definition = self.host.registry.find(self.name, "queue", "group")
        return definition is not None and definition.dead_letter_of is not None

    def _without_expired(self, messages: list[Received], now: int) -> list[Received]:
        pending = Pending(None, None)
        alive = []
        for message in messages:
            if 0 < message.header.get("e", 0) <= now:
                pending.expire(message)
            else:
                alive.append(message)
        self.settle(pending)
        return alive

    def tell(self, kind: str, **more: Any) -> None:
        self.host.tell({"k": kind, "q": self.name, **more})

    # Failing

    def fail(
        self, subscription: ExternalSubscription, messages: list[Received], delay_ms: int | None, reason: str
    ) -> None:
        """Count an attempt for each: it waits for the next one, or is dead."""
        pending = Pending(subscription.consumer, None)
        self.add_failed(pending, messages, delay_ms, reason)
        self.settle(pending)

    def add_failed(
        self, pending: Pending, messages: list[Received], delay_ms: int | None, reason: str, *, dead: bool = False
    ) -> None:
        registry, now = self.host.registry, self.host.now()
        settings = registry.settings(self.name) or QueueSettings()
        target = registry.dead_letter_name(self.name)
        for message in messages:
            attempts = message.attempts + 1
            if (dead or attempts >= settings.attempts_max) and not self._keeps_dead:
                if target is None:
                    pending.drop(message, attempts, reason)
                else:
                    info: Json = {"attempts": attempts, "reason": reason, "at": now, "of": self.name}
                    pending.bury(message, target, info | {"consumer": pending.consumer})
                continue
            delay = delay_ms
            if delay is None:
                where = crc32(message.header["i"].encode()), message.header["x"]
                delay = retry_delay_ms(attempts, settings.backoff_ms, settings.backoff_max_ms, *where)
            pending.back(message, attempts, now + delay if delay else 0, reason)

    def release(self, messages: list[Received], consumer: str | None) -> None:
        if messages:
            pending = Pending(consumer, None)
            pending.release(messages)
            self.settle(pending)

    # Settling

    def settle(self, pending: Pending) -> None:
        if pending.is_empty:
            pending.answer([], self.host.position)
            return
        self._pending.append(pending)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name=f"postroad settle {self.name}")

    async def _flush(self) -> None:
        await asyncio.sleep(0)  # what else is settled in this turn of the loop goes along
        while self._pending:
            batch, self._pending = self._pending, []
            await self._carry_out(batch)
        self._flusher = None
        if any(consumer.room for consumer in self.consumers):
            self._event.set()

    async def _carry_out(self, batch: list[Pending]) -> None:
        if any(pending.verdicts.returns or pending.verdicts.releases for pending in batch):
            self._is_told.clear()
        try:
            await self._settle_and_tell(batch)
        finally:
            self._is_told.set()

    async def _settle_and_tell(self, batch: list[Pending]) -> None:
        try:
            lost = await self._until_done(batch)
        except PostroadError as error:
            if len(batch) > 1:  # one of them is at fault: the others shall not suffer
                for pending in batch:
                    await self._settle_and_tell([pending])
            else:
                await self._give_back(batch[0], error)
            return
        except Exception:
            log.exception("settling on %s failed", self.name)
            for pending in batch:
                await self._give_back(pending, Internal("Settling failed."))
            return
        gone = {id(message) for message in lost}
        for pending in batch:
            for record in pending.records(lost):
                self.host.tell({"q": self.name, **record})
            for message, sends in pending.verdicts.completions:
                for send in sends if id(message) not in gone else ():
                    self.host.tell(publish_record(send, send.firsts, None))
        for pending in batch:
            pending.answer(lost, self.host.position)

    async def _until_done(self, batch: list[Pending]) -> list[Received]:
        """Carry out; while the engine is away, again and again. Who waits for an answer is told after a while, but it is done all the same."""
        verdicts = _joined(batch)
        until = asyncio.get_running_loop().time() + SETTLE_PATIENCE_S
        again = False
        while True:
            try:
                if verdicts.dead:
                    await self.host.registry.dead_letter_queue(self.name)
                return await self._feed.settle(verdicts, again=again)
            except Unavailable as error:
                again = True
                if self._closed or asyncio.get_running_loop().time() > until:
                    for pending in batch:
                        pending.refuse(error)
                if self._closed:
                    raise
                await asyncio.sleep(0.1)

    async def _give_back(self, pending: Pending, error: PostroadError) -> None:
        """It was refused, so nothing of it happened, but its leases have ended here: their messages go back."""
        pending.refuse(error)
        back = Verdicts(releases=pending.messages)
        with contextlib.suppress(PostroadError):
            await self._feed.settle(back, again=True)

    async def idle(self) -> None:
        """Wait until what was settled is carried out."""
        while self._flusher is not None:
            await asyncio.wait([self._flusher])

    async def close(self, error: PostroadError | None = None) -> None:
        self._closed = True
        self._task.cancel()
        if error is not None:
            for subscription in self.everyone():
                self.host.forget(subscription)
                subscription.end(error)
        await asyncio.gather(self._task, return_exceptions=True)
        await self.idle()
        await self._feed.close()


def _joined(batch: list[Pending]) -> Verdicts:
    if len(batch) == 1:
        return batch[0].verdicts
    joined = Verdicts()
    for pending in batch:
        verdicts = pending.verdicts
        joined.acks += verdicts.acks
        joined.releases += verdicts.releases
        joined.returns += verdicts.returns
        joined.dead += verdicts.dead
        joined.completions += verdicts.completions
    return joined
