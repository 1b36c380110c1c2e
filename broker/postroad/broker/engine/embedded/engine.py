"""The embedded engine: commands go to the core, its records to the journal, its outputs through the gate.

All methods run on one event loop; only the journal's writer and slow reads are in threads. The core decides at once, in memory;
what it decided is journaled at the end of the loop turn, together with everything else of that turn; and nothing of it is seen by
anyone before the gate has opened for its position.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from ...clock import Clock, SystemClock
from ...core import command as c
from ...core import snapshot
from ...core.codec import decode, encode
from ...core.compact import COMPACT_BYTES
from ...core.machine import Machine
from ...core.record import Publish, Record
from ...core.stream import GROUP_SEPARATOR
from ...errors import Internal, PostroadError, StorageFull, Unavailable
from ...journal import Files, Journal, JournalOptions
from ...limits import Limits
from ...names import queue_name
from ...settings import QueueSettings
from ..engine import (
    Buffer,
    Capabilities,
    Confirm,
    ConsumerSink,
    ConsumeSpec,
    Done,
    Json,
    LogLine,
    PublishBatch,
    ReadSink,
    ReadSpec,
    WatchSink,
    WatchSpec,
)  # fmt: skip
from .bodies import Bodies, Stored
from .gate import Gate, Output
from .history import History
from .logbook import Logbook
from .operations import Operations
from .outlet import Outlet
from .queries import Queries
from .readers import EmbeddedReader, Readers
from .snapshots import Snapshots
from .stats import Stats
from .subscription import EmbeddedSubscription
from .translate import kept_bodies, size_of, to_command
from .watches import EmbeddedWatch, open_watch
from .watching import Watching

log = logging.getLogger("postroad.engine")

TICK_BYTES = 160
"""What the end of one lease may add to the journal: a return, or a place and a settle."""

FULL_RETRY_S = 1.0

CAPABILITIES = Capabilities(
    delay="native", dedup="native", producer_sessions="native", retry="native", dead_letter="native", redrive="native",
    peek="native", timeline="native", live_events="native", results="native", atomic_ack_publish="native",
    pause="native", cancel="native", priority="native", ordering_key="native", expiry="native", topics="native", streams="native",
    schedules="native", search="native", edit="native",
    length_max="native", bytes_max="native", overflow="native", concurrency_max="native", rate_max="native",
    retention_ms="native", retention_count="native", retention_bytes="native", keep_until_acked="native", compaction="native",
)  # fmt: skip


class EmbeddedEngine:
    """See ``engine.Engine``.

    Args:
        files: Where the journal lives.
        options: The journal's.
        clock: Another clock than the system's.

    Attributes:
        on_failure: Called once when the journal has failed and the process should end; nothing is confirmed any more.
    """

    name = "embedded"
    capabilities = CAPABILITIES
    reasons: Mapping[str, str] = {}

    def __init__(
        self, files: Files, options: JournalOptions, *, clock: Clock | None = None, limits: Limits | None = None
    ) -> None:
        self.durability = options.durability
        self.store = ""
        self.epoch = 0
        self.on_failure: Callable[[], None] | None = None
        self._files = files
        self._options = options
        self._clock = clock
        self._limits = limits or Limits()
        self._failed: BaseException | None = None
        self._is_open = False
        self._is_closing = False
        self._flush_wanted = False
        self._waiters: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: int | None = None

    # Life

    async def start(self) -> None:
        """Open the journal, take up the last state, begin a new epoch.

        Raises:
            Corrupt: the journal is damaged before its torn tail; says where, and changes nothing.
            Unavailable: another broker holds the folder.
        """
        loop = self._loop = asyncio.get_running_loop()
        journal = self._journal = Journal(self._files, self._options, post=self._post)
        recovered = journal.open()
        machine = self._machine = Machine(self._limits)
        if recovered.snapshot is not None:
            machine.state = snapshot.restore(recovered.snapshot)
        for position, header in journal.records():
            machine.state.apply(decode(header), position)
        journal.on_durable = self._durable
        journal.on_failure = self._failure
        journal.begin()
        self.store, self.epoch = recovered.store, recovered.epoch
        self._clock = self._clock or SystemClock(machine.state.at)
        for position in machine.state.references():
            journal.retain(position)
        machine.state.retained.clear()
        machine.state.released.clear()
        self._bodies = Bodies(journal, machine.state.id_prefix)
        self._stats = Stats(machine)
        self._history = History(machine, journal)
        self._watching = Watching(machine, self._stats, loop, self._once_durable)
        self._logbook = Logbook(machine, self._watching, self._now)
        self._outlet = Outlet(machine, self._bodies, self._watching, self._stats, self._unreadable)
        self._gate = Gate(self._release)
        self._gate.durable = journal.durable_position
        self._queries = Queries(
            machine, journal, self._bodies, self._stats, self._history, self._watching.progress, self._watching.logs
        )
        self._operations = Operations(machine, self._history, self.run, self.carry_out)
        self._readers = Readers(machine, self._bodies, loop, self.durable)
        self._outlet.readers = self._readers
        self._snapshots = Snapshots(machine, journal, self.durable)
        self._is_open = True
        self._second = loop.call_later(1, self._every_second)
        log.info(
            "recovered: %d records, %d batches read, %d bytes cut, %d ms",
            recovered.last_position, recovered.batches, recovered.cut_bytes, recovered.duration_ms,
        )  # fmt: skip
        await self.run(c.Start(epoch=recovered.epoch))

    async def close(self, drain_ms: int = 0) -> None:
        if not self._is_open:
            return
        self._is_closing = True
        self._machine.delivering = False
        until = self._loop.time() + drain_ms / 1000
        while self._loop.time() < until and any(sub.leases.count for sub in self._machine.subscriptions.values()):
            await asyncio.sleep(0.02)
        self._is_open = False
        self._second.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._watching.close()
        stopping = Unavailable("The broker is stopping.")
        try:
            if self._failed is None:
                self._flush()
                await self.durable(self._machine.state.position)
                await self._snapshots.close()
        except Unavailable:
            log.error("the journal failed while the broker stopped")
        finally:
            await asyncio.to_thread(self._journal.close)  # after a failure it writes nothing, and gives up the folder
            self._outlet.close(stopping)
            self._readers.close(stopping)

    @property
    def position(self) -> int:
        return self._gate.durable

    @property
    def healthy(self) -> bool:
        return self._is_open and self._failed is None

    def stop_delivering(self) -> None:
        """From now on only settles are taken; for the time before ``close``."""
        self._is_closing = True
        self._machine.delivering = False

    # Messages

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        if (refused := self._refused(batch)) is not None:
            done(refused)
            return
        try:
            reply: c.Published = self._machine.handle(to_command(batch), self._now())
        except PostroadError as error:
            self._refuse(done, error)
            return
        self._emit(lambda: done(self.confirm(reply)), {reply.position: kept_bodies(batch, reply)})

    def confirm(self, reply: c.Published) -> Confirm:
        state = self._machine.state
        duplicates, found, routed = None, reply.duplicates, reply.routed
        if reply.replayed and (first := self._history.publish_at(reply.position)) is not None:
            found, routed = first.duplicates, len(first.targets)
        if found:
            duplicates = {i: f"{state.id_prefix(at)}{index}" for i, (at, index) in found.items()}
        return Confirm(
            position=reply.position, id_prefix=state.id_prefix(reply.position), count=reply.count,
            routed=routed, duplicates=duplicates, replayed=reply.replayed,
        )  # fmt: skip

    def _refused(self, batch: PublishBatch) -> PostroadError | None:
        if self._is_closing or self._failed is not None:
            return Unavailable("The broker is stopping.")
        if not self._journal.has_room(size_of(batch)):
            return StorageFull("The disk has no room for more messages; consuming goes on.")
        return None

    async def consume(self, spec: ConsumeSpec, sink: ConsumerSink) -> EmbeddedSubscription:
        if self._is_closing or self._failed is not None:
            raise Unavailable("The broker is stopping.")
        name: str = queue_name(spec.queue)
        if spec.group is not None:
            name = await self._group(spec, queue_name(spec.group))
        command = c.Consume(
            queue=name, consumer=spec.consumer, client=spec.client, prefetch=spec.prefetch,
            lease_ms=spec.lease_ms, declare=spec.declare, resume=spec.resume, held=spec.held, begun=spec.begun,
            secret=f"-{secrets.token_urlsafe(12)}",
        )  # fmt: skip
        if not self._journal.has_room(4096, settle=True):
            raise StorageFull("The disk has no room left at all.")
        consuming: c.Consuming = self._machine.handle(command, self._now())
        self._outlet.attach(consuming.subscription, sink, consuming.first)
        position = await self._emitted()
        return EmbeddedSubscription(self, consuming, position, sink)

    async def _group(self, spec: ConsumeSpec, group: str) -> str:
        """The name of a consumer group, made if need be."""
        name = f"{spec.queue}{GROUP_SEPARATOR}{group}"
        if spec.declare and name not in self._machine.state.queues:
            await self.run(c.DeclareGroup(stream=spec.queue, group=group, start=spec.start))
        return name

    async def read(self, spec: ReadSpec, sink: ReadSink) -> EmbeddedReader:
        if self._is_closing:
            raise Unavailable("The broker is stopping.")
        return await self._readers.open(spec, sink)

    async def watch(self, spec: WatchSpec, sink: WatchSink) -> EmbeddedWatch:
        return await open_watch(
            spec, sink, self._machine, self._watching, self._history, self._queries, self._gate, self.durable
        )

    def session_opened(self, session: str) -> int:
        self._machine.handle(c.SessionOpened(session=session), self._now())
        known = self._machine.state.producers.get(session)
        # Only what is durable: the client never sends again what it takes for confirmed.
        frames = known.frames.items() if known is not None else ()
        return max((frame for frame, (position, _) in frames if position <= self._gate.durable), default=0)

    def session_closed(self, session: str) -> None:
        self._machine.handle(c.SessionClosed(session=session), self._now())
        self._emit(None)

    # Queues

    async def declare(
        self, queue: str, settings: Mapping[str, object], *, update: bool = False, kind: str = "queue",
        group: str | None = None, start: str | tuple[str, int] = "latest",
    ) -> Json:  # fmt: skip
        name = queue_name(queue)
        command: c.Declare | c.DeclareStream | c.DeclareGroup = c.Declare(queue=name, settings=settings, update=update)
        if group is not None:
            command = c.DeclareGroup(
                stream=name, group=queue_name(group), settings=settings, update=update, start=start
            )
        elif kind == "stream":
            command = c.DeclareStream(stream=name, settings=settings, update=update)
        created = await self.run(command)
        return {"created": created, "position": self.position}

    async def delete(self, queue: str) -> Json:
        await self.run(c.Delete(queue=queue))
        return {"position": self.position}

    def settings_of(self, queue: str) -> QueueSettings | None:
        found = self._machine.state.queues.get(queue)
        return found.settings if found else None

    async def query(self, what: str, args: Mapping[str, Any]) -> Json:
        answer = await self._queries.answer(what, args, self._gate.durable)
        await self.durable(self._machine.state.position)  # as of now: the answer may have looked at the core last
        if what == "overview":
            answer |= {"engine": self.name, "durability": self.durability, "journal": self._journal.stats()}
        return answer | {"position": self.position}

    async def operate(self, do: str, args: Mapping[str, Any]) -> Json:
        return await self._operations.carry_out(do, args) | {"position": self.position}

    # Machinery

    async def run(self, command: object) -> Any:
        """Carry out one command; returns its reply once everything it rests on is durable.

        Raises:
            PostroadError: the core refuses it. Unavailable: the broker has stopped meanwhile.
        """
        if not self._is_open or self._failed is not None:
            raise Unavailable("The broker is stopping.")
        if not self._journal.has_room(4096, settle=True):
            raise StorageFull("The disk has no room left at all.")
        try:
            reply = self._machine.handle(command, self._now())
        except PostroadError:
            await self.durable(self._machine.state.position)  # see _refuse
            raise
        await self._emitted()
        return reply

    async def carry_out(self, command: object, publish: c.PublishMessages, body: Buffer) -> c.Published:
        """Carry out a command that publishes one message with this body.

        Raises:
            PostroadError: refused, as in ``run``.
        """
        if not self.healthy or self._is_closing:
            raise Unavailable("The broker is stopping.")
        if not self._journal.has_room(len(body) + 4096):
            raise StorageFull("The disk has no room for more messages; consuming goes on.")
        reply: c.Published = self._machine.handle(command, self._now())
        self._emit(None, {reply.position: body})
        await self.durable(self._machine.state.position)
        return reply

    def settle(self, command: c.SettleDeliveries, batches: list[PublishBatch], done: Callable[[Any], None]) -> None:
        """Settle; ``batches`` are the publishes of its completions, in order. ``done`` gets a ``SettleReply`` or an error."""
        nacked = sum(nack.last - nack.first + 1 for nack in command.nacks)
        if nacked and (subscription := self._machine.subscriptions.get(command.subscription)) is not None:
            nacked = min(nacked, subscription.leases.count)
        size = sum(map(size_of, batches)) + TICK_BYTES * nacked + 64 * len(command.acks) + 4096
        for completion in command.completions:
            size += 32 * len(completion.others)
            results = (completion.result, *(result for _, result in completion.others))
            size += sum(len(orjson.dumps(result)) for result in results if result is not None)
        if self._failed is not None or not self._is_open:
            done(Unavailable("The broker is stopping."))
            return
        for batch in batches:
            if (refused := self._refused(batch)) is not None:
                done(refused)
                return
        if not self._journal.has_room(size, settle=not batches):
            done(StorageFull("The disk has no room left at all."))
            return
        try:
            reply: c.SettleReply = self._machine.handle(command, self._now())
        except PostroadError as error:
            self._refuse(done, error)
            return
        stored = zip(batches, reply.published, strict=True)
        self._emit(lambda: done(reply), {item.position: kept_bodies(batch, item) for batch, item in stored if item})

    def note_log(self, subscription: int, lines: Sequence[LogLine]) -> None:
        """Log lines of a consumer's handlers: nothing of them is journaled."""
        self._logbook.take(subscription, lines)

    def tell(self, command: object) -> None:
        """Carry out a command whose reply nobody waits for."""
        if self._is_open and self._failed is None:
            self._machine.handle(command, self._now())
            self._emit(None)

    def owns(self, subscription: int, sink: ConsumerSink) -> bool:
        return self._outlet.owns(subscription, sink)

    def detach(self, subscription: int) -> None:
        self._outlet.detach(subscription)
        self.tell(c.Detach(subscription=subscription))

    async def durable(self, position: int) -> None:
        """Wait until ``position`` is durable.

        Raises:
            Unavailable: it will never be.
        """
        if position <= self._gate.durable:
            return
        if self._failed is not None:
            raise Unavailable("The journal has failed; the broker stops.")
        waiter: asyncio.Future[None] = self._loop.create_future()

        def arrived() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self._gate.put(Output(position, arrived, [], []))
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def _refuse(self, done: Callable[[Any], None], error: PostroadError) -> None:
        """A refusal, too, rests on what was applied: a conflict with a message that is not durable yet must not get out."""
        self._once_durable(lambda: done(error))

    def _once_durable(self, tell: Callable[[], None]) -> None:
        self._gate.put(Output(self._machine.state.position, tell, [], []))

    async def _emitted(self) -> int:
        self._emit(None)
        position = self._machine.state.position
        await self.durable(position)
        return position

    def _emit(self, reply: Callable[[], None] | None, bodies: Mapping[int, Buffer] | None = None) -> None:
        """Journal the records of the last command as one atomic batch, and put its outputs behind the gate."""
        machine = self._machine
        records, effects = machine.take()
        if records:
            if machine.fired:
                bodies = {**(bodies or {}), **machine.fired}
                machine.fired = {}
            self._append(records, bodies or {})
        if reply or records or effects:
            self._gate.put(Output(machine.state.position, reply, records, effects))
        self._arm()

    def _append(self, records: list[tuple[int, Record]], bodies: Mapping[int, Buffer]) -> None:
        rows: list[tuple[bytes, Buffer | None]] = []
        size = 0
        for position, record in records:
            header, body = encode(record), None
            if isinstance(record, Publish) and (body := bodies.get(position)) is not None:
                prefix = self._machine.state.id_prefix(position)
                stored = Stored(prefix, record.at, record.sizes, record.attributes, body, record.topic)
                self._bodies.put(position, stored)
                size += len(body)
            rows.append((header, body))
            size += len(header)
        try:
            first = self._journal.append(rows)
        except Unavailable as error:  # it has failed, and will say so in a moment: nothing of this gets out
            self._failure(error)
            return
        assert first == records[0][0], f"journal is at {first}, core at {records[0][0]}"
        self._note_references()
        self._snapshots.count(len(rows), size)
        if not self._flush_wanted:
            self._flush_wanted = True
            self._loop.call_soon(self._flush)

    def _note_references(self) -> None:
        state = self._machine.state
        if state.retained:
            for position in state.retained:
                self._journal.retain(position)
            state.retained.clear()
        if state.released:
            for position in state.released:
                self._journal.release(position)
            state.released.clear()

    def _flush(self) -> None:
        self._flush_wanted = False
        self._journal.flush()

    def _durable(self, position: int) -> None:
        if self._failed is None:
            self._gate.open_to(position)

    def _release(self, outputs: list[Output]) -> None:
        self._outlet.release(outputs)

    def _failure(self, error: BaseException) -> None:
        """The journal failed: nothing that waits will ever be durable, and nothing more is answered."""
        if self._failed is None:
            self._failed = error
            log.critical("the journal failed, the broker stops: %r", error)
            self._gate.drop()
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_exception(Unavailable("The journal has failed; the broker stops."))
            if self.on_failure is not None:
                self.on_failure()

    def _unreadable(self, subscription: int, first: int, last: int, error: PostroadError) -> None:
        """Bodies cannot be read: they are dead-lettered with the reason, not served and not retried for ever."""
        log.error("unreadable messages, deliveries %d to %d: %s", first, last, error.message)
        nack = c.NackRange(first=first, last=last, reason=f"{error.code}: {error.message}", dead=True)
        self.tell(c.SettleDeliveries(subscription=subscription, nacks=[nack]))

    def _post(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(callback)

    def _now(self) -> int:
        assert self._clock is not None
        return self._clock.now_ms()

    def _arm(self) -> None:
        due = self._machine.next_due()
        if due is None or (self._timer_due is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_later(max(due - self._now(), 0) / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = self._timer_due = None
        if not self._is_open or self._failed is not None:
            return
        leased = sum(subscription.leases.count for subscription in self._machine.subscriptions.values())
        compacted = sum(stream.compaction is not None for stream in self._machine.state.streams.values())
        if not self._journal.has_room(4096 + TICK_BYTES * leased + COMPACT_BYTES * compacted, settle=True):
            # What comes due would have no place in the journal, and the broker would end: it waits for space.
            self._timer = self._loop.call_later(FULL_RETRY_S, self._tick)
            return
        try:
            self._machine.handle(c.Tick(), self._now())
            self._emit(None)
        except PostroadError as error:  # nothing in a tick is a caller's fault
            raise Internal(f"tick refused: {error}") from error

    def _every_second(self) -> None:
        self._second = self._loop.call_later(1, self._every_second)
        moving = self._stats.sample(self._now())
        self._watching.touch(queue.name for queue in moving)
        self._logbook.trim(self._journal.earliest)
        self._snapshots.consider(self._now())
