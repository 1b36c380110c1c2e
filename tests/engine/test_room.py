"""What a command needs of the journal is counted before it begins, and what it takes is never more."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from engine_rig import Rig, turns
from fail_stop import Injector, Run, exact_room
from postroad.broker.core.rules.context import RECORD_BYTES_MAX
from postroad.broker.engine.engine import Completion, Nack, PublishBatch, SettleBatch
from postroad.broker.errors import InvalidState, LimitExceeded, StorageFull
from postroad.broker.journal import record
from postroad.broker.testing import MemoryFiles

SEGMENT_BYTES = 16 * 1024 * 1024


@pytest.fixture
def exact() -> Iterator[None]:
    with exact_room():
        yield


async def started() -> Rig:
    return await Rig(MemoryFiles(), segment_bytes=SEGMENT_BYTES).start()


def test_a_record_is_counted_with_all_that_frames_it() -> None:
    assert RECORD_BYTES_MAX >= record.RECORD_BYTES + 7


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("seed", range(100, 104))
async def test_random_commands_do_with_exactly_what_they_said(seed: int) -> None:
    run = Run(seed, Injector())
    await run.carry_out()

    assert run.rig.engine.healthy
    await run.rig.engine.close()


@pytest.mark.usefixtures("exact")
async def test_publishes_do_with_exactly_what_they_said() -> None:
    rig, rng = await started(), random.Random(3)
    many = 3000
    await rig.publish([b""] * many, "a", dedup_keys=[f"{n}" for n in range(many)])
    again = await rig.publish([b""] * many, "a", dedup_keys=[f"{n}" for n in range(many)])
    names = ["\x01" * 40, "ü" * 20, "plain"]
    headers = [{rng.choice(names): rng.choice(names)} for _ in range(500)]
    await rig.publish([b"x"] * 500, "b" * 75, headers=headers, producer=("s" * 64, 2**53 - 1))

    assert again.duplicates is not None
    assert len(again.duplicates) == many
    await rig.engine.close()


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("dead", [False, True])
async def test_nacks_do_with_exactly_what_they_said(dead: bool) -> None:
    rig = await started()
    await rig.publish([b"x"] * 1000, priorities=[n % 10 for n in range(1000)])
    worker = await rig.consume(prefetch=1000, consumer="w" * 64)
    await rig.got(worker, 1000)
    nacks = [Nack(first=n, last=n, reason="\x01" * (n % 40), dead=dead) for n in range(1, 1001)]
    settled = await rig.settle(worker, nacks=nacks)

    assert not settled.lost
    assert rig.engine.healthy
    await rig.engine.close()


@pytest.mark.usefixtures("exact")
async def test_acks_results_and_publishes_do_with_exactly_what_they_said() -> None:
    rig = await started()
    await rig.publish([b"x"] * 2000, priorities=[n % 10 for n in range(2000)])
    worker = await rig.consume(prefetch=2000)
    await rig.got(worker, 2000)
    await rig.settle(worker, acks=[(1, 600), *((n, n) for n in range(602, 900, 2))])
    for n in range(60):
        await rig.engine.declare(f"target-{n}", {})
        await rig.engine.operate("bind", {"topic": f"{'t.*' if n % 2 else 't.#'}", "queue": f"target-{n}"})
    publishes = [PublishBatch(queue=f"new-{n}", sizes=[3, 0], bodies=b"abc") for n in range(50)]
    keys = {"dedup_keys": ["a", *(f"k{n % 90}" for n in range(99))]}
    publishes += [PublishBatch(queue="t.a", kind="topic", sizes=[0] * 100, bodies=b"", attributes=keys)]
    others = [(n, b'"\\u0001"') for n in range(1002, 1400)]
    done = Completion(number=1000, result=b'{"a":1}', others=others, publishes=publishes)
    plain = [Completion(number=n, result=b'"r"') for n in range(1501, 1700, 3)]
    settled = await rig.settle(worker, completions=[done, *plain])

    assert not settled.lost
    assert rig.engine.healthy
    await rig.engine.close()


@pytest.mark.usefixtures("exact")
async def test_a_consumer_that_comes_back_does_with_exactly_what_it_said() -> None:
    rig = await started()
    await rig.publish([b"x"] * 500)
    worker = await rig.consume(prefetch=500)
    await rig.got(worker, 500)
    await rig.settle(worker, begun=500)
    worker.subscription.detach()
    await rig.consume(prefetch=1, resume=worker.subscription.token, begun=500, held=[(3, 2, 2)])
    await turns()

    assert rig.engine.healthy
    assert (await rig.stats())["retried_total"] == 498
    await rig.engine.close()


async def test_what_is_larger_than_a_segment_is_refused_and_leaves_nothing_behind() -> None:
    rig = await Rig(MemoryFiles(), segment_bytes=64 * 1024).start()
    await rig.publish([b"x"])
    position = rig.engine.position

    with pytest.raises(LimitExceeded):
        await rig.publish([b"x" * 40_000, b"x" * 40_000], "new")
    assert rig.engine.position == position
    assert rig.engine.settings_of("new") is None
    await rig.publish([b"x"])
    await rig.engine.close()


@pytest.mark.parametrize("queue", ["q", "made-by-the-firing"])
async def test_a_firing_leaves_the_reserve_of_settles_alone(queue: str) -> None:
    files = MemoryFiles()
    rig = await Rig(files, segment_bytes=64 * 1024).start()
    message = {"body": "x" * 6000}
    await rig.engine.operate("schedule", {"schedule": "s", "queue": queue, "message": message, "every_ms": 1000})
    files.capacity = files.used
    with pytest.raises(StorageFull):
        for _ in range(200):
            await rig.publish([b"x" * 1000])
    fired = (await rig.stats())["published_total"]
    room = rig.engine._journal.room()
    for _ in range(50):
        rig.pass_time(1000)
        await turns()

    with pytest.raises(InvalidState, match="no room"):
        await rig.engine.operate("schedule_run", {"schedule": "s"})
    assert (await rig.stats())["published_total"] == fired
    assert rig.engine._journal.room()[0] > room[0] - 4096
    assert rig.engine.healthy
    worker = await rig.consume()
    await rig.got(worker, 1)
    outcome: list[object] = []
    worker.subscription.settle(SettleBatch(acks=[(1, 1)]), outcome.append)
    await rig.changed.until(lambda: outcome or not rig.engine.healthy)
    await rig.engine.close()


async def test_schedules_that_do_not_fit_into_one_unit_fire_in_several() -> None:
    rig = await Rig(MemoryFiles(), segment_bytes=256 * 1024).start()
    message = {"body": "x" * 62_000}
    for n in range(9):
        await rig.engine.operate(
            "schedule", {"schedule": f"s{n}", "queue": "fired", "message": message, "every_ms": 60_000}
        )
    rig.pass_time(60_001)
    worker = await rig.consume("fired")
    await rig.got(worker, 9)

    assert rig.engine.healthy
    assert all(len(body) == 62_002 for body in worker.bodies.values())
    await rig.engine.close()
