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
from servers import Redis
from survival import CRASH_TIMEOUT_S, Survival, survives_alone

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


class TestSurvival(Survival):
    nowhere = "redis://127.0.0.1:9/0"
    dying = "&node_timeout_ms=1500"

    @pytest.fixture
    def server(self, redis: Redis) -> Redis:
        return redis

    @pytest.mark.timeout(CRASH_TIMEOUT_S)
    async def test_nothing_confirmed_is_lost_when_redis_is_killed(self, tmp_path: Path) -> None:
        await survives_alone(Redis(tmp_path / "redis", appendfsync="always"), "sync")
