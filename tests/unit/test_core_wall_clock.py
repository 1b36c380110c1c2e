"""A start far past the last record deletes nothing for its age, until the clock is believed."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.rules.wall_clock import HOLD_MS
from postroad.broker.settings import DAY_MS


def restart(core: Core, later_ms: int, *, from_snapshot: bool = False, skew_ms: int = 0) -> None:
    core.at += later_ms
    core.starts_with = {"ahead_max_ms": DAY_MS, "skew_ms": skew_ms}
    core.restart(from_snapshot=from_snapshot)
    core.wait(0)


@pytest.fixture
def core() -> Core:
    """With a message that expires in a day, a stream kept for a day, and one whose tombstones go after a day."""
    core = Core()
    core.publish(expire_ms=DAY_MS)
    core.stream(retention_ms=DAY_MS)
    core.append(1)
    core.stream("table", compaction=True, tombstone_ms=DAY_MS, retention_ms=DAY_MS)
    core.append(1, "table")
    core.append(1, "table", sizes=[0], key="k", headers={"postroad-tombstone": "true"})
    return core


def kept(core: Core) -> tuple[int, int, int]:
    streams = core.machine.state.streams
    return core.queue().group.ready_count, streams["s"].log.count, streams["table"].log.count


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_nothing_goes_for_an_hour_also_when_time_passes_and_messages_come(core: Core, from_snapshot: bool) -> None:
    restart(core, 40 * DAY_MS, from_snapshot=from_snapshot)
    core.append(1)
    core.append(1, "table")
    core.wait(HOLD_MS - 1)
    assert kept(core) == (1, 2, 3)
    assert core.machine.aging == 0

    core.wait(5000)

    assert core.machine.aging == core.machine.now
    assert kept(core) == (0, 1, 1)


def test_what_does_not_go_by_age_goes_meanwhile(core: Core) -> None:
    core.run(c.DeclareStream(stream="s", settings={"retention_count": 2}, update=True))
    core.publish(1, "later", delay_ms=DAY_MS)
    restart(core, 40 * DAY_MS)

    for _ in range(5):
        core.append(1)

    assert core.machine.state.streams["s"].log.count == 2
    assert core.queue("later").group.ready_count == 1


def test_an_operator_ends_it(core: Core) -> None:
    restart(core, 40 * DAY_MS)

    assert core.run(c.ConfirmClock()) is True
    core.wait(5000)

    assert kept(core) == (0, 0, 0)
    assert core.run(c.ConfirmClock()) is False


def test_nothing_is_held_after_less_than_a_day_or_in_an_empty_store(core: Core) -> None:
    restart(core, DAY_MS)
    assert core.machine.state.ahead_ms == 0

    empty = Core()
    assert empty.machine.state.ahead_ms == 0


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_starting_again_neither_ends_it_nor_prolongs_it(core: Core, from_snapshot: bool) -> None:
    restart(core, 40 * DAY_MS)
    for _ in range(3):
        restart(core, HOLD_MS // 4, from_snapshot=from_snapshot)
        assert kept(core) == (1, 1, 2)
    assert core.machine.state.ahead_ms == 40 * DAY_MS

    restart(core, HOLD_MS // 4)
    core.wait(5000)

    assert kept(core) == (0, 0, 0)


def test_once_it_was_confirmed_the_next_start_is_as_ever(core: Core) -> None:
    restart(core, 40 * DAY_MS)
    core.run(c.ConfirmClock())
    restart(core, 1000)

    assert core.machine.state.ahead_ms == 0
    core.wait(5000)
    assert kept(core) == (0, 0, 0)


def test_a_clock_that_went_back_was_wrong_and_only_an_operator_ends_it(core: Core) -> None:
    restart(core, 3650 * DAY_MS)
    core.run(c.SetSkew(skew_ms=-3650 * DAY_MS))
    core.wait(10 * HOLD_MS)
    assert kept(core) == (1, 1, 2)
    restart(core, 0, skew_ms=-3650 * DAY_MS)
    core.wait(10 * HOLD_MS)
    assert kept(core) == (1, 1, 2)

    core.run(c.ConfirmClock())
    core.wait(5000)

    assert kept(core) == (0, 0, 0)


def test_many_queues_are_woken_in_steps(core: Core) -> None:
    for number in range(500):
        core.publish(1, f"q{number}", expire_ms=1000)
    restart(core, 40 * DAY_MS)
    core.run(c.ConfirmClock())

    ticks = 0
    while (due := core.machine.next_due()) is not None and due <= core.at:
        core.run(c.Tick())
        ticks += 1
    core.wait(5000)

    assert ticks >= 5
    assert sum(queue.group.ready_count for queue in core.machine.state.queues.values()) == 0
