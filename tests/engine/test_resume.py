"""Resuming while the old connection is not yet known to be lost, and what may not reach the new one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postroad.broker import ConsumeSpec, DeliveryBatch, PostroadError, PublishBatch, SettleBatch, open_engine


class Sink:
    def __init__(self) -> None:
        self.batches: asyncio.Queue[DeliveryBatch] = asyncio.Queue()

    def deliver(self, batch: DeliveryBatch) -> None:
        self.batches.put_nowait(batch)

    def revoked(self, numbers: Sequence[tuple[int, int]], reason: str) -> None: ...

    def ended(self, error: PostroadError) -> None: ...


async def publish(engine: Any, count: int) -> None:
    done = asyncio.get_running_loop().create_future()
    engine.publish(PublishBatch(queue="q", sizes=[1] * count, bodies=b"1" * count), done.set_result)
    await done


async def settle(subscription: Any, **parts: Any) -> Any:
    done = asyncio.get_running_loop().create_future()
    subscription.settle(SettleBatch(**parts), done.set_result)
    return await done


async def test_a_client_back_before_its_loss_is_noticed_keeps_its_deliveries(tmp_path: Path) -> None:
    engine = open_engine(data=str(tmp_path / "data"))
    await engine.start()
    await publish(engine, 3)
    old = await engine.consume(ConsumeSpec(queue="q", consumer="w", prefetch=3), first := Sink())
    batch = await first.batches.get()

    new = await engine.consume(
        ConsumeSpec(queue="q", consumer="w", prefetch=3, resume=old.token, held=[(1, 3, 0)], begun=3), second := Sink()
    )
    old.detach()
    outcome = await settle(new, acks=[(1, 3)])

    assert (batch.number, new.token, new.lost) == (1, old.token, [])
    assert (outcome.lost, outcome.settled) == ([], [])
    assert second.batches.empty()
    await engine.close()


async def test_what_was_given_back_at_a_resume_is_delivered_once_under_new_numbers(tmp_path: Path) -> None:
    engine = open_engine(data=str(tmp_path / "data"))
    await engine.start()
    old = await engine.consume(ConsumeSpec(queue="q", consumer="w", prefetch=10), Sink())
    done = asyncio.get_running_loop().create_future()
    engine.publish(PublishBatch(queue="q", sizes=[1, 1], bodies=b"12"), done.set_result)
    # Granted, but not yet durable: the grant waits for the disk while the client comes back holding nothing.
    old.detach()
    sink = Sink()
    resumed = asyncio.create_task(
        engine.consume(ConsumeSpec(queue="q", consumer="w", prefetch=10, resume=old.token), sink)
    )
    await done
    await resumed

    batch = await sink.batches.get()
    assert (batch.number, len(batch.sizes)) == (3, 2)
    assert sink.batches.empty()
    await engine.close()


async def test_nobody_can_guess_the_token_of_a_subscription(tmp_path: Path) -> None:
    engine = open_engine(data=str(tmp_path / "data"))
    await engine.start()
    one = await engine.consume(ConsumeSpec(queue="q", consumer="w"), Sink())
    other = await engine.consume(ConsumeSpec(queue="q", consumer="w"), Sink())

    assert len(one.token.split("-", 2)[2]) >= 16
    assert one.token.split("-", 2)[2] != other.token.split("-", 2)[2]
    await engine.close()
