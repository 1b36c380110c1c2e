"""A clock that was far ahead at the start: told everywhere, and confirmed by whoever may manage everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gateway_under_test import connected, running_gateway
from postroad.broker.engine.open import open_engine
from postroad.broker.testing import FakeClock
from postroad.gateway.auth.rights import Principal
from postroad.gateway.serving import Running
from test_command import command

DAY_MS = 86_400_000


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Any]:
    """Started ten days after its last record, and the wall clock then jumped two hours back."""
    clock = FakeClock()
    engine: Any = open_engine("embedded:", data=str(tmp_path / "data"), durability="memory", clock=clock)
    await engine.start()
    await engine.declare("q", {})
    await engine.close()
    clock.advance(10 * DAY_MS)
    engine = open_engine("embedded:", data=str(tmp_path / "data"), durability="memory", clock=clock)
    await engine.start()
    clock.jump_wall(-7_200_000)
    yield engine


async def test_it_is_told_and_confirmed_over_http(engine: Any) -> None:
    async with (
        running_gateway(engine) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        overview = (await http.get("/v1/overview")).json()
        metrics = (await http.get("/metrics")).text
        ready = await http.get("/readyz")
        first = await http.post("/v1/clock/confirm", json={})
        second = await http.post("/v1/clock/confirm", json={})
        after = (await http.get("/v1/overview")).json()

    assert overview["clock_skew_ms"] == -7_200_000
    assert overview["clock_held"]["ahead_ms"] == 10 * DAY_MS
    assert "postroad_clock_skew_seconds -7200" in metrics
    assert "postroad_clock_held 1" in metrics
    assert ready.status_code == 200
    assert (first.json()["confirmed"], second.json()["confirmed"]) == (True, False)
    assert after["clock_held"] is None


async def test_it_takes_the_right_to_manage_everything(engine: Any) -> None:
    grants: dict[str, Any] = {"some": {"manage": ("a.*",)}, "all": {"manage": ("#",)}}

    def authenticate(token: str) -> Principal:
        return Principal(subject="p", grants=grants[token])

    async with (
        running_gateway(engine, authenticate=authenticate) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        some = await http.post("/v1/clock/confirm", json={}, headers={"authorization": "Bearer some"})
        everything = await http.post("/v1/clock/confirm", json={}, headers={"authorization": "Bearer all"})

    assert some.status_code == 403
    assert everything.json()["confirmed"] is True


async def test_it_is_an_operation_of_the_protocol(engine: Any) -> None:
    async with running_gateway(engine) as running, connected(running) as client:
        answer = await client.ask(1, op="operate", do="confirm_clock")

    assert answer["confirmed"] is True


async def test_the_command_line_shows_and_confirms_it(engine: Any) -> None:
    async def told(running: Running, *arguments: str) -> str:
        code, out, err = await command("clock", *arguments, POSTROAD_URL=running.url)
        assert code == 0, err
        return out

    async with running_gateway(engine) as running:
        shown = await told(running, "show")
        confirmed = await told(running, "confirm")
        again = await told(running, "confirm")
        after = await told(running, "show")

    assert "2 h behind" in shown and "10 d past the last record" in shown
    assert (confirmed, again) == ("What has an age goes again.\n", "Nothing was held.\n")
    assert "past the last record" not in after
