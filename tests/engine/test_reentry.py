"""Sinks and callbacks may call the engine; and connections may change while deliveries wait for the disk."""

from __future__ import annotations

import asyncio
from typing import Any

from engine_rig import HeldSync, Rig, Worker, turns
from postroad.broker.engine.engine import ConsumeSpec, DeliveryBatch, PublishBatch


class Full(Worker):
    """Its socket is full after one batch: it pauses from within the call."""

    def deliver(self, batch: DeliveryBatch) -> None:
        super().deliver(batch)
        self.subscription.pause()


async def test_numbers_arrive_in_order_when_another_sink_pauses_meanwhile(rig: Rig) -> None:
    full = Full(rig.changed)
    full.subscription = await rig.engine.consume(ConsumeSpec(queue="q", consumer="full", prefetch=2), full)
    other = await rig.consume(prefetch=10)
    arrived: list[int] = []
    deliver = other.deliver

    def noting(batch: DeliveryBatch) -> None:
        arrived.append(batch.number)
        deliver(batch)
        if batch.number == 1:
            other.subscription.prefetch(20)

    other.deliver = noting  # type: ignore[method-assign]

    for _ in range(6):
        await rig.publish([b"x"] * 5)
    await rig.got(other, 20)

    assert arrived == sorted(arrived)
    assert list(other.sequences.values()) == sorted(other.sequences.values())


async def test_deliveries_decided_in_a_callback_come_after_those_decided_before(rig: Rig) -> None:
    order: list[int] = []
    worker = await rig.consume(prefetch=1)
    deliver = worker.deliver

    def noting(batch: DeliveryBatch) -> None:
        order.append(batch.number)
        deliver(batch)

    worker.deliver = noting  # type: ignore[method-assign]

    def confirmed(_: Any) -> None:
        worker.subscription.prefetch(5)  # grants more, at once, while the first grant is still to be handed over

    rig.engine.publish(PublishBatch(queue="q", sizes=[1, 1, 1], bodies=b"abc"), confirmed)
    await rig.got(worker, 3)

    assert order == [1, 2]
    assert list(worker.sequences.values()) == [0, 1, 2]


async def test_what_waited_for_the_disk_is_not_delivered_to_a_connection_that_came_later(rig: Rig) -> None:
    first = await rig.consume(prefetch=5)
    held = HeldSync(rig.files)
    rig.send([b"1", b"2"])
    await held.arrived()
    first.subscription.detach()
    second = Worker(rig.changed)

    spec = ConsumeSpec(queue="q", consumer="w", prefetch=5, resume=first.subscription.token)
    opening = asyncio.ensure_future(rig.engine.consume(spec, second))
    await turns()
    held.let_go()
    second.subscription = await opening
    await rig.got(second, 2)
    await turns()

    assert first.ids == {}
    assert list(second.sequences.values()) == [0, 1]
    numbers = sorted(second.ids)
    reply = await rig.settle(second, acks=[(numbers[0], numbers[-1])])
    assert reply.lost == []
