"""Expiry by a queue's setting: a rule over its log, in steps, and nothing for each message."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.durable.group import Group
from postroad.broker.core.format import command as c
from postroad.broker.core.format.record import Settle
from postroad.broker.core.rules.expiry import EXPIRE_MAX


def expired(core: Core) -> list[int]:
    runs = [
        run for record in core.records if isinstance(record, Settle) and record.how == "expired" for run in record.runs
    ]
    return sorted(s for first, last, _ in runs for s in range(first, last + 1))


def test_a_setting_keeps_nothing_for_each_message() -> None:
    core = Core()
    core.declare(expire_ms=60_000)
    for _ in range(100):
        core.publish(10)
        core.wait(1)

    expiring = core.queue().group.expiring
    assert (expiring.own.count, len(expiring.rules), expiring.exempt.count) == (0, 1, 0)


@pytest.mark.parametrize("from_snapshot", [False, True])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_each_message_expires_to_the_millisecond(is_restarted: bool, from_snapshot: bool) -> None:
    core = Core()
    core.declare(expire_ms=10_000)
    core.publish(2)
    core.wait(1)
    core.publish(1)
    core.wait(500)
    core.publish(1)
    if is_restarted:
        core.restart(from_snapshot=from_snapshot)

    core.wait(9_498)
    assert expired(core) == []
    core.wait(1)
    assert expired(core) == [0, 1]
    core.wait(1)
    assert expired(core) == [0, 1, 2]
    core.wait(499)
    assert expired(core) == [0, 1, 2]
    core.wait(1)
    assert expired(core) == [0, 1, 2, 3]


def test_a_change_of_the_setting_holds_for_what_arrives_later() -> None:
    core = Core()
    core.declare(expire_ms=10_000)
    core.publish(1)
    core.run(c.Declare(queue="q", settings={"expire_ms": None}, update=True))
    core.publish(1)
    core.run(c.Declare(queue="q", settings={"expire_ms": 3_000}, update=True))
    core.publish(1)
    core.restart(from_snapshot=True)

    core.wait(3_000)
    assert expired(core) == [2]
    core.wait(7_000)
    assert expired(core) == [0, 2]
    core.wait(100_000)
    assert core.counts() == {"ready": 1, "expired": 2}


def test_an_expiry_of_its_own_goes_before_the_setting() -> None:
    core = Core()
    core.declare(expire_ms=10_000)
    core.publish(3, expires_ms=[50_000, None, 2_000])

    core.wait(2_000)
    assert expired(core) == [2]
    core.wait(8_000)
    assert expired(core) == [1, 2]
    core.wait(40_000)
    assert expired(core) == [0, 1, 2]


def test_a_message_past_its_expiry_is_left_to_its_holder_and_expires_when_it_comes_back() -> None:
    core = Core()
    core.declare(expire_ms=10_000, lease_ms=60_000)
    core.publish(3)
    worker = core.consume(prefetch=3)
    core.wait(20_000)

    core.settle(worker, acks=[(1, 1)])
    core.settle(worker, releases=[(2, 2)])
    core.nack(worker, 3, delay_ms=5_000)

    assert expired(core) == [1, 2]
    assert core.counts() == {"acked": 1, "retried": 1, "expired": 2}


def test_held_messages_past_their_expiry_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Any] = []
    waiting_within = Group.waiting_within
    monkeypatch.setattr(
        Group, "waiting_within", lambda self, *given: looks.append(given) or waiting_within(self, *given)
    )
    core = Core()
    core.declare(expire_ms=10_000, lease_ms=600_000)
    core.publish(100)
    core.publish(100, expires_ms=[9_000 + n for n in range(100)])
    core.consume(prefetch=500)
    core.wait(20_000)
    assert looks
    looks.clear()

    for _ in range(50):
        core.publish(1)
        core.wait(10)

    assert looks == []


def test_many_expire_in_steps_and_the_queue_delivers_what_is_left() -> None:
    core = Core()
    core.declare(expire_ms=10_000)
    for _ in range(4):
        core.publish(EXPIRE_MAX)
    core.wait(5_000)
    core.publish(5)
    core.at += 5_000

    core.run(c.Tick())
    assert len(expired(core)) == EXPIRE_MAX
    worker = core.consume(prefetch=5)  # what has expired is never handed out, though it is ready yet
    steps = [len(record.runs) and record.runs[0] for record in core.records if isinstance(record, Settle)]
    core.wait(0)

    assert all(last - first < EXPIRE_MAX for first, last, _ in steps)
    assert len(expired(core)) == 4 * EXPIRE_MAX
    assert core.sequences(worker) == [4 * EXPIRE_MAX + n for n in range(5)]


def test_a_redriven_message_of_a_group_does_not_expire_again() -> None:
    core = Core()
    core.stream()
    core.group("g", start="earliest", expire_ms=10_000, attempts_max=1)
    core.append(2)
    worker = core.consume("s/g", prefetch=1)
    core.nack(worker, 1)
    core.run(c.CancelConsumer(subscription=worker))
    core.run(c.Redrive(queue="s.g.dead"))
    core.restart()

    core.wait(60_000)

    counts = core.counts("s/g")
    assert (counts["ready"], counts["expired"]) == (1, 1)
