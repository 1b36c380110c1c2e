"""What a queue may hold and hand out: overflow, concurrency and rate."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.errors import Conflict, QueueFull

# Overflow


@pytest.mark.parametrize("limit", [{"length_max": 3}, {"bytes_max": 30}])
def test_rejecting_refuses_the_whole_frame_and_keeps_what_is_there(limit: dict[str, int]) -> None:
    core = Core()
    core.declare(**limit)
    core.publish(2)

    with pytest.raises(QueueFull) as refused:
        core.publish(2)
    core.publish()

    assert core.counts() == {"ready": 3}
    assert refused.value.details["value"] in (3, 30)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({"overflow": "drop_oldest"}, {"ready": 3, "dropped": 2}),
        ({"overflow": "dead_letter"}, {"ready": 3, "dead": 2}),
        ({"overflow": "dead_letter", "dead_letter": None}, {"ready": 3, "dropped": 2}),
    ],
)
@pytest.mark.parametrize("limit", [{"length_max": 3}, {"bytes_max": 30}, {"bytes_max": 39}])
def test_the_oldest_make_room(limit: dict[str, int], settings: dict[str, object], counts: dict[str, int]) -> None:
    core = Core()
    core.declare(**limit, **settings)

    core.publish(3)
    core.publish(2)

    assert core.counts() == counts
    assert core.sequences(core.consume()) == [2, 3, 4]


def test_dead_letters_of_an_overflow_say_why() -> None:
    core = Core()
    core.declare(length_max=1, overflow="dead_letter")

    core.publish(2)

    assert core.counts("q.dead") == {"ready": 1}
    assert [r.reason for r in core.records if type(r).__name__ == "Move"] == ["overflow"]
    core.run(c.Purge(queue="q"))
    assert core.run(c.Redrive(queue="q.dead")).count == 1
    assert core.counts() == {"ready": 1, "dead": 1, "purged": 1}


def test_what_is_leased_counts_but_stays() -> None:
    core = Core()
    core.declare(length_max=3, overflow="drop_oldest")
    worker = core.consume(prefetch=2)
    core.publish(3)

    core.publish(2)

    assert core.counts() == {"leased": 2, "ready": 1, "dropped": 2}
    assert core.ack(worker, 1, 2).lost == []
    assert core.sequences(worker) == [0, 1, 4]


def test_when_all_is_leased_the_newest_waits_for_nobody_and_goes() -> None:
    core = Core()
    core.declare(length_max=1, overflow="drop_oldest")
    worker = core.consume(prefetch=1)
    core.publish()

    core.publish()

    assert core.counts() == {"leased": 1, "dropped": 1}
    assert core.ack(worker, 1).lost == []


def test_waiting_messages_make_room_too() -> None:
    core = Core()
    core.declare(length_max=2, overflow="drop_oldest", backoff_ms=60_000)
    worker = core.consume(prefetch=1)
    core.publish()
    core.nack(worker, 1)
    core.publish(1, delay_ms=5000)

    core.publish(1, delay_ms=9000)

    assert core.counts() == {"delayed": 2, "dropped": 1, "retried": 1}


def test_a_frame_larger_than_the_limit_keeps_its_newest() -> None:
    core = Core()
    core.declare(length_max=2, overflow="drop_oldest")

    core.publish(5)

    assert core.sequences(core.consume()) == [3, 4]


def test_dropping_frees_the_ordering_key() -> None:
    core = Core()
    core.declare(length_max=2, overflow="drop_oldest", backoff_ms=60_000, lease_ms=600_000)
    worker = core.consume()
    core.publish(1, key="k")
    core.nack(worker, 1)
    core.publish(1, key="k")
    assert core.sequences(worker) == [0]

    core.publish(1, key="l")

    assert sorted(core.sequences(worker)) == [0, 1, 2]


# Concurrency


def test_no_more_than_so_many_are_leased_over_all_consumers() -> None:
    core = Core()
    core.declare(concurrency_max=3)
    workers = [core.consume(prefetch=10) for _ in range(2)]
    core.publish(6)

    assert sum(len(core.sequences(worker)) for worker in workers) == 3
    first = workers[0]
    core.ack(first, 1)
    assert sum(len(core.sequences(worker)) for worker in workers) == 4
    core.nack(first, 2, delay_ms=0)
    assert core.counts()["leased"] == 3


def test_a_lower_limit_takes_nothing_back_and_a_higher_one_hands_out_at_once() -> None:
    core = Core()
    core.declare(concurrency_max=2)
    worker = core.consume()
    core.publish(6)

    core.run(c.Declare(queue="q", settings={"concurrency_max": 1}, update=True))
    core.ack(worker, 1)
    assert core.sequences(worker) == [0, 1]
    core.run(c.Declare(queue="q", settings={"concurrency_max": 4}, update=True))

    assert core.sequences(worker) == [0, 1, 2, 3, 4]


def test_groups_have_their_limits_each() -> None:
    core = Core()
    core.stream()
    core.group("a", concurrency_max=1)
    core.group("b")
    one, other = core.consume("s/a"), core.consume("s/b")

    core.append(3)

    assert (core.sequences(one), core.sequences(other)) == ([0], [0, 1, 2])


def test_parked_messages_use_up_no_concurrency() -> None:
    core = Core()
    core.declare(concurrency_max=2)
    worker = core.consume()

    core.publish(4, keys=["k", "k", "k", "l"])

    assert core.sequences(worker) == [0, 3]


# Rate


def deliveries(core: Core, worker: int, ms: int, step: int = 10) -> list[int]:
    """How many came in each step; all are acked at once."""
    counts, seen = [], len(core.got[worker])
    for _ in range(ms // step):
        core.wait(step)
        if held := list(core.machine.subscriptions[worker].leases):
            core.settle(worker, acks=[(lease.number, lease.last) for lease in held])
        counts.append(len(core.got[worker]) - seen)
        seen += counts[-1]
    return counts


def test_so_many_go_out_a_second() -> None:
    core = Core()
    core.declare(rate_max=10)
    worker = core.consume()
    core.publish(200)
    first = len(core.sequences(worker))
    core.settle(worker, acks=[(1, first)])

    counts = deliveries(core, worker, 10_000)

    assert first <= 10, "at most a second's worth is saved up"
    assert 99 <= sum(counts) <= 101
    assert max(counts) <= 2, "evenly"


def test_the_rate_is_that_of_all_consumers_together() -> None:
    core = Core()
    core.declare(rate_max=20)
    workers = [core.consume(), core.consume()]
    core.publish(100)

    core.wait(1000)

    assert 20 <= sum(len(core.sequences(worker)) for worker in workers) <= 41


def test_nothing_more_than_a_second_is_saved_up_while_idle() -> None:
    core = Core()
    core.declare(rate_max=5)
    worker = core.consume()
    core.wait(60_000)

    core.publish(100)

    assert len(core.sequences(worker)) == 5


def test_a_lower_rate_holds_from_then_on_and_does_not_block() -> None:
    core = Core()
    core.declare(rate_max=1000)
    worker = core.consume(prefetch=10_000)
    core.publish(8000)
    deliveries(core, worker, 6000)
    core.publish(1000)

    core.run(c.Declare(queue="q", settings={"rate_max": 10}, update=True))
    counts = deliveries(core, worker, 5000, step=100)

    assert 49 <= sum(counts) <= 61


def test_a_higher_rate_holds_from_then_on() -> None:
    core = Core()
    core.declare(rate_max=1)
    worker = core.consume(prefetch=500)
    core.publish(500)
    core.wait(5000)
    before = len(core.sequences(worker))
    assert 5 <= before <= 6

    core.run(c.Declare(queue="q", settings={"rate_max": 100}, update=True))
    core.wait(1000)

    assert 99 <= len(core.sequences(worker)) - before <= 101


def test_without_a_limit_again_everything_goes() -> None:
    core = Core()
    core.declare(rate_max=1)
    worker = core.consume()
    core.publish(50)

    core.run(c.Declare(queue="q", settings={"rate_max": None}, update=True))

    assert len(core.sequences(worker)) == 50


@pytest.mark.parametrize("limit", [{"length_max": 2}, {"bytes_max": 20}], ids=["length", "bytes"])
def test_what_is_there_already_is_answered_though_the_queue_is_full(limit: dict[str, int]) -> None:
    core = Core()
    core.declare(**limit)
    first = core.publish(2, dedup_keys=["a", "b"], digests=[1, 2])

    again = core.publish(2, dedup_keys=["a", "b"], digests=[1, 2])

    assert again.duplicates == {0: (first.position, 0), 1: (first.position, 1)}
    assert core.counts() == {"ready": 2}
    with pytest.raises(QueueFull):
        core.publish(2, dedup_keys=["a", "c"], digests=[1, 3])
    with pytest.raises(Conflict):
        core.publish(1, dedup_key="a", digests=[9])


def test_only_what_is_new_needs_room() -> None:
    core = Core()
    core.declare(length_max=3)
    core.publish(2, dedup_keys=["a", "b"], digests=[1, 2])

    core.publish(4, dedup_keys=["a", "b", "c", "c"], digests=[1, 2, 3, 3])

    assert core.counts() == {"ready": 3}


def test_duplicates_of_a_topic_are_answered_though_a_target_is_full() -> None:
    core = Core()
    core.declare(length_max=1)
    core.bind("t", "q")
    core.publish(1, "t", kind="topic", dedup_key="a", digests=[1])

    assert core.publish(1, "t", kind="topic", dedup_key="a", digests=[1]).duplicates is not None
