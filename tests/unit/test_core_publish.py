"""Publishing: delays, limits, dedup keys and producer sessions."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.errors import Conflict, InvalidRequest, LimitExceeded, OutcomeUnknown, QueueFull, QueueNotFound
from postroad.broker.limits import Limits


def test_publishing_makes_the_queue() -> None:
    core = Core()

    core.publish(2)

    assert core.counts() == {"ready": 2}


def test_publishing_without_declaring_needs_the_queue() -> None:
    core = Core()

    with pytest.raises(QueueNotFound):
        core.run(c.PublishMessages(queue="nowhere", sizes=[1], declare=False))

    assert core.kinds() == ["Boot"]


def test_a_delayed_message_is_not_delivered_a_millisecond_early() -> None:
    core = Core()
    worker = core.consume()
    core.publish(3, delays_ms=[None, 1500, 0])

    core.wait(1499)
    assert core.sequences(worker) == [0, 2]
    core.wait(1)

    assert core.sequences(worker) == [0, 2, 1]


def test_a_delay_survives_a_restart() -> None:
    core = Core()
    core.publish(1, delay_ms=5000)
    core.restart()
    worker = core.consume()

    core.wait(4999)
    assert core.sequences(worker) == []
    core.wait(1)

    assert core.sequences(worker) == [0]


def test_what_came_due_while_the_broker_was_down_is_ready() -> None:
    core = Core()
    core.publish(1, delay_ms=5000)
    core.at += 60_000

    core.restart()

    assert core.counts() == {"ready": 1}


@pytest.mark.parametrize("attributes", [{"delay_ms": 5}, {"priority": 3}, {"delays_ms": [5]}, {"priorities": [3]}])
@pytest.mark.parametrize("known", [True, False])
def test_an_ordering_key_excludes_delay_and_priority(attributes: dict[str, Any], known: bool) -> None:
    core = Core()
    if known:
        core.declare()

    with pytest.raises(InvalidRequest):
        core.publish(1, key="k", **attributes)


# Limits


def test_a_length_limit_is_exact_and_counts_what_is_leased_and_delayed() -> None:
    core = Core()
    core.declare(length_max=4)
    core.publish(2, delay_ms=1000)
    core.publish(2)
    worker = core.consume(prefetch=1)

    with pytest.raises(QueueFull) as refused:
        core.publish(1)

    assert refused.value.details == {"limit": "length_max", "value": 4}
    core.ack(worker, 1)
    core.publish(1)
    assert core.counts() == {"ready": 1, "leased": 1, "delayed": 2, "acked": 1}


def test_a_frame_that_does_not_fit_whole_is_refused_whole() -> None:
    core = Core()
    core.declare(length_max=3)
    core.publish(2)

    with pytest.raises(QueueFull):
        core.publish(2)

    assert core.counts() == {"ready": 2}


def test_a_byte_limit_is_exact() -> None:
    core = Core()
    core.declare(bytes_max=25)
    core.publish(2, size=10)

    with pytest.raises(QueueFull):
        core.publish(1, size=6)

    core.publish(1, size=5)
    assert core.queue().log.bytes == 25


def test_there_are_at_most_so_many_queues() -> None:
    core = Core(Limits(queues_max=2))
    core.declare("a")
    core.declare("b")

    for attempt in (lambda: core.declare("c"), lambda: core.publish(1, "c"), lambda: core.consume("c")):
        with pytest.raises(LimitExceeded):
            attempt()

    core.publish(1, "a")
    core.nack(core.consume("a"), 1, dead=True)
    assert "a.dead" in core.machine.state.queues  # a dead letter is never lost to a limit


# Declaring


def test_declaring_again_with_the_same_settings_changes_nothing() -> None:
    core = Core()
    assert core.declare(lease_ms=5000)

    assert not core.declare(lease_ms=5000)
    assert not core.declare()

    assert core.kinds() == ["Boot", "Define"]


def test_other_settings_are_a_conflict_unless_updated() -> None:
    core = Core()
    core.declare(lease_ms=5000)

    with pytest.raises(Conflict) as refused:
        core.declare(lease_ms=6000, attempts_max=7)

    assert sorted(refused.value.details["settings"]) == ["attempts_max", "lease_ms"]  # type: ignore[call-overload]
    assert not core.run(c.Declare(queue="q", settings={"lease_ms": 6000}, update=True))
    assert core.queue().settings.lease_ms == 6000


def test_updated_settings_survive_a_restart() -> None:
    core = Core()
    core.declare(attempts_max=2)
    core.run(c.Declare(queue="q", settings={"attempts_max": 9}, update=True))

    core.restart()

    assert core.queue().settings.attempts_max == 9


# Dedup keys


def keyed(core: Core, *messages: tuple[str | None, int], **more: Any) -> c.Published:
    """Messages as ``(dedup key, body digest)``."""
    return core.publish(
        len(messages), dedup_keys=[key for key, _ in messages], digests=[digest for _, digest in messages], **more
    )


def test_a_key_seen_before_is_not_stored_again() -> None:
    core = Core()
    first = keyed(core, ("a", 1))

    again = keyed(core, ("a", 1))

    assert (again.count, again.keep, again.duplicates) == (1, [], {0: (first.position, 0)})
    assert core.counts() == {"ready": 1}


def test_a_frame_keeps_what_is_new() -> None:
    core = Core()
    first = keyed(core, ("a", 1))

    reply = keyed(core, ("b", 2), ("a", 1), (None, 3))

    assert (reply.count, reply.keep) == (3, [0, 2])
    assert reply.duplicates == {1: (first.position, 0)}
    assert core.counts() == {"ready": 3}


def test_a_repetition_within_a_frame_points_into_it() -> None:
    core = Core()

    reply = keyed(core, ("a", 1), ("b", 2), ("a", 1))

    assert reply.duplicates == {2: (reply.position, 0)}
    assert core.counts() == {"ready": 2}


def test_the_same_key_with_another_body_is_a_conflict_for_the_whole_frame() -> None:
    core = Core()
    first = keyed(core, ("a", 1))

    with pytest.raises(Conflict) as refused:
        keyed(core, ("b", 5), ("a", 2))

    assert refused.value.details == {"message_id": f"{core.machine.state.id_prefix(first.position)}0"}
    assert core.counts() == {"ready": 1}


@pytest.mark.parametrize("known", [True, False])
def test_a_conflict_within_a_frame_refuses_it_and_makes_no_queue(known: bool) -> None:
    core = Core()
    if known:
        core.declare()

    with pytest.raises(Conflict):
        keyed(core, ("a", 1), ("a", 2))
    core.collect()

    assert ("q" in core.machine.state.queues) is known


def test_a_key_is_forgotten_after_five_minutes() -> None:
    core = Core()
    keyed(core, ("a", 1))
    core.wait(299_999)
    assert keyed(core, ("a", 1)).duplicates
    core.wait(1)

    assert keyed(core, ("a", 2)).duplicates is None

    assert core.counts() == {"ready": 2}


def test_keys_outlive_their_message_and_a_restart() -> None:
    core = Core()
    keyed(core, ("a", 1))
    core.ack(core.consume(), 1)
    core.restart(from_snapshot=True)

    assert keyed(core, ("a", 1)).duplicates


def test_keys_of_different_queues_do_not_meet() -> None:
    core = Core()
    keyed(core, ("a", 1), queue="x")

    assert keyed(core, ("a", 2), queue="y").duplicates is None


def test_every_message_keeps_its_own_attributes_when_some_are_duplicates() -> None:
    core = Core()
    keyed(core, ("a", 1))

    keyed(core, ("a", 1), ("b", 2), ("c", 3), priorities=[1, 0, 9])

    assert core.sequences(core.consume()) == [2, 0, 1]


# Producer sessions


def test_a_frame_sent_again_gives_the_first_confirm() -> None:
    core = Core()
    first = core.publish(3, producer=("p", 1))
    core.publish(2, producer=("p", 2))

    again = core.publish(3, producer=("p", 1))

    assert (again.position, again.count, again.replayed) == (first.position, 3, True)
    assert core.counts() == {"ready": 5}


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_a_frame_is_recognised_after_a_restart(from_snapshot: bool) -> None:
    core = Core()
    first = core.publish(3, producer=("p", 1))
    core.restart(from_snapshot=from_snapshot)

    assert core.run(c.SessionOpened(session="p")) == 1
    assert core.publish(3, producer=("p", 1)).position == first.position
    assert core.counts() == {"ready": 3}


def test_the_last_1024_frames_are_remembered_and_older_ones_are_unknown() -> None:
    core = Core()
    positions = {frame: core.publish(1, producer=("p", frame)).position for frame in range(1, 1026)}

    assert core.publish(1, producer=("p", 2)).position == positions[2]
    with pytest.raises(OutcomeUnknown):
        core.publish(1, producer=("p", 1))
    assert core.counts() == {"ready": 1025}


def test_no_frame_is_stored_twice_however_late_a_gap_was_filled() -> None:
    # A refused frame leaves a gap; sent again later it is stored after its successors. Forgetting in the order of storing
    # would then drop a frame that is still within the last 1,024.
    core = Core()
    for frame in (*range(1, 4), *range(5, 1000), 4, *range(1000, 1030)):
        core.publish(1, producer=("p", frame))
    stored = core.counts()["ready"]

    for frame in range(1, 1030):
        try:
            assert core.publish(1, producer=("p", frame)).replayed
        except OutcomeUnknown:
            assert frame <= 1029 - 1024

    assert core.counts()["ready"] == stored


def test_a_refused_frame_may_be_sent_again() -> None:
    core = Core()
    core.declare(length_max=1)
    core.publish(1)
    with pytest.raises(QueueFull):
        core.publish(1, producer=("p", 1))
    core.ack(core.consume(), 1)

    assert not core.publish(1, producer=("p", 1)).replayed


def test_a_session_is_forgotten_ten_minutes_after_it_closed() -> None:
    core = Core()
    core.run(c.SessionOpened(session="p"))
    core.publish(1, producer=("p", 1))
    core.wait(3_600_000)
    core.run(c.SessionClosed(session="p"))

    core.wait(599_999)
    assert "p" in core.machine.state.producers
    core.wait(1)

    assert "p" not in core.machine.state.producers
    assert core.kinds()[-1] == "Forget"


def test_a_session_that_opens_again_is_kept() -> None:
    core = Core()
    core.run(c.SessionOpened(session="p"))
    core.publish(1, producer=("p", 1))
    core.run(c.SessionClosed(session="p"))
    core.wait(500_000)
    assert core.run(c.SessionOpened(session="p")) == 1
    core.wait(3_600_000)
    assert "p" in core.machine.state.producers

    core.run(c.SessionClosed(session="p"))
    core.wait(599_999)
    assert "p" in core.machine.state.producers
    core.wait(1)
    assert "p" not in core.machine.state.producers


def test_a_session_with_two_connections_lasts_until_both_are_closed() -> None:
    core = Core()
    for _ in range(2):
        core.run(c.SessionOpened(session="p"))
    core.publish(1, producer=("p", 1))

    core.run(c.SessionClosed(session="p"))
    core.wait(3_600_000)

    assert "p" in core.machine.state.producers


def test_sessions_nobody_opens_after_a_restart_are_forgotten() -> None:
    core = Core()
    core.publish(1, producer=("p", 1))
    core.publish(1, producer=("back", 1))
    core.restart()
    core.run(c.SessionOpened(session="back"))

    core.wait(600_000)

    assert list(core.machine.state.producers) == ["back"]


def test_a_frame_of_nothing_but_duplicates_is_remembered() -> None:
    core = Core()
    keyed(core, ("a", 1))
    reply = keyed(core, ("a", 1), producer=("p", 1))

    again = keyed(core, ("a", 1), producer=("p", 1))

    assert (again.position, again.count, again.replayed) == (reply.position, 1, True)
