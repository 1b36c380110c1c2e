"""Long operations beside everything else: in steps, in turns, stopped, outlived by nobody's connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from engine_rig import HeldSync, Rig, turns
from postroad.broker.engine.engine import Nack
from postroad.broker.errors import Conflict, InvalidState, QueueNotFound, Unavailable

MANY = 20_000
STEP = 1000
RUNNING_MAX = 4
UNWRITTEN_MAX = 1


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = await Rig(segment_bytes=8 * 1024 * 1024).start()
    yield rig
    await rig.engine.close()


def begun(rig: Rig, do: str, **args: Any) -> asyncio.Task[dict[str, Any]]:
    return asyncio.create_task(rig.engine.operate(do, args))  # type: ignore[arg-type]


async def in_the_midst(rig: Rig) -> tuple[asyncio.Task[dict[str, Any]], HeldSync]:
    """A purge of a queue that has done some steps, and makes no further one before the disk is let go."""
    await rig.publish([b"x"] * MANY)
    held = HeldSync(rig.files)
    purge = begun(rig, "purge", queue="q", operation="p")
    await turns(500)
    assert [row["done"] for row in rig.engine._work.rows()] == [UNWRITTEN_MAX * STEP]
    return purge, held


async def test_four_run_side_by_side_and_the_others_wait_in_order(rig: Rig) -> None:
    for number in range(6):
        await rig.publish([b"x"] * MANY, f"q{number}")
    held = HeldSync(rig.files)

    for number in range(6):
        begun(rig, "purge", queue=f"q{number}", operation=f"p{number}")
    await turns()

    listed = rig.engine._work.rows()
    assert [row["id"] for row in listed] == [f"p{number}" for number in range(6)]
    assert [row["state"] for row in listed] == ["running"] * RUNNING_MAX + ["waiting"] * 2
    held.let_go()


async def test_no_more_than_a_few_steps_wait_for_the_disk(rig: Rig) -> None:
    purge, held = await in_the_midst(rig)

    held.let_go()

    assert (await purge)["count"] == MANY


async def test_one_that_is_stopped_keeps_what_it_has_done(rig: Rig) -> None:
    purge, held = await in_the_midst(rig)

    listed = asyncio.create_task(rig.engine.query("operations", {}))
    stopped = begun(rig, "stop", operation="p")
    await turns()
    assert not purge.done(), "what it did is not on the disk yet"
    held.let_go()

    row = {"id": "p", "kind": "purge", "queue": "q", "done": UNWRITTEN_MAX * STEP, "total": MANY, "state": "running"}
    assert (await listed)["operations"] == [row | {"started_at": rig.clock.now_ms()}]
    assert (await stopped)["stopped"] is True
    answer = await purge
    assert (answer["count"], answer["stopped"]) == (UNWRITTEN_MAX * STEP, True)
    assert (await rig.stats())["ready"] == MANY - UNWRITTEN_MAX * STEP


async def test_a_waiting_one_can_be_stopped_and_has_done_nothing(rig: Rig) -> None:
    for number in range(5):
        await rig.publish([b"x"] * MANY, f"q{number}")
    purges = [begun(rig, "purge", queue=f"q{number}", operation=f"p{number}") for number in range(5)]
    await asyncio.sleep(0)

    await rig.engine.operate("stop", {"operation": "p4"})

    assert await purges[4] == {"count": 0, "stopped": True, "position": rig.engine.position}
    assert [(await purge)["count"] for purge in purges[:4]] == [MANY] * 4
    assert (await rig.stats("q4"))["ready"] == MANY


async def test_an_operation_that_is_over_cannot_be_stopped(rig: Rig) -> None:
    await rig.publish([b"x"])
    await rig.engine.operate("purge", {"queue": "q", "operation": "p"})

    with pytest.raises(InvalidState):
        await rig.engine.operate("stop", {"operation": "p"})


async def test_two_operations_cannot_have_one_name_at_a_time(rig: Rig) -> None:
    await rig.publish([b"x"] * MANY)
    first = begun(rig, "purge", queue="q", operation="p")
    await asyncio.sleep(0)

    with pytest.raises(Conflict):
        await rig.engine.operate("purge", {"queue": "q", "operation": "p"})

    await first
    assert (await rig.engine.operate("purge", {"queue": "q", "operation": "p"}))["count"] == 0


async def test_it_goes_on_when_nobody_waits_for_it_any_more(rig: Rig) -> None:
    await rig.publish([b"x"] * MANY)
    purge = begun(rig, "purge", queue="q")
    await asyncio.sleep(0)

    purge.cancel()
    while rig.engine._work.rows():
        await turns(5)
        await rig.engine.query("queues", {})

    assert (await rig.stats())["ready"] == 0


async def test_a_deletion_in_the_midst_ends_it_with_what_it_came_to(rig: Rig) -> None:
    purge, held = await in_the_midst(rig)

    deletion = asyncio.create_task(rig.engine.delete("q"))
    await turns()
    rig.send([b"new"])
    held.let_go()
    await deletion

    with pytest.raises(QueueNotFound) as ended:
        await purge
    assert ended.value.details["count"] == UNWRITTEN_MAX * STEP
    assert (await rig.stats())["ready"] == 1


async def test_what_is_done_when_the_broker_stops_stays_done(rig: Rig) -> None:
    purge, held = await in_the_midst(rig)

    restart = asyncio.create_task(rig.restart())
    await turns()
    held.let_go()
    await restart

    with pytest.raises(Unavailable) as ended:
        await purge
    assert ended.value.details["count"] == UNWRITTEN_MAX * STEP
    assert (await rig.stats())["ready"] == MANY - UNWRITTEN_MAX * STEP
    assert rig.engine._work.rows() == []


async def test_a_redrive_passes_over_orphans_and_says_when_there_is_nothing_else(rig: Rig) -> None:
    for queue in ("gone", "here"):
        await rig.engine.declare(queue, {"attempts_max": 1, "dead_letter": "morgue"})
        await rig.publish([b"x"] * 600, queue)
        worker = await rig.consume(queue, prefetch=600)
        await rig.got(worker, 600)
        await rig.nack(worker, 1)
        await rig.settle(worker, releases=[(2, 600)])
        worker.subscription.cancel()
        worker = await rig.consume(queue, prefetch=1000)
        await rig.got(worker, 599)
        for number in range(1, 600):
            await rig.nack(worker, number)
        worker.subscription.cancel()
    await rig.engine.delete("gone")

    moved = await rig.engine.operate("redrive", {"queue": "morgue", "limit": 300})
    rest = await rig.engine.operate("redrive", {"queue": "morgue"})

    assert (moved["count"], rest["count"]) == (300, 300)
    with pytest.raises(InvalidState):
        await rig.engine.operate("redrive", {"queue": "morgue"})
    assert (await rig.stats("morgue"))["ready"] == 600


async def test_steps_that_write_nothing_are_one_a_turn_all_the_same(rig: Rig) -> None:
    await rig.engine.declare("gone", {"attempts_max": 1, "dead_letter": "morgue"})
    await rig.publish([b"x"] * 5000, "gone")
    worker = await rig.consume("gone", prefetch=5000)
    await rig.got(worker, 5000)
    for number in range(1, 5000, 1000):
        await rig.settle(worker, nacks=[Nack(first=number, last=number + 999)])
    await rig.engine.delete("gone")

    redrive = begun(rig, "redrive", queue="morgue")
    most = 0
    while not redrive.done():
        await asyncio.sleep(0)
        most = max(most, len(rig.engine._work._turns))

    assert most == 1
    with pytest.raises(InvalidState):
        await redrive


async def test_a_replay_copies_what_was_there_when_it_was_asked_for(rig: Rig) -> None:
    await rig.publish([b"x"] * 2000, "s", kind="stream")

    replay = begun(rig, "replay", stream="s", queue="q")
    await asyncio.sleep(0)
    await rig.publish([b"late"] * 10, "s", kind="stream")
    dry = await rig.engine.operate("replay", {"stream": "s", "queue": "q", "first": 5, "dry_run": True})

    assert (await replay)["count"] == 2000
    assert (dry["count"], dry["first"], dry["last"]) == (2005, 5, 2009)
    assert (await rig.stats())["ready"] == 2000


async def test_a_replay_does_not_make_its_target_again_when_that_is_deleted(rig: Rig) -> None:
    for _ in range(8):
        await rig.publish([b"x"] * 500, "s", kind="stream")
    held = HeldSync(rig.files)
    replay = begun(rig, "replay", stream="s", queue="copies")
    await held.arrived()
    deleted = asyncio.create_task(rig.engine.delete("copies"))
    await turns()
    held.let_go()

    with pytest.raises(QueueNotFound):
        await replay
    await deleted

    assert "copies" not in {row["name"] for row in (await rig.engine.query("queues", {}))["queues"]}
