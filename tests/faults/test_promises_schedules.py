"""A schedule that could never fire is refused, and one that fires leaves the reserve of settles alone."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import Rig
from postroad.broker.errors import PostroadError, StorageFull
from postroad.broker.testing import FaultyFiles, MemoryFiles

HOUR_MS = 3_600_000


async def schedule(rig: Rig, name: str = "hourly", **args: Any) -> None:
    await rig.engine.operate("schedule", {"schedule": name, "every_ms": HOUR_MS, **args})


async def of(rig: Rig, name: str = "hourly") -> dict[str, Any]:
    rows = (await rig.engine.query("schedules", {}))["schedules"]
    return next(dict(row) for row in rows if row["name"] == name)


@pytest.mark.parametrize(
    "args",
    [
        pytest.param({"stream": "s", "message": {"body": 1, "priority": 3}}, id="priority-on-a-stream"),
        pytest.param({"queue": "q", "message": {"body": 1, "key": "k", "priority": 3}}, id="key-and-priority"),
        pytest.param({"queue": "s", "message": {"body": 1}}, id="queue-named-like-a-stream"),
        pytest.param({"stream": "q", "message": {"body": 1}}, id="stream-named-like-a-queue"),
        pytest.param({"queue": "q", "message": {"body": 1, "priority": 10}}, id="priority-out-of-range"),
        pytest.param({"queue": "q", "message": {"body": 1, "key": "k" * 129}}, id="key-too-long"),
        pytest.param({"queue": "q", "message": {"body": 1, "expire_ms": 2**64 - 1}}, id="expiry-out-of-range"),
        pytest.param({"queue": "tiny", "message": {"body": "x" * 200}}, id="larger-than-the-queue-may-hold"),
        pytest.param({"topic": "t", "message": {"body": 1, "priority": 3}}, id="priority-to-a-topic-of-streams"),
    ],
)
async def test_a_schedule_that_could_never_fire_is_refused(rig: Rig, args: dict[str, Any]) -> None:
    await rig.engine.declare("s", {}, kind="stream")
    await rig.engine.declare("q", {})
    await rig.engine.declare("tiny", {"bytes_max": 100})
    await rig.engine.operate("bind", {"topic": "t", "stream": "s"})
    before = rig.engine.position

    with pytest.raises(PostroadError):
        await schedule(rig, **args)

    assert rig.engine.position == before
    assert (await rig.engine.query("schedules", {}))["schedules"] == []


async def test_on_a_full_disk_firings_leave_the_reserve_to_settles() -> None:
    inner = MemoryFiles()
    rig = await Rig(FaultyFiles(inner), retry_ms=1).start()
    for n in range(20):
        await schedule(rig, f"s{n}", queue="reports", message={"body": "x" * 20_000})
    inner.capacity = sum(file.allocated for file in inner._names.values())
    sent = 0
    while True:
        outcome = rig.send([b"x" * 1000])
        await rig.changed.until(lambda outcome=outcome: outcome)
        if isinstance(outcome[0], StorageFull):
            break
        sent += 1
    before = rig.engine.position

    for _ in range(5):
        rig.pass_time(HOUR_MS)
    await rig.engine.query("overview", {})

    assert rig.engine.healthy
    assert rig.engine.position - before <= 20, "more than one record of refusal for each schedule"
    row = await of(rig, "s0")
    assert (row["fired"], row["last_error"]["code"]) == (0, "storage-full")
    assert rig.engine.settings_of("reports") is None
    with pytest.raises(StorageFull):
        await schedule(rig, "one-more", queue="reports", message={"body": "x" * 60_000})

    worker = await rig.consume(prefetch=16_384)
    await rig.got(worker, sent)
    assert (await rig.settle(worker, acks=[(1, sent)])).lost == []
    inner.capacity = None
    while isinstance(outcome[0], StorageFull):  # the journal asks for space again by itself
        outcome = rig.send([b"x" * 200_000])
        await rig.changed.until(lambda outcome=outcome: outcome)
    rig.pass_time(HOUR_MS)
    assert (await of(rig, "s0"))["fired"] == 1
    await rig.engine.close()


async def test_a_schedule_whose_target_became_impossible_says_so_and_does_not_spin(rig: Rig) -> None:
    await schedule(rig, queue="q", message={"body": 1, "priority": 3})
    await rig.engine.declare("q", {}, kind="stream")
    before = rig.engine.position

    for _ in range(3):
        rig.pass_time(HOUR_MS)
    row = await of(rig)

    assert (row["fired"], row["last_error"]["code"]) == (0, "conflict")
    assert rig.engine.position - before <= 1, "the same refusal was written again and again"
