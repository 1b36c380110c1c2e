"""The Autobahn cases against our WebSocket, which echoes here: RFC 6455 as others understand it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from gateway_under_test import running_gateway
from postroad.gateway.websocket import WebSocketConnection

kosoku = pytest.importorskip("kosoku")

GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}


class Echo(WebSocketConnection):
    """Sends back what it gets."""

    def received_binary(self, payload: bytes) -> None:
        self.send((payload,), binary=True)

    def received_text(self, payload: str) -> None:
        self.send((payload.encode(),), binary=False)


@pytest.mark.timeout(120)
async def test_every_case_without_compression_passes(engine: FakeEngine, tmp_path: Path) -> None:
    async with running_gateway(engine, protocol=Echo) as running:
        url = running.url.replace("http", "ws") + "/ws"
        arguments = [
            "-c",
            "import kosoku._cli, sys; sys.exit(kosoku._cli.main())",
            url,
            "-x",
            "12.*",
            "-x",
            "13.*",
            "-p",
            "4",
            "-o",
            str(tmp_path),
        ]
        tool = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        told, _ = await tool.communicate()

    index = next(tmp_path.rglob("index.json"), None)
    assert index is not None, told.decode()
    results = next(iter(json.loads(index.read_text()).values()))
    assert len(results) > 200
    failed = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in results.items()
        if result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD
    }
    assert failed == {}
