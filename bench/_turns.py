"""An engine on real files in this process, a loop that knows what each of its turns costs, and a publisher that feels it.

Only the engine's seam is used, so the same program runs with any commit: the interpreter says which (``PATH/.venv/bin/python``).
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroad.broker.engine.embedded import EmbeddedEngine
from postroad.broker.engine.engine import (
    Confirm,
    ConsumeSpec,
    DeliveryBatch,
    PublishBatch,
    SettleBatch,
    Settled,
)
from postroad.broker.errors import PostroadError
from postroad.broker.journal import JournalOptions, RealFiles

TRICKLE_S = 0.005
"""The trickle publishes so often."""

PATIENCE_S = 300.0
IN_FLIGHT = 64
"""Frames on their way while a row is set up."""


class Loop(asyncio.SelectorEventLoop):
    """Measures the processor time of its own thread for each turn."""

    worst_s = 0.0
    used_s = 0.0

    def _run_once(self) -> None:
        before = time.thread_time()
        super()._run_once()  # type: ignore[misc]  # asyncio's own, and the only place where a turn begins and ends
        used = time.thread_time() - before
        self.used_s += used
        self.worst_s = max(self.worst_s, used)

    def reset(self) -> None:
        self.worst_s = self.used_s = 0.0


class Clock:
    """The system's clock, which can be set forward. It has what any commit's clock must have."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def wall_ms(self) -> int:
        return self.now_ms()

    def not_before(self, at_ms: int) -> None:
        self.jump(max(at_ms - self.now_ms(), 0))

    def slew(self) -> None: ...

    def jump(self, ms: int) -> None:
        self._ahead_ms += ms


class Consumer:
    """A sink that keeps the numbers of what it holds."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, int]] = []
        self.count = 0
        self.arrived = asyncio.Event()
        self.subscription: Any = None

    def deliver(self, batch: DeliveryBatch) -> None:
        self.numbers.append((batch.number, batch.number + len(batch.sizes) - 1))
        self.count += len(batch.sizes)
        self.arrived.set()

    def revoked(self, numbers: Any, reason: str) -> None: ...

    def ended(self, error: PostroadError) -> None: ...

    async def got(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.count < count:
                self.arrived.clear()
                await self.arrived.wait()

    def take(self) -> list[tuple[int, int]]:
        taken, self.numbers, self.count = self.numbers, [], 0
        return taken


@dataclass
class Felt:
    """What a row cost, as the trickle and the loop's thread saw it; milliseconds."""

    latencies: list[float] = field(default_factory=list)
    worst_turn: float = 0.0
    used: float = 0.0
    lasted: float = 0.0

    def row(self) -> dict[str, float]:
        ordered = sorted(self.latencies) or [0.0]
        at = min(int(len(ordered) * 0.999), len(ordered) - 1)
        return {
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p999_ms": round(ordered[at], 2),
            "max_ms": round(ordered[-1], 2),
            "turn_cpu_ms": round(self.worst_turn, 2),
            "cpu_ms_per_s": round(self.used / max(self.lasted, 1e-9) * 1000, 1),
            "seconds": round(self.lasted / 1000, 2),
        }


