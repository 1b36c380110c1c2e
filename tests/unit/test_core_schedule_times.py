"""Schedules and the wall clock, and what they do with the room there is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.record import DefineSchedule, Publish, RefuseSchedule
from postroad.broker.core.rules import cron
from postroad.broker.core.rules.schedules import last_error, next_at
from postroad.broker.errors import Conflict, InvalidRequest, InvalidState, LimitExceeded, PostroadError

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
NOON_MS = 1_700_049_600_000
"""2023-11-15, 12:00 UTC."""


@pytest.fixture
def core() -> Core:
    return Core(at=NOON_MS)


def declare(core: Core, name: str = "s", target: str = "q", kind: str = "queue", **more: Any) -> int:
    body, attributes = more.pop("body", b"abc"), more.pop("attributes", {})
    if "cron" not in more and "every_ms" not in more:
        more["cron"] = "30 * * * *"
    publish = c.PublishMessages(queue=target, kind=kind, sizes=[len(body)], attributes=attributes)
    return int(core.run(c.DeclareSchedule(name=name, publish=publish, body=body, **more)))


def jump(core: Core, skew_ms: int) -> None:
    core.run(c.SetSkew(skew_ms=skew_ms))
    core.wait(0)


def tick(core: Core, room: int, *, reserve: int = 0) -> None:
    """A tick with so much room in the journal."""
    core.machine.handle(c.Tick(), core.at, room, reserve)
    core.collect()


def firings(core: Core) -> list[int]:
    """Minutes after noon, by engine time."""
    fired = [record.at for record in core.records if isinstance(record, Publish) and record.schedule is not None]
    return [(at - NOON_MS) // MINUTE_MS for at in fired]


def test_next_times_of_cron_are_those_of_the_wall_clock(core: Core) -> None:
    jump(core, -2 * HOUR_MS)

    assert declare(core) == NOON_MS - 90 * MINUTE_MS
    assert declare(core, "other", every_ms=HOUR_MS) == NOON_MS + HOUR_MS
    core.wait(31 * MINUTE_MS)

    assert firings(core) == [30]


def test_an_interval_goes_by_time_that_passes(core: Core) -> None:
    declare(core, every_ms=HOUR_MS)
    jump(core, 2 * HOUR_MS)
    core.wait(59 * MINUTE_MS)
    jump(core, -2 * HOUR_MS)
    assert firings(core) == []

    core.wait(MINUTE_MS)

    assert firings(core) == [60]


def test_a_jump_forward_fires_once_and_goes_on_with_the_next_time(core: Core) -> None:
    declare(core)
    core.wait(10 * MINUTE_MS)

    jump(core, 2 * HOUR_MS)  # 14:10
    core.wait(HOUR_MS)

    assert firings(core) == [10, 30]


def test_a_jump_back_of_two_hours_fires_no_time_twice(core: Core) -> None:
    declare(core)
    core.wait(31 * MINUTE_MS)
    jump(core, -2 * HOUR_MS)  # 10:31; 12:30 has fired

    core.wait(4 * HOUR_MS)  # 13:30 comes after three hours

    assert firings(core) == [30, 210, 270]


def test_a_jump_back_of_a_day_begins_anew(core: Core) -> None:
    declare(core)
    core.wait(31 * MINUTE_MS)
    jump(core, -24 * HOUR_MS)

    core.wait(HOUR_MS)

    assert firings(core) == [30, 90]


def test_a_daily_schedule_is_not_moved_by_a_clock_that_is_put_right(core: Core) -> None:
    declare(core, cron="0 18 * * *")
    jump(core, 4 * HOUR_MS)
    jump(core, 0)
    core.wait(6 * HOUR_MS)

    assert firings(core) == [360]
    assert len([r for r in core.records if isinstance(r, DefineSchedule)]) == 1


def test_a_start_with_the_right_clock_does_not_wait_for_years(core: Core) -> None:
    declare(core)
    jump(core, 3650 * 24 * HOUR_MS)
    assert firings(core) == [0]

    core.restart()
    core.wait(31 * MINUTE_MS)

    assert firings(core) == [0, 30]


def test_a_wall_clock_that_says_anything_stops_nothing(core: Core) -> None:
    declare(core)
    for skew_ms in (2**53, -(2**53), 0):
        jump(core, skew_ms)
    core.wait(31 * MINUTE_MS)

    assert firings(core)[-1] == 30


def test_ten_thousand_schedules_are_looked_at_in_steps(core: Core) -> None:
    for number in range(1000):
        declare(core, f"s{number}", cron="0 18 * * *")

    core.run(c.SetSkew(skew_ms=HOUR_MS))
    ticks = 0
    while (due := core.machine.next_due()) is not None and due <= core.at:
        core.run(c.Tick())
        ticks += 1

    assert ticks == 10
    core.wait(5 * HOUR_MS)
    assert len(firings(core)) == 1000


def test_a_zone_that_is_gone_is_a_refusal(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(core, zone="Europe/Berlin")
    declare(core, "other")

    def gone(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr(cron, "ZoneInfo", gone)
    core.wait(40 * MINUTE_MS)
    core.restart()
    jump(core, -24 * HOUR_MS)

    error = last_error(core.machine, core.machine.state.schedules["s"])
    assert error is not None and error["code"] == "invalid-request"


# What can never be


@pytest.mark.parametrize(
    ("kind", "target", "attributes", "error"),
    [
        pytest.param("stream", "new", {"priority": 1}, InvalidRequest, id="priority on a stream that is not there yet"),
        pytest.param("queue", "new", {"key": "k", "priority": 1}, InvalidRequest, id="key and priority"),
        pytest.param("queue", "new", {"key": "k", "delay_ms": 1}, InvalidRequest, id="key and delay"),
        pytest.param("queue", "s", {}, Conflict, id="a stream"),
        pytest.param("stream", "q", {}, Conflict, id="a queue"),
        pytest.param("queue", "s/g", {}, InvalidRequest, id="a group"),
        pytest.param("topic", "t", {"priority": 1}, InvalidRequest, id="priority to a topic with a stream"),
        pytest.param("queue", "new", {"expire_ms": 2**60}, InvalidRequest, id="expiry out of range"),
        pytest.param("queue", "new", {"headers": {"a": 1}}, InvalidRequest, id="headers of another shape"),
        pytest.param("queue", "new", {"headers": {"a": "x" * 20_000}}, LimitExceeded, id="headers too large"),
        pytest.param("queue", "tiny", {}, LimitExceeded, id="larger than the queue"),
    ],
)
def test_what_could_never_fire_is_refused_and_leaves_the_one_of_before(
    core: Core, kind: str, target: str, attributes: dict[str, Any], error: type[PostroadError]
) -> None:
    core.group()
    core.declare()
    core.declare("tiny", bytes_max=2)
    core.bind("t", "s")
    declare(core)
    before = len(core.records)

    with pytest.raises(error):
        declare(core, target=target, kind=kind, attributes=attributes)

    assert len(core.records) == before
    assert core.machine.state.schedules["s"].target == "q"


def test_a_queue_that_is_only_full_is_no_reason_to_refuse_a_schedule(core: Core) -> None:
    core.declare(length_max=1)
    core.publish()

    declare(core)
    core.wait(31 * MINUTE_MS)

    assert [record.code for record in core.records if isinstance(record, RefuseSchedule)] == ["queue-full"]


def test_running_what_has_become_impossible_is_refused_and_leaves_no_record(core: Core) -> None:
    declare(core)
    core.stream("q")
    before = len(core.records)

    with pytest.raises(InvalidState):
        core.run(c.ChangeSchedule(name="s", do="run"))

    assert len(core.records) == before


# Refusals


def test_refusals_that_are_alike_are_one_record(core: Core) -> None:
    core.declare(length_max=1)
    core.publish()
    declare(core)

    core.wait(5 * HOUR_MS)

    schedule = core.machine.state.schedules["s"]
    assert len([record for record in core.records if isinstance(record, RefuseSchedule)]) == 1
    assert next_at(core.machine, schedule) == NOON_MS + 330 * MINUTE_MS
    error = last_error(core.machine, schedule)
    assert error is not None and error["at"] == NOON_MS + 270 * MINUTE_MS
    core.ack(core.consume(), 1)
    core.wait(HOUR_MS)
    assert firings(core) == [330]
    assert last_error(core.machine, schedule) is None


@pytest.mark.parametrize("change", ["pause", "resume", "delete", "declare"])
def test_a_schedule_that_is_changed_forgets_what_was_refused(core: Core, change: str) -> None:
    core.declare(length_max=1)
    core.publish()
    declare(core)
    core.wait(2 * HOUR_MS)

    if change == "declare":
        declare(core)
    else:
        core.run(c.ChangeSchedule(name="s", do=change))

    assert core.machine.refusals == {}


def test_without_room_on_the_disk_nothing_is_written_at_all(core: Core) -> None:
    declare(core)
    before = len(core.records)

    core.at += 31 * MINUTE_MS
    for _ in range(3):
        tick(core, 100_000, reserve=99_000)
        core.at += HOUR_MS

    assert len(core.records) == before
    error = last_error(core.machine, core.machine.state.schedules["s"])
    assert error is not None and error["code"] == "storage-full"
    tick(core, 200_000, reserve=99_000)
    assert firings(core) == [211]


def test_what_is_due_together_fires_in_several_ticks_if_it_is_large(core: Core) -> None:
    for number in range(12):
        declare(core, f"s{number}", body=bytes(60_000))
    core.at += 30 * MINUTE_MS

    counts = [0]
    while counts[-1] < 12:
        tick(core, 100_000_000)
        counts.append(len(firings(core)))

    assert {1, 2, 3}.issuperset(after - before for before, after in pairwise(counts))


def test_a_firing_that_finds_its_room_taken_by_another_is_not_refused(core: Core) -> None:
    """A record that has no room after the first of a command would end the broker."""
    declare(core, "a", body=bytes(30_000))
    declare(core, "b", body=bytes(30_000))
    core.at += 30 * MINUTE_MS

    tick(core, 200_000, reserve=140_000)
    assert len(firings(core)) == 1
    tick(core, 200_000, reserve=140_000)

    assert len(firings(core)) == 2
    assert core.machine.refusals == {}
