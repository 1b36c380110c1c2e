"""Leases that end by themselves: expiry, lost connections, restarts; and consumers that come back."""

from __future__ import annotations

import pytest
from core_rig import Core, kill_worker
from postroad.broker.core.format import command as c
from postroad.broker.core.format.effect import Deliver, End
from postroad.broker.core.format.record import Return
from postroad.broker.errors import QueueNotFound


def test_an_expired_lease_counts_an_attempt_and_comes_back_in_its_place() -> None:
    core = Core()
    core.publish(3)
    slow = core.consume(prefetch=1)

    core.wait(29_999)
    assert core.counts() == {"ready": 2, "leased": 1}
    core.wait(1)

    assert core.sequences(slow) == [0, 0]
    assert core.attempts[slow, 2] == 2
    assert [record.reason for record in core.records if isinstance(record, Return)] == ["lease expired"]


def test_a_lease_that_keeps_expiring_ends_in_the_dead_letter_queue() -> None:
    core = Core()
    core.declare(attempts_max=3)
    core.publish(1)
    core.consume(prefetch=1)

    core.wait(3 * 30_000 + 100)

    assert core.counts() == {"dead": 1, "retried": 2}
    assert core.counts("q.dead") == {"ready": 1}


def test_a_consumers_own_lease_length_is_used() -> None:
    core = Core()
    core.publish(1)
    worker = core.consume(lease_ms=500)

    core.wait(500)

    assert core.sequences(worker) == [0, 0]


def test_after_a_lost_connection_begun_deliveries_count_and_the_others_return_free() -> None:
    core = Core()
    core.publish(5)
    worker = core.consume()
    core.settle(worker, begun=2)

    kill_worker(core, worker)
    other = core.consume()

    assert core.sequences(other) == [0, 1, 2, 3, 4]
    assert [core.attempts[other, number] for number in range(1, 6)] == [2, 2, 1, 1, 1]
    assert any(isinstance(effect, End) and effect.subscription == worker for effect in core.effects)


def test_leases_outlive_their_connection_by_half_a_second() -> None:
    core = Core()
    core.publish(2)
    worker = core.consume()
    other = core.consume()

    core.run(c.Detach(subscription=worker))
    core.wait(499)
    assert core.sequences(other) == []
    core.wait(1)

    assert core.sequences(other) == [0, 1]


def test_nothing_is_delivered_to_a_lost_connection() -> None:
    core = Core()
    worker = core.consume()
    core.run(c.Detach(subscription=worker))

    core.publish(1)

    assert core.sequences(worker) == []


def test_a_resume_in_time_keeps_numbers_and_attempts() -> None:
    core = Core()
    core.publish(4)
    first = core.consuming(prefetch=4)
    core.settle(first.subscription, begun=2)
    core.run(c.Detach(subscription=first.subscription))
    core.wait(499)

    again = core.consuming(prefetch=4, resume=first.token, begun=2, held=[(1, 2, 0)])

    assert (again.token, again.lost) == (first.token, [])
    assert core.sequences(again.subscription)[4:] == [2, 3]  # never reached the client: given out anew
    assert core.settle(again.subscription, acks=[(1, 2), (5, 6)]).lost == []
    assert core.counts() == {"acked": 4}
    core.wait(60_000)
    assert not [record for record in core.records if isinstance(record, Return)]


def test_a_resumed_lease_starts_anew() -> None:
    core = Core()
    core.publish(1)
    first = core.consuming()
    core.wait(29_900)
    core.run(c.Detach(subscription=first.subscription))

    core.consume(resume=first.token, held=[(1, 1, 0)])
    core.wait(29_999)

    assert core.counts() == {"leased": 1}


def test_a_resume_names_what_was_settled_or_never_held_as_lost() -> None:
    core = Core()
    core.publish(3)
    first = core.consuming()
    core.ack(first.subscription, 2)
    core.run(c.Detach(subscription=first.subscription))

    again = core.consuming(resume=first.token, held=[(1, 3, 0), (8, 2, 7)])

    assert again.lost == [(2, 2), (8, 9)]


