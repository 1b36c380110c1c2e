"""The contract, on Redis Streams; and what happens when Redis or a gateway dies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
from contract import Contract
from postroad.broker.engine.engine import Engine
from postroad.broker.engine.open import open_engine
from servers import Redis

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
        await engine.start()
        yield engine
        await engine.close()
