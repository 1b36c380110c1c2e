from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_engine import FakeEngine
from postroad.gateway.app import build_app
from postroad.gateway.auth.access import Access
from postroad.gateway.config import Config
from postroad.gateway.protocol.capability import WatchKeys
from postroad.gateway.protocol.context import SessionContext
from postroad.gateway.server import Server
from postroad.gateway.serving import Running, start

SECRET = b"s" * 32


@pytest.fixture
async def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def running(engine: FakeEngine) -> AsyncIterator[Running]:
    context = SessionContext(engine=engine, watch_keys=WatchKeys(SECRET))
    server = Server(context=context, access=Access("127.0.0.1"))
    running = await start(server, build_app(server), Config(port=0, grace_ms=0))
    yield running
    await running.stop()
