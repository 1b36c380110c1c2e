"""The embedded engine: commands go to the core, its records to the journal, its outputs through the gate.

All methods run on one event loop; only the journal's writer and slow reads are in threads. The core decides at once, in memory;
what it decided is journaled at the end of the loop turn, together with everything else of that turn; and nothing of it is seen by
anyone before the gate has opened for its position (``write/pipeline.py``). Starting is ``recovery.py``, time is ``write/ticker.py``; here is the seam.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from ...clock import Clock, SystemClock
from ...core.durable.stream import GROUP_SEPARATOR
from ...core.format import command as c
from ...core.rules.context import COMMAND_BYTES, ITEM_BYTES
from ...errors import PostroadError, Unavailable
from ...journal import Files, JournalOptions
from ...limits import Limits
from ...names import queue_name
from ...settings import DAY_MS, QueueSettings
from ..bounds import check_batch, check_consume, check_settle, check_start
from ..engine import (
    Buffer,
    Confirm,
    ConsumerSink,
    ConsumeSpec,
    Done,
    Json,
    LogLine,
    PublishBatch,
    ReadSink,
    ReadSpec,
    SettleBatch,
    WatchSink,
    WatchSpec,
)  # fmt: skip
from .capabilities import CAPABILITIES
from .look.browsing import Browsing
from .look.guarded import GuardedReadSink, GuardedWatchSink
from .look.history import History
from .look.logbook import Logbook
from .look.memory import Memory
from .look.observers import Observers
from .look.queries import Queries
from .look.readers import EmbeddedReader, Readers
from .look.stats import Stats
from .look.watches import EmbeddedWatch, Sources, open_watch
from .look.watching import Watching
from .operations import Operations
from .recovery import recover, take_up
from .settle_slices import SLICE_ITEMS
from .subscription import EmbeddedSubscription
from .timekeeping import Timekeeping
from .write.bodies import Bodies
from .write.fatal import FatalCommands
from .write.outlet import Outlet
from .write.pipeline import DISK_FULL, DROPPED_A_SECOND, JOURNAL_FAILED, NO_ROOM, CommitPipeline, refusal
from .write.ticker import Ticker
from .write.translate import PUBLISH_BYTES, kept_bodies, needed, settle_size, size_of, to_command
from .write.work import Work

log = logging.getLogger("postroad.engine")

MESSAGE_ROOM = 64 * 1024
"""Headers and all that a message has beside its body, at most."""


class EmbeddedEngine:
    """See ``engine.Engine``.

    Args:
        files: Where the journal lives.
        options: The journal's.
        clock: Another clock than the system's.
        clock_ahead_max_ms: A start whose clock is further past the last record is not believed at once (``core/rules/wall_clock.py``).

    Attributes:
        on_failure: Called once, at once, when the process must end: the journal has failed, or a command could not be carried out
            whole. Nothing is taken or confirmed any more.
    """

    name = "embedded"
    capabilities = CAPABILITIES
    reasons: Mapping[str, str] = {}

    def __init__(
        self, files: Files, options: JournalOptions, *, clock: Clock | None = None, limits: Limits | None = None,
        clock_ahead_max_ms: int = DAY_MS,
    ) -> None:  # fmt: skip
        self.durability = options.durability
        self.store = ""
        self.epoch = 0
        self.on_failure: Callable[[], None] | None = None
        self._files = files
        self._options = options
        self._clock: Clock = clock or SystemClock()
        self._clock_ahead_max_ms = clock_ahead_max_ms
        self._limits = limits or Limits()
        self._is_open = False
        self._is_closing = False

    # Life

    async def start(self) -> None:
        """Open the journal, take up the last state, begin a new epoch.

        Raises:
            Corrupt: the journal is damaged before its torn tail; says where, and changes nothing.
            Unavailable: another broker holds the folder.
        """
        loop = self._loop = asyncio.get_running_loop()
        journal, machine, recovered = recover(self._files, self._options, self._limits, self._post, self._clock)
        self._journal, self._machine = journal, machine
        self.store, self.epoch = recovered.store, recovered.epoch
        self._clock.not_before(machine.state.at)
        self._timekeeping = Timekeeping(self._clock, machine, self.execute)
        self._bodies = Bodies(journal, machine.state.id_prefix)
        fatal = FatalCommands(self._files)
        fatal.load(self._now())
        machine.barred.update(fatal.timers())
        pipeline = self._pipeline = CommitPipeline(
            machine, journal, self._bodies, fatal, loop, self._now, lambda outputs: self._outlet.release(outputs)
        )
        pipeline.on_failure = self._failed
        journal.on_durable, journal.on_failure = pipeline.became_durable, pipeline.journal_failed
        take_up(journal, machine)
        machine.unit = journal.unit_bytes_max
        pipeline.gate.durable = journal.durable_position
        self._ticker = Ticker(machine, pipeline, loop, self._now)
        self._stats = Stats(machine)
        self._history = History(machine, journal)
        self._watching = Watching(machine, self._stats, loop, pipeline.once_durable)
        self._logbook = Logbook(machine, self._watching, self._now)
        self._readers = Readers(machine, self._bodies, loop, pipeline.durable)
        self._observers = Observers(machine, self._readers, self._stats, self._watching, self._history.recent)
        self._outlet = Outlet(machine, self._bodies, self._unreadable, self._observers.on_released)
        progress, logs = self._watching.progress, self._watching.logs
        memory = Memory(machine, journal, self._bodies, self._watching, self._history.recent)
        browsing = Browsing(machine, journal, self._bodies, progress)
        self._queries = Queries(machine, browsing, memory, self._bodies, self._stats, self._history, progress, logs)
        self._work = Work(loop, pipeline.once_durable, self._now)
        self._operations = Operations(machine, self._history, self.run, self.carry_out, self._step, self._work)
        self._is_open = True
        self._second = loop.call_later(1, self._every_second)
        skew_ms = self._timekeeping.told_ms
        await self.run(c.Start(epoch=recovered.epoch, skew_ms=skew_ms, ahead_max_ms=self._clock_ahead_max_ms))
        self._timekeeping.look()

    async def close(self, drain_ms: int = 0) -> None:
        if not self._is_open:
            return
        self._is_closing = True
        self._work.close()
        self._machine.delivering = False
        until = self._loop.time() + drain_ms / 1000
        while self._loop.time() < until and any(sub.leases.count for sub in self._machine.subscriptions.values()):
            await asyncio.sleep(0.02)
        self._is_open = False
        self._second.cancel()
        self._ticker.stop()
        self._watching.close()
        self._observers.close()
        self._history.close()
        stopping = Unavailable("The broker is stopping.")
        try:
            if not self._has_failed:
                self._pipeline.flush()
                await self._pipeline.all_durable()
                await self._pipeline.snapshots.close()
        except Unavailable:
            log.error("the journal failed while the broker stopped")
        finally:
            await asyncio.to_thread(self._journal.close)  # after a failure it writes nothing, and gives up the folder
            self._outlet.close(stopping)
            self._readers.close(stopping)

    @property
    def position(self) -> int:
        return self._pipeline.gate.durable

    @property
    def healthy(self) -> bool:
        return self._is_open and not self._has_failed

    @property
    def unready(self) -> str | None:
        if not self._is_open:
            return self._pipeline.why if self._has_failed else "The broker is not open."
        if self._has_failed or self._journal.failed is not None:
            return self._pipeline.why or JOURNAL_FAILED
        if self._is_closing:
            return "The broker is stopping."
        room, free = self._journal.room()
        most = min(self._limits.body_bytes_max + MESSAGE_ROOM, self._journal.unit_bytes_max)
        if free < most:
            return DISK_FULL if room >= MESSAGE_ROOM else NO_ROOM
        return None

    @property
    def _has_failed(self) -> bool:
        return self._pipeline.failed is not None

    def stop_delivering(self) -> None:
        """From now on only settles are taken; for the time before ``close``."""
        self._is_closing = True
        self._machine.delivering = False

    # Messages

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        if (refused := self._refused()) is not None:
            done(refused)
            return
        try:
            check_batch(batch, self._limits)
            self._pipeline.execute(
                to_command(batch), size_of(batch), publishes=True, bodies=(batch.bodies,),
                answer=lambda reply: done(self.confirm(reply)),
                stored=lambda reply: {reply.position: kept_bodies(batch, reply)},
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was changed, and the caller is told
            self._pipeline.refuse(done, refusal(error, batch))

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

    def _refused(self) -> PostroadError | None:
        if self._pipeline.failed is not None:
            return Unavailable(self._pipeline.why)
        return Unavailable("The broker is stopping.") if self._is_closing else None

    def _check_failed(self) -> None:
        """Raises: Unavailable: what is in memory may be half of a command, and is looked at no more."""
        if self._has_failed:
            raise Unavailable(self._pipeline.why)

    async def consume(self, spec: ConsumeSpec, sink: ConsumerSink) -> EmbeddedSubscription:
        if (refused := self._refused()) is not None:
            raise refused
        check_consume(spec, self._limits)
        name: str = queue_name(spec.queue)
        if spec.group is not None:
            name = await self._group(spec, queue_name(spec.group))
        command = c.Consume(
            queue=name, consumer=spec.consumer, client=spec.client, prefetch=spec.prefetch,
            lease_ms=spec.lease_ms, declare=spec.declare, resume=spec.resume, held=spec.held, begun=spec.begun,
            reports_begun=spec.reports_begun,
            secret=f"-{secrets.token_urlsafe(12)}",
        )  # fmt: skip

        def attach(reply: c.Consuming) -> None:
            self._outlet.attach(reply.subscription, sink, reply.first)

        consuming: c.Consuming = self._pipeline.execute(command, self._consume_size(spec), decided=attach)
        position = self._machine.state.position
        await self._pipeline.durable(position)
        return EmbeddedSubscription(self, consuming, position, sink)

    def _consume_size(self, spec: ConsumeSpec) -> int:
        """What a consumer that comes back does not hold any more is given back."""
        held = 0
        if spec.resume is not None:
            former = self._machine.by_token(spec.resume)
            held = former.leases.count if former is not None else 0
        return COMMAND_BYTES + ITEM_BYTES * held

    async def _group(self, spec: ConsumeSpec, group: str) -> str:
        """The name of a consumer group, made if need be."""
        name = f"{spec.queue}{GROUP_SEPARATOR}{group}"
        if spec.declare and name not in self._machine.state.queues:
            await self.run(c.DeclareGroup(stream=spec.queue, group=group, start=spec.start))
        return name

    async def read(self, spec: ReadSpec, sink: ReadSink) -> EmbeddedReader:
        if (refused := self._refused()) is not None:
            raise refused
        check_start(spec.start)
        return await self._readers.open(spec, GuardedReadSink(sink))

    async def watch(self, spec: WatchSpec, sink: WatchSink) -> EmbeddedWatch:
        self._check_failed()
        sources = Sources(
            machine=self._machine, watching=self._watching, history=self._history, queries=self._queries,
            durable=self._pipeline.durable,
        )  # fmt: skip
        return await open_watch(spec, GuardedWatchSink(sink), sources)

    def session_opened(self, session: str) -> int:
        self._pipeline.execute(c.SessionOpened(session=session), 0)
        known = self._machine.state.producers.get(session)
        # Only what is durable: the client never sends again what it takes for confirmed.
        frames = known.frames.items() if known is not None else ()
        return max((frame for frame, (position, _) in frames if position <= self._pipeline.gate.durable), default=0)

    def session_closed(self, session: str) -> None:
        self.execute(c.SessionClosed(session=session))

    # Queues

    async def declare(
        self, queue: str, settings: Mapping[str, object], *, update: bool = False, kind: str = "queue",
        group: str | None = None, start: str | tuple[str, int] = "latest",
    ) -> Json:  # fmt: skip
        name = queue_name(queue)
        check_start(start)
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
        self._check_failed()
        if what == "operations":
            answer: Json = {"operations": self._work.rows()}
        else:
            answer = await self._queries.answer(what, args, self._pipeline.gate.durable)
        await self._pipeline.all_durable()  # as of now: the answer may have looked at the core last
        if what == "overview":
            answer["operations"] = self._work.rows()
            answer |= {"engine": self.name, "durability": self.durability, "journal": self._journal.stats()}
            answer |= self._timekeeping.numbers()
        return answer | {"position": self.position}

    async def operate(self, do: str, args: Mapping[str, Any]) -> Json:
        self._check_failed()
        return await self._operations.carry_out(do, args) | {"position": self.position}

    # Machinery

    async def run(self, command: object) -> Any:
        """Carry out one command; returns its reply once everything it rests on is durable.

        Raises:
            PostroadError: the core refuses it. Unavailable: the broker has stopped meanwhile.
        """
        # A schedule keeps its body in the journal, and leaves the reserve of settles alone as messages do.
        publishes = isinstance(command, c.DeclareSchedule)
        return await self._run(command, needed(command, len(self._machine.state.logs)), publishes=publishes)

    def _step(self, command: object, *, adds: bool = False) -> Any:
        """Carry out one command of a long operation; returns its reply, which may rest on what is not durable yet.

        Raises:
            PostroadError: the core refuses it, or there is no room for what it adds.
        """
        if not self.healthy or self._is_closing:
            raise Unavailable(self._pipeline.why or "The broker is stopping.")
        return self._pipeline.execute(command, needed(command, len(self._machine.state.logs)), publishes=adds)

    async def carry_out(self, command: object, publish: c.PublishMessages, body: Buffer) -> c.Published:
        """Carry out a command that publishes one message with this body.

        Raises:
            PostroadError: refused, as in ``run``.
        """
        if (refused := self._refused()) is not None:
            raise refused
        size = (
            needed(command, len(self._machine.state.logs))
            + PUBLISH_BYTES
            + len(body)
            + len(orjson.dumps(publish.attributes))
        )
        reply: c.Published = await self._run(
            command, size, publishes=True, bodies=(body,), stored=lambda reply: {reply.position: body}
        )
        return reply

    async def _run(self, command: object, size: int, **more: Any) -> Any:
        if not self.healthy:
            raise Unavailable(self._pipeline.why or "The broker is stopping.")
        try:
            reply = self._pipeline.execute(command, size, **more)
        except PostroadError:
            await self._pipeline.all_durable()  # see CommitPipeline.refuse
            raise
        await self._pipeline.all_durable()
        return reply

    def check(self, batch: SettleBatch) -> None:
        """Raises: InvalidRequest, LimitExceeded: something in it is beyond its bounds."""
        check_settle(batch, self._limits)

    def settle(self, command: c.SettleDeliveries, batches: list[PublishBatch], done: Callable[[Any], None]) -> None:
        """Settle; ``batches`` are the publishes of its completions, in order. ``done`` gets a ``SettleReply`` or an error."""
        if self._has_failed or not self._is_open:
            done(Unavailable("The broker is stopping."))
            return
        if batches and (refused := self._refused()) is not None:
            done(refused)
            return

        def stored(reply: c.SettleReply) -> dict[int, Buffer]:
            pairs = zip(batches, reply.published, strict=True)
            return {item.position: kept_bodies(batch, item) for batch, item in pairs if item}

        try:
            subscription = self._machine.subscriptions.get(command.subscription)
            size = settle_size(command, batches, subscription.leases if subscription is not None else None)
            bodies = [batch.bodies for batch in batches]
            named = self._machine.state.bindings.record_bytes
            size += sum(named(b.queue, len(b.sizes), listed=True) for b in batches if b.kind == "topic")
            self._pipeline.execute(
                command, size, publishes=bool(batches), bodies=bodies, answer=done, stored=stored if batches else None
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was changed, and the caller is told
            self._pipeline.refuse(done, refusal(error, command))

    def extent(self, subscription: int) -> tuple[int, bool]:
        """The highest delivery number that a subscription was given, and whether each of its messages is looked at when it is settled."""
        known = self._machine.subscriptions.get(subscription)
        if known is None:
            return 0, False
        return known.next_number - 1, known.queue.log.keyed or known.leases.pieces > SLICE_ITEMS

    def note_begun(self, subscription: int, number: int) -> bool:
        """Note the highest delivery number begun. It is volatile, no record says it and nothing comes of it: so it needs no pipeline.

        Returns False where more may come of it: the consumer was silent, or there is none.
        """
        known = self._machine.subscriptions.get(subscription)
        if known is None or known.is_silent or self._has_failed or not self._is_open:
            return False
        known.begun = known.begun_after(number)
        return True

    def note_log(self, subscription: int, lines: Sequence[LogLine]) -> None:
        """Log lines of a consumer's handlers: nothing of them is journaled."""
        self._logbook.take(subscription, lines)

    def execute(self, command: object) -> None:
        """Carry out a command that nothing is refused for, and whose reply nobody waits for."""
        if self.healthy:
            with suppress(Unavailable):  # the broker ends
                self._pipeline.execute(command, 0)

    def owns(self, subscription: int, sink: ConsumerSink) -> bool:
        return self._outlet.owns(subscription, sink)

    def detach(self, subscription: int) -> None:
        self._outlet.detach(subscription)
        self.execute(c.Detach(subscription=subscription))

    def _failed(self) -> None:
        self._work.close()
        if self.on_failure is not None:
            self.on_failure()

    def _unreadable(self, subscription: int, first: int, last: int, error: PostroadError) -> None:
        """Bodies cannot be read: they are dead-lettered with the reason, not served and not retried for ever."""
        log.error("unreadable messages, deliveries %d to %d: %s", first, last, error.message)
        nack = c.NackRange(first=first, last=last, reason=f"{error.code}: {error.message}", dead=True)
        self.settle(c.SettleDeliveries(subscription=subscription, nacks=[nack]), [], lambda outcome: None)

    def _post(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(callback)

    def _now(self) -> int:
        return self._clock.now_ms()

    def _every_second(self) -> None:
        self._second = self._loop.call_later(1, self._every_second)
        self._timekeeping.look()
        self._observers.every_second(self._now())
        self._logbook.trim(self._journal.earliest)
        if self._machine.state.dropping and self._pipeline.failed is None:
            self._pipeline.release_dropped(DROPPED_A_SECOND)
        self._pipeline.snapshots.consider(self._now())
