"""The contract, on RabbitMQ; and what happens when RabbitMQ or a gateway dies.

Crashes are tried on classic durable queues: after a kill, quorum queues of this old server are without a leader for more than a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
from contract import Contract
from desk import PATIENCE_S, Desk, running
from postroad.broker.engine.engine import Engine
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import Unavailable
from servers import Rabbit
from survival import CRASH_TIMEOUT_S, Survival, survives_a_crash

_prefixes = count()


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    pytest.importorskip("aiormq")
    server = Rabbit(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


class TestRabbitMQ(Contract):
    @pytest.fixture
    async def engine(self, rabbit: Rabbit) -> AsyncIterator[Engine]:
        engine = open_engine(f"{rabbit.url}?prefix=t{next(_prefixes)}.", data="")
        async with running(engine):
            yield engine


async def noted(rabbit: Rabbit) -> None:
    """RabbitMQ keeps for good what was declared: a crash moments later may take a durable queue with it, or the place of the first stream."""
    await asyncio.to_thread(rabbit.shut_down)
    await rabbit.restart()


class TestSurvival(Survival):
    nowhere = "amqp://127.0.0.1:9/"

    @pytest.fixture
    def server(self, rabbit: Rabbit) -> Rabbit:
        return rabbit

    async def test_what_waits_on_a_connection_that_breaks_is_refused(self, rabbit: Rabbit) -> None:
        from postroad.broker.engine.rabbitmq import RabbitBackend

        backend = RabbitBackend(f"{rabbit.url}?prefix=breaks.")
        await backend.open(lambda records: None, lambda: None)
        try:
            entered = asyncio.Event()

            async def waits() -> None:
                async with backend.link.use():
                    entered.set()
                    await asyncio.Event().wait()

            waiting = asyncio.create_task(waits())
            await entered.wait()
            rabbit.kill()
            with pytest.raises(Unavailable):
                await waiting
        finally:
            await backend.close()
            await rabbit.restart()

    async def test_a_queue_that_rabbitmq_lost_is_made_again(self, rabbit: Rabbit) -> None:
        import aiormq

        engine = open_engine(f"{rabbit.url}?prefix=forgets.", data="")
        async with running(engine):
            desk = Desk(engine)
            inbox = await desk.consume("q")
            await desk.publish("q", b"1")
            await inbox.count(1)
            connection = await aiormq.connect(rabbit.url)
            await (await connection.channel()).queue_delete("forgets.q.q")
            await connection.close()
            rabbit.kill()
            await rabbit.restart()
            async with asyncio.timeout(PATIENCE_S):
                while not engine.healthy:
                    await asyncio.sleep(0.01)
            await desk.publish("q", b"2")
            await inbox.until(lambda: inbox.bodies[-1] == b"2")

    @pytest.mark.timeout(CRASH_TIMEOUT_S)
    async def test_nothing_confirmed_is_lost_when_rabbitmq_is_killed(self, rabbit: Rabbit) -> None:
        url = f"{rabbit.url}?prefix=crash."
        engine = open_engine(url, data="")
        async with running(engine):
            await engine.declare("load", {})
        await noted(rabbit)
        engine = open_engine(url, data="")
        async with running(engine):
            await survives_a_crash(engine, rabbit, final=False)

    @pytest.mark.timeout(CRASH_TIMEOUT_S)
    async def test_nothing_confirmed_to_a_stream_is_lost_to_its_groups_when_rabbitmq_is_killed(
        self, rabbit: Rabbit
    ) -> None:
        url = f"{rabbit.url}?prefix=crashed_stream."
        engine = open_engine(url, data="")
        async with running(engine):
            await engine.declare("first", {}, kind="stream")
        await noted(rabbit)
        engine = open_engine(url, data="")
        async with running(engine):
            await survives_a_crash(engine, rabbit, final=False, group="g")

    async def test_a_group_is_shared_by_two_gateways_and_reset_for_both(self, rabbit: Rabbit) -> None:
        url = f"{rabbit.url}?prefix=shared_group."
        one, two = open_engine(url, data=""), open_engine(url, data="")
        async with running(one, two):
            here, there = Desk(one), Desk(two)
            await one.declare("s", {}, kind="stream")
            inboxes = [await here.consume("s", group="g", start="earliest"), await there.consume("s", group="g")]
            for at in range(200):
                await (here, there)[at % 2].publish("s", b"%d" % at, kind="stream")
                for inbox in inboxes:
                    await inbox.ack_all() if inbox.got else None
            async with asyncio.timeout(PATIENCE_S):
                while sum(len(inbox.got) for inbox in inboxes) < 200:
                    await asyncio.sleep(0.01)
            assert sorted(message.sequence for inbox in inboxes for message in inbox.got) == list(range(200))
            assert all(inbox.got for inbox in inboxes), "each had its share"
            await inboxes[0].ack_all()  # the other still holds its last ones
            before = [len(inbox.got) for inbox in inboxes]
            await two.operate("reset", {"stream": "s", "group": "g", "to": {"offset": 190}})
            async with asyncio.timeout(PATIENCE_S):
                while set(range(190, 200)) != {
                    message.sequence
                    for inbox, seen in zip(inboxes, before, strict=True)
                    for message in inbox.got[seen:]
                }:
                    await asyncio.sleep(0.01)
