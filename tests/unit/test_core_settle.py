"""What a consumer may say of its deliveries, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.effect import Progressed
from postroad.broker.core.format.record import Return, Settle
from postroad.broker.errors import Conflict, LeaseLost, LimitExceeded, PostroadError, QueueFull, QueueNotFound
from postroad.broker.limits import Limits


@pytest.fixture
def core() -> Core:
    """Ten messages, all leased to subscription 1 under numbers 1-10."""
    core = Core()
    core.declare()
    core.publish(10)
    assert core.consume(prefetch=10) == 1
    return core


def done(number: int, *publishes: c.PublishMessages, result: bytes | None = None) -> c.Complete:
    return c.Complete(number=number, result=result, publishes=list(publishes))


def message(queue: str, **more: Any) -> c.PublishMessages:
    return c.PublishMessages(queue=queue, sizes=[3], **more)


def test_acked_messages_are_gone(core: Core) -> None:
    reply = core.settle(1, acks=[(1, 10)])

    assert (reply.lost, reply.settled) == ([], [])
    assert core.counts() == {"acked": 10}
    assert core.queue().group.floor == 10


def test_a_partial_range_settles_what_is_held_and_names_the_rest(core: Core) -> None:
    core.ack(1, 3)

    reply = core.settle(1, acks=[(2, 4), (9, 12)])

    assert reply.settled == [(3, 3)]
    assert reply.lost == [(11, 12)]
    assert core.counts() == {"leased": 5, "acked": 5}


def test_a_settled_delivery_answers_already_settled_whatever_is_said_next(core: Core) -> None:
    core.ack(1, 1)
    core.nack(1, 2, delay_ms=60_000)

    for parts in (
        {"acks": [(1, 2)]}, {"releases": [(1, 2)]}, {"extends": [(1, 2)]}, {"nacks": [c.NackRange(first=1, last=2)]},
        {"completions": [done(1), done(2)]},
    ):  # fmt: skip
        reply = core.settle(1, **parts)
        assert [n for first, last in reply.settled for n in range(first, last + 1)] == [1, 2], parts
        assert reply.lost == [], parts
    assert core.counts() == {"leased": 8, "acked": 1, "retrying": 1, "retried": 1}


def test_the_same_number_twice_in_one_settle_counts_once(core: Core) -> None:
    reply = core.settle(1, acks=[(1, 2), (2, 3)], nacks=[c.NackRange(first=3, last=3)])

    assert reply.settled == [(2, 2), (3, 3)]
    assert core.counts() == {"leased": 7, "acked": 3}


def test_a_released_message_comes_back_without_an_attempt(core: Core) -> None:
    core.settle(1, releases=[(4, 5)])

    assert core.sequences(1)[10:] == [3, 4]
    assert (core.attempts[1, 11], core.attempts[1, 12]) == (1, 1)
    assert "Return" not in core.kinds()
    assert core.ack(1, 4).lost == [(4, 4)]


def test_a_nack_counts_an_attempt_and_waits_for_its_backoff(core: Core) -> None:
    core.nack(1, 1, reason="smtp 421")

    assert core.counts() == {"leased": 9, "retrying": 1, "retried": 1}
    (entry,) = next(record for record in core.records if isinstance(record, Return)).entries
    assert core.at + 500 <= entry[2] <= core.at + 1000
    core.wait(1000)
    assert core.sequences(1)[10:] == [0]
    assert core.attempts[1, 11] == 2


def test_a_nack_with_its_own_delay_waits_exactly_that_long(core: Core) -> None:
    core.nack(1, 1, delay_ms=2345)

    core.wait(2344)
    assert len(core.sequences(1)) == 10
    core.wait(1)
    assert core.sequences(1)[10:] == [0]


def test_a_nack_without_delay_comes_back_at_once(core: Core) -> None:
    core.nack(1, 1, delay_ms=0)

    assert core.sequences(1)[10:] == [0]
    assert core.attempts[1, 11] == 2


def test_extending_renews_the_lease_from_now(core: Core) -> None:
    core.wait(20_000)
    assert core.settle(1, extends=[(1, 3)]).lost == []
    core.wait(10_000)

    assert sorted(core.sequences(1)[10:]) == list(range(3, 10))
    core.wait(20_000)
    assert 0 in core.sequences(1)[10:]


def test_extending_with_another_length(core: Core) -> None:
    core.settle(1, extends=[(1, 1)], lease_ms=100)

    core.wait(99)
    assert core.counts()["leased"] == 10
    core.wait(21)

    assert core.sequences(1)[10:] == [0]


def test_progress_goes_to_watchers_only_while_the_lease_lasts(core: Core) -> None:
    core.ack(1, 2)

    core.settle(1, progress=[(1, 40, "half"), (2, 50, None)])

    assert [e for e in core.effects if isinstance(e, Progressed)] == [Progressed(core.queue().number, 0, 40, "half")]
    assert core.ack(1, 1).lost == []


def test_a_late_settle_loses_and_leaves_the_next_holder_alone() -> None:
    core = Core()
    core.publish(1)
    first = core.consume(prefetch=1)
    core.wait(15_000)
    second = core.consume(prefetch=1)
    core.run(c.SetPrefetch(subscription=first, prefetch=0))
    core.wait(15_000)
    assert core.sequences(second) == [0]

    for parts in ({"acks": [(1, 1)]}, {"nacks": [c.NackRange(first=1, last=1)]}, {"completions": [done(1)]}):
        assert core.settle(first, **parts).lost == [(1, 1)]

    assert core.counts() == {"leased": 1, "retried": 1}
    assert core.ack(second, 1).lost == []


def test_settling_on_an_ended_subscription_is_lease_lost(core: Core) -> None:
    with pytest.raises(LeaseLost):
        core.ack(99, 1)


def test_a_completion_is_ack_result_and_publish_in_one_command(core: Core) -> None:
    before = len(core.records)

    reply = core.settle(1, completions=[done(2, message("next"), message("q"), result=b'{"sent":true}')])

    assert [type(record).__name__ for record in core.records[before:]] == ["Settle", "Define", "Publish", "Publish"]
    settle = core.records[before]
    assert isinstance(settle, Settle) and settle.results == {1: b'{"sent":true}'}
    assert [published.count for published in reply.published if published] == [1, 1]
    assert core.counts("next") == {"ready": 1}


def test_a_completion_whose_lease_is_lost_publishes_nothing(core: Core) -> None:
    core.ack(1, 2)

    reply = core.settle(1, completions=[done(2, message("next")), done(3, message("other"))])

    assert reply.settled == [(2, 2)]
    assert [published is None for published in reply.published] == [True, False]
    assert "next" not in core.machine.state.queues
    assert core.counts("other") == {"ready": 1}


REFUSED = [
    pytest.param([message("nowhere", declare=False)], QueueNotFound, id="no-queue"),
    pytest.param([message("small"), message("small")], QueueFull, id="full-with-the-second"),
    pytest.param([message("dedup", attributes={"dedup_key": "k"}, digests=[2])], Conflict, id="conflict"),
    pytest.param(
        [
            message("dedup", attributes={"dedup_key": "new"}, digests=[1]),
            message("dedup", attributes={"dedup_key": "new"}, digests=[2]),
        ],
        Conflict,
        id="conflict-among-themselves",
    ),
    pytest.param(
        [c.PublishMessages(queue="fresh", sizes=[1, 1], attributes={"dedup_key": "k"}, digests=[1, 2])],
        Conflict,
        id="conflict-in-a-frame-for-a-new-queue",
    ),
    pytest.param([message("one-too-many"), message("two-too-many")], LimitExceeded, id="queues-max"),
]


@pytest.mark.parametrize(("publishes", "error"), REFUSED)
def test_a_refused_publish_of_a_completion_leaves_everything_as_it_was(
    publishes: list[c.PublishMessages], error: type[PostroadError]
) -> None:
    core = Core(Limits(queues_max=4))
    core.declare()
    core.declare("small", length_max=1)
    core.publish(1, "dedup", dedup_key="k", digests=[1])
    core.publish(2)
    worker = core.consume()
    before, records = core.counts(), len(core.records)

    with pytest.raises(error):
        core.settle(worker, acks=[(1, 1)], completions=[done(2, *publishes)])
    core.collect()

    assert core.counts() == before
    assert len(core.records) == records
    assert core.settle(worker, acks=[(1, 2)]).lost == []


def test_begun_is_never_more_than_was_delivered(core: Core) -> None:
    core.settle(1, begun=1_000_000)

    assert core.machine.subscriptions[1].begun == 10


def done_together(numbers: list[int], *publishes: c.PublishMessages, results: list[Any] | None = None) -> c.Complete:
    given = dict(zip(numbers, results or [None] * len(numbers), strict=True))
    others = [(number, given[number]) for number in numbers[1:]]
    return c.Complete(number=numbers[0], result=given[numbers[0]], others=others, publishes=list(publishes))


def test_a_batch_is_done_with_its_results_and_publishes_in_one_settle(core: Core) -> None:
    before = len(core.records)

    reply = core.settle(1, completions=[done_together([2, 3, 7], message("q"), results=[b'{"n":2}', None, b"7"])])

    assert (reply.lost, reply.settled, [p is not None for p in reply.published]) == ([], [], [True])
    settle, publish = core.records[before:]
    assert isinstance(settle, Settle)
    assert (settle.runs[0][:2], settle.runs[1][:2]) == ((1, 2), (6, 6))
    assert settle.results == {1: b'{"n":2}', 6: b"7"}
    assert type(publish).__name__ == "Publish"
    assert core.counts() == {"acked": 3, "leased": 8}  # the new one was handed out at once


def test_a_batch_of_which_one_lease_is_lost_does_nothing_and_keeps_the_others(core: Core) -> None:
    core.settle(1, releases=[(3, 3)])
    before = len(core.records)

    reply = core.settle(1, completions=[done_together([2, 3, 4], message("next"), results=[b"1", b"2", b"3"])])

    assert (reply.lost, reply.published) == ([(3, 3)], [None])
    assert len(core.records) == before
    assert "next" not in core.machine.state.queues
    assert core.ack(1, 2, 4).lost == []


def test_a_batch_that_is_said_again_was_settled_before(core: Core) -> None:
    batch = done_together([1, 2], message("next"))
    core.settle(1, completions=[batch])

    reply = core.settle(1, completions=[batch])

    assert (reply.lost, reply.settled, reply.published) == ([], [(1, 2)], [None])
    assert core.counts("next") == {"ready": 1}


def test_a_batch_whose_publish_is_refused_is_not_done(core: Core) -> None:
    core.declare("full", length_max=1)
    core.publish(1, "full")

    with pytest.raises(QueueFull):
        core.settle(1, completions=[done_together([1, 2], message("full"))])

    assert core.counts() == {"leased": 10}
