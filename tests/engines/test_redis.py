"""The contract, on Redis Streams; and what happens when Redis or a gateway dies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from contract import Contract
from desk import running
from postroad.broker.engine.engine import Engine
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import Unavailable
from servers import Redis
from survival import CRASH_TIMEOUT_S, a_gateway_dies, both_see_the_same, survives_a_crash, survives_a_stall

_prefixes = count()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    pytest.importorskip("redis")
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


class TestRedis(Contract):
    @pytest.fixture
    async def engine(self, redis: Redis) -> AsyncIterator[Engine]:
        engine = open_engine(f"{redis.url}?prefix=t{next(_prefixes)}:", data="")
        async with running(engine):
            yield engine

    async def test_durability_is_said_as_the_server_has_it(self, engine: Engine) -> None:
        assert engine.durability == "os"


class TestSurvival:
    @pytest.mark.timeout(CRASH_TIMEOUT_S)
    async def test_nothing_confirmed_is_lost_when_redis_is_killed(self, tmp_path: Path) -> None:
        server = Redis(tmp_path / "redis", appendfsync="always")
        server.start()
        try:
            engine = open_engine(server.url, data="")
            async with running(engine):
                assert engine.durability == "sync"
                await survives_a_crash(engine, server, final=True)
        finally:
            server.kill()

    async def test_a_stall_of_redis_stops_nobody_for_long(self, redis: Redis) -> None:
        engine = open_engine(f"{redis.url}?prefix=stall:", data="")
        async with running(engine):
            await survives_a_stall(engine, redis)

    async def test_a_gateway_dies_and_nothing_is_lost(self, redis: Redis) -> None:
        url = f"{redis.url}?prefix=dying:&node_timeout_ms=1500"
        engine = open_engine(url, data="")
        async with running(engine):
            await a_gateway_dies(url, engine)

    async def test_two_gateways_are_one(self, redis: Redis) -> None:
        url = f"{redis.url}?prefix=two:"
        one, two = open_engine(url, data=""), open_engine(url, data="")
        async with running(one, two):
            await both_see_the_same(one, two)

    async def test_a_server_that_is_not_there_is_said_so(self) -> None:
        engine = open_engine("redis://127.0.0.1:9/0", data="")
        with pytest.raises(Unavailable):
            await engine.start()
