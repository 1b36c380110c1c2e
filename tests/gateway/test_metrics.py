"""``/metrics`` says in Prometheus' text format what the overview says, and no more than its caller may see."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gateway_under_test import connected, running_gateway
from postroad.broker.engine.open import open_engine
from postroad.gateway import metrics
from postroad.gateway.auth.rights import Principal
from postroad.gateway.metrics import HELP, render, samples
from postroad.gateway.serving import Running

DOC = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
MEMORY_PARTS = "".join(
    re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", DOC.partition("## Memory")[2].partition("## ")[0], re.MULTILINE)
)
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (-?[0-9.e+-]+)\Z')


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Any]:
    engine: Any = open_engine("embedded:", data=str(tmp_path / "data"), durability="memory")
    await engine.start()
    yield engine


def parsed(text: str) -> dict[str, float]:
    """Samples by metric and labels; anything that is not the text format fails."""
    found: dict[str, float] = {}
    kinds: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            if what == "TYPE":
                kinds[name] = rest
            continue
        match = LINE.match(line)
        assert match, line
        assert kinds[match[1]] in ("counter", "gauge")
        assert match[1].endswith("_total") == (kinds[match[1]] == "counter"), line
        key = f"{match[1]}{{{match[2]}}}" if match[2] else match[1]
        assert key not in found
        found[key] = float(match[3])
    return found


async def scraped(running: Running, **headers: str) -> dict[str, float]:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as http:
        answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(answer.text)


async def test_numbers_of_queues_streams_groups_and_the_journal_are_told(engine: Any) -> None:
    async with running_gateway(engine) as running, connected(running) as client:
        await client.ask(
            1, op="publish", queue="q", messages=[{"body": 1}, {"body": 2, "delay_ms": 60_000}, {"body": 3}]
        )
        await client.ask(2, op="publish", stream="s", messages=[{"body": n} for n in range(3)])
        await client.ask(3, op="consume", sub=1, queue="q", prefetch=1)
        await client.until(op="deliver")
        await client.ask(4, op="settle", sub=1, ack=[[1, 1]])
        await client.ask(5, op="consume", sub=2, stream="s", group="g", prefetch=1, **{"from": "earliest"})
        await client.until(op="deliver", sub=2)
        found = await scraped(running)

    assert found['postroad_info{version="0",engine="embedded",durability="memory"}'] == 1
    assert found["postroad_connections"] == 1
    assert found['postroad_queue_messages{queue="q",state="leased"}'] == 1
    assert found['postroad_queue_messages{queue="q",state="delayed"}'] == 1
    assert found['postroad_queue_published_total{queue="q"}'] == 3
    assert found['postroad_queue_acked_total{queue="q"}'] == 1
    assert found['postroad_queue_consumers{queue="q"}'] == 1
    assert found['postroad_queue_paused{queue="q"}'] == 0
    assert found['postroad_stream_messages{stream="s"}'] == 3
    assert found['postroad_group_lag{stream="s",group="g"}'] == 3
    assert found['postroad_group_messages{stream="s",group="g",state="leased"}'] == 1
    assert found['postroad_group_committed_offset{stream="s",group="g"}'] == 0
    assert found["postroad_journal_segments"] >= 1
    assert found["postroad_names_omitted"] == 0


async def test_a_token_sees_only_what_it_may_peek_at_and_nobody_sees_anything(engine: Any) -> None:
    def authenticate(token: str) -> Principal:
        return Principal(subject="p", grants={"peek": ("a.*",)} if token == "some" else {})

    for name in ("a.one", "b.two"):
        await engine.declare(name, {})
    async with running_gateway(engine, authenticate=authenticate) as running:
        async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as http:
            without = await http.get("/metrics")
            powerless = await http.get("/metrics", headers={"authorization": "Bearer none"})
        found = await scraped(running, authorization="Bearer some")

    assert (without.status_code, powerless.status_code) == (401, 403)
    assert 'postroad_queue_consumers{queue="a.one"}' in found
    assert not any("b.two" in name for name in found)


OVERVIEW: dict[str, Any] = {"queues": [], "engine": "x", "durability": "sync", "connections": 0, "uptime_ms": 1500}
STATS: dict[str, Any] = {
    "ready": 1, "delayed": None, "retrying": 0, "leased": 0, "consumers": 0, "paused": True, "acked_total": 0,
    "dead_total": 0, "oldest_ms": None, "bytes": None, "published_total": 2,
}  # fmt: skip


async def told(queues: list[dict[str, Any]]) -> dict[str, float]:
    return parsed(await render(samples(OVERVIEW | {"queues": queues}, version="1")))


async def test_what_an_engine_does_not_know_is_absent() -> None:
    found = await told([STATS | {"name": "q"}])

    assert found['postroad_queue_messages{queue="q",state="ready"}'] == 1
    assert found['postroad_queue_paused{queue="q"}'] == 1
    assert found["postroad_uptime_seconds"] == 1.5
    for absent in ('messages{queue="q",state="delayed"}', 'oldest_seconds{queue="q"}', 'bytes{queue="q"}',
                   'retried_total{queue="q"}'):  # fmt: skip
        assert f"postroad_queue_{absent}" not in found


async def test_the_number_of_series_is_bounded_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "NAMES_MAX", 3)

    found = await told([STATS | {"name": f"q{n}"} for n in (4, 2, 0, 1, 3)])

    assert {name for name in found if "consumers" in name} == {
        f'postroad_queue_consumers{{queue="q{n}"}}' for n in range(3)
    }
    assert found["postroad_names_omitted"] == 2


async def test_what_memory_is_spent_on_is_told_by_part(engine: Any) -> None:
    async with running_gateway(engine) as running, connected(running) as client:
        await client.ask(1, op="publish", queue="q", messages=[{"body": "x" * 1000}])
        found = await scraped(running)

    assert found["postroad_memory_resident_bytes"] > 1_000_000
    assert found['postroad_memory_bytes{part="bodies_cache"}'] > 1000
    parts = {name for name in found if name.startswith("postroad_memory_bytes")}
    assert {re.search('"(.+)"', name)[1] for name in parts} == set(re.findall(r"`(\w+)`", MEMORY_PARTS))


async def test_labels_are_escaped() -> None:
    assert 'postroad_queue_consumers{queue="a\\"b\\\\c\\n"} 0' in await render(
        samples(OVERVIEW | {"queues": [STATS | {"name": 'a"b\\c\n'}]}, version="1")
    )


def test_the_page_names_every_metric() -> None:
    assert re.findall(r"^\| `(postroad_\w+)`", DOC, re.MULTILINE) == list(HELP)
