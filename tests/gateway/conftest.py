from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import websockets  # noqa: E402
from fake_engine import FakeEngine  # noqa: E402
from postroad.gateway.app import build_app  # noqa: E402
from postroad.gateway.auth.access import Access  # noqa: E402
from postroad.gateway.config import Config  # noqa: E402
from postroad.gateway.protocol.capability import WatchKeys  # noqa: E402
from postroad.gateway.protocol.context import SessionContext  # noqa: E402
from postroad.gateway.server import Server  # noqa: E402
from postroad.gateway.serving import Running, start  # noqa: E402

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
