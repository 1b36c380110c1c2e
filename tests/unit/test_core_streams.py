"""Streams and their groups: where a group begins, what it commits, resetting, trimming, redriving, replaying."""

from __future__ import annotations

import pytest
from core_rig import START_MS, Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.effect import End, Revoke
from postroad.broker.errors import Conflict, InvalidRequest, QueueNotFound


@pytest.fixture
def core() -> Core:
    core = Core()
    core.stream()
    return core


def committed(core: Core, group: str = "s/g") -> int:
    return core.queue(group).group.floor


def revoked(core: Core) -> list[tuple[int, list[tuple[int, int]], str]]:
    return [(e.subscription, e.numbers, e.reason) for e in core.effects if isinstance(e, Revoke)]


# Where a group begins


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("latest", None), ("earliest", 0), (("offset", 2), 2), (("offset", 99), None),
        (("at", 0), 0), (("at", START_MS + 1000), 3), (("at", START_MS + 1001), None), (("last", 2), 4), (("last", 99), 0),
    ],
)  # fmt: skip
def test_a_group_begins_where_it_was_told_to(core: Core, start: object, first: int | None) -> None:
    core.append(3)
    core.wait(1000)
    core.append(3)

    core.group(start=start)
    worker = core.consume("s/g")

    assert core.sequences(worker) == list(range(6 if first is None else first, 6))


def test_a_stream_that_was_trimmed_begins_at_what_is_left(core: Core) -> None:
    core.run(c.DeclareStream(stream="s", settings={"retention_count": 2}, update=True))
    for _ in range(5):
        core.append()

    core.group(start=("offset", 0))

    assert core.sequences(core.consume("s/g")) == [3, 4]


def test_declaring_a_group_again_does_not_move_it(core: Core) -> None:
    core.append(3)
    core.group(start=("offset", 2))

    again = core.group(start="earliest")

    assert again is False
    assert committed(core) == 2


def test_a_group_declares_its_stream(core: Core) -> None:
    assert core.group(stream="new") is True

    assert core.append(2, "new").count == 2
    assert core.sequences(core.consume("new/g")) == [0, 1]


def test_a_group_with_other_settings_is_a_conflict_unless_it_is_an_update(core: Core) -> None:
    core.group(attempts_max=3)

    with pytest.raises(Conflict):
        core.group(attempts_max=4)
    core.run(c.DeclareGroup(stream="s", group="g", settings={"attempts_max": 4}, update=True))

    assert core.queue("s/g").settings.attempts_max == 4


def test_queue_and_stream_share_one_name_space(core: Core) -> None:
    core.declare("q")

    with pytest.raises(Conflict):
        core.stream("q")
    with pytest.raises(Conflict):
        core.declare("s")
    with pytest.raises(Conflict):
        core.publish(1, "s")
    with pytest.raises(Conflict):
        core.append(1, "q")


