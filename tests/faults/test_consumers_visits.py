"""What one consumer does or gets is no work for the others, and a large grant or many leases that end go in steps."""

from __future__ import annotations

import pytest
from core_rig import Core, c
from work_counted import lines_run

FEW, MANY = 20, 1_000
STEP_ITEMS = 1_000


def with_idle_consumers(count: int) -> Core:
    core = Core()
    core.declare()
    for _ in range(count):
        core.consume(prefetch=10)
    return core


def test_a_publish_looks_at_those_who_get_something_and_not_at_all_consumers() -> None:
    few, many = with_idle_consumers(FEW), with_idle_consumers(MANY)

    assert lines_run(lambda: many.publish(1)) < 1.5 * lines_run(lambda: few.publish(1))
    assert sum(len(many.sequences(worker)) for worker in range(1, MANY + 1)) == 1


def test_a_settle_among_many_consumers_looks_at_those_who_get_something() -> None:
    few, many = with_idle_consumers(FEW), with_idle_consumers(MANY)
    lines = []
    for core, count in ((few, FEW), (many, MANY)):
        core.publish(count)
        lines.append(lines_run(lambda core=core: core.ack(1, 1)))  # type: ignore[misc]

    assert lines[1] < 1.5 * lines[0]


def test_a_resume_looks_at_its_own_subscription_and_not_at_all() -> None:
    lines = []
    for count in (FEW, MANY):
        core = with_idle_consumers(count)
        mine = core.consuming(prefetch=10)
        lines.append(lines_run(lambda core=core, mine=mine: core.consuming(prefetch=10, resume=mine.token)))  # type: ignore[misc]

    assert lines[1] < 1.5 * lines[0]


def test_the_end_of_a_consumer_looks_at_no_other() -> None:
    lines = []
    for count in (FEW, MANY):
        core = with_idle_consumers(count)
        core.publish(count)
        worker = core.consume(prefetch=10)
        lines.append(lines_run(lambda core=core, worker=worker: core.run(c.CancelConsumer(subscription=worker))))  # type: ignore[misc]

    assert lines[1] < 1.5 * lines[0]


@pytest.mark.parametrize("keyed", [False, True], ids=["alternating priorities", "ordering keys"])
def test_a_large_grant_goes_in_steps_and_in_order(keyed: bool) -> None:
    core, count = Core(), 3 * STEP_ITEMS
    core.declare()
    if keyed:
        core.publish(count, keys=[f"k{n}" for n in range(count)])
    else:
        core.publish(count, priorities=[n % 2 for n in range(count)])
    worker = core.consume(prefetch=count)
    first = len(core.sequences(worker))

    steps = 0
    while len(core.sequences(worker)) < count:
        core.run(c.Tick())
        steps += 1

    assert first == STEP_ITEMS and steps == 2
    wanted = list(range(count)) if keyed else [*range(1, count, 2), *range(0, count, 2)]
    assert core.sequences(worker) == wanted


def test_many_messages_of_one_key_are_set_aside_in_steps() -> None:
    core, count = Core(), 5 * STEP_ITEMS
    core.declare()
    core.publish(count, keys=["k"] * count)

    worker = core.consume(prefetch=10)

    assert core.queue().group.order.parked.count < STEP_ITEMS
    assert core.sequences(worker) == [0]


def test_many_leases_that_end_at_once_come_back_in_steps() -> None:
    core, count = Core(), 3 * STEP_ITEMS
    core.declare(lease_ms=1_000)
    core.publish(count)
    worker = core.consume(prefetch=count)
    core.run(c.Stall(subscription=worker, stalled=True))
    core.at += 1_000

    retried = []
    for _ in range(3):
        core.run(c.Tick())
        retried.append(core.counts()["retried"])

    assert retried == [STEP_ITEMS, 2 * STEP_ITEMS, 3 * STEP_ITEMS]
    assert core.counts() == {"ready": count, "retried": count}
