"""No timer is ever lost: not by an exception beside it, not because something else was due before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from engine_rig import Rig, turns

DAY_MS = 24 * 3_600_000


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = await Rig().start()
    yield rig
    await rig.engine.close()


async def test_a_schedule_that_raises_takes_no_other_timer_with_it(rig: Rig) -> None:
    for name in ("a", "b"):
        message = {"body": name}
        await rig.engine.operate("schedule", {"schedule": name, "every_ms": 60_000, "queue": "q", "message": message})
    rig.engine._machine.state.schedules["a"].every_ms = "never"  # nothing that is declared raises; this does

    with suppress(Exception):  # who is to hear of it is another test's business
        rig.pass_time(60_000)
    await turns()
    again = rig if rig.engine.healthy else await rig.crashed().start()
    again.pass_time(60_000)
    await turns()

    fired = {row["name"]: row["fired"] for row in (await again.engine.query("schedules", {}))["schedules"]}
    if again is not rig:
        await again.engine.close()
    assert fired["b"] >= 1


async def test_a_message_expires_though_all_that_would_have_expired_before_it_is_done(rig: Rig) -> None:
    count = 1100
    await rig.engine.declare("q", {"expire_ms": 50_000})
    sent = [rig.send([b"x"]) for _ in range(count)]
    await rig.changed.until(lambda: sent[-1])
    worker = await rig.consume(prefetch=count)
    await rig.got(worker, count)
    await rig.engine.operate("pause", {"queue": "q"})
    await rig.publish([b"the one"], expire_ms=100_000)
    await rig.settle(worker, acks=[(1, count)])

    rig.pass_time(60_000)
    await turns()
    for _ in range(9):
        rig.pass_time(100_000)
        await turns()

    assert (await rig.stats())["ready"] == 0


async def test_a_dead_letter_expires_in_a_queue_where_nothing_else_happens(rig: Rig) -> None:
    await rig.engine.declare("q", {"attempts_max": 1})
    await rig.publish([b"x"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    await rig.nack(worker, 1)
    assert (await rig.stats("q.dead"))["ready"] == 1

    for _ in range(15):
        rig.pass_time(DAY_MS)
        await turns()

    assert (await rig.stats("q.dead"))["ready"] == 0


async def test_what_a_replay_brings_expires_in_a_queue_where_nothing_else_happens(rig: Rig) -> None:
    await rig.engine.declare("s", {}, kind="stream")
    await rig.engine.declare("q", {"expire_ms": 100_000})
    await rig.publish([b"x"], "s", kind="stream")
    await rig.engine.operate("replay", {"stream": "s", "first": 0, "queue": "q"})

    for _ in range(10):
        rig.pass_time(100_000)
        await turns()

    assert (await rig.stats())["ready"] == 0
