"""Ordering keys on a queue: whatever settles the messages of a key, the next one goes."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c


def lying(core: Core, count: int = 6) -> int:
    """A worker that holds the first message of a key, with the others behind it."""
    core.declare(backoff_ms=60_000, lease_ms=600_000, attempts_max=2)
    worker = core.consume()
    core.publish(count, key="k")
    assert core.sequences(worker) == [0]
    return worker


@pytest.mark.parametrize(
    ("gone", "following"),
    [([1], 2), ([0, 1], 2), ([0, 1, 2, 3], 4), ([0, 2], 1), ([0, 1, 3], 2), ([0, 1, 2, 4], 3)],
)
def test_the_next_one_goes_when_messages_are_discarded(gone: list[int], following: int) -> None:
    core = Core()
    worker = lying(core)
    core.nack(worker, 1)  # it waits, and holds its key

    core.run(c.Discard(queue="q", sequences=gone))
    if 0 not in gone:
        core.wait(120_000)
        core.ack(worker, 2)

    assert core.sequences(worker)[-1] == following


def test_the_next_one_goes_when_one_that_had_its_turn_but_no_consumer_is_cancelled() -> None:
    core = Core()
    worker = lying(core, 4)
    core.run(c.SetPaused(queue="q", paused=True))
    core.ack(worker, 1)
    core.run(c.CancelMessage(queue="q", sequence=1))

    core.run(c.SetPaused(queue="q", paused=False))

    assert core.sequences(worker) == [0, 2]


@pytest.mark.parametrize("how", ["ack", "dead", "attempts", "cancel", "lease"])
def test_whatever_ends_the_holder_the_next_one_goes(how: str) -> None:
    core = Core()
    worker = lying(core)

    if how == "ack":
        core.ack(worker, 1)
    elif how == "dead":
        core.nack(worker, 1, dead=True)
    elif how == "attempts":
        core.nack(worker, 1, delay_ms=0)
        assert core.sequences(worker) == [0, 0], "it keeps its key through the retry"
        core.nack(worker, 2)
    elif how == "cancel":
        core.run(c.CancelMessage(queue="q", sequence=0))
    else:
        core.nack(worker, 1, delay_ms=0)
        core.wait(600_000)

    assert core.sequences(worker)[-1] == 1


def test_keys_expire_in_whatever_order_and_none_is_left_lying() -> None:
    core = Core()
    core.declare(lease_ms=600_000)
    worker = core.consume()
    core.publish(5, keys=["k"] * 5, expires_ms=[None, 1000, 500, None, 1000])

    core.wait(2000)
    core.ack(worker, 1)

    assert core.sequences(worker) == [0, 3]
    assert core.counts() == {"leased": 1, "acked": 1, "expired": 3}


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_after_a_restart_each_key_starts_with_its_oldest(from_snapshot: bool) -> None:
    core = Core()
    lying(core)
    core.publish(2, keys=["l", None])

    core.restart(from_snapshot=from_snapshot)
    worker = core.consume()
    core.wait(500)

    assert core.sequences(worker) == [0, 6, 7]


def test_a_dead_letter_keeps_its_key_and_order_there_and_when_it_is_redriven() -> None:
    core = Core()
    worker = lying(core, 3)
    for number in (1, 2, 3):
        core.nack(worker, number, dead=True)
    buried = core.consume("q.dead")
    assert core.sequences(buried) == [0]
    core.run(c.CancelConsumer(subscription=buried))

    core.run(c.Redrive(queue="q.dead"))

    assert core.sequences(worker) == [0, 1, 2, 3]
    core.ack(worker, 4)
    assert core.sequences(worker)[-1] == 4


def test_two_consumers_never_hold_one_key() -> None:
    core = Core()
    core.declare()
    workers = [core.consume(prefetch=3), core.consume(prefetch=3)]
    core.publish(12, keys=[f"k{n % 3}" for n in range(12)])

    log: Any = core.queue().log
    while core.counts().get("leased"):
        leases = [(worker, lease) for worker in workers for lease in core.machine.subscriptions[worker].leases]
        held = [log.key_of(lease.sequence + k) for _, lease in leases for k in range(lease.count)]
        assert len(set(held)) == len(held)
        worker, lease = leases[0]
        core.settle(worker, acks=[(lease.number, lease.last)])

    assert core.counts() == {"acked": 12}
