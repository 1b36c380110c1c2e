"""What exceptional messages cost in memory, after a restart: nothing is in caches then, all of it is the engine's own state.

Bounds are those of the goal: 1 million dead letters in 96 MiB, and so on; smaller numbers of messages show the same cost for each.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine_rig import Rig
from postroad.broker.engine.engine import Nack
from postroad.broker.journal import RealFiles
from postroad.broker.testing import FakeClock

DAY_MS = 86_400_000
SPARE_BYTES = 300_000
"""What an engine with a queue or two costs more than an empty one, whatever is in them."""


def rig_of(folder: Path, clock: FakeClock | None = None) -> Rig:
    return Rig(RealFiles(folder), clock, segment_bytes=4 * 1024 * 1024, durability="memory")


async def started(folder: Path, clock: FakeClock | None = None) -> tuple[int, int]:
    """Bytes that an engine has taken once it has started on this folder, and the most it had while starting."""
    rig = rig_of(folder, clock)
    gc.collect()
    tracemalloc.start()
    try:
        await rig.start()
        gc.collect()
        used, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await rig.engine.close()
    return used, peak


async def cost(folder: Path, fill: Callable[[Rig], Awaitable[None]]) -> tuple[int, int]:
    """Bytes beyond an empty engine that one takes after a restart over what ``fill`` did; at rest, and at the peak of starting."""
    for _ in range(3):  # imports and caches of the process are not the engine's; an empty journal is read, too
        empty, empty_peak = await started(folder / "empty")
    rig = await rig_of(folder / "full").start()
    await fill(rig)
    await rig.engine.close()
    used, peak = await started(folder / "full", rig.clock)
    return used - empty - SPARE_BYTES, peak - empty_peak - SPARE_BYTES


async def fail_each(rig: Rig, count: int, step: int = 1, **more: object) -> None:
    """Every ``step``-th of ``count`` messages fails alone, with a reason of its own; the others come back untried."""
    for _ in range(0, count, 1000):
        await rig.publish([b"x"] * 1000)
    worker = await rig.consume(prefetch=16_000)
    await rig.got(worker, count)
    for first in range(1, count + 1, 500):
        nacks = [
            Nack(first=n, last=n, reason=f"reason {n}", delay_ms=600_000 + n * 37 % 60_000, **more)  # type: ignore[arg-type]
            for n in range(first, first + 500, step)
        ]
        await rig.settle(worker, nacks=nacks)
    worker.subscription.cancel()


async def test_dead_letters_that_failed_each_alone_cost_at_most_100_bytes(tmp_path: Path) -> None:
    count = 8000
    used, peak = await cost(tmp_path, lambda rig: fail_each(rig, count, dead=True))

    assert used <= 100 * count
    assert peak <= 200 * count


async def test_retrying_neighbours_with_due_times_of_their_own_cost_at_most_33_bytes(tmp_path: Path) -> None:
    count = 8000
    used, peak = await cost(tmp_path, lambda rig: fail_each(rig, count))

    assert used <= 33 * count + 100_000
    assert peak <= 2 * (33 * count + 100_000)


async def test_retrying_messages_with_gaps_between_cost_at_most_100_bytes(tmp_path: Path) -> None:
    count = 8000
    used, peak = await cost(tmp_path, lambda rig: fail_each(rig, 2 * count, step=2))

    assert used <= 100 * count
    assert peak <= 200 * count


async def test_every_second_message_delayed_over_a_fortnight_costs_at_most_100_bytes(tmp_path: Path) -> None:
    count = 8000

    async def fill(rig: Rig) -> None:
        for batch in range(count // 500):
            dues = [DAY_MS + (batch * 500 + n) * 7919 * 1000 % (13 * DAY_MS) for n in range(500)]
            await rig.publish([b"x"] * 1000, delays_ms=[delay for due in dues for delay in (0, due)])

    used, peak = await cost(tmp_path, fill)

    assert used <= 100 * count
    assert peak <= 200 * count


async def test_a_dedup_key_costs_at_most_260_bytes(tmp_path: Path) -> None:
    count = 8000

    async def fill(rig: Rig) -> None:
        for batch in range(count // 1000):
            await rig.publish([b"x"] * 1000, dedup_keys=[f"order-{batch * 1000 + n:032}" for n in range(1000)])

    used, peak = await cost(tmp_path, fill)

    assert used <= 260 * count
    assert peak <= 520 * count


async def test_names_of_deleted_queues_do_not_stay_for_ever(tmp_path: Path) -> None:
    count, kept = 12_000, 4096

    async def fill(rig: Rig) -> None:
        for first in range(0, count, 2000):
            names = [f"reply-to-{n:060}" for n in range(first, first + 2000)]
            await asyncio.gather(*(rig.engine.declare(name, {}) for name in names))
            await asyncio.gather(*(rig.engine.delete(name) for name in names))

    used, _ = await cost(tmp_path, fill)

    assert used <= 300 * kept
