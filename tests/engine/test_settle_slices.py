"""A large settle is carried out in slices: others overtake it, its own consumer's next words wait behind, and it has one answer."""

from __future__ import annotations

import pytest
from engine_rig import Rig
from postroad.broker.engine.embedded.settle_slices import SLICE_ITEMS, slices
from postroad.broker.engine.engine import Completion, Nack, PublishBatch, SettleBatch, Settled
from postroad.broker.errors import PostroadError
from postroad.broker.limits import Limits

COUNT = 3 * SLICE_ITEMS


def say(rig: Rig, worker: object, told: list[str], name: str, **parts: object) -> None:
    def done(answer: Settled | PostroadError) -> None:
        told.append(name if isinstance(answer, Settled) else answer.code)
        rig.changed.tell()

    worker.subscription.settle(SettleBatch(**parts), done)  # type: ignore[attr-defined, arg-type]


async def test_others_overtake_a_large_settle_and_its_own_consumer_waits_behind_it(rig: Rig) -> None:
    for queue, count in (("q", COUNT), ("other", 1)):
        await rig.publish([b"x"] * count, queue, keys=[f"k{n}" for n in range(count)])
    large, small = await rig.consume(prefetch=COUNT), await rig.consume("other")
    await rig.got(large, COUNT)
    await rig.got(small, 1)

    told: list[str] = []
    say(rig, large, told, "large", acks=[(n, n) for n in range(1, COUNT, 2)])
    say(rig, large, told, "next", acks=[(2, 2)])
    say(rig, small, told, "other", acks=[(1, 1)])
    large.subscription.cancel()
    await rig.changed.until(lambda: len(told) == 3)

    assert told == ["other", "large", "next"]
    stats = await rig.stats()
    assert (stats["acked_total"], stats["leased"], stats["ready"]) == (COUNT // 2 + 1, 0, COUNT // 2 - 1)


async def test_a_large_settle_tells_all_that_was_lost_in_one_answer(rig: Rig) -> None:
    await rig.publish([b"x"] * COUNT, keys=[f"k{n}" for n in range(COUNT)])
    worker = await rig.consume(prefetch=COUNT)
    await rig.got(worker, COUNT)
    await rig.settle(worker, acks=[(1, 1), (COUNT - 1, COUNT - 1)])

    answer = await rig.settle(worker, nacks=[Nack(first=1, last=1 << 40, delay_ms=60_000)])

    assert answer.settled == [(1, 1), (COUNT - 1, COUNT - 1)]
    assert answer.lost == [(COUNT + 1, 1 << 40)]
    assert (await rig.stats())["retrying"] == COUNT - 2


async def test_a_refused_publish_leaves_nothing_of_a_large_settle(rig: Rig) -> None:
    await rig.engine.declare("full", {"length_max": 1})
    await rig.publish([b"x"], "full")
    await rig.publish([b"x"] * COUNT, keys=[f"k{n}" for n in range(COUNT)])
    worker = await rig.consume(prefetch=COUNT)
    await rig.got(worker, COUNT)
    publish = PublishBatch(queue="full", sizes=[1], bodies=b"x")

    with pytest.raises(PostroadError, match="full"):
        await rig.settle(
            worker, completions=[Completion(number=1, publishes=[publish])], acks=[(n, n) for n in range(2, COUNT)]
        )

    assert (await rig.stats())["acked_total"] == 0


@pytest.mark.parametrize(
    ("batch", "one_by_one", "sizes"),
    [
        pytest.param(SettleBatch(acks=[(1, 9_000)]), False, [1], id="one range of plain messages is one"),
        pytest.param(SettleBatch(acks=[(1, 2_500)]), True, [0, 1, 1, 1], id="each is looked at"),
        pytest.param(SettleBatch(acks=[(n, n) for n in range(1, 4_001, 2)]), False, [0, 1_000, 1_000], id="ranges"),
        pytest.param(SettleBatch(acks=[(1, 1)], begun=5), True, [1], id="small"),
    ],
)
def test_a_batch_is_cut_by_what_it_costs(batch: SettleBatch, one_by_one: bool, sizes: list[int]) -> None:
    parts = slices(batch, 5_000, one_by_one=one_by_one)

    assert [len(part.acks) for part in parts] == sizes
    assert [number for part in parts for a, b in part.acks for number in range(a, b + 1)] == [
        number for a, b in batch.acks for number in range(a, b + 1)
    ]


def test_a_number_that_is_named_thousands_of_times_is_looked_at_once() -> None:
    batch = SettleBatch(acks=[(1, 16_384)] * 5_000, nacks=[Nack(first=20_000, last=30_000)] * 5_000)

    parts = slices(batch, 30_000, one_by_one=True)

    acked = [(first, last) for part in parts for first, last in part.acks]
    nacked = [(nack.first, nack.last) for part in parts for nack in part.nacks]
    assert sum(last - first + 1 for first, last in acked) == 16_384
    assert sum(last - first + 1 for first, last in nacked) == 10_001
    assert len(parts) < 40


async def test_a_settle_names_no_more_deliveries_than_it_may_have_items() -> None:
    rig = await Rig(limits=Limits()).start()
    await rig.publish([b"x"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    others = [(number, None) for number in range(2, 10_000)]

    with pytest.raises(PostroadError) as refused:
        await rig.settle(worker, completions=[Completion(number=1, others=others)] * 3)

    assert (refused.value.code, refused.value.details["limit"]) == ("limit-exceeded", "settle_items_max")
    assert (await rig.settle(worker, acks=[(1, 1)])).lost == []
    await rig.engine.close()
