"""No command acts on more than a step's messages: what is larger goes on in the next command, or in the next tick."""

from __future__ import annotations

from core_rig import Core, c
from postroad.broker.core.format.command import STEP_ITEMS
from postroad.broker.core.format.record import Compact, Move, Publish, Return, Settle, Trim
from postroad.broker.core.rules.schedules import FIRED_BYTES_MAX

MANY = 2 * STEP_ITEMS + 500


def sizes(core: Core, kind: type) -> list[int]:
    """How many messages each record of a kind was about."""
    found = []
    for record in core.records:
        if isinstance(record, kind):
            if isinstance(record, Settle | Compact):
                found.append(sum(run[1] - run[0] + 1 for run in record.runs))
            else:
                found.append(len(record.entries))  # type: ignore[attr-defined]
    return found


def test_a_step_of_a_purge_says_where_the_next_begins() -> None:
    core = Core()
    core.publish(10)

    first = core.run(c.Purge(queue="q", limit=4))
    second = core.run(c.Purge(queue="q", first=first.next, until=6, limit=4))

    assert (first.count, first.next) == (4, 4)
    assert (second.count, second.next) == (2, None)
    assert core.counts() == {"ready": 4, "purged": 6}


def test_a_purge_passes_over_what_is_held_and_frees_the_key_behind_what_it_takes() -> None:
    core = Core()
    core.publish(3, keys=["a", "a", "b"])
    core.consume(prefetch=1)

    assert core.all_steps(c.Purge(queue="q", limit=1)) == 2

    assert core.counts() == {"leased": 1, "purged": 2}


def test_a_lower_bound_takes_a_step_a_tick() -> None:
    core = Core()
    core.publish(MANY)

    core.run(c.Declare(queue="q", settings={"length_max": 10, "overflow": "drop_oldest"}, update=True))
    core.wait(0)

    assert sizes(core, Settle) == [STEP_ITEMS, STEP_ITEMS, 490]
    assert core.counts() == {"ready": 10, "dropped": MANY - 10}


def test_a_bound_of_bytes_takes_the_oldest_until_it_is_kept() -> None:
    core = Core()
    core.declare(bytes_max=100_000)
    core.publish(1500, size=50)

    core.run(c.Declare(queue="q", settings={"bytes_max": 5000, "overflow": "drop_oldest"}, update=True))
    core.wait(0)

    assert core.counts() == {"ready": 100, "dropped": 1400}
    assert max(sizes(core, Settle)) <= STEP_ITEMS


def test_room_that_was_to_be_made_is_made_after_a_restart() -> None:
    core = Core()
    core.publish(MANY)
    core.run(c.Declare(queue="q", settings={"length_max": 10, "overflow": "dead_letter"}, update=True))

    core.restart()
    core.wait(1000)

    assert core.counts()["ready"] == 10
    assert core.counts("q.dead") == {"ready": MANY - 10}
    assert max(sizes(core, Move)) <= STEP_ITEMS


def test_a_frame_that_brings_more_than_a_step_makes_room_for_itself() -> None:
    core = Core()
    core.declare(length_max=5000, overflow="drop_oldest")
    core.publish(5000)

    core.publish(3000)

    assert core.counts() == {"ready": 5000, "dropped": 3000}


def test_the_deliveries_of_a_lost_consumer_are_counted_a_step_a_tick() -> None:
    core = Core()
    core.declare(attempts_max=5, backoff_ms=60_000)
    core.publish(MANY)
    worker = core.consume(prefetch=MANY)
    core.settle(worker, begun=MANY)

    core.run(c.Detach(subscription=worker))
    core.wait(60_000)

    assert sizes(core, Return) == [STEP_ITEMS, STEP_ITEMS, 500]
    assert worker not in core.machine.subscriptions


def test_retention_takes_whole_entries_and_one_at_least() -> None:
    core = Core()
    core.stream(retention_count=1)
    for count in (3000, 1, 1, 998, 2, 5):
        core.append(count)

    core.wait(0)

    trims = [record.first for record in core.records if isinstance(record, Trim)]
    assert trims[-1] == 4002
    assert 3000 in trims


def test_a_tick_fires_no_more_than_a_bounded_number_of_bytes() -> None:
    core = Core()
    size = FIRED_BYTES_MAX // 4
    for number in range(10):
        publish = c.PublishMessages(queue="q", sizes=[size])
        core.run(c.DeclareSchedule(name=f"s{number}", publish=publish, body=bytes(size), every_ms=1000))
    core.at += 1000

    fired = []
    while core.machine.next_due() is not None and core.machine.next_due() <= core.at:  # type: ignore[operator]
        before = len(core.records)
        core.run(c.Tick())
        fired.append(sum(isinstance(record, Publish) for record in core.records[before:]))

    assert sum(fired) == 10
    assert max(fired) * size <= FIRED_BYTES_MAX
