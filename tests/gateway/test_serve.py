"""``postroad serve`` as a process: its line, its signals, its exit codes, with the real engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets

COMMAND = "from postroad.gateway.main import main; main()"


@contextlib.asynccontextmanager
async def serving(data: Path, *flags: str, code: str = COMMAND) -> AsyncIterator[tuple[Any, str]]:
    """The process and its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, "serve", "--port", "0", "--data", str(data), "--log-level", "warning", *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        found = re.match(r"Postroad is ready on (http://127\.0\.0\.1:\d+) ", line)
        assert found, line + ((await process.communicate())[1]).decode()
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def failing(*arguments: str) -> tuple[int, str]:
    """Exit code and errors of a serve that must not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "serve", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, errors.decode()


async def test_a_stop_drains_and_keeps_what_was_confirmed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with serving(data) as (process, url), websockets.connect(url.replace("http", "ws") + "/ws") as socket:
        await socket.send(json.dumps({"op": "publish", "id": 1, "queue": "a", "messages": [{"body": "kept"}]}))
        assert json.loads(await socket.recv())["op"] == "ok"
        process.send_signal(signal.SIGTERM)
        drain = json.loads(await socket.recv())
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert await asyncio.wait_for(process.wait(), 10) == 0
    async with serving(data) as (process, url), websockets.connect(url.replace("http", "ws") + "/ws") as socket:
        await socket.send(json.dumps({"op": "consume", "id": 1, "sub": 1, "queue": "a"}))
        frames = [json.loads(await socket.recv()) for _ in range(2)]
        await socket.send(json.dumps({"op": "settle", "id": 2, "sub": 1, "ack": [[1, 1]]}))
        await socket.recv()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    assert drain["op"] == "drain"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert frames[1]["messages"][0]["body"] == "kept"
    assert (data / "watch.key").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o077 == 0


async def test_data_in_use_is_exit_code_4(tmp_path: Path) -> None:
    async with serving(tmp_path / "data"):
        code, errors = await failing("--port", "0", "--data", str(tmp_path / "data"))

    assert code == 4
    assert "in use" in errors
    assert "Traceback" not in errors


async def test_a_damaged_journal_is_exit_code_3(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as (process, _):
        process.send_signal(signal.SIGTERM)
        await process.wait()
    for file in (tmp_path / "data").iterdir():
        if "MANIFEST" in file.name.upper():
            file.write_bytes(b"\xff" * file.stat().st_size)

    code, errors = await failing("--port", "0", "--data", str(tmp_path / "data"))

    assert code == 3
    assert "damaged" in errors


async def test_a_taken_port_is_exit_code_1(tmp_path: Path) -> None:
    async with serving(tmp_path / "a") as (_, url):
        code, errors = await failing("--port", url.rsplit(":", 1)[1], "--data", str(tmp_path / "b"))

    assert code == 1
    assert "Cannot listen" in errors


FAILING_ENGINE = f"""
import signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import postroad.broker.engine.open as opening
from fake_engine import FakeEngine
engine = FakeEngine()
opening.open_engine = lambda *a, **k: engine
signal.signal(signal.SIGUSR1, lambda *_: engine.on_failure())
{COMMAND}
"""


async def test_an_engine_that_fails_while_running_is_exit_code_5(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", code=FAILING_ENGINE) as (process, _):
        process.send_signal(signal.SIGUSR1)
        assert await asyncio.wait_for(process.wait(), 10) == 5
        assert b"Postroad has stopped. " in await process.stderr.read()


AWAY_ENGINE = FAILING_ENGINE.replace("engine.on_failure()", 'setattr(engine, "healthy", False)')


async def test_an_engine_that_is_away_ends_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", code=AWAY_ENGINE) as (process, url):
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as http, asyncio.timeout(10):
            process.send_signal(signal.SIGUSR1)
            while (answer := await http.get("/readyz")).status_code == 200:
                pass
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    assert answer.json() == {"status": "unavailable", "reason": "It does not serve."}


POISONED = f"""
from postroad.broker.core.durable.state import State
apply = State.apply
def poisoned(self, record, position):
    assert record.tag != "publish" or "poison" not in str(record.attributes), "poisoned"
    apply(self, record, position)
State.apply = poisoned
{COMMAND}
"""


async def test_a_command_that_cannot_be_carried_out_whole_is_exit_code_5_once(tmp_path: Path) -> None:
    poison = {"messages": [{"body": 1, "headers": {"poison": "1"}}]}
    async with serving(tmp_path / "data", code=POISONED) as (process, url):
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
            before = await http.post("/v1/queues/a/messages", json={"messages": [{"body": "kept"}]})
            with pytest.raises(httpx2.TransportError):
                await http.post("/v1/queues/a/messages", json=poison)
        assert await asyncio.wait_for(process.wait(), 10) == 5
        said = (await process.stderr.read()).decode()
    async with serving(tmp_path / "data", code=POISONED) as (process, url):
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
            again = await http.post("/v1/queues/a/messages", json=poison)
            ready = await http.get("/readyz")
            kept = await http.get("/v1/queues/a/messages")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    assert before.status_code == 201
    assert "poisoned" in said
    assert said.splitlines()[-1].startswith("Postroad has stopped. A command could not be carried out whole")
    assert (again.status_code, again.json()["code"]) == (500, "internal")
    assert ready.status_code == 200
    assert [message["body"] for message in kept.json()["messages"]] == ["kept"]


UNSTARTABLE = POISONED.replace(
    'record.tag != "publish" or "poison" not in str(record.attributes)', 'record.tag != "boot"'
)


async def test_a_start_that_cannot_be_carried_out_whole_is_exit_code_5(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", UNSTARTABLE, "serve", "--port", "0", "--data", str(tmp_path / "data")),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 5
    assert b"Postroad has stopped. " in errors
