"""Who gets what is ready, and in which order."""

from __future__ import annotations

from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.effect import Deliver


def test_four_consumers_share_by_free_prefetch() -> None:
    core = Core()
    core.declare()
    workers = [core.consume(prefetch=prefetch) for prefetch in (1, 5, 20, 50)]

    core.publish(40)

    shares = [len(core.sequences(worker)) for worker in workers]
    assert sum(shares) == 40
    assert shares[0] <= 1 and shares[1] <= 5
    assert shares == sorted(shares)
    assert all(shares)


def test_prefetch_is_never_exceeded() -> None:
    core = Core()
    core.declare()
    workers = {core.consume(prefetch=prefetch): prefetch for prefetch in (1, 3, 7, 20)}

    core.publish(100)

    assert {worker: len(core.sequences(worker)) for worker in workers} == workers
    assert core.counts() == {"ready": 69, "leased": 31}


def test_single_messages_go_round_among_equals() -> None:
    core = Core()
    core.declare()
    workers = [core.consume(prefetch=10) for _ in range(4)]

    for _ in range(8):
        core.publish(1)

    assert [len(core.sequences(worker)) for worker in workers] == [2, 2, 2, 2]


def test_a_stalled_consumer_is_passed_over_until_it_reads_again() -> None:
    core = Core()
    core.declare()
    slow, quick = core.consume(prefetch=10), core.consume(prefetch=10)
    core.run(c.Stall(subscription=slow, stalled=True))

    core.publish(15)

    assert (len(core.sequences(slow)), len(core.sequences(quick))) == (0, 10)
    core.run(c.Stall(subscription=slow, stalled=False))
    assert len(core.sequences(slow)) == 5


def test_a_batch_for_one_consumer_is_one_grant() -> None:
    core = Core()
    core.consume(prefetch=1000)

    core.publish(700)

    grants = [effect for effect in core.effects if isinstance(effect, Deliver)]
    assert [(grant.number, grant.sequence, grant.count) for grant in grants] == [(1, 0, 700)]


def test_higher_priority_goes_first_and_order_holds_within_one() -> None:
    core = Core()
    core.declare()
    core.publish(6, priorities=[0, 9, None, 4, 9, 4])

    worker = core.consume()

    assert core.sequences(worker) == [1, 4, 3, 5, 0, 2]


def test_a_returned_message_regains_its_place() -> None:
    core = Core()
    core.declare()
    core.publish(5)
    worker = core.consume(prefetch=2)

    core.settle(worker, releases=[(1, 1)])

    assert core.sequences(worker) == [0, 1, 0]
    core.ack(worker, 2)
    assert core.sequences(worker) == [0, 1, 0, 2]


def test_raising_the_prefetch_delivers_at_once() -> None:
    core = Core()
    core.publish(5)
    worker = core.consume(prefetch=1)

    core.run(c.SetPrefetch(subscription=worker, prefetch=4))

    assert core.sequences(worker) == [0, 1, 2, 3]


def test_lowering_the_prefetch_takes_nothing_back() -> None:
    core = Core()
    core.publish(5)
    worker = core.consume(prefetch=4)

    core.run(c.SetPrefetch(subscription=worker, prefetch=1))
    core.ack(worker, 1, 2)

    assert core.sequences(worker) == [0, 1, 2, 3]
    core.ack(worker, 3, 4)
    assert core.sequences(worker) == [0, 1, 2, 3, 4]


def test_a_paused_queue_delivers_nothing_until_resumed() -> None:
    core = Core()
    worker = core.consume()
    core.run(c.SetPaused(queue="q", paused=True, reason="maintenance"))
    core.publish(3)

    assert core.sequences(worker) == []
    assert core.queue().pause_reason == "maintenance"
    core.run(c.SetPaused(queue="q", paused=False))

    assert core.sequences(worker) == [0, 1, 2]
    assert core.queue().pause_reason is None


def test_pausing_leaves_what_is_leased_to_its_holder() -> None:
    core = Core()
    core.publish(1)
    worker = core.consume()

    core.run(c.SetPaused(queue="q", paused=True))

    assert core.ack(worker, 1).lost == []
    assert core.counts() == {"acked": 1}


def test_a_pause_survives_a_restart() -> None:
    core = Core()
    core.publish(1)
    core.run(c.SetPaused(queue="q", paused=True, reason="later"))

    core.restart()
    worker = core.consume()
    core.wait(1000)

    assert core.sequences(worker) == []


def test_nothing_is_granted_once_the_broker_stops() -> None:
    core = Core()
    worker = core.consume()
    core.machine.delivering = False

    core.publish(1)

    assert core.sequences(worker) == []
