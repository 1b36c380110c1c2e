"""Postroad's promises on top of a backend: see the package."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ...clock import Clock, SystemClock
from ...errors import PostroadError, Unavailable
from ...limits import LIMITS
from ...names import queue_name
from ...settings import QueueSettings
from ..bounds import check_consume, check_start
from ..engine import (
    Confirm,
    ConsumerSink,
    ConsumeSpec,
    Done,
    Json,
    PublishBatch,
    ReadSink,
    ReadSpec,
    WatchSink,
    WatchSpec,
)  # fmt: skip
from .able import capabilities_of, reasons_of
from .backend import Backend, Definition, Send
from .chronicle import Chronicle
from .consumer import ExternalSubscription
from .hearing import Hearing
from .operations import Operations, shown
from .publishing import Publishing
from .queries import Queries
from .readers import ExternalReader
from .registry import GROUP_SEPARATOR, Registry, checked_name
from .source import Source
from .stats import Stats
from .teller import Teller
from .watching import ExternalWatch, MessageWatch, QueueWatch, Watching, told_of_all, told_of_one

log = logging.getLogger("postroad.engine")

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class ExternalEngine:
    """See ``engine.Engine``.

    Args:
        backend: The other broker.
        clock: Another clock than the system's.
    """

    def __init__(self, backend: Backend, *, clock: Clock | None = None) -> None:
        self.backend = backend
        self.name = backend.name
        self.capabilities = capabilities_of(backend)
        self.reasons: Mapping[str, str] = reasons_of(backend)
        self.epoch = 0
        self.node = "".join(secrets.choice(_DIGITS) for _ in range(8))
        self.registry = Registry(backend)
        self._clock = clock or SystemClock()
        self._chronicle = Chronicle(self.node)
        self._sources: dict[str, Source] = {}
        self._subscriptions: dict[str, ExternalSubscription] = {}
        self._teller = Teller(backend, self._chronicle, self.node, self.now)
        self._publishing = Publishing(
            backend, self.registry, self._chronicle, self.node, tell=self.tell, now=self.now, make=self._make,
            is_serving=lambda: self._is_open and not self._is_closing,
        )  # fmt: skip
        self._stats = Stats(backend, self.registry, self._chronicle, self._sources, self.now)
        self._queries = Queries(backend, self.registry, self._chronicle, self._stats, self._sources, self.now)
        self._operations = Operations(
            backend, self.registry, self._queries, self._sources, self.tell, self._publishing.prefix, self.now
        )
        self._watching = Watching(self._chronicle, self._stats_of, self._queries.story)
        self._hearing = Hearing(self.node, self.registry, self._sources, self._watching, self._spawn)
        self._chronicle.on_records = self._hearing.saw
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._second: asyncio.TimerHandle | None = None
        self._is_open = False
        self._is_closing = False
        self.on_failure: Callable[[], None] | None = None  # never called: what is away may come back

    @property
    def durability(self) -> str:
        return self.backend.durability

    @property
    def store(self) -> str:
        return self.backend.store

    @property
    def position(self) -> int:
        return self._chronicle.position

    @property
    def healthy(self) -> bool:
        return self._is_open and self.backend.is_up

    @property
    def unready(self) -> str | None:
        if self._is_closing:
            return "The broker is stopping."
        return None if self.healthy else f"The engine {self.name} cannot be reached; it is tried again and again."

    def now(self) -> int:
        return self._clock.now_ms()

    # Life

    async def start(self) -> None:
        await self.backend.open(self._chronicle.add, self._up)
        await self.registry.refresh()
        self.epoch = self.now() // 1000
        self._is_open = True
        self._second = asyncio.get_running_loop().call_later(1, self._every_second)
        self.tell({"k": "started", "q": None, "epoch": self.epoch})

    async def close(self, drain_ms: int = 0) -> None:
        if not self._is_open:
            return
        self._is_closing = True
        for source in self._sources.values():
            source.consumers.clear()
            source.changed()
        until = self.now() + drain_ms
        while self.now() < until and any(s.leases for s in self._subscriptions.values()):
            await asyncio.sleep(0.02)
        stopping = Unavailable("The broker is stopping.")
        for source in list(self._sources.values()):
            for subscription in source.everyone():
                source.release(subscription.take(list(subscription.leases)), None)
        await self._calm()
        self._is_open = False
        for source in list(self._sources.values()):
            await source.close(stopping)
        for reader in list(self._hearing.readers):
            reader.end(stopping)
        if self._second is not None:
            self._second.cancel()
        self._watching.close()
        for task in list(self._tasks):
            task.cancel()
        await self.backend.close()

    async def _calm(self) -> None:
        """Let what is under way come to its end, unless the engine is away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await self._publishing.idle()
                for source in self._sources.values():
                    await source.idle()
                await self._teller.idle()

    def stop_delivering(self) -> None:
        """From now on only settles are taken; for the time before ``close``."""
        self._is_closing = True
        for source in self._sources.values():
            source.consumers.clear()
            source.changed()

    def _up(self) -> None:
        """The backend is back."""
        self._spawn(self._again())

    async def _again(self) -> None:
        with contextlib.suppress(Unavailable):
            await self.registry.refresh()
        for source in self._sources.values():
            source.changed()
        for reader in self._hearing.readers:
            reader.wake()
        self._teller.go_on()

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _every_second(self) -> None:
        self._second = asyncio.get_running_loop().call_later(1, self._every_second)
        self._watching.touch(self._stats.sample())

    # Telling all gateways

    def tell(self, record: Json) -> None:
        self._teller.tell(record)

    # Publishing

    def session_opened(self, session: str) -> int:
        return self._chronicle.last_frame(session)

    def session_closed(self, session: str) -> None: ...

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        self._publishing.publish(batch, done)

    def prepare(self, batch: PublishBatch) -> Send:
        return self._publishing.prepare(batch)

    async def _make(self, name: str, kind: str) -> Definition:
        """A queue or stream with default settings, unless there is one."""
        found = self.registry.find(name, kind)
        if found is not None:
            return found
        async with asyncio.timeout(None if self.backend.is_up else 0.1):
            await self.declare(name, {}, kind=kind)
        return await self.registry.need(name, kind)

    def make_then(self, batches: list[PublishBatch], then: Callable[[PostroadError | None], None]) -> bool:
        """Whether queues that these publish to have to be made first; ``then`` is called when they are."""
        missing = {b.queue: b.kind for b in batches if b.declare and b.kind != "topic" and not self.registry.find(b.queue, b.kind)}  # fmt: skip

        async def make() -> None:
            try:
                for name, kind in missing.items():
                    await self._make(name, kind)
            except PostroadError as error:
                then(error)
            else:
                then(None)

        if missing:
            self._spawn(make())
        return bool(missing)

    # Consuming

    async def consume(self, spec: ConsumeSpec, sink: ConsumerSink) -> ExternalSubscription:
        if self._is_closing:
            raise Unavailable("The broker is stopping.")
        check_consume(spec, LIMITS)
        definition = await self._consumed(spec)
        former = self._subscriptions.get(spec.resume) if spec.resume else None
        if former is not None and former.is_detached and not former.ended and former.source.name == definition.name:
            former.come_back(spec, sink)
            return former
        settings = self.registry.settings(definition.name) or QueueSettings()
        source = self._sources.get(definition.name)
        if source is None:
            source = self._sources[definition.name] = Source(self, definition)
        token = f"{self.node}-{next(self._numbers)}"
        subscription = ExternalSubscription(source, token, spec, sink, spec.lease_ms or settings.lease_ms)
        subscription.begin_after(spec)
        self._subscriptions[token] = subscription
        # The caller knows its subscription before the first delivery: those come by a later turn of the loop.
        source.join(subscription)
        return subscription

    async def _consumed(self, spec: ConsumeSpec) -> Definition:
        name: str = queue_name(spec.queue)
        if spec.group is not None:
            self._queries.able("streams")
            full = f"{name}{GROUP_SEPARATOR}{queue_name(spec.group)}"
            if not spec.declare or self.registry.find(full, "group"):
                return await self.registry.need(full, "group")
            await self.declare(name, {}, group=spec.group, start=spec.start)
            return await self.registry.need(full, "group")
        if spec.declare:
            return await self._make(name, "queue")
        return await self.registry.need(name, "queue")

    def subscriptions_of(self, source: Source) -> list[ExternalSubscription]:
        return [s for s in self._subscriptions.values() if s.source is source]

    def forget(self, subscription: ExternalSubscription) -> None:
        self._subscriptions.pop(subscription.token, None)

    async def read(self, spec: ReadSpec, sink: ReadSink) -> ExternalReader:
        self._queries.able("streams")
        check_start(spec.start)
        stream = await self.registry.need(spec.stream, "stream")
        extent = await self.backend.extent(stream)
        offset = await self._operations.offset_of(stream, spec.start)
        if isinstance(spec.start, tuple) and spec.start[0] == "offset":
            offset = min(spec.start[1], extent.next)  # before the earliest kept: said as trimmed
        reader = ExternalReader(self.backend, stream, sink, offset, self.position)
        self._hearing.opened(reader)
        return reader

    # Watching

    async def watch(self, spec: WatchSpec, sink: WatchSink) -> ExternalWatch:
        loop = asyncio.get_running_loop()
        await self._chronicle.seen(self._teller.serial)
        position = self.position
        if spec.message is not None:
            self._queries.able("timeline")
            story, prefix, index = self._queries.need_story(spec.message)
            message = MessageWatch(prefix, index, sink)
            self._watching.add_message(message)
            shown: Json = {"message": story.to_json()}
            if logs := self._chronicle.logs.of(f"{prefix}{index}"):
                shown["logs"] = logs
            return ExternalWatch(position, shown, lambda: self._watching.remove_message(message))
        self._queries.able("live_events")
        snapshot: Json
        if spec.queue is not None:
            await self.registry.need(spec.queue, "queue", "group", "stream")
            stats = await self._stats_of(spec.queue)
            snapshot = {} if stats is None else told_of_one(stats)
        else:
            streams = [] if self.capabilities.streams == "unsupported" else await self._queries.streams()
            snapshot = told_of_all([*await self._queries.queues(), *streams])
        position = self.position
        events, trimmed = self._chronicle.last_events(spec.queue, spec.last) if spec.last else [], None
        if spec.from_position is not None:
            events, trimmed = self._chronicle.events_after(spec.queue, spec.from_position)
        watch = QueueWatch(spec.queue, sink, position)
        if events or trimmed is not None:
            loop.call_soon(sink.events, events, trimmed)
        loop.call_soon(self._watching.add_queue, watch)
        return ExternalWatch(position, snapshot, lambda: self._watching.remove_queue(watch))

    async def _stats_of(self, name: str) -> Json | None:
        definition = self.registry.find(name, "queue", "group")
        if definition is not None:
            return await self._stats.of(definition)
        stream = self.registry.find(name, "stream")
        return await self._stats.of_stream(stream) if stream else None

    # Declaring, looking, operating

    async def declare(
        self, queue: str, settings: Mapping[str, object], *, update: bool = False, kind: str = "queue",
        group: str | None = None, start: str | tuple[str, int] = "latest",
    ) -> Json:  # fmt: skip
        name: str = queue_name(queue)
        check_start(start)
        if kind == "stream" or group is not None:
            self._queries.able("streams")
        if group is not None:
            stream = await self._stream_of(name)
            full = f"{name}{GROUP_SEPARATOR}{queue_name(group)}"
            is_new = self.registry.find(full, "group") is None
            offset = await self._operations.offset_of(stream, start) if is_new else 0
            definition, created, changed = await self.registry.declare(full, "group", settings, update=update)
            if created:
                await self.backend.start_group(definition, offset)
        else:
            definition, created, changed = await self.registry.declare(name, kind, settings, update=update)
        if changed:
            self.tell({"k": "declared", "q": definition.name, "def": shown(definition)})
        return {"created": created, "position": self.position}

    async def _stream_of(self, name: str) -> Definition:
        if self.registry.find(name, "stream") is None:
            await self.declare(name, {}, kind="stream")
        return await self.registry.need(name, "stream")

    async def delete(self, queue: str) -> Json:
        name = checked_name(queue)
        definition = await self.registry.need(name, "queue", "stream", "group")
        await self.backend.erase(definition)
        self.registry.drop(name)
        self.tell({"k": "deleted", "q": name})
        self._hearing.deleted(name)
        return {"position": self.position}

    def settings_of(self, queue: str) -> QueueSettings | None:
        return self.registry.settings(queue)

    async def query(self, what: str, args: Mapping[str, Any]) -> Json:
        await self._chronicle.seen(self._teller.serial)
        answer = await self._queries.answer(what, args)
        if what == "overview":
            answer |= {"engine": self.name, "durability": self.durability}
        return answer | {"position": self.position}

    async def operate(self, do: str, args: Mapping[str, Any]) -> Json:
        await self._chronicle.seen(self._teller.serial)
        answer = await self._operations.carry_out(do, args)
        return answer | {"position": self.position}