def test_a_resume_that_comes_too_late_gets_what_is_still_there() -> None:
    core = Core()
    core.publish(3)
    first = core.consuming(prefetch=3)
    core.run(c.Detach(subscription=first.subscription))
    core.wait(600)
    other = core.consume(prefetch=1)

    again = core.consuming(prefetch=2, resume=first.token, begun=3, held=[(1, 3, 0)])

    assert core.sequences(other) == [0]
    assert again.token != first.token
    assert again.lost == [(1, 1)]
    assert core.settle(again.subscription, acks=[(2, 3)]).lost == []
    assert core.counts() == {"leased": 1, "acked": 2, "retried": 3}  # it never said what it had begun


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_after_a_restart_holders_get_their_messages_again_under_the_same_numbers(from_snapshot: bool) -> None:
    core = Core()
    core.publish(6)
    first = core.consuming(prefetch=4)
    core.ack(first.subscription, 1)
    core.restart(from_snapshot=from_snapshot)
    rival = core.consume(prefetch=10)
    core.wait(400)
    assert core.sequences(rival) == []

    again = core.consuming(prefetch=4, resume=first.token, begun=3, held=[(2, 3, 1)])
    assert (again.lost, again.token != first.token) == ([], True)
    core.wait(100)

    assert core.sequences(rival) == [5] or sorted(core.sequences(rival) + core.sequences(again.subscription)) == [4, 5]
    assert core.settle(again.subscription, acks=[(2, 4)]).lost == []
    assert core.queue().totals["acked"] == 4
    assert not core.queue().group.attempts


def test_numbers_after_a_resume_go_on_above_the_highest_held_one() -> None:
    core = Core()
    core.publish(8)
    first = core.consuming(prefetch=5)
    core.restart()

    again = core.consuming(prefetch=20, resume=first.token, held=[(2, 1, 1), (5, 1, 4)])
    core.wait(500)

    assert min(core.got[again.subscription]) == 6
    assert core.sequences(again.subscription) == [0, 2, 3, 5, 6, 7]


def test_a_restart_counts_no_attempt() -> None:
    core = Core()
    core.publish(2)
    worker = core.consume()
    core.settle(worker, begun=2)

    core.restart()
    worker = core.consume()
    core.wait(500)

    assert core.sequences(worker) == [0, 1]
    assert [core.attempts[worker, number] for number in (1, 2)] == [1, 1]


def test_an_empty_queue_does_not_wait_after_a_restart() -> None:
    core = Core()
    core.declare()
    core.restart()
    worker = core.consume()

    core.publish(1)

    assert core.sequences(worker) == [0]


def test_a_message_that_waits_for_a_retry_is_not_leased_again_on_resume() -> None:
    core = Core()
    core.publish(2)
    first = core.consuming()
    core.nack(first.subscription, 1, delay_ms=60_000)
    core.restart()

    again = core.consuming(resume=first.token, held=[(1, 2, 0)])

    assert again.lost == [(1, 1)]


def test_a_cancelled_consumer_keeps_what_it_began_and_gives_back_the_rest() -> None:
    core = Core()
    core.publish(3)
    worker = core.consume(prefetch=3)
    core.settle(worker, begun=1)

    core.run(c.CancelConsumer(subscription=worker))
    other = core.consume()

    assert core.sequences(other) == [1, 2]
    assert core.ack(worker, 1).lost == []
    assert worker not in core.machine.subscriptions


def test_a_cancelled_consumers_begun_message_expires_and_counts() -> None:
    core = Core()
    core.publish(1)
    worker = core.consume()
    core.settle(worker, begun=1)
    core.run(c.CancelConsumer(subscription=worker))
    other = core.consume()

    core.wait(30_000)

    assert core.sequences(other) == [0]
    assert core.attempts[other, 1] == 2
    assert worker not in core.machine.subscriptions


