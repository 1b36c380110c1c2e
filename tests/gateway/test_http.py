"""The HTTP API, health, events and console through a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_engine import FakeEngine
from gateway_under_test import connected, running_gateway
from postroad.broker.errors import QueueFull, StorageFull, Unsupported
from postroad.gateway.auth.token import TokenKey
from postroad.gateway.rest.routes import ROUTES
from postroad.gateway.serving import Running

JSON = {"content-type": "application/json"}


@pytest.fixture
async def http(running: Running) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as client:
        yield client


async def _publish(http: httpx2.AsyncClient, *bodies: Any, queue: str = "a") -> dict[str, Any]:
    answer = await http.post(f"/v1/queues/{queue}/messages", json={"messages": [{"body": body} for body in bodies]})
    assert answer.status_code == 201
    return dict(answer.json())


async def _receive(http: httpx2.AsyncClient, queue: str = "a", **query: Any) -> list[dict[str, Any]]:
    answer = await http.post(f"/v1/queues/{queue}/receive", params=query, headers=JSON)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["messages"])


async def test_health_says_yes_or_no_and_why(http: httpx2.AsyncClient, engine: FakeEngine) -> None:
    good = [(await http.get(path)).status_code for path in ("/livez", "/readyz")]

    engine.healthy = False

    assert good == [200, 200]
    assert (await http.get("/livez")).status_code == 200
    assert (await http.get("/readyz")).json() == {"status": "unavailable", "reason": "It does not serve."}
    assert (await http.get("/readyz")).status_code == 503


async def test_a_queue_is_declared_shown_changed_and_deleted(http: httpx2.AsyncClient) -> None:
    made = await http.put("/v1/queues/a", json={"lease_ms": 5000})
    same = await http.put("/v1/queues/a", json={"lease_ms": 5000})
    other = await http.put("/v1/queues/a", json={"lease_ms": 6000})
    updated = await http.put("/v1/queues/a?update=true", json={"lease_ms": 6000})
    shown = await http.get("/v1/queues/a")
    listed = await http.get("/v1/queues")
    deleted = await http.delete("/v1/queues/a", headers=JSON)
    gone = await http.get("/v1/queues/a")

    assert (made.status_code, same.status_code, other.status_code, updated.status_code) == (201, 200, 409, 200)
    assert shown.json()["settings"]["lease_ms"] == 6000
    assert [queue["name"] for queue in listed.json()["queues"]] == ["a"]
    assert deleted.status_code == 200
    assert (gone.status_code, gone.json()["code"]) == (404, "queue-not-found")


async def test_a_message_is_published_received_and_acked(http: httpx2.AsyncClient, engine: FakeEngine) -> None:
    published = await _publish(http, {"to": "a@b.c"}, "two")

    messages = await _receive(http, max=10, wait_ms=5000)
    settled = await http.post("/v1/settle", json={"ack": [message["receipt"] for message in messages]})

    assert [message["id"] for message in messages] == published["ids"]
    assert [message["body"] for message in messages] == [{"to": "a@b.c"}, "two"]
    assert "number" not in messages[0]
    assert settled.json() == {"lost": []}
    assert engine.queues["a"].acked == 2


async def test_receive_takes_no_more_than_it_asks_for(http: httpx2.AsyncClient, engine: FakeEngine) -> None:
    await _publish(http, *range(5))

    first = await _receive(http, max=2, wait_ms=5000)
    second = await _receive(http, max=2, wait_ms=5000)

    assert [message["body"] for message in first + second] == [0, 1, 2, 3]
    assert len(engine.queues["a"].ready) == 1


async def test_a_long_poll_waits_for_a_message(http: httpx2.AsyncClient) -> None:
    waiting = asyncio.ensure_future(_receive(http, wait_ms=20_000))
    await _publish(http, "late")

    assert [message["body"] for message in await waiting] == ["late"]


async def test_a_long_poll_ends_empty_when_its_time_is_over(http: httpx2.AsyncClient) -> None:
    assert await _receive(http, wait_ms=0) == []


async def test_a_caller_that_leaves_takes_nothing_along(running: Running, engine: FakeEngine) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as leaving:
        waiting = asyncio.ensure_future(_receive(leaving, wait_ms=20_000))
        while "a" not in engine.queues or not engine.queues["a"].consumers:
            await asyncio.sleep(0.01)
        waiting.cancel()
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as http:
        await _publish(http, "kept")
        assert [message["body"] for message in await _receive(http, wait_ms=5000)] == ["kept"]


async def test_nack_and_extend_by_receipt_and_lost_ones_come_back(http: httpx2.AsyncClient) -> None:
    await _publish(http, 1, 2)
    first, second = await _receive(http, max=2, wait_ms=5000)

    extended = await http.post("/v1/settle", json={"extend": [{"receipt": second["receipt"], "lease_ms": 60_000}]})
    nacked = await http.post("/v1/settle", json={"nack": [{"receipt": first["receipt"], "reason": "no"}]})
    again = await http.post("/v1/settle", json={"ack": [first["receipt"], "made-up", second["receipt"]]})
    (returned,) = await _receive(http, max=5, wait_ms=5000)

    assert extended.json() == nacked.json() == {"lost": []}
    assert sorted(again.json()["lost"]) == sorted([first["receipt"], "made-up"])
    assert returned["attempt"] == 2


async def test_a_deleted_queue_ends_a_long_poll(http: httpx2.AsyncClient, engine: FakeEngine) -> None:
    waiting = asyncio.ensure_future(http.post("/v1/queues/a/receive", params={"wait_ms": 20_000}, headers=JSON))
    while "a" not in engine.queues or not engine.queues["a"].consumers:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)

    await http.delete("/v1/queues/a", headers=JSON)

    assert (await waiting).status_code == 404
    await _publish(http, "new")
    assert len(await _receive(http, wait_ms=5000)) == 1


async def test_what_a_handler_says_over_http_is_read_with_the_capability_alone(http: httpx2.AsyncClient) -> None:
    published = await _publish(http, 1, 2)
    (first, _) = await _receive(http, max=2)
    lines = [
        {"receipt": first["receipt"], "text": "begin"},
        {"receipt": first["receipt"], "text": "!", "level": "error"},
    ]
    said = await http.post("/v1/settle", json={"log": lines, "ack": [first["receipt"]]})
    wrong = await http.post("/v1/settle", json={"log": [{"receipt": first["receipt"], "text": "x", "level": "loud"}]})

    ids, (capability, other) = published["ids"], published["watches"]
    mine = await http.get(f"/v1/messages/{ids[0]}/logs", params={"capability": capability})
    theirs = await http.get(f"/v1/messages/{ids[0]}/logs", params={"capability": other})
    silent = await http.get(f"/v1/messages/{ids[1]}/logs")

    assert said.json() == {"lost": []}
    assert (wrong.status_code, wrong.json()["field"]) == (400, "log[0].level")
    assert [(line["n"], line["level"], line["text"]) for line in mine.json()["logs"]] == [
        (1, "info", "begin"), (2, "error", "!"),
    ]  # fmt: skip
    assert theirs.status_code == 403
    assert silent.json()["logs"] == []


async def test_browsing_does_not_touch_and_a_message_is_shown(http: httpx2.AsyncClient, engine: FakeEngine) -> None:
    published = await _publish(http, {"n": 1})

    browsed = (await http.get("/v1/queues/a/messages?state=ready&limit=5")).json()
    shown = (await http.get(f"/v1/messages/{published['ids'][0]}")).json()
    watched = (
        await http.get(f"/v1/messages/{published['ids'][0]}", params={"capability": published["watches"][0]})
    ).json()
    wrong = await http.get(f"/v1/messages/{published['ids'][0]}", params={"capability": "wrong"})

    assert browsed["messages"][0]["body"] == {"n": 1}
    assert shown["message"]["body"] == {"n": 1}
    assert "body" not in watched["message"]
    assert wrong.status_code == 403
    assert len(engine.queues["a"].ready) == 1


async def test_operations_have_their_paths(http: httpx2.AsyncClient, engine: FakeEngine) -> None:
    published = await _publish(http, 1, 2)

    paused = await http.post("/v1/queues/a/pause", json={"reason": "deploy"})
    resumed = await http.post("/v1/queues/a/resume", headers=JSON)
    cancelled = await http.post(f"/v1/messages/{published['ids'][0]}/cancel", headers=JSON)
    purged = await http.post("/v1/queues/a/purge", headers=JSON)
    redriven = await http.post("/v1/queues/a/redrive", json={"limit": 5})
    discarded = await http.post("/v1/queues/a/discard", json={"messages": ["x"]})

    assert (paused.json()["paused"], resumed.json()["paused"]) == (True, False)
    assert cancelled.json()["state"] == "cancelled"
    assert purged.json()["count"] == 2
    assert redriven.json()["count"] == discarded.json()["count"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "/v1/queues/A", {}, 400, "invalid-name"),
        ("PUT", "/v1/queues/a", {"lease_ms": "x"}, 400, "invalid-request"),
        ("PUT", "/v1/queues/a?update=maybe", {}, 400, "invalid-request"),
        ("POST", "/v1/queues/a/messages", {}, 400, "invalid-request"),
        ("POST", "/v1/queues/a/messages", {"messages": [{"body": "x" * 1_048_576}]}, 413, "limit-exceeded"),
        ("POST", "/v1/queues/a/receive?max=0", {}, 400, "invalid-request"),
        ("POST", "/v1/queues/a/receive?max=1e3", {}, 400, "invalid-request"),
        ("POST", "/v1/queues/a/receive?wait_ms=20001", {}, 400, "invalid-request"),
        ("POST", "/v1/queues/a/receive?lease_ms=1", {}, 400, "invalid-request"),
        ("POST", "/v1/settle", {"ack": "x"}, 400, "invalid-request"),
        ("POST", "/v1/settle", {"nack": [{}]}, 400, "invalid-request"),
        ("POST", "/v1/queues/nope/purge", {}, 404, "queue-not-found"),
        ("POST", "/v1/queues/a/discard", {}, 400, "invalid-request"),
        ("GET", "/v1/queues/a/messages?state=x", None, 400, "invalid-request"),
        ("GET", "/v1/queues/a/messages?limit=500", None, 400, "invalid-request"),
        ("GET", "/v1/messages/nope", None, 404, "message-not-found"),
        ("GET", "/v1/events?last=5000", None, 400, "invalid-request"),
        ("GET", "/v1/elsewhere", None, 404, "invalid-request"),
        ("POST", "/v1/queues", {}, 405, "invalid-request"),
        ("GET", "/v1/queues/%2e%2e%2fetc", None, 404, "invalid-request"),
    ],
)
async def test_a_failure_is_a_problem_document(
    http: httpx2.AsyncClient, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = await http.request(method, path, json=body)

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert {"type", "title", "detail", "retryable"} <= problem.keys()


@pytest.mark.parametrize(
    ("error", "status"), [(QueueFull("full"), 429), (StorageFull("full"), 507), (Unsupported("no"), 501)]
)
async def test_an_engines_refusal_has_its_status(
    http: httpx2.AsyncClient, engine: FakeEngine, error: Exception, status: int
) -> None:
    engine.fail_next = error

    answer = await http.post("/v1/queues/a/messages", json={"messages": [{"body": 1}]})

    assert answer.status_code == status


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_change_needs_json_so_that_no_form_can_make_it(http: httpx2.AsyncClient, kind: str | None) -> None:
    answer = await http.post("/v1/queues/a/purge", content=b"", headers={"content-type": kind} if kind else {})

    assert (answer.status_code, answer.json()["field"]) == (400, "content-type")


async def test_a_body_that_is_too_large_is_refused_while_it_comes(http: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1_048_576

    answer = await http.post("/v1/queues/a/messages", content=endless(), headers=JSON)

    assert (answer.status_code, answer.json()["limit"]) == (413, "http_body_bytes_max")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:5173"}, 200),
    ],
)
async def test_hosts_and_origins_are_checked(http: httpx2.AsyncClient, headers: dict[str, str], status: int) -> None:
    answer = await http.get("/v1/queues", headers=headers)

    assert answer.status_code == status
    assert answer.headers.get("access-control-allow-origin") == (headers.get("origin") if status == 200 else None)
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_preflight_of_an_allowed_page_is_answered(http: httpx2.AsyncClient) -> None:
    wanted = {"origin": "http://localhost:5173", "access-control-request-method": "PUT"}

    answer = await http.options("/v1/queues/a", headers=wanted)

    assert answer.status_code == 204
    assert "PUT" in answer.headers["access-control-allow-methods"]


async def test_the_description_names_every_route(http: httpx2.AsyncClient) -> None:
    document = (await http.get("/v1/openapi.json")).json()

    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES}
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(ids)) == len(ids)


# Events


async def test_events_are_streamed_and_resumed(http: httpx2.AsyncClient, running: Running) -> None:
    await _publish(http, 1)
    seen: list[str] = []
    stream = {"accept": "text/event-stream"}
    async with http.stream("GET", "/v1/events?last=10", headers=stream) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            seen.append(line)
            if line.startswith("data:") and len([item for item in seen if item.startswith("data:")]) == 1:
                async with connected(running) as other:
                    await other.ask(1, op="publish", queue="b", messages=[{"body": 2}])
            if line.startswith("data:") and '"b"' in line:
                break
    ids = [int(line[4:]) for line in seen if line.startswith("id: ")]

    resumed: list[str] = []
    async with http.stream("GET", "/v1/events", headers=stream | {"last-event-id": str(ids[0])}) as response:
        async for line in response.aiter_lines():
            resumed.append(line)
            if line.startswith("data:"):
                break
    assert f"id: {ids[1]}" in resumed


async def test_a_stopping_server_ends_streams_and_long_polls(engine: FakeEngine) -> None:
    async with (
        running_gateway(engine) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
        http.stream("GET", "/v1/events", headers={"accept": "text/event-stream"}) as response,
    ):
        polling = asyncio.ensure_future(_receive(http, wait_ms=20_000))
        while not engine.queues or not engine.queues["a"].consumers:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        stopping = asyncio.ensure_future(running.stop())
        async for _ in response.aiter_bytes():
            pass
        assert await polling == []
        await stopping
        assert time.monotonic() - started < 10


# Tokens


async def test_rights_hold_over_http(engine: FakeEngine) -> None:
    key = TokenKey(b"k" * 32)
    token = key.sign({"sub": "web", "exp": time.time() + 60, "rights": {"publish": ["a"], "peek": ["a"]}})
    async with (
        running_gateway(engine, authenticate=key.authenticate) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        bearer = {"authorization": f"Bearer {token}"}
        engine.find_or_make("a")
        engine.find_or_make("b")
        publish = {"messages": [{"body": 1}]}
        none = await http.get("/v1/queues")
        wrong = await http.get("/v1/queues", headers={"authorization": "Bearer x.y.z"})
        own = await http.post("/v1/queues/a/messages", json=publish, headers=bearer)
        others = await http.post("/v1/queues/b/messages", json=publish, headers=bearer)
        listed = await http.get("/v1/queues", headers=bearer)
        purge = await http.post("/v1/queues/a/purge", json={}, headers=bearer)
        receive = await http.post("/v1/queues/a/receive", json={}, headers=bearer)
        unauthorized = [
            (
                await http.request(route.method, route.path.replace("{queue}", "a").replace("{id}", "x"), json={})
            ).status_code
            for route in ROUTES
            if route.path.startswith("/v1")
        ]
        health = await http.get("/livez")

    assert none.status_code == wrong.status_code == 401
    assert none.headers["www-authenticate"] == "Bearer"
    assert (own.status_code, others.status_code, purge.status_code, receive.status_code) == (201, 403, 403, 403)
    assert [queue["name"] for queue in listed.json()["queues"]] == ["a"]
    assert set(unauthorized) == {401}
    assert health.status_code == 200


# Console


async def test_the_console_is_served_with_a_strict_policy(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>console</title>")
    (tmp_path / "assets" / "app-1.js").write_text("export {}")
    (tmp_path.parent / "secret").write_text("secret")
    demo = {"api": "http://127.0.0.1:8081", "stage": "http://127.0.0.1:8082"}
    async with (
        running_gateway(engine, assets=tmp_path, demo=demo) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        page, deep = await http.get("/"), await http.get("/queues/emails")
        script, missing = await http.get("/assets/app-1.js"), await http.get("/assets/app-2.js")
        outside = [await http.get(path) for path in ("/..%2fsecret", "/assets/..%2f..%2fsecret", "/%2e%2e/secret")]
        config = await http.get("/console-config.json")

    assert page.text == deep.text == "<title>console</title>"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'self' http://127.0.0.1:8081 http://127.0.0.1:8082;" in policy
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert missing.status_code == 404
    assert all("secret" not in answer.text for answer in outside)
    assert config.json() == {"ws": "/ws", "demo": demo}


async def test_a_console_that_is_not_built_says_how_to_build_it(engine: FakeEngine, tmp_path: Path) -> None:
    async with (
        running_gateway(engine, assets=tmp_path) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        page = await http.get("/")

    assert "npm run build" in page.text
