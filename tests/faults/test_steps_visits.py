"""Who lets go of something visits that, and not what stays: the work does not grow with what waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from engine_rig import Rig
from postroad.broker.engine.engine import Nack
from work_counted import bytes_at_most, lines_run, lines_run_until

FEW, MANY = 2_000, 20_000


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = await Rig(segment_bytes=8 * 1024 * 1024).start()
    yield rig
    await rig.engine.close()


async def publish_many(rig: Rig, count: int, queue: str, **more: Any) -> None:
    last = [rig.send([b"x"] * 1000, queue, **more) for _ in range(count // 1000)][-1]
    await rig.changed.until(lambda: last)


async def every_second_is_settled(rig: Rig, queue: str, count: int) -> None:
    """``count`` messages wait, each alone between two that are done."""
    await publish_many(rig, 2 * count, queue)
    worker = await rig.consume(queue, prefetch=2 * count)
    await rig.got(worker, 2 * count)
    await rig.settle(worker, acks=[(number, number) for number in range(1, 2 * count, 2)])
    worker.subscription.cancel()


async def test_a_publish_to_a_full_queue_lists_only_what_it_drops(rig: Rig) -> None:
    await rig.engine.declare("q", {"length_max": 10 * MANY, "overflow": "drop_oldest"})
    await publish_many(rig, 10 * MANY, "q")
    rig.send([b"x"], "q")  # what is made once is made

    peak = bytes_at_most(lambda: rig.send([b"x"], "q"))

    assert peak < 10 * MANY  # a byte a message would be too much


async def test_a_publish_to_a_full_queue_visits_only_what_it_drops(rig: Rig) -> None:
    work = {}
    for count in (FEW, MANY):
        queue = f"q{count}"
        await every_second_is_settled(rig, queue, count)
        await rig.engine.declare(queue, {"length_max": count, "overflow": "drop_oldest"}, update=True)
        rig.send([b"x"], queue)
        work[count] = lines_run(lambda queue=queue: rig.send([b"x"], queue))

    assert work[MANY] < 2 * work[FEW]


async def test_a_step_of_a_redrive_visits_only_what_it_moves(rig: Rig) -> None:
    work = {}
    for count in (FEW, MANY):
        await rig.engine.declare(f"q{count}", {"attempts_max": 1})
        await publish_many(rig, count, f"q{count}")
        worker = await rig.consume(f"q{count}", prefetch=count)
        await rig.got(worker, count)
        for number in range(1, count, 1000):
            await rig.settle(worker, nacks=[Nack(first=number, last=number + 999)])
        spread = await rig.consume(f"q{count}.dead", prefetch=count)
        await rig.got(spread, count)
        await rig.settle(spread, acks=[(number, number) for number in range(1, count, 2)])
        spread.subscription.cancel()
        worker.subscription.cancel()
        redrive = rig.engine.operate("redrive", {"queue": f"q{count}.dead", "limit": 10})
        work[count] = await lines_run_until(redrive)

    assert work[MANY] < 2 * work[FEW]


async def test_the_deletion_of_an_empty_queue_visits_no_dead_letter_of_another(rig: Rig) -> None:
    work = {}
    for count in (FEW, MANY):
        await rig.engine.declare("q", {"attempts_max": 1})
        await publish_many(rig, count, "q")
        worker = await rig.consume(prefetch=count)
        await rig.got(worker, count)
        for number in range(1, count, 1000):
            await rig.settle(worker, nacks=[Nack(first=number, last=number + 999)])
        worker.subscription.cancel()
        await rig.engine.declare("empty", {})
        work[count] = await lines_run_until(rig.engine.delete("empty"))

    assert work[MANY] < 2 * work[FEW]


async def test_the_deletion_of_an_empty_queue_visits_no_consumer_of_another(rig: Rig) -> None:
    work = {}
    for count in (20, 2000):
        for _ in range(count):
            await rig.consume("busy")
        await rig.engine.declare("empty", {})
        work[count] = await lines_run_until(rig.engine.delete("empty"))

    assert work[2000] < 2 * work[20]
