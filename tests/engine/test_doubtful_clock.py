"""A start whose clock is doubtful, and what it does to the journal and to who asks."""

from __future__ import annotations

import logging

import pytest
from engine_rig import Rig

DAY_MS = 86_400_000


async def days_later(rig: Rig, days: int) -> None:
    await rig.engine.close()
    rig.clock.advance(days * DAY_MS)
    await rig.start()


async def kept(rig: Rig) -> int:
    """Segments after those that are dead and old were let go."""
    for _ in range(3):
        await rig.engine._pipeline.snapshots.write()
    return int((await rig.engine.query("overview", {}))["journal"]["segments"])


async def test_the_history_window_goes_on_only_when_the_clock_is_confirmed() -> None:
    rig = await Rig(segment_bytes=64 * 1024, history_ms=DAY_MS).start()
    worker = await rig.consume(prefetch=1000)
    for n in range(40):
        await rig.publish([bytes(10_000)])
        await rig.got(worker, n + 1)
        await rig.settle(worker, acks=[(n + 1, n + 1)])
    before = await kept(rig)
    await days_later(rig, 30)

    held = await kept(rig)
    await rig.engine.operate("confirm_clock", {})
    rig.pass_time(1000)
    confirmed = await kept(rig)

    assert before >= 5
    assert held >= before
    assert confirmed < before
    await rig.engine.close()


async def test_it_is_said_once_at_the_start_and_once_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "postroad.engine")
    rig = await Rig().start()
    await rig.publish([b"x"])
    await days_later(rig, 2)
    for _ in range(3):
        await rig.engine.query("overview", {})
    await rig.engine.operate("confirm_clock", {})
    for _ in range(3):
        await rig.engine.query("overview", {})

    said = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
    assert ["past the last record" in text or "taken to be right" in text for text in said] == [True, True]
    assert rig.engine.unready is None
    await rig.engine.close()


async def test_a_jump_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "postroad.engine")
    rig = await Rig().start()
    for jump_ms in (7_200_000, 0, -7_200_000):
        rig.clock.jump_wall(jump_ms)
        await rig.engine.query("overview", {})

    said = [record.levelname for record in caplog.records if "the wall clock is" in record.getMessage()]
    assert said == ["WARNING", "INFO"]
    await rig.engine.close()


async def test_a_start_with_the_clock_behind_the_last_record_goes_on_from_there() -> None:
    rig = await Rig().start()
    await rig.publish([b"x"])
    now = rig.clock.now_ms()
    await rig.engine.close()
    rig.clock.jump_wall(-7_200_000)
    await rig.start()

    confirm = await rig.publish([b"y"])

    message = await rig.message(f"{confirm.id_prefix}0")
    assert message["published_at"] >= now
    assert (await rig.engine.query("overview", {}))["clock_skew_ms"] == -7_200_000
    await rig.engine.close()
