"""The embedded engine on files in memory, with a clock that moves only when told and sinks that keep what they get."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from postroad.broker.engine.embedded import EmbeddedEngine
from postroad.broker.engine.embedded.subscription import EmbeddedSubscription
from postroad.broker.engine.engine import (
    Confirm,
    ConsumeSpec,
    DeliveryBatch,
    Nack,
    PublishBatch,
    SettleBatch,
    Settled,
    WatchSpec,
)
from postroad.broker.errors import PostroadError
from postroad.broker.journal import Files, JournalOptions
from postroad.broker.limits import Limits
from postroad.broker.testing import FakeClock, FaultyFiles, MemoryFiles, plain

WAIT_S = 20


class Changed:
    """Lets a test wait until something it was told makes a condition true."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._event.clear()
                await self._event.wait()


class Worker:
    """A consumer's sink, and what it got: message ids, attempts and bodies by delivery number."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self.batches: list[DeliveryBatch] = []
        self.ids: dict[int, str] = {}
        self.sequences: dict[int, int] = {}
        self.bodies: dict[int, bytes] = {}
        self.attempts: dict[int, int] = {}
        self.gone: list[tuple[int, int]] = []
        self.end: PostroadError | None = None
        self.subscription: EmbeddedSubscription

    def deliver(self, batch: DeliveryBatch) -> None:
        self.batches.append(batch)
        whole, offset, number = b"".join(batch.bodies), 0, batch.number
        for run in batch.runs:
            for k in range(run.count):
                at = number - batch.number
                self.ids[number] = f"{run.id_prefix}{run.index + k}"
                self.sequences[number] = run.sequence + k
                self.bodies[number] = whole[offset : offset + batch.sizes[at]]
                attempts = batch.attributes.get("attempts")
                self.attempts[number] = attempts[at] if attempts else batch.attributes.get("attempt", 1)
                offset += batch.sizes[at]
                number += 1
        self._changed.tell()

    def revoked(self, numbers: Any, reason: str) -> None:
        self.gone.extend(numbers)
        self._changed.tell()

    def ended(self, error: PostroadError) -> None:
        self.end = error
        self._changed.tell()


class Watcher:
    """A watch's sink."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self.seen: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.trimmed: int | None = None
        self.end: PostroadError | None = None
        self.snapshot: dict[str, Any] = {}

    def events(self, events: Any, trimmed: int | None) -> None:
        self.seen.extend(events)
        self.trimmed = trimmed if trimmed is not None else self.trimmed
        self._changed.tell()

    def state(self, state: dict[str, Any]) -> None:
        self.states.append(plain(state))
        self._changed.tell()

    def ended(self, error: PostroadError) -> None:
        self.end = error
        self._changed.tell()

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.seen]


MUCH = Limits(prefetch_max=10_000_000, settle_items_max=10_000_000, messages_max=10_000_000, frame_bytes_max=1 << 30)
"""Tests make large things with few calls; whoever tests bounds goes by the real ones."""


