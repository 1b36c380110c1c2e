"""What a wrong or jumping wall clock does: nothing is early, nothing stands still, nothing is deleted for it."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import Rig
from postroad.broker.testing import FakeClock

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOON_MS = 1_700_049_600_000
"""2023-11-15, 12:00 UTC."""


class TwoClocks(FakeClock):
    """Time as it passes, and what the wall clock says: the latter can be set."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        super().__init__(now_ms)
        self.ahead_ms = 0

    def wall_ms(self) -> int:
        return self.now_ms() + self.ahead_ms


@pytest.fixture
def clocks() -> TwoClocks:
    return TwoClocks()


async def passed(rig: Rig, ms: int) -> None:
    """Let time pass; the engine has looked at both clocks before and after."""
    await rig.engine.query("overview", {})
    rig.pass_time(0)
    rig.pass_time(ms)
    await rig.engine.query("overview", {})
    rig.pass_time(0)


async def fired(rig: Rig) -> int:
    (row,) = (await rig.engine.query("schedules", {}))["schedules"]
    return int(row["fired"])


async def started(clocks: TwoClocks, **schedule: Any) -> Rig:
    rig = await Rig(clock=clocks).start()
    if schedule:
        await rig.engine.operate("schedule", {"schedule": "s", "queue": "q", "message": {"body": 1}, **schedule})
    return rig


async def test_cron_fires_once_when_the_wall_clock_jumps_over_several_of_its_times(clocks: TwoClocks) -> None:
    rig = await started(clocks, cron="30 * * * *")

    clocks.ahead_ms = 2 * HOUR_MS
    await passed(rig, 1000)
    assert await fired(rig) == 1

    await passed(rig, 29 * MINUTE_MS)
    assert await fired(rig) == 1
    await passed(rig, MINUTE_MS)
    assert await fired(rig) == 2
    await rig.engine.close()


async def test_cron_does_not_fire_again_for_a_time_that_comes_twice(clocks: TwoClocks) -> None:
    rig = await started(clocks, cron="30 * * * *")
    await passed(rig, 31 * MINUTE_MS)
    assert await fired(rig) == 1

    clocks.ahead_ms = -2 * HOUR_MS
    for _ in range(8):
        await passed(rig, 15 * MINUTE_MS)
    assert await fired(rig) == 1

    await passed(rig, HOUR_MS)
    assert await fired(rig) == 2
    await rig.engine.close()


async def test_cron_goes_on_at_once_when_a_clock_that_was_years_ahead_is_put_right(clocks: TwoClocks) -> None:
    rig = await started(clocks, cron="30 * * * *")
    clocks.ahead_ms = 3650 * DAY_MS
    await passed(rig, 1000)
    assert await fired(rig) == 1

    clocks.ahead_ms = 0
    await passed(rig, HOUR_MS)

    assert await fired(rig) == 2
    await rig.engine.close()


@pytest.mark.parametrize("jump_ms", [2 * HOUR_MS, -2 * HOUR_MS])
async def test_delays_go_by_the_time_that_passes_and_the_difference_is_shown(clocks: TwoClocks, jump_ms: int) -> None:
    rig = await started(clocks)
    await rig.publish([b"x"], delay_ms=HOUR_MS)
    clocks.ahead_ms = jump_ms

    await passed(rig, HOUR_MS - 1000)
    assert (await rig.stats())["ready"] == 0
    await passed(rig, 1000)
    assert (await rig.stats())["ready"] == 1

    assert (await rig.engine.query("overview", {}))["clock_skew_ms"] == jump_ms
    clocks.ahead_ms = 0
    assert (await rig.engine.query("overview", {}))["clock_skew_ms"] == 0
    await rig.engine.close()


async def days_later(rig: Rig, days: int) -> None:
    await rig.engine.close()
    rig.clock.advance(days * DAY_MS)
    await rig.start()


async def full_of_old_things(clocks: TwoClocks) -> Rig:
    rig = await started(clocks)
    await rig.publish([b"mortal"], expire_ms=DAY_MS)
    await rig.publish([b"later"], "delayed", delay_ms=DAY_MS)
    await rig.engine.declare("s", {"retention_ms": DAY_MS}, kind="stream")
    await rig.publish([b"kept"], "s", kind="stream")
    return rig


async def kept(rig: Rig) -> tuple[int, int]:
    stream = (await rig.engine.query("stream", {"stream": "s"}))["stream"]
    return (await rig.stats())["ready"], stream["messages"]


async def test_a_start_far_behind_the_last_record_serves_and_deletes_nothing_by_age(clocks: TwoClocks) -> None:
    rig = await full_of_old_things(clocks)

    await days_later(rig, 30)
    rig.pass_time(30 * MINUTE_MS)
    await rig.publish([b"new"], "s", kind="stream")

    assert await kept(rig) == (1, 2)
    assert (await rig.stats("delayed"))["ready"] == 1
    held = (await rig.engine.query("overview", {}))["clock_held"]
    assert held["ahead_ms"] == 30 * DAY_MS
    await rig.engine.close()


async def test_an_operator_who_confirms_the_clock_lets_things_go(clocks: TwoClocks) -> None:
    rig = await full_of_old_things(clocks)
    await days_later(rig, 30)
    assert await kept(rig) == (1, 1)

    await rig.engine.operate("confirm_clock", {})
    for _ in range(3):
        rig.pass_time(MINUTE_MS)

    assert await kept(rig) == (0, 0)
    assert (await rig.engine.query("overview", {}))["clock_held"] is None
    await rig.engine.close()


async def test_an_hour_after_such_a_start_things_go_also_when_it_was_started_again(clocks: TwoClocks) -> None:
    rig = await full_of_old_things(clocks)
    await days_later(rig, 30)
    rig.pass_time(30 * MINUTE_MS)
    await rig.restart()
    assert await kept(rig) == (1, 1)

    rig.pass_time(31 * MINUTE_MS)
    for _ in range(3):
        rig.pass_time(MINUTE_MS)

    assert await kept(rig) == (0, 0)
    await rig.engine.close()