@pytest.mark.parametrize("attribute", [{"delay_ms": 5}, {"delays_ms": [5]}, {"priority": 1}, {"priorities": [1]}])
def test_a_stream_takes_neither_delay_nor_priority(core: Core, attribute: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        core.append(1, **attribute)

    assert core.machine.state.streams["s"].log.next == 0


# What each group has


def test_every_group_gets_every_message_and_its_members_share(core: Core) -> None:
    core.group("a")
    core.group("b")
    alone = core.consume("s/a")
    pair = [core.consume("s/b", prefetch=2), core.consume("s/b", prefetch=2)]

    core.append(4)

    assert core.sequences(alone) == [0, 1, 2, 3]
    assert sorted(core.sequences(pair[0]) + core.sequences(pair[1])) == [0, 1, 2, 3]
    assert len(core.sequences(pair[0])) == 2


def test_the_committed_offset_is_the_lowest_that_is_unsettled(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append(4)

    steps = []
    for number in (2, 1, 4, 3):
        core.ack(worker, number)
        steps.append(committed(core))

    assert steps == [0, 2, 2, 4]


def test_what_one_group_settles_is_still_there_for_the_others(core: Core) -> None:
    core.group("a")
    core.group("b")
    core.append(3)

    core.ack(core.consume("s/a"), 1, 2, 3)

    assert (committed(core, "s/a"), committed(core, "s/b")) == (3, 0)
    assert core.sequences(core.consume("s/b")) == [0, 1, 2]
    assert core.machine.state.streams["s"].earliest == 0


def test_attempts_are_counted_for_each_group_on_its_own(core: Core) -> None:
    core.group("a", backoff_ms=0)
    core.group("b")
    one, other = core.consume("s/a"), core.consume("s/b")
    core.append()

    core.nack(one, 1)

    assert core.attempts[one, 2] == 2
    assert core.attempts[other, 1] == 1
    assert core.sequences(other) == [0]


def test_a_message_that_is_retried_does_not_hold_up_the_others(core: Core) -> None:
    core.group(backoff_ms=500)
    worker = core.consume("s/g")
    core.append(2)

    core.nack(worker, 1)
    core.ack(worker, 2)
    assert (committed(core), core.counts("s/g")["retrying"]) == (0, 1)
    core.wait(1000)
    core.ack(worker, 3)

    assert committed(core) == 2


def test_after_a_restart_a_group_goes_on_where_it_was(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append(5)
    core.ack(worker, 1, 2, 4)

    core.restart()
    again = core.consume("s/g")
    core.wait(500)

    assert core.sequences(again) == [2, 4]


def test_pausing_a_group_leaves_the_others_alone(core: Core) -> None:
    core.group("a")
    core.group("b")
    one, other = core.consume("s/a"), core.consume("s/b")

    core.run(c.SetPaused(queue="s/a", paused=True))
    core.append()

    assert (core.sequences(one), core.sequences(other)) == ([], [0])


# Resetting


def test_a_reset_group_goes_on_from_there_with_attempts_forgotten(core: Core) -> None:
    core.group(backoff_ms=0)
    worker = core.consume("s/g")
    core.append(3)
    core.ack(worker, 1, 2)
    core.nack(worker, 3)
    assert core.attempts[worker, 4] == 2

    offset = core.run(c.ResetGroup(queue="s/g", start=("offset", 1)))

    assert offset == 1
    assert core.sequences(worker) == [0, 1, 2, 2, 1, 2]
    assert core.attempts[worker, 6] == 1
    assert revoked(core) == [(worker, [(4, 4)], "reset")]
    assert core.ack(worker, 4).lost == [(4, 4)]


@pytest.mark.parametrize(("to", "offset"), [("earliest", 0), ("latest", 3), (("last", 1), 2), (("at", START_MS), 0)])
def test_a_group_is_reset_to_all_that_it_may_begin_at(core: Core, to: object, offset: int) -> None:
    core.append(3)
    core.group()

    assert core.run(c.ResetGroup(queue="s/g", start=to)) == offset  # type: ignore[arg-type]  # a parameter
    assert committed(core) == offset


def test_a_consumer_that_was_leaving_is_gone_after_a_reset(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append(2)
    core.settle(worker, begun=1)
    core.run(c.CancelConsumer(subscription=worker))
    assert worker in core.machine.subscriptions

    core.run(c.ResetGroup(queue="s/g", start="latest"))

    assert worker not in core.machine.subscriptions
    assert [e.error for e in core.effects if isinstance(e, End)] == [None]


def test_a_queue_has_no_position_to_reset(core: Core) -> None:
    core.declare("q")

    with pytest.raises(InvalidRequest):
        core.run(c.ResetGroup(queue="q", start="earliest"))
    with pytest.raises(QueueNotFound):
        core.run(c.ResetGroup(queue="s/none", start="earliest"))


# Dead letters of a group


def dead_letter(core: Core, worker: int, number: int) -> None:
    core.nack(worker, number, dead=True)


def test_a_dead_letter_of_a_group_is_redriven_to_that_group_alone(core: Core) -> None:
    core.group("a")
    core.group("b")
    one, other = core.consume("s/a"), core.consume("s/b")
    core.append(2)
    core.ack(one, 2)
    core.ack(other, 1, 2)
    dead_letter(core, one, 1)
    assert (committed(core, "s/a"), core.counts("s.a.dead")) == (2, {"ready": 1})

    count = core.run(c.Redrive(queue="s.a.dead")).count

    assert count == 1
    assert core.sequences(one) == [0, 1, 0]
    assert core.attempts[one, 3] == 1
    assert core.sequences(other) == [0, 1]
    assert (committed(core, "s/a"), committed(core, "s/b")) == (0, 2)
    core.ack(one, 3)
    assert committed(core, "s/a") == 2


def test_a_message_that_died_twice_after_a_reset_is_reopened_once(core: Core) -> None:
    core.group()
    worker = core.consume("s/g", prefetch=1)
    core.append()
    dead_letter(core, worker, 1)
    core.run(c.ResetGroup(queue="s/g", start="earliest"))
    dead_letter(core, worker, 2)
    assert core.counts("s.g.dead") == {"ready": 2}

    core.run(c.Redrive(queue="s.g.dead"))

    assert core.sequences(worker) == [0, 0, 0]
    assert core.counts("s/g") == {"leased": 1, "dead": 2}
    core.ack(worker, 3)
    core.run(c.Redrive(queue="s.g.dead", limit=5))
    assert core.sequences(worker) == [0, 0, 0, 0]


def test_what_the_stream_no_longer_has_stays_in_the_dead_letter_queue(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append()
    dead_letter(core, worker, 1)
    core.run(c.DeclareStream(stream="s", settings={"retention_count": 1}, update=True))
    core.append()

    assert core.run(c.Redrive(queue="s.g.dead")).count == 0

    assert core.counts("s.g.dead") == {"ready": 1}


def test_dead_letters_outlive_their_group(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append()
    dead_letter(core, worker, 1)
    core.run(c.Delete(queue="s/g"))

    assert core.run(c.Redrive(queue="s.g.dead")).count == 0

    assert core.sequences(core.consume("s.g.dead")) == [0]


# Ordering keys


def test_a_key_is_held_by_each_group_on_its_own_through_retries(core: Core) -> None:
    core.group("a", backoff_ms=500)
    core.group("b")
    one, other = core.consume("s/a"), core.consume("s/b")
    core.append(4, keys=["k", "k", "l", None])
    assert core.sequences(one) == core.sequences(other) == [0, 2, 3]

    core.nack(one, 1)
    core.ack(other, 1)

    assert core.sequences(one) == [0, 2, 3], "the key waits for its retry"
    assert core.sequences(other) == [0, 2, 3, 1]
    core.wait(1000)
    assert core.sequences(one) == [0, 2, 3, 0]
    core.ack(one, 4)
    assert core.sequences(one) == [0, 2, 3, 0, 1]


def test_a_dead_letter_frees_its_key(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append(2, key="k")

    dead_letter(core, worker, 1)

    assert core.sequences(worker) == [0, 1]


def test_a_redriven_message_waits_for_the_one_that_holds_its_key(core: Core) -> None:
    core.group()
    worker = core.consume("s/g")
    core.append(3, key="k")
    dead_letter(core, worker, 1)
    assert core.sequences(worker) == [0, 1]

    core.run(c.Redrive(queue="s.g.dead"))
    assert core.sequences(worker) == [0, 1], "offset 1 holds the key"
    core.ack(worker, 2)

    assert core.sequences(worker) == [0, 1, 0], "then the older one goes before the newer one"
    core.ack(worker, 3)
    assert core.sequences(worker) == [0, 1, 0, 2]


def test_a_retry_holds_its_key_after_a_restart(core: Core) -> None:
    core.group(backoff_ms=60_000, lease_ms=600_000)
    worker = core.consume("s/g")
    core.append(2, key="k")
    core.nack(worker, 1)

    core.restart()
    again = core.consume("s/g")
    core.wait(500)
    assert core.sequences(again) == []
    core.wait(120_000)

    assert core.sequences(again) == [0]


# Replaying to a queue, deleting


def test_a_range_is_copied_to_a_queue_and_the_stream_keeps_it(core: Core) -> None:
    core.append(5, keys=["a", "b", "a", None, "b"])

    reply = core.run(c.Replay(stream="s", first=1, last=3, queue="copy"))

    assert (reply.count, reply.next) == (3, None)
    worker = core.consume("copy")
    assert core.sequences(worker) == [0, 1, 2]
    assert core.queue("copy").log.key_of(0) == core.machine.state.streams["s"].log.key_of(1)
    assert core.machine.state.streams["s"].earliest == 0


def test_a_replay_begins_at_what_is_left_and_ends_at_the_end(core: Core) -> None:
    core.run(c.DeclareStream(stream="s", settings={"retention_count": 2}, update=True))
    for _ in range(4):
        core.append()

    assert core.all_steps(c.Replay(stream="s", first=0, last=99, queue="copy", limit=1)) == 2


def test_a_replay_to_a_group_is_refused(core: Core) -> None:
    core.group()

    with pytest.raises(InvalidRequest):
        core.run(c.Replay(stream="s", first=0, last=0, queue="s/g"))


def test_deleting_a_stream_ends_its_groups_and_bindings(core: Core) -> None:
    core.group("a")
    core.group("b")
    core.bind("t.#", "s")
    worker = core.consume("s/b")

    core.run(c.Delete(queue="s"))

    assert [e.subscription for e in core.effects if isinstance(e, End)] == [worker]
    assert core.publish(1, "t.x", kind="topic").routed == 0
    assert not core.machine.state.logs and not core.machine.state.streams
    with pytest.raises(QueueNotFound):
        core.append(1, declare=False)


def test_deleting_a_group_leaves_stream_and_other_groups(core: Core) -> None:
    core.group("a")
    core.group("b")
    core.append()

    core.run(c.Delete(queue="s/a"))

    assert list(core.machine.state.streams["s"].groups) == ["b"]
    assert core.sequences(core.consume("s/b")) == [0]


# Expiry


def test_what_expires_does_so_for_a_group_that_begins_later() -> None:
    core = Core()
    core.stream()
    core.append(4, expires_ms=[1000, None, 5000, 1000])
    core.wait(2000)

    core.group("late", start="earliest")
    worker = core.consume("s/late", prefetch=1)

    assert core.sequences(worker) == [1]
    assert core.queue("s/late").totals["expired"] == 2
    core.wait(4000)
    core.ack(worker, 1)
    assert core.sequences(worker) == [1] and core.queue("s/late").totals["expired"] == 3


def test_a_groups_own_expiry_counts_from_publishing_also_for_what_was_there_before() -> None:
    core = Core()
    core.stream()
    core.append(2, expires_ms=[60_000, None])
    core.wait(500)
    core.append(1)
    core.group("late", start="earliest", expire_ms=1000)

    core.wait(700)

    assert core.queue("s/late").totals["expired"] == 1
    assert core.sequences(core.consume("s/late")) == [0, 2]


def test_a_reset_group_expires_what_it_sees_again() -> None:
    core = Core()
    core.stream()
    core.group("g")
    worker = core.consume("s/g")
    core.append(2, expire_ms=1000)
    core.ack(worker, 1, 2)
    core.run(c.CancelConsumer(subscription=worker))

    core.run(c.ResetGroup(queue="s/g", start="earliest"))
    core.restart(from_snapshot=True)
    core.wait(1500)

    assert core.queue("s/g").totals["expired"] == 2


def test_what_is_trimmed_leaves_no_expiry_behind() -> None:
    core = Core()
    core.stream(retention_count=1)

    for _ in range(5):
        core.append(1, expire_ms=60_000)

    assert core.machine.state.streams["s"].expiring.count == 1


@pytest.mark.parametrize("setting", [{"length_max": 5}, {"bytes_max": 5}, {"overflow": "drop_oldest"}])
def test_limits_that_only_a_queue_can_have_are_refused_on_a_group(setting: dict[str, object]) -> None:
    core = Core()
    core.stream()
    core.group("there")
    (name,) = setting

    for group, update in (("new", False), ("there", True)):
        with pytest.raises(InvalidRequest) as refused:
            core.run(c.DeclareGroup(stream="s", group=group, settings=setting, update=update))
        assert refused.value.details["field"] == f"settings.{name}"

    assert "s/new" not in core.machine.state.queues


def test_a_group_may_be_declared_with_the_settings_it_shows() -> None:
    core = Core()
    core.stream()
    core.group("g", lease_ms=5000)

    assert core.group("g", **core.queue("s/g").settings.to_json()) is False
