"""Schedules: a firing is one record; a restart neither forgets nor repeats one."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import START_MS, Core
from postroad.broker.core.durable.schedule import Schedule
from postroad.broker.core.format import command as c
from postroad.broker.core.format.event import event_of
from postroad.broker.core.format.record import Publish, RefuseSchedule
from postroad.broker.core.rules import schedules
from postroad.broker.errors import InvalidRequest, InvalidState, LimitExceeded, QueueNotFound

HOUR_MS = 3_600_000
FIRST = (START_MS // HOUR_MS + 1) * HOUR_MS


def declare(core: Core, name: str = "hourly", target: str = "q", kind: str = "queue", **more: Any) -> int:
    timing = {"every_ms": HOUR_MS} if "cron" not in more and "every_ms" not in more else {}
    attributes = more.pop("attributes", {})
    publish = c.PublishMessages(queue=target, kind=kind, sizes=[3], attributes=attributes)
    return int(core.run(c.DeclareSchedule(name=name, publish=publish, body=b"abc", **timing, **more)))


def change(core: Core, do: str, name: str = "hourly") -> None:
    core.run(c.ChangeSchedule(name=name, do=do))


def of(core: Core, name: str = "hourly") -> Schedule:
    return core.machine.state.schedules[name]


def firings(core: Core) -> list[int]:
    return [record.at for record in core.records if isinstance(record, Publish) and record.schedule is not None]


def to(core: Core, at: int) -> None:
    core.wait(at - core.at)


def test_it_fires_on_time_again_and_again() -> None:
    core = Core()
    assert declare(core) == FIRST

    to(core, FIRST - 1)
    assert firings(core) == []
    to(core, FIRST + 2 * HOUR_MS)

    assert firings(core) == [FIRST, FIRST + HOUR_MS, FIRST + 2 * HOUR_MS]
    assert (of(core).fired, of(core).last_at, of(core).next_at) == (3, FIRST + 2 * HOUR_MS, FIRST + 3 * HOUR_MS)
    assert core.counts() == {"ready": 3}
    assert list(core.machine.fired.values()) == [b"abc"] * 3


def test_a_firing_and_its_next_time_are_one_record() -> None:
    core = Core()
    declare(core)
    before = len(core.records)

    to(core, FIRST)

    fired = [record for record in core.records[before:] if isinstance(record, Publish)]
    assert [record.schedule for record in fired] == [("hourly", FIRST + HOUR_MS)]
    assert [kind for kind in core.kinds()[before:] if "Schedule" in kind] == []


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_what_was_missed_while_the_broker_was_down_fires_once(from_snapshot: bool) -> None:
    core = Core()
    declare(core)
    to(core, FIRST)
    core.at = FIRST + 5 * HOUR_MS + 60_000

    core.restart(from_snapshot=from_snapshot)
    core.wait(0)

    assert firings(core) == [FIRST, FIRST + 5 * HOUR_MS + 60_000]
    assert of(core).next_at == FIRST + 6 * HOUR_MS
    to(core, FIRST + 6 * HOUR_MS)
    assert len(firings(core)) == 3


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_a_restart_right_after_a_firing_repeats_nothing(from_snapshot: bool) -> None:
    core = Core()
    declare(core)
    to(core, FIRST)

    core.restart(from_snapshot=from_snapshot)
    core.wait(HOUR_MS - 1)

    assert firings(core) == [FIRST]


def test_a_crash_before_the_firing_was_stored_lets_it_happen_once() -> None:
    core = Core()
    declare(core)
    kept = len(core.journal)
    to(core, FIRST)
    del core.journal[kept:]  # it was never written

    core.restart()
    core.wait(0)

    assert [position for position, _ in core.journal][-1] == core.machine.state.position
    assert core.counts() == {"ready": 1}


def test_a_paused_one_does_not_fire_also_after_a_restart_and_goes_on_with_the_next_time() -> None:
    core = Core()
    declare(core)
    change(core, "pause")
    to(core, FIRST + HOUR_MS)
    core.restart()
    core.wait(HOUR_MS // 2)
    assert firings(core) == []

    change(core, "resume")

    assert of(core).next_at == FIRST + 2 * HOUR_MS
    to(core, FIRST + 2 * HOUR_MS)
    assert firings(core) == [FIRST + 2 * HOUR_MS]


def test_one_declared_paused_waits() -> None:
    core = Core()
    declare(core, paused=True)

    to(core, FIRST + HOUR_MS)

    assert firings(core) == []


def test_running_it_now_changes_nothing_about_the_next_time() -> None:
    core = Core()
    declare(core)

    change(core, "run")

    assert firings(core) == [START_MS]
    assert (of(core).next_at, of(core).fired) == (FIRST, 1)
    to(core, FIRST)
    assert len(firings(core)) == 2


def test_a_paused_one_can_be_run_and_stays_paused() -> None:
    core = Core()
    declare(core, paused=True)

    change(core, "run")
    to(core, FIRST + HOUR_MS)

    assert firings(core) == [START_MS]


def test_a_run_that_is_refused_says_so() -> None:
    core = Core()
    core.declare(length_max=1)
    core.publish()
    declare(core)

    with pytest.raises(InvalidState):
        change(core, "run")

    assert of(core).fired == 0


def test_a_firing_that_is_refused_is_passed_over_and_the_next_one_comes() -> None:
    core = Core()
    core.declare(length_max=1)
    core.publish()
    declare(core)
    to(core, FIRST)
    assert (firings(core), of(core).next_at, of(core).fired) == ([], FIRST + HOUR_MS, 0)

    core.run(c.Purge(queue="q"))
    to(core, FIRST + HOUR_MS)

    assert firings(core) == [FIRST + HOUR_MS]


def test_declaring_it_again_replaces_it_and_keeps_its_count() -> None:
    core = Core()
    declare(core)
    to(core, FIRST)

    declare(core, target="other", every_ms=60_000)
    core.wait(60_000)

    assert core.counts("other") == {"ready": 1}
    assert of(core).fired == 2
    to(core, FIRST + HOUR_MS - 1)
    assert core.counts() == {"ready": 1}


def test_a_deleted_one_is_gone() -> None:
    core = Core()
    declare(core)

    change(core, "delete")
    to(core, FIRST)

    assert firings(core) == []
    for do in ("delete", "pause", "resume", "run"):
        with pytest.raises(QueueNotFound):
            change(core, do)


@pytest.mark.parametrize("kind", ["queue", "stream", "topic"])
def test_it_publishes_to_queue_stream_or_topic(kind: str) -> None:
    core = Core()
    core.declare("q")
    core.bind("t.#", "q")
    name = {"queue": "q", "stream": "s", "topic": "t.x"}[kind]
    declare(core, target=name, kind=kind, attributes={"headers": {"a": "b"}, "key": "k"})

    to(core, FIRST)

    state = core.machine.state
    log = state.streams["s"].log if kind == "stream" else state.queues["q"].log
    assert log.next == 1 and log.key_of(0) != 0
    (record,) = [record for record in core.records if isinstance(record, Publish)]
    assert record.attributes["headers"] == {"a": "b"}


def test_cron_follows_its_zone() -> None:
    core = Core()  # 2023-11-14 22:13:20 UTC

    assert declare(core, cron="0 9 * * *", zone="Asia/Tokyo") == 1_700_006_400_000  # 2023-11-15 00:00 UTC


def test_one_that_never_fires_is_refused_and_changes_nothing() -> None:
    core = Core()

    with pytest.raises(InvalidRequest):
        declare(core, cron="0 0 31 2 *")

    assert core.machine.state.schedules == {}


def test_there_is_an_end_to_how_many_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "SCHEDULES_MAX", 2)
    core = Core()
    declare(core, "a")
    declare(core, "b")

    with pytest.raises(LimitExceeded):
        declare(core, "c")
    declare(core, "a", every_ms=60_000)


def test_a_refused_firing_is_told_and_remembered_until_one_is_published_again() -> None:
    core = Core()
    core.declare(length_max=1)
    core.publish(1)
    declare(core)

    to(core, FIRST)

    refused = core.records[-1]
    assert isinstance(refused, RefuseSchedule)
    error = {"at": core.at, "code": "queue-full", "message": '"q" holds 1 messages and may hold 1.'}
    assert (of(core).last_error, of(core).fired) == (error, 0)
    event = event_of(refused, 9, core.machine.state.names, core.machine.state.id_prefix)
    assert event is not None
    assert (event["kind"], event["queue"], event["schedule"], event["due"]) == (
        "refused",
        "q",
        "hourly",
        FIRST + HOUR_MS,
    )
    assert event["reason"].startswith("queue-full: ")

    core.restart(from_snapshot=True)
    assert of(core).last_error == error
    core.restart()
    change(core, "pause")
    change(core, "resume")
    assert of(core).last_error == error

    core.run(c.Purge(queue="q"))
    to(core, of(core).next_at)
    assert (of(core).last_error, of(core).fired) == (None, 1)


def test_a_schedule_that_is_declared_anew_has_no_error() -> None:
    core = Core()
    core.declare(length_max=1)
    core.publish(1)
    declare(core)
    to(core, FIRST)

    declare(core)

    assert of(core).last_error is None
