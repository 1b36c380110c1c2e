"""Postroad's promises on top of a backend: see the package."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson

from ...clock import Clock, SystemClock
from ...errors import InvalidRequest, OutcomeUnknown, PostroadError, QueueNotFound, Unavailable, Unroutable, Unsupported
from ...names import queue_name, topic_name
from ...settings import QueueSettings
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
from .backend import Backend, Definition, Send, Target
from .chronicle import Chronicle, Kept
from .consumer import ExternalSubscription
from .envelope import to_send
from .operations import Operations, shown
from .queries import Queries
from .readers import ExternalReader
from .records import publish_record
from .registry import GROUP_SEPARATOR, Registry, checked_name
from .sender import Sender
from .source import Source
from .stats import Stats
from .watching import ExternalWatch, MessageWatch, QueueWatch, Watching

log = logging.getLogger("postroad.engine")

TOLD_MAX = 20_000
"""Records waiting for an engine that is away; older ones are dropped."""

TELL_MAX = 500
WAKING = frozenset(("published", "retrying", "returned", "redriven", "acked", "expired", "dead", "cancelled", "purged", "reset", "resumed"))  # fmt: skip

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NEEDS = (
    ("delay", ("delay_ms", "delays_ms")), ("dedup", ("dedup_key", "dedup_keys")), ("priority", ("priority", "priorities")),
    ("ordering_key", ("key", "keys")), ("expiry", ("expire_ms", "expires_ms")),
)  # fmt: skip


class ExternalEngine:
    """See ``engine.Engine``.

    Args:
        backend: The other broker.
        clock: Another clock than the system's.
    """

    def __init__(self, backend: Backend, *, clock: Clock | None = None) -> None:
        self.backend = backend
        self.name = backend.name
        self.capabilities = backend.capabilities
        self.epoch = 0
        self.node = "".join(secrets.choice(_DIGITS) for _ in range(8))
        self.registry = Registry(backend)
        self._clock = clock or SystemClock()
        self._chronicle = Chronicle(self.node)
        self._chronicle.on_records = self._saw
        self._sources: dict[str, Source] = {}
        self._subscriptions: dict[str, ExternalSubscription] = {}
        self._readers: list[ExternalReader] = []
        self._sender = Sender(backend, self.tell, lambda: self._chronicle.position)
        self._stats = Stats(backend, self.registry, self._chronicle, self._sources, self.now)
        self._queries = Queries(backend, self.registry, self._chronicle, self._stats, self._sources, self.now)
        self._operations = Operations(
            backend, self.registry, self._queries, self._sources, self.tell, self._prefix, self.now
        )
        self._watching = Watching(self._chronicle, self._stats_of, self._queries.story)
        self._numbers = itertools.count(1)
        self._declaring: dict[str, list[tuple[PublishBatch, Done[Confirm]]]] = {}
        self._frames: dict[tuple[str, int], list[Done[Confirm]]] = {}
        self._told: list[bytes] = []
        self._serial = 0
        self._teller: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._second: asyncio.TimerHandle | None = None
        self._is_open = False
        self._is_closing = False

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
        for reader in list(self._readers):
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
                await self._sender.close()
                for source in self._sources.values():
                    await source.idle()
                while self._teller is not None:
                    await asyncio.wait([self._teller])

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
        for reader in self._readers:
            reader.wake()
        self._tell_soon()

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _every_second(self) -> None:
        self._second = asyncio.get_running_loop().call_later(1, self._every_second)
        self._watching.touch(self._stats.sample())

    # Telling all gateways

    def tell(self, record: Json) -> None:
        self._serial += 1
        record = {"at": self.now(), "w": [self.node, self._serial], **record}
        if "f" in record:
            self._chronicle.note_frame(
                record
            )  # known here at once: the client may send it again before it has come round
        self._told.append(orjson.dumps(record))
        if len(self._told) > TOLD_MAX:
            del self._told[: len(self._told) - TOLD_MAX]
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._teller is None and self._told:
            self._teller = asyncio.get_running_loop().create_task(self._tell(), name="postroad tell")

    async def _tell(self) -> None:
        try:
            await asyncio.sleep(0)
            while self._told:
                records, self._told = self._told[:TELL_MAX], self._told[TELL_MAX:]
                try:
                    await self.backend.tell(records)
                except Unavailable:
                    self._told = records + self._told  # told again when the backend is back
                    return
        except Exception:
            log.exception("records could not be told")
        finally:
            self._teller = None

    def _saw(self, records: list[Kept]) -> None:
        for _, record in records:
            kind, name = record["k"], record["q"]
            if "def" in record:
                self.registry.put(Definition(**record["def"]))
            if record.get("reload") and record["w"][0] != self.node:
                self._spawn(self.registry.refresh())
            if kind == "deleted":
                self._deleted(name)
            elif kind in ("cancelled", "reset"):
                self._revoke(record)
            if kind in ("paused", "resumed") and name in self._sources:
                self._sources[name].changed()
            if kind in WAKING:
                for waking in (name, record.get("to"), *record.get("queues", ())):
                    self._wake(waking)
        self._watching.saw(records)

    def _wake(self, name: str | None) -> None:
        if name is None:
            return
        source = self._sources.get(name)
        if source is not None:
            source.wake()
        elif self.registry.find(name, "stream"):
            for other, source in self._sources.items():
                if other.startswith(name + GROUP_SEPARATOR):
                    source.wake()
            for reader in self._readers:
                if reader.name == name:
                    reader.wake()

    def _revoke(self, record: Json) -> None:
        source = self._sources.get(record["q"])
        for subscription in source.everyone() if source else ():
            if record["k"] == "reset":
                subscription.revoke(None, "reset")
                continue
            ids = {(prefix, first) for prefix, first, _ in record["i"]}
            held = [m for m in subscription.leases.values() if (m.header["i"], m.header["x"]) in ids]
            if held:
                subscription.revoke(held, "cancelled")
                source.wake() if source else None

    def _deleted(self, name: str) -> None:
        self.registry.drop(name)
        gone = QueueNotFound(f'"{name}" was deleted.', queue=name)
        for other in [o for o in self._sources if o == name or o.startswith(name + GROUP_SEPARATOR)]:
            self._spawn(self._sources.pop(other).close(gone))
        for reader in [reader for reader in self._readers if reader.name == name]:
            self._readers.remove(reader)
            reader.end(gone)

    # Publishing

    def session_opened(self, session: str) -> int:
        return self._chronicle.last_frame(session)

    def session_closed(self, session: str) -> None: ...

    def _prefix(self) -> str:
        number, text = next(self._numbers), ""
        while number:
            number, digit = divmod(number, 36)
            text = _DIGITS[digit] + text
        return f"{self.node}-{text}-"

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        if self._is_closing or not self._is_open:
            done(Unavailable("The broker is stopping."))
            return
        try:
            if batch.producer is not None:
                known = self._known_frame(batch, done)
                if known is None:
                    return
                done = known
            send = self.prepare(batch)
        except QueueNotFound as error:
            if batch.declare and batch.kind != "topic":
                self._declare_first(batch, done)
            else:
                done(error)
            return
        except PostroadError as error:
            done(error)
            return
        waiting = self._declaring.get(batch.queue)
        if waiting is not None:
            waiting.append((batch, done))
        elif send.targets:
            self._sender.send(send, done)
        else:
            self._unrouted(batch, send, done)

    def _known_frame(self, batch: PublishBatch, done: Done[Confirm]) -> Done[Confirm] | None:
        """Answer a frame that was stored before, or join one under way; else who is to be told of its outcome.

        Raises:
            OutcomeUnknown.
        """
        assert batch.producer is not None
        record, is_old = self._chronicle.frame(*batch.producer)
        if record is not None:
            duplicates = {int(index): id for index, id in record.get("u", {}).items()}
            prefix = record["i"][0][0] if record["i"] else ""
            done(
                Confirm(
                    position=self.position, id_prefix=prefix, count=record["fc"], routed=len(record["p"]),
                    duplicates=duplicates or None, replayed=True,
                )
            )  # fmt: skip
            return None
        if is_old:
            raise OutcomeUnknown("The frame is older than what is remembered of its session.")
        waiting = self._frames.get(batch.producer)
        if waiting is not None:
            waiting.append(done)
            return None
        frame = batch.producer
        self._frames[frame] = [done]

        def finish(outcome: Confirm | PostroadError) -> None:
            for other in self._frames.pop(frame, ()):
                other(outcome)

        return finish

    def prepare(self, batch: PublishBatch) -> Send:
        """A batch ready to send, its targets found.

        Raises:
            QueueNotFound, InvalidRequest, Unsupported, Unroutable, Conflict.
        """
        attributes = batch.attributes
        for capability, names in _NEEDS if attributes else ():
            if getattr(self.capabilities, capability) == "unsupported":
                for name in names:
                    if attributes.get(name) not in (None, 0) and attributes.get(name) != [None] * len(batch.sizes):
                        raise Unsupported(f"{self.name} has no {capability}.", capability=capability, field=name)
        count = len(batch.sizes)
        if batch.kind == "topic":
            self._queries.able("topics")
            topic = topic_name(batch.queue)
            routes = self.registry.route(topic, count, attributes.get("headers"))
            if not routes and batch.mandatory:
                raise Unroutable(f'No binding matches "{topic}".', topic=topic)
            send = to_send(batch, self._prefix(), self.now())
            send.topic = topic
            for name, only in routes:
                send.targets.append(self._target(name, "queue", "stream", only=only))
            return send
        name = queue_name(batch.queue)
        if batch.kind == "stream":
            self._queries.able("streams")
        target = self._target(name, "stream" if batch.kind == "stream" else "queue")
        settings = self.registry.settings(name)
        send = to_send(batch, self._prefix(), self.now(), settings.expire_ms if settings else None)
        if target.kind == "stream" and (send.dues is not None or send.priorities is not None):
            raise InvalidRequest("A stream takes neither delay nor priority.", field="delay_ms")
        send.targets.append(target)
        return send

    def _target(self, name: str, *kinds: str, only: list[int] | None = None) -> Target:
        definition = self.registry.find(name, *kinds)
        if definition is None:
            raise QueueNotFound(f'There is no {kinds[0]} named "{name}".', queue=name)
        return Target(name=name, kind=definition.kind, only=only, settings=definition.settings)

    def _unrouted(self, batch: PublishBatch, send: Send, done: Done[Confirm]) -> None:
        self.tell(publish_record(send, [], None))
        done(Confirm(position=self.position, id_prefix=send.prefix, count=len(batch.sizes), routed=0))

    def _declare_first(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        waiting = self._declaring.setdefault(batch.queue, [])
        waiting.append((batch, done))
        if len(waiting) == 1:
            self._spawn(self._declare_and_publish(batch.queue, batch.kind))

    async def _declare_and_publish(self, name: str, kind: str) -> None:
        error: PostroadError | None = None
        try:
            await self._make(name, kind)
        except PostroadError as refused:
            error = refused
        for batch, done in self._declaring.pop(name, []):
            if error is not None:
                done(error)
                continue
            try:
                self._sender.send(self.prepare(batch), done)
            except PostroadError as refused:
                done(refused)

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
        stream = await self.registry.need(spec.stream, "stream")
        extent = await self.backend.extent(stream)
        offset = await self._operations.offset_of(stream, spec.start)
        if isinstance(spec.start, tuple) and spec.start[0] == "offset":
            offset = min(spec.start[1], extent.next)  # before the earliest kept: said as trimmed
        self._readers = [reader for reader in self._readers if not reader.is_over]
        reader = ExternalReader(self.backend, stream, sink, offset, self.position)
        self._readers.append(reader)
        return reader

    # Watching

    async def watch(self, spec: WatchSpec, sink: WatchSink) -> ExternalWatch:
        loop = asyncio.get_running_loop()
        await self._chronicle.seen(self._serial)
        position = self.position
        if spec.message is not None:
            self._queries.able("timeline")
            story, prefix, index = self._queries.need_story(spec.message)
            message = MessageWatch(prefix, index, sink)
            self._watching.add_message(message)
            return ExternalWatch(position, {"message": story.to_json()}, lambda: self._watching.remove_message(message))
        self._queries.able("live_events")
        snapshot: Json
        if spec.queue is not None:
            await self.registry.need(spec.queue, "queue", "group", "stream")
            snapshot = {"queue": await self._stats_of(spec.queue)}
        else:
            snapshot = {"queues": await self._queries.queues()}
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
        self._deleted(name)
        return {"position": self.position}

    def settings_of(self, queue: str) -> QueueSettings | None:
        return self.registry.settings(queue)

    async def query(self, what: str, args: Mapping[str, Any]) -> Json:
        await self._chronicle.seen(self._serial)
        answer = await self._queries.answer(what, args)
        if what == "overview":
            answer |= {"engine": self.name, "durability": self.durability}
        return answer | {"position": self.position}

    async def operate(self, do: str, args: Mapping[str, Any]) -> Json:
        await self._chronicle.seen(self._serial)
        answer = await self._operations.carry_out(do, args)
        return answer | {"position": self.position}