class Rig:
    def __init__(
        self, files: Files | None = None, clock: FakeClock | None = None, limits: Limits = MUCH, **options: Any
    ) -> None:
        self.limits = limits
        self.files = files if files is not None else FaultyFiles(MemoryFiles())
        self.clock = clock or FakeClock()
        self.options = JournalOptions(**{"segment_bytes": 256 * 1024, "mark_ms": 3_600_000, **options})
        self.changed = Changed()
        self.failures = 0
        self.engine: EmbeddedEngine

    async def start(self) -> Rig:
        self.engine = EmbeddedEngine(self.files, self.options, clock=self.clock, limits=self.limits)
        self.engine.on_failure = self._failed
        await self.engine.start()
        return self

    async def restart(self) -> None:
        await self.engine.close()
        await self.start()

    def _failed(self) -> None:
        self.failures += 1
        self.changed.tell()

    def crashed(self) -> Rig:
        """The same store after a kill: what was written is there, the engine is not."""
        inner = self.files.inner if isinstance(self.files, FaultyFiles) else self.files
        assert isinstance(inner, MemoryFiles)
        return Rig(inner.copy(), self.clock, self.limits, segment_bytes=self.options.segment_bytes)

    def send(self, bodies: list[bytes], queue: str = "q", **more: Any) -> list[Confirm | PostroadError]:
        """Publish without waiting; the outcome lands in the list that is returned."""
        outcome: list[Confirm | PostroadError] = []

        def done(confirm: Confirm | PostroadError) -> None:
            outcome.append(confirm)
            self.changed.tell()

        producer, kind = more.pop("producer", None), more.pop("kind", "queue")
        batch = PublishBatch(
            queue=queue,
            kind=kind,
            sizes=[len(b) for b in bodies],
            bodies=b"".join(bodies),
            attributes=more,
            producer=producer,
        )
        self.engine.publish(batch, done)
        return outcome

    async def publish(self, bodies: list[bytes], queue: str = "q", **more: Any) -> Confirm:
        outcome = self.send(bodies, queue, **more)
        await self.changed.until(lambda: outcome)
        (confirm,) = outcome
        if isinstance(confirm, PostroadError):
            raise confirm
        return confirm

    async def consume(self, queue: str = "q", **more: Any) -> Worker:
        worker = Worker(self.changed)
        more.setdefault("consumer", "worker")
        worker.subscription = await self.engine.consume(ConsumeSpec(queue=queue, **more), worker)
        return worker

    async def settle(self, worker: Worker, **parts: Any) -> Settled:
        outcome: list[Settled | PostroadError] = []

        def done(reply: Settled | PostroadError) -> None:
            outcome.append(reply)
            self.changed.tell()

        worker.subscription.settle(SettleBatch(**parts), done)
        await self.changed.until(lambda: outcome)
        (reply,) = outcome
        if isinstance(reply, PostroadError):
            raise reply
        return reply

    async def nack(self, worker: Worker, number: int, **more: Any) -> Settled:
        return await self.settle(worker, nacks=[Nack(first=number, last=number, **more)])

    async def got(self, worker: Worker, count: int) -> None:
        await self.changed.until(lambda: len(worker.ids) >= count)

    async def watch(self, **spec: Any) -> Watcher:
        watcher = Watcher(self.changed)
        watch = await self.engine.watch(WatchSpec(**spec), watcher)
        watcher.snapshot = plain(watch.snapshot)
        return watcher

    def pass_time(self, ms: int) -> None:
        """Let time pass, and carry out what is due then, in as many ticks as it takes."""
        self.clock.advance(ms)
        ticker, machine = self.engine._ticker, self.engine._machine
        ticker.tick()
        while self.engine.healthy and not machine.is_short and (machine.next_due() or 1 << 62) <= self.clock.now_ms():
            ticker.tick()

    async def stats(self, queue: str = "q") -> dict[str, Any]:
        answer: dict[str, Any] = (await self.engine.query("queue", {"queue": queue}))["queue"]
        return answer

    async def message(self, id: str) -> dict[str, Any]:
        answer: dict[str, Any] = plain(await self.engine.query("message", {"message": id}))["message"]
        return answer


async def turns(count: int = 50) -> None:
    """Let everything that can happen on the loop happen."""
    for _ in range(count):
        await asyncio.sleep(0)


class HeldSync:
    """Holds synced writes of the journal until let go."""

    def __init__(self, files: Files) -> None:
        assert isinstance(files, FaultyFiles)
        self._files = files
        self._arrived, self._open = threading.Event(), threading.Event()
        files.between = self._hold

    def _hold(self) -> None:
        self._arrived.set()
        assert self._open.wait(WAIT_S)

    async def arrived(self) -> None:
        """The bytes are written, their sync has not returned."""
        assert await asyncio.to_thread(self._arrived.wait, WAIT_S)
        await turns()

    def let_go(self) -> None:
        self._files.between = None
        self._open.set()
