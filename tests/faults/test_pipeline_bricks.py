"""No input brings core and journal apart: what cannot be carried out is refused, or ends the broker, and the store opens again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine_rig import Rig, turns
from postroad.broker.engine.embedded import EmbeddedEngine
from postroad.broker.engine.engine import Completion, Confirm, Nack, PublishBatch
from postroad.broker.errors import PostroadError
from postroad.broker.limits import Limits
from postroad.broker.testing import MemoryFiles

BEYOND = 2**64 - 1
CLOSE_S = 10
"""Only what hangs takes so long."""

Poison = Callable[[Rig], Awaitable[None]]


async def tried(asked: Awaitable[object]) -> None:
    """Whatever comes of it: what counts is what is left."""
    with contextlib.suppress(Exception, asyncio.TimeoutError):
        await asyncio.wait_for(asked, CLOSE_S)


def sent(rig: Rig, bodies: list[bytes], queue: str = "q", **more: Any) -> list[Confirm | PostroadError | Exception]:
    """As ``Rig.send``; what is raised, which nothing should be, is an outcome too."""
    try:
        return rig.send(bodies, queue, **more)  # type: ignore[return-value]
    except Exception as error:  # noqa: BLE001 - the fault itself
        return [error]


async def schedule_beyond_all_time(rig: Rig) -> None:
    message = {"body": 1, "expire_ms": BEYOND}
    await rig.engine.operate("schedule", {"schedule": "s", "queue": "q", "message": message, "every_ms": 60_000})
    await rig.engine.operate("schedule_run", {"schedule": "s"})


async def edit_beyond_all_time(rig: Rig) -> None:
    worker = await rig.consume("work")
    await rig.publish([b"1"], "work")
    await rig.got(worker, 1)
    await rig.nack(worker, 1, dead=True)
    given = {"body": 1, "expire_ms": BEYOND}
    await rig.engine.operate("edit", {"queue": "work.dead", "message": worker.ids[1], "with": given})


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def deep_result(depth: int) -> Poison:
    async def poison(rig: Rig) -> None:
        worker = await rig.consume("work")
        await rig.publish([b"1"], "work")
        await rig.got(worker, 1)
        publish = PublishBatch(queue="q", sizes=[1], bodies=b"1")
        await rig.settle(worker, completions=[Completion(number=1, result=nested(depth), publishes=[publish])])

    return poison


def deep_headers_of_a_done(depth: int) -> Poison:
    """The engine seam takes attributes as they are: what is in them is written again, as JSON."""

    async def poison(rig: Rig) -> None:
        worker = await rig.consume("work")
        await rig.publish([b"1"], "work")
        await rig.got(worker, 1)
        headers: Any = "x"
        for _ in range(depth):
            headers = [headers]
        publish = PublishBatch(queue="q", sizes=[1], bodies=b"1", attributes={"headers": {"a": headers}})
        await rig.settle(worker, completions=[Completion(number=1, publishes=[publish])])

    return poison


async def far_lower_limit(rig: Rig) -> None:
    for _ in range(8):
        await rig.publish([b"x"] * 2000, "full")
    await rig.engine.declare("full", {"length_max": 1, "overflow": "dead_letter"}, update=True)
    await rig.publish([b"x"], "full")


async def large_schedules_due_at_once(rig: Rig) -> None:
    message = {"body": "x" * 62_000}
    for n in range(6):
        await rig.engine.operate(
            "schedule", {"schedule": f"s{n}", "queue": "fired", "message": message, "every_ms": 60_000}
        )
    rig.pass_time(60_001)
    await turns()


POISONS = [
    pytest.param(schedule_beyond_all_time, id="schedule"),
    pytest.param(edit_beyond_all_time, id="edit"),
    pytest.param(deep_result(253), id="result"),
    pytest.param(deep_headers_of_a_done(252), id="done"),
    pytest.param(far_lower_limit, id="length_max"),
    pytest.param(large_schedules_due_at_once, id="schedules"),
]
poisons = pytest.mark.parametrize("poison", POISONS)


async def left(rig: Rig) -> bool:
    """Whether the engine closes by itself."""
    try:
        await asyncio.wait_for(rig.engine.close(), CLOSE_S)
    except Exception:  # noqa: BLE001 - whatever it is, it is no end in order
        return False
    return True


@poisons
async def test_after_it_the_store_opens_with_all_that_was_confirmed(poison: Poison) -> None:
    rig = await Rig().start()
    await rig.publish([b"before"])
    await tried(poison(rig))
    for queue in ("q", "full", "work"):
        sent(rig, [b"after"], queue)
    await turns()
    await left(rig)

    again = await rig.crashed().start()
    try:
        async with asyncio.timeout(CLOSE_S):
            worker = await again.consume()
            again.pass_time(501)  # until then it waits for those who held something
            await again.got(worker, 1)
            await again.publish([b"works"])
    finally:
        assert await left(again)
    assert worker.bodies[1] == b"before"


@poisons
async def test_after_it_nobody_is_told_of_a_bug_while_the_engine_calls_itself_healthy(poison: Poison) -> None:
    rig = await Rig().start()
    await tried(poison(rig))
    outcome = [await answered(rig, queue) for queue in ("q", "full", "work")]
    healthy = rig.engine.healthy
    await left(rig)

    bugs = [what for what in outcome if not isinstance(what, Confirm | PostroadError)]
    assert bugs == []
    assert healthy == all(isinstance(what, Confirm) for what in outcome)


async def answered(rig: Rig, queue: str) -> object:
    outcome = sent(rig, [b"after"], queue)
    await tried(rig.changed.until(lambda: outcome or not rig.engine.healthy))
    return outcome[0] if outcome else None


@poisons
async def test_after_it_the_engine_can_be_closed(poison: Poison) -> None:
    rig = await Rig().start()
    await tried(poison(rig))
    sent(rig, [b"after"])

    assert await left(rig)


async def test_a_name_that_a_dead_letter_queue_would_take_is_there_for_who_publishes_to_it_in_the_same_frame() -> None:
    """It was checked when nobody had it: nothing may be refused after the first record."""
    rig = await Rig().start()
    await rig.publish([b"1", b"2"])
    worker = await rig.consume()
    await rig.got(worker, 2)
    publish = PublishBatch(queue="q.dead", kind="stream", sizes=[1], bodies=b"1")
    await rig.settle(
        worker,
        nacks=[Nack(first=1, last=1, dead=True)],
        completions=[Completion(number=2, publishes=[publish])],
    )
    names = {row["name"] for row in (await rig.engine.query("queues", {}))["queues"]}

    assert rig.engine.healthy
    assert len(names) == 2  # the dead one is in a queue of another name
    assert await left(rig)


async def test_the_last_place_among_queues_is_there_for_who_publishes_to_it_in_the_same_frame() -> None:
    rig = Rig(MemoryFiles())
    rig.engine = EmbeddedEngine(rig.files, rig.options, clock=rig.clock, limits=Limits(queues_max=2))
    await rig.engine.start()
    await rig.publish([b"1", b"2"])
    worker = await rig.consume()
    await rig.got(worker, 2)
    publish = PublishBatch(queue="other", sizes=[1], bodies=b"1")
    await rig.settle(
        worker,
        nacks=[Nack(first=1, last=1, dead=True)],
        completions=[Completion(number=2, publishes=[publish])],
    )

    assert rig.engine.healthy
    assert (await rig.stats("other"))["ready"] == 1
    assert (await rig.stats("q.dead"))["ready"] == 1
    assert await left(rig)