def test_a_cancelled_consumer_whose_last_message_an_operator_cancels_is_forgotten() -> None:
    core = Core()
    core.publish(1)
    worker = core.consume()
    core.settle(worker, begun=1)
    core.run(c.CancelConsumer(subscription=worker))

    core.run(c.CancelMessage(queue="q", sequence=0))

    assert worker not in core.machine.subscriptions


def test_deleting_a_queue_ends_its_consumers_and_frees_everything() -> None:
    core = Core()
    core.publish(2)
    worker = core.consume(prefetch=1)
    core.machine.state.released.clear()

    core.run(c.Delete(queue="q"))

    (end,) = [effect for effect in core.effects if isinstance(effect, End)]
    assert end.subscription == worker and isinstance(end.error, QueueNotFound)
    assert len(core.machine.state.take_dropped(10)) == 1
    assert core.machine.subscriptions == {}
    core.wait(60_000)


def test_a_queue_made_again_starts_from_nothing() -> None:
    core = Core()
    core.publish(3)
    old = core.queue().number
    core.run(c.Delete(queue="q"))

    core.publish(1)
    worker = core.consume()

    assert core.queue().number != old
    assert core.sequences(worker) == [0]


def test_consuming_without_declaring_needs_the_queue() -> None:
    with pytest.raises(QueueNotFound):
        Core().consume("nowhere", declare=False)


def test_every_delivery_number_is_used_once() -> None:
    core = Core()
    core.publish(3)
    worker = core.consume()
    for _ in range(5):
        numbers = [n for n, _ in core.got[worker].items()][-3:]
        core.settle(worker, releases=[(n, n) for n in numbers])

    numbers = [e.number + k for e in core.effects if isinstance(e, Deliver) for k in range(e.count)]
    assert len(numbers) == len(set(numbers)) == 18


def attempts(core: Core) -> dict[int, int]:
    return {s: count for first, last, count in core.queue().group.attempts for s in range(first, last + 1)}


@pytest.mark.parametrize(
    ("reports", "begun", "acked", "counted"),
    [
        pytest.param(True, None, 0, {0: 1}, id="nothing begun: the first counts"),
        pytest.param(True, 2, 0, {0: 1, 1: 1}, id="what has begun"),
        pytest.param(True, 2, 2, {2: 1}, id="all that had begun is done: the next counts"),
        pytest.param(True, 9, 1, {1: 1, 2: 1, 3: 1}, id="more than was delivered"),
        pytest.param(False, None, 0, {0: 1, 1: 1, 2: 1, 3: 1}, id="it never says: all count"),
        pytest.param(False, 1, 0, {0: 1}, id="it says without having announced it"),
    ],
)
@pytest.mark.parametrize("how", ["connection", "lease"])
def test_what_counts_when_leases_end(
    how: str, reports: bool, begun: int | None, acked: int, counted: dict[int, int]
) -> None:
    core = Core()
    core.publish(4)
    worker = core.consuming(prefetch=4, reports_begun=reports).subscription
    core.settle(worker, begun=begun, acks=[(1, acked)] if acked else [])
    if how == "connection":
        core.run(c.Detach(subscription=worker))
    else:
        core.run(c.Stall(subscription=worker, stalled=True))

    core.wait(600 if how == "connection" else 31_000)

    assert attempts(core) == counted


def test_the_last_word_on_what_has_begun_counts_where_it_is_reported() -> None:
    core = Core()
    core.publish(3)
    worker = core.consuming(prefetch=3, reports_begun=True).subscription
    core.settle(worker, begun=3)
    core.settle(worker, begun=1)
    core.run(c.Detach(subscription=worker))

    core.wait(600)

    assert attempts(core) == {0: 1}


def test_a_reporting_consumer_whose_lease_ran_out_gets_nothing_until_it_says_something() -> None:
    core = Core()
    core.publish(2)
    worker = core.consuming(prefetch=2, reports_begun=True).subscription
    core.settle(worker, begun=1)
    core.wait(31_000)

    assert core.counts()["ready"] == 2
    core.settle(worker, begun=1)
    assert core.counts()["leased"] == 2
    assert attempts(core) == {0: 1}
