"""A long operation is listed, can be stopped, and holds up nobody: neither its connection nor others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from engine_rig import HeldSync, Rig, turns
from fake_engine import FakeEngine
from gateway_under_test import Alone

MANY = 50_000


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = await Rig(segment_bytes=8 * 1024 * 1024).start()
    yield rig
    await rig.engine.close()


async def test_a_purge_that_runs_is_listed_and_can_be_stopped(rig: Rig) -> None:
    await rig.publish([b"x"] * MANY)
    held = HeldSync(rig.files)
    purge = asyncio.ensure_future(rig.engine.operate("purge", {"queue": "q", "operation": "p1"}))
    await turns()  # it goes no faster than the disk, and that is held

    listed = asyncio.ensure_future(rig.engine.query("operations", {}))
    stop = asyncio.ensure_future(rig.engine.operate("stop", {"operation": "p1"}))
    await turns()
    held.let_go()
    (row,) = (await listed)["operations"]
    await stop
    answer = await purge

    assert (row["id"], row["kind"], row["queue"], row["total"]) == ("p1", "purge", "q", MANY)
    assert 0 < row["done"] < MANY
    assert answer["stopped"] is True
    assert 0 < answer["count"] < MANY
    assert (await rig.stats())["ready"] == MANY - answer["count"]
    assert (await rig.engine.query("operations", {}))["operations"] == []


async def test_a_publish_and_a_settle_overtake_a_purge_and_it_leaves_what_came_after_it(rig: Rig) -> None:
    await rig.publish([b"x"] * MANY)
    worker = await rig.consume("other")
    await rig.publish([b"y"], "other")
    await rig.got(worker, 1)

    held = HeldSync(rig.files)
    purge = asyncio.ensure_future(rig.engine.operate("purge", {"queue": "q"}))
    await turns()
    published = rig.send([b"new"])
    settled = asyncio.ensure_future(rig.settle(worker, acks=[(1, 1)]))
    await turns()
    held.let_go()
    await rig.changed.until(lambda: published)
    await settled
    overtaken = not purge.done()
    answer = await purge

    assert overtaken
    assert answer["count"] == MANY
    assert (await rig.stats())["ready"] == 1


class SlowEngine(FakeEngine):
    """Its operations take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def operate(self, do: str, args: Mapping[str, Any]) -> dict[str, Any]:
        await self.go_on.wait()
        return {"count": 1, "position": self.step()}


@pytest.mark.parametrize(
    "operation",
    [
        {"do": "replay", "stream": "s", "queue": "other"},
        {"do": "redrive", "queue": "q.dead"},
        {"do": "purge", "queue": "other"},
        {"do": "discard", "queue": "other", "messages": ["1-a-0"]},
    ],
    ids=lambda operation: operation["do"],
)
async def test_settles_and_publishes_of_a_connection_overtake_its_long_operation(operation: dict[str, Any]) -> None:
    engine = SlowEngine()
    alone = Alone(engine)
    await alone.text(op="consume", id=1, sub=1, queue="q")
    await alone.text(op="publish", id=2, queue="q", messages=[{"body": 1}])

    assert await alone.text(op="operate", id=3, **operation) == []
    settled = await alone.text(op="settle", id=4, sub=1, ack=[[1, 1]])
    published = await alone.text(op="publish", id=5, queue="q", messages=[{"body": 2}])

    assert [frame["id"] for frame in settled if "id" in frame] == [4]
    assert [frame["id"] for frame in published if "id" in frame] == [5]
    engine.go_on.set()
    await alone.settle()
    assert {"op": "ok", "id": 3, "count": 1}.items() <= alone.port.sent[-1].items()


async def test_a_settle_is_answered_in_the_midst_of_a_replay_of_its_connection(rig: Rig) -> None:
    await rig.publish([b"1"] * 5000, "s", kind="stream")
    await rig.publish([b"1"], "work")
    alone = Alone(rig.engine)  # type: ignore[arg-type]
    await alone.text(op="consume", id=1, sub=1, queue="work")
    while not any(frame["op"] == "deliver" for frame in alone.port.sent):
        await turns(1)
    held = HeldSync(rig.files)

    await alone.text(op="operate", id=2, do="replay", stream="s", queue="copy")
    await alone.text(op="settle", id=3, sub=1, ack=[[1, 1]])
    held.let_go()
    while not any(frame.get("id") == 2 for frame in alone.port.sent):
        await asyncio.sleep(0)

    answers = [frame["id"] for frame in alone.port.sent if "id" in frame]
    assert answers == [1, 3, 2]
    assert {"op": "ok", "id": 2, "count": 5000}.items() <= alone.port.sent[-1].items()