class Broker:
    """One engine, as ``postroad serve`` would run it."""

    def __init__(self, folder: Path, scale: float = 1.0, **options: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.folder, self.scale, self.options = folder, scale, options
        self.clock = Clock()
        self.engine: Any = None
        self.felt: Felt | None = None
        self.control: Felt | None = None

    def n(self, count: int) -> int:
        return max(int(count * self.scale), 1)

    async def start(self) -> None:
        self.engine = EmbeddedEngine(RealFiles(self.folder), JournalOptions(**self.options), clock=self.clock)
        await self.engine.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)

    async def restart(self) -> None:
        await self.engine.close()
        await self.start()

    async def publish(self, queue: str, sizes: Sequence[int], kind: str = "queue", **more: Any) -> Confirm:
        done: asyncio.Future[Confirm] = self.loop.create_future()
        self.send(queue, sizes, lambda reply: _resolve(done, reply), kind, **more)
        return await done

    def send(
        self, queue: str, sizes: Sequence[int], done: Callable[[Any], None], kind: str = "queue", **more: Any
    ) -> None:
        producer = more.pop("producer", None)
        batch = PublishBatch(
            queue=queue, kind=kind, sizes=list(sizes), bodies=b"x" * sum(sizes), attributes=more, producer=producer
        )
        self.engine.publish(batch, done)

    async def fill(
        self, queue: str, messages: int, batch: int = 1000, kind: str = "queue", size: int = 16,
        more: Callable[[int, int], dict[str, Any]] | None = None, each: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        """Publish that many messages; ``more(first, count)`` are a frame's attributes, ``each`` is called before a frame."""
        going: set[asyncio.Task[Confirm]] = set()
        for first in range(0, messages, batch):
            count = min(batch, messages - first)
            if each is not None:
                each(first)
            attributes = more(first, count) if more else {}
            going.add(asyncio.ensure_future(self.publish(queue, [size] * count, kind, **attributes)))
            if len(going) >= IN_FLIGHT:
                _, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
        if going:
            await asyncio.wait(going)

    async def consume(self, queue: str, **more: Any) -> Consumer:
        sink = Consumer()
        more.setdefault("consumer", "bench")
        sink.subscription = await self.engine.consume(ConsumeSpec(queue=queue, **more), sink)
        return sink

    async def settle(self, consumer: Consumer, **parts: Any) -> Settled:
        done: asyncio.Future[Settled] = self.loop.create_future()
        consumer.subscription.settle(SettleBatch(**parts), lambda reply: _resolve(done, reply))
        return await done

    async def stats(self, queue: str) -> dict[str, Any]:
        return dict((await self.engine.query("queue", {"queue": queue}))["queue"])

    async def until_settled(self) -> None:
        """Until what the set-up left behind (a snapshot, say) is over."""
        await asyncio.sleep(2.5)
        gc.collect()
        gc.freeze()

    async def watch_control(self, seconds: float = 2.0) -> None:
        """The same state, the same trickle, and nothing else."""
        async with self._measured() as felt:
            await asyncio.sleep(seconds)
        self.control = felt

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """What is done within it is what the row is about."""
        await self.until_settled()
        await self.watch_control()
        async with self._measured() as felt:
            yield
        self.felt = felt

    @asynccontextmanager
    async def _measured(self) -> AsyncIterator[Felt]:
        felt, stop = Felt(), asyncio.Event()
        trickle = asyncio.ensure_future(self._trickle(felt, stop))
        await asyncio.sleep(0.1)
        felt.latencies.clear()
        assert isinstance(self.loop, Loop)
        self.loop.reset()
        begun = time.perf_counter()
        try:
            yield felt
        finally:
            await asyncio.sleep(0.05)
            felt.worst_turn, felt.used = self.loop.worst_s * 1000, self.loop.used_s * 1000
            felt.lasted = (time.perf_counter() - begun) * 1000
            stop.set()
            await trickle

    async def _trickle(self, felt: Felt, stop: asyncio.Event) -> None:
        """A message each few milliseconds; each is late from when it should have gone, not from when the loop let it go."""
        count, begun, going = 0, time.perf_counter(), 0
        while not stop.is_set() or going:
            due = begun + count * TRICKLE_S
            now = time.perf_counter()
            if due > now or stop.is_set():
                await asyncio.sleep(max(due - now, TRICKLE_S) if stop.is_set() else due - now)
                continue
            count, going = count + 1, going + 1

            def done(reply: Any, due: float = due) -> None:
                nonlocal going
                going -= 1
                assert isinstance(reply, Confirm), reply
                felt.latencies.append((time.perf_counter() - due) * 1000)

            self.send("trickle", [100], done)


def _resolve(future: asyncio.Future[Any], reply: Any) -> None:
    if future.done():
        return
    if isinstance(reply, BaseException):
        future.set_exception(reply)
    else:
        future.set_result(reply)


def run_on_loop(main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)
