"""What a stream lets go of: by count, bytes and age, in whole frames, and what that costs its groups."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.effect import End, Revoke
from postroad.broker.core.format.record import Trim


def stream_of(core: Core, name: str = "s") -> tuple[int, int]:
    log = core.machine.state.streams[name].log
    return log.first, log.next


@pytest.mark.parametrize(
    ("count", "frames", "first"),
    [
        pytest.param(3, [1, 1, 1], 0, id="exactly as many"),
        pytest.param(3, [1, 1, 1, 1], 1, id="one more"),
        pytest.param(3, [2, 2], 0, id="a frame that is needed in part stays whole"),
        pytest.param(3, [2, 3], 2, id="a frame that is not needed goes whole"),
        pytest.param(3, [5], 0, id="the only frame stays whole"),
        pytest.param(1, [4, 4, 4], 8, id="only the last"),
    ],
)
def test_by_count_whole_frames_go(count: int, frames: list[int], first: int) -> None:
    core = Core()
    core.stream(retention_ms=None, retention_count=count)

    for size in frames:
        core.append(size)

    assert stream_of(core) == (first, sum(frames))


@pytest.mark.parametrize(
    ("limit", "sizes", "first"),
    [
        pytest.param(30, [10, 10, 10], 0, id="exactly as many"),
        pytest.param(29, [10, 10, 10], 1, id="one byte less"),
        pytest.param(5, [10, 10], 1, id="the newest stays, too large as it is"),
        pytest.param(10, [10, 0, 0], 0, id="nothing weighs nothing"),
        pytest.param(15, [20, 10], 1, id="the large one goes"),
    ],
)
def test_by_bytes_the_oldest_go(limit: int, sizes: list[int], first: int) -> None:
    core = Core()
    core.stream(retention_ms=None, retention_bytes=limit)

    for size in sizes:
        core.append(1, size=size)

    assert stream_of(core) == (first, len(sizes))
    assert core.machine.state.streams["s"].log.bytes == sum(sizes[first:])


def test_by_age_messages_go_without_anyone_publishing() -> None:
    core = Core()
    core.stream(retention_ms=10_000)
    core.append()
    core.wait(5_000)
    core.append()

    core.wait(4_999)
    assert stream_of(core) == (0, 2)
    core.wait(1_101)
    assert stream_of(core) == (1, 2)
    core.wait(10_000)

    assert stream_of(core) == (2, 2)
    assert core.machine.state.streams["s"].trimmed_total == 2


def test_the_bound_that_is_hit_first_counts() -> None:
    core = Core()
    core.stream(retention_ms=10_000, retention_count=3, retention_bytes=25)

    for _ in range(4):
        core.append()

    assert stream_of(core) == (2, 4), "25 bytes"
    core.wait(20_000)
    assert stream_of(core) == (4, 4), "10 seconds"


def test_a_stream_may_keep_everything() -> None:
    core = Core()
    core.stream(retention_ms=None)
    core.append(100)

    core.wait(400 * 86_400_000)

    assert stream_of(core) == (0, 100)


def test_tightening_the_settings_trims_at_once() -> None:
    core = Core()
    core.stream()
    for _ in range(5):
        core.append()

    core.run(c.DeclareStream(stream="s", settings={"retention_count": 2}, update=True))

    assert stream_of(core) == (3, 5)


def test_what_was_overdue_at_a_start_is_trimmed_by_it() -> None:
    core = Core()
    core.stream(retention_ms=10_000)
    core.append()
    core.at += 60_000

    core.restart()

    assert stream_of(core) == (1, 1)


# What it costs groups


def test_what_a_group_loses_is_counted_there_and_its_position_moves_on() -> None:
    core = Core()
    core.stream(retention_ms=None, retention_count=2)
    core.group("slow")
    core.group("quick")
    quick = core.consume("s/quick")
    for number in range(1, 6):
        core.append()
        core.ack(quick, number)

    slow, fast = core.queue("s/slow"), core.queue("s/quick")
    assert (slow.group.floor, slow.totals["trimmed"], slow.group.waiting_count) == (3, 3, 2)
    assert (fast.group.floor, fast.totals["trimmed"]) == (5, 0)
    assert core.machine.state.streams["s"].trimmed_total == 3


def test_a_lease_on_what_is_trimmed_is_revoked() -> None:
    core = Core()
    core.stream(retention_ms=None, retention_count=2)
    core.group()
    worker = core.consume("s/g")
    for _ in range(3):
        core.append()

    assert [(e.subscription, e.numbers, e.reason) for e in core.effects if isinstance(e, Revoke)] == [
        (worker, [(1, 1)], "trimmed")
    ]
    assert core.ack(worker, 1, 2).lost == [(1, 1)]
    assert core.counts("s/g") == {"leased": 1, "acked": 1, "trimmed": 1}


def test_a_consumer_whose_messages_were_trimmed_has_room_again() -> None:
    core = Core()
    core.stream(retention_ms=10_000)
    core.group(lease_ms=600_000)
    worker = core.consume("s/g", prefetch=1)
    core.append()
    core.wait(5_000)
    core.append()
    assert core.sequences(worker) == [0]

    core.wait(6_000)

    assert core.sequences(worker) == [0, 1]


def test_a_key_whose_holder_is_trimmed_is_free() -> None:
    core = Core()
    core.stream(retention_ms=10_000)
    core.group(lease_ms=600_000)
    worker = core.consume("s/g")
    core.append(1, key="k")
    core.wait(5_000)
    core.append(1, key="k")
    assert core.sequences(worker) == [0]

    core.wait(6_000)

    assert core.sequences(worker) == [0, 1]


def test_a_leaving_consumer_is_gone_when_its_last_message_is_trimmed() -> None:
    core = Core()
    core.stream(retention_ms=None, retention_count=1)
    core.group()
    worker = core.consume("s/g")
    core.append()
    core.settle(worker, begun=1)
    core.run(c.CancelConsumer(subscription=worker))

    core.append()

    assert worker not in core.machine.subscriptions
    assert [e.subscription for e in core.effects if isinstance(e, End)] == [worker]


def test_a_lease_that_reaches_over_the_boundary_is_cut() -> None:
    core = Core()
    core.stream(retention_ms=None)
    core.group()
    core.append(2)
    core.append(2)
    worker = core.consume("s/g")
    core.ack(worker, 1)

    core.run(c.DeclareStream(stream="s", settings={"retention_count": 2}, update=True))

    assert [e.numbers for e in core.effects if isinstance(e, Revoke)] == [[(2, 2)]]
    assert core.ack(worker, 3, 4).lost == []
    assert core.counts("s/g") == {"acked": 3, "trimmed": 1}


# keep_until_acked


def test_what_a_group_has_not_settled_is_kept_if_so_wished() -> None:
    core = Core()
    core.stream(retention_ms=None, retention_count=1, keep_until_acked=True)
    core.group("slow")
    core.group("quick")
    core.consume("s/quick")
    slow = core.consume("s/slow")
    for _ in range(4):
        core.append()
    assert stream_of(core) == (0, 4)

    core.ack(core.consume("s/quick"), 1)
    core.ack(slow, 1, 2)
    core.append()

    assert stream_of(core) == (0, 5), "the other group has settled none"


def test_what_all_groups_have_settled_goes_by_age_to_the_last_message() -> None:
    core = Core()
    core.stream(retention_ms=10_000, keep_until_acked=True)
    core.group(lease_ms=600_000)
    worker = core.consume("s/g")
    core.append(2)
    core.wait(60_000)
    assert stream_of(core) == (0, 2)

    core.ack(worker, 1, 2)
    core.wait(10_000)

    assert stream_of(core) == (2, 2)
    assert core.queue("s/g").totals["trimmed"] == 0


# References


def test_trimmed_records_are_let_go_once_and_only_when_nothing_else_needs_them() -> None:
    core = Core()
    core.stream(retention_ms=None, retention_count=1)
    core.group()
    worker = core.consume("s/g")
    position = core.append().position
    core.nack(worker, 1, dead=True)  # the dead-letter queue needs it too

    core.append()

    state = core.machine.state
    assert state.retained.count(position) == 2
    assert state.released.count(position) == 1
    core.ack(core.consume("s.g.dead"), 1)
    assert state.released.count(position) == 2


def test_a_lower_bound_of_bytes_is_reached_in_steps_that_visit_what_goes() -> None:
    core = Core()
    core.stream()
    for _ in range(2500):
        core.append(1, size=10)

    core.run(c.DeclareStream(stream="s", settings={"retention_bytes": 50}, update=True))
    log = core.machine.state.streams["s"].log
    assert log.boundary_by_bytes(50, 7) == log.first + 7
    core.wait(0)

    assert (log.first, log.next, log.bytes) == (2495, 2500, 50)
    trims = [record.first for record in core.records if isinstance(record, Trim)]
    assert trims == [1000, 2000, 2495]
