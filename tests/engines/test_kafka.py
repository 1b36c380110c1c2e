"""The contract, on Kafka; and what happens when Kafka or a gateway dies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from contract import Contract
from desk import running
from kafka_server import Kafka
from postroad.broker.engine.engine import Engine
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import Unavailable
from survival import a_gateway_dies, both_see_the_same, survives_a_crash, survives_a_stall

_prefixes = count()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    pytest.importorskip("confluent_kafka")
    server = Kafka(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()


class TestKafka(Contract):
    @pytest.fixture
    async def engine(self, kafka: Kafka) -> AsyncIterator[Engine]:
        engine = open_engine(f"{kafka.url}?prefix=t{next(_prefixes)}.", data="")
        async with running(engine):
            yield engine

    async def test_durability_is_said_as_kafka_keeps_it(self, engine: Engine) -> None:
        assert engine.durability == "os"


class TestSurvival:
    async def test_nothing_confirmed_is_lost_when_kafka_is_killed(self, tmp_path: Path) -> None:
        server = Kafka(tmp_path / "kafka")
        server.start()
        try:
            engine = open_engine(server.url, data="")
            async with running(engine):
                await survives_a_crash(engine, server, final=True)
        finally:
            server.stop()

    async def test_a_stall_of_kafka_stops_nobody_for_long(self, kafka: Kafka) -> None:
        engine = open_engine(f"{kafka.url}?prefix=stall.", data="")
        async with running(engine):
            await survives_a_stall(engine, kafka)

    async def test_a_gateway_dies_and_nothing_is_lost(self, kafka: Kafka) -> None:
        url = f"{kafka.url}?prefix=dying.&node_timeout_ms=1500"
        engine = open_engine(url, data="")
        async with running(engine):
            await a_gateway_dies(url, engine)

    async def test_two_gateways_are_one(self, kafka: Kafka) -> None:
        url = f"{kafka.url}?prefix=two."
        one, two = open_engine(url, data=""), open_engine(url, data="")
        async with running(one, two):
            await both_see_the_same(one, two)

    async def test_a_server_that_is_not_there_is_said_so(self) -> None:
        engine = open_engine("kafka://127.0.0.1:9", data="")
        with pytest.raises(Unavailable):
            await engine.start()
