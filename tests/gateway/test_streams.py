"""Streams, groups, topics, bindings and schedules, with the real engine behind a session and behind HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gateway_under_test import connected, running_gateway
from postroad.broker.engine.open import open_engine
from postroad.gateway.serving import Running

JSON = {"content-type": "application/json"}


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[Running]:
    engine: Any = open_engine("embedded:", data=str(tmp_path / "data"), durability="memory")
    await engine.start()
    async with running_gateway(engine) as running:
        yield running


@pytest.mark.parametrize("format", ["text", "binary"])
async def test_a_stream_is_read_from_a_place_and_followed(real: Running, format: str) -> None:
    async with connected(real) as client:
        await client.send(op="hello", format=format)
        await client.ask(1, op="declare", stream="clicks", settings={"retention_count": 1000})
        await client.ask(2, op="publish", stream="clicks", messages=[{"body": n} for n in range(3)])

        opened = await client.ask(3, op="read", sub=4, stream="clicks", **{"from": {"offset": 1}})
        seen = await client.until(op="messages")
        await client.send(op="publish", stream="clicks", messages=[{"body": 3}])
        more = await client.until(op="messages")
        ended = await client.ask(5, op="cancel", sub=4)

    assert opened["offset"] == 1
    if format == "text":
        assert [(message["offset"], message["body"]) for message in seen["messages"]] == [(1, 1), (2, 2)]
        assert more["messages"][0]["offset"] == 3
        assert not {"number", "attempt"} & seen["messages"][0].keys()
    else:
        assert (seen["runs"][0][:2], "number" in seen) == ([1, 2], False)
    assert ended["op"] == "ok"


async def test_a_group_consumes_a_stream_and_is_reset(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="declare", stream="clicks")
        await client.ask(2, op="publish", stream="clicks", messages=[{"body": "a"}, {"body": "b"}])
        await client.ask(3, op="consume", sub=1, stream="clicks", group="g", **{"from": "earliest"})
        delivered = await client.until(op="deliver")
        await client.ask(4, op="settle", sub=1, ack=[[1, 2]])
        shown = await client.ask(5, op="query", what="stream", stream="clicks")
        await client.send(op="operate", id=6, do="reset", stream="clicks", group="g", to="earliest")
        told = [await client.receive() for _ in range(2)]  # in either order: the delivery does not wait for the answer
        (reset,), (again,) = ([frame for frame in told if frame["op"] == op] for op in ("ok", "deliver"))

    assert [message["body"] for message in delivered["messages"]] == ["a", "b"]
    assert shown["stream"]["groups"][0]["lag"] == 0
    assert reset["offset"] == 0
    assert again["messages"][0]["body"] == "a"


async def test_a_topic_reaches_what_is_bound_to_it(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="declare", queue="billing")
        await client.ask(2, op="declare", stream="audit")
        bound = await client.ask(3, op="bind", topic="orders.*", queue="billing")
        await client.ask(4, op="bind", topic="orders.#", stream="audit")
        both = await client.ask(5, op="publish", topic="orders.created", messages=[{"body": 1}])
        one = await client.ask(6, op="publish", topic="orders.eu.created", messages=[{"body": 1}])
        none = await client.ask(7, op="publish", topic="elsewhere", messages=[{"body": 1}])
        refused = await client.ask(8, op="publish", topic="elsewhere", mandatory=True, messages=[{"body": 1}])
        await client.ask(9, op="unbind", topic="orders.*", queue="billing")
        listed = await client.ask(10, op="query", what="bindings")

    assert bound["changed"] is True
    assert [answer["routed"] for answer in (both, one, none)] == [2, 1, 0]
    assert refused["code"] == "unroutable"
    assert [(row["topic"], row.get("stream")) for row in listed["bindings"]] == [("orders.#", "audit")]


async def test_all_of_it_over_http(real: Running) -> None:
    async with httpx2.AsyncClient(base_url=real.url, trust_env=False) as http:
        made = await http.put("/v1/streams/clicks", json={"retention_count": 10})
        group = await http.put("/v1/streams/clicks/groups/g?from=earliest", json={"attempts_max": 3})
        published = await http.post("/v1/streams/clicks/messages", json={"messages": [{"body": n} for n in range(5)]})
        page = await http.get("/v1/streams/clicks/messages?from=1&limit=2")
        received = await http.post("/v1/streams/clicks/groups/g/receive?max=2&wait_ms=5000", headers=JSON)
        receipts = [message["receipt"] for message in received.json()["messages"]]
        settled = await http.post("/v1/settle", json={"ack": receipts})
        shown = await http.get("/v1/streams/clicks")
        reset = await http.post("/v1/streams/clicks/groups/g/reset", json={"to": "latest"})
        await http.put("/v1/queues/copy", json={})
        replayed = await http.post("/v1/streams/clicks/replay", json={"first": 0, "last": 2, "queue": "copy"})
        bound = await http.post("/v1/bindings", json={"topic": "a.*", "queue": "copy"})
        routed = await http.post("/v1/topics/a.b/messages", json={"messages": [{"body": 1}]})
        unbound = await http.request("DELETE", "/v1/bindings", json={"topic": "a.*", "queue": "copy"})
        schedule = {"every_ms": 3_600_000, "queue": "copy", "message": {"body": {"tick": 1}}}
        scheduled = await http.put("/v1/schedules/hourly", json=schedule)
        paused = await http.post("/v1/schedules/hourly/pause", headers=JSON)
        ran = await http.post("/v1/schedules/hourly/run", headers=JSON)
        listed = await http.get("/v1/schedules")
        gone = await http.request("DELETE", "/v1/streams/clicks/groups/g", headers=JSON)
        deleted = await http.request("DELETE", "/v1/streams/clicks", headers=JSON)
        streams = await http.get("/v1/streams")

    assert (made.status_code, group.status_code, published.status_code) == (201, 201, 201)
    assert [message["body"] for message in page.json()["messages"]] == [1, 2]
    assert page.json()["next"] == 3
    assert len(receipts) == 2
    assert settled.json() == {"lost": []}
    assert shown.json()["stream"]["groups"][0]["committed"] == 2
    assert reset.json()["offset"] == 5
    assert replayed.json()["count"] == 3
    assert (bound.json()["changed"], routed.json()["routed"], unbound.json()["changed"]) == (True, 1, True)
    assert scheduled.json()["next_at"] > 0
    assert (paused.status_code, ran.status_code) == (200, 200)
    assert listed.json()["schedules"][0]["name"] == "hourly"
    assert (gone.status_code, deleted.status_code, streams.json()["streams"]) == (200, 200, [])


async def test_a_slow_reader_of_a_stream_is_paused_and_loses_nothing(real: Running) -> None:
    async with connected(real) as producer, connected(real, max_queue=1) as reader:
        await producer.ask(1, op="declare", stream="s")
        await reader.send(op="hello", format="binary")
        await reader.ask(1, op="read", sub=1, stream="s")
        for _ in range(30):
            await producer.send(bodies=b"x" * 500_000, op="publish", id=2, stream="s", sizes=[500_000])
            await producer.until(id=2)
        await asyncio.sleep(0)
        offsets: list[int] = []
        while len(offsets) < 30:
            frame = await reader.until(op="messages")
            offsets += [run[0] + k for run in frame["runs"] for k in range(run[1])]

    assert offsets == list(range(30))


@pytest.mark.parametrize("format", ["text", "binary"])
async def test_a_delivered_message_tells_its_topic(real: Running, format: str) -> None:
    async with connected(real) as client, httpx2.AsyncClient(base_url=real.url, trust_env=False) as http:
        await client.send(op="hello", format=format)
        for number, target in enumerate(({"queue": "q"}, {"queue": "over-http"}, {"stream": "s"})):
            await client.ask(2 * number, op="declare", **target)
            await client.ask(2 * number + 1, op="bind", topic="orders.*", **target)
        await client.ask(10, op="publish", topic="orders.created", messages=[{"body": 1}, {"body": 2}])
        await client.ask(11, op="publish", queue="q", messages=[{"body": 3}])
        await client.ask(12, op="consume", sub=1, queue="q")
        delivered = await client.until(op="deliver")
        await client.ask(13, op="read", sub=2, stream="s", **{"from": "earliest"})
        read = await client.until(op="messages")
        received = (await http.post("/v1/queues/over-http/receive?max=2", headers=JSON)).json()
        browsed = (await http.get("/v1/streams/s/messages")).json()
        peeked = (await http.get("/v1/queues/q/messages?state=leased")).json()

    if format == "text":
        assert [message.get("topic") for message in delivered["messages"]] == ["orders.created"] * 2 + [None]
        assert [message["topic"] for message in read["messages"]] == ["orders.created"] * 2
        assert "topic" not in delivered["messages"][2]
    else:
        assert (delivered["topics"], "topic" in delivered) == (["orders.created", "orders.created", None], False)
        assert read["topic"] == "orders.created"
    assert [message["topic"] for message in received["messages"]] == ["orders.created"] * 2
    assert [message["topic"] for message in browsed["messages"]] == ["orders.created"] * 2
    assert [message.get("topic") for message in peeked["messages"]] == ["orders.created", "orders.created", None]


async def test_a_time_of_delivery_is_a_delay_from_when_the_frame_comes(real: Running) -> None:
    at = int(time.time() * 1000) + 3_600_000
    async with connected(real) as client, httpx2.AsyncClient(base_url=real.url, trust_env=False) as http:
        messages = [
            {"body": 1, "deliver_at": at},
            {"body": 2},
            {"body": 3, "deliver_at": 5},
            {"body": 4, "delay_ms": 60_000},
        ]
        assert (await http.post("/v1/queues/q/messages", json={"messages": messages})).status_code == 201
        frame = {"op": "publish", "queue": "q", "sizes": [1, 1], "delivers_at": [at, None]}
        await client.send(bodies=b"56", id=1, **frame)
        await client.receive()
        await client.send(bodies=b"7", id=2, op="publish", queue="q", sizes=[1], deliver_at=at)
        await client.receive()
        delayed = (await http.get("/v1/queues/q/messages?state=delayed")).json()["messages"]
        ready = (await http.get("/v1/queues/q/messages")).json()["messages"]

    assert [message["body"] for message in ready] == [2, 3, 6]
    assert [message["body"] for message in delayed] == [1, 4, 5, 7]
    assert all(abs(message["due"] - at) < 60_000 for message in delayed if message["body"] != 4)


TOMBSTONE = {"type": "text", "body": "", "headers": {"postroad-tombstone": "true"}}


async def test_a_stream_with_compaction_is_read_as_a_table_over_http(real: Running) -> None:
    settings = {"compaction": True, "tombstone_ms": 0}
    rows = [{"key": "a", "body": 1}, {"key": "b", "body": 2}, {"key": "a", "body": 3}, {"key": "b", **TOMBSTONE}]
    async with connected(real) as client, httpx2.AsyncClient(base_url=real.url, trust_env=False) as http:
        made = await http.put("/v1/streams/prices", json=settings)
        again = await http.put("/v1/streams/prices", json=settings)
        await client.ask(1, op="watch", sub=1, stream="prices")
        await http.post("/v1/streams/prices/messages", json={"messages": rows})
        async with asyncio.timeout(30):
            while (await client.until(op="event"))["events"][-1]["kind"] != "compacted":
                pass
        shown = (await http.get("/v1/streams/prices")).json()["stream"]
        page = (await http.get("/v1/streams/prices/messages?from=0")).json()

    assert (made.status_code, again.status_code) == (201, 200)
    assert [(message["offset"], message["key"], message["body"]) for message in page["messages"]] == [(2, "a", 3)]
    assert "trimmed" not in page
    assert (shown["earliest"], shown["next"], shown["compacted_total"]) == (2, 4, 3)


async def test_a_time_is_asked_for_as_an_offset(real: Running) -> None:
    async with connected(real) as client, httpx2.AsyncClient(base_url=real.url, trust_env=False) as http:
        await client.ask(1, op="publish", stream="clicks", messages=[{"body": 1}, {"body": 2}])

        first = await client.ask(2, op="query", what="offset", stream="clicks", at=0)
        end = (await http.get(f"/v1/streams/clicks/offset?at={int(time.time() * 1000) + 60_000}")).json()
        refused = [(await http.get(f"/v1/streams/clicks/offset{query}")).json() for query in ("", "?at=soon")]

    assert (first["offset"], end["offset"]) == (0, 2)
    assert [answer["code"] for answer in refused] == ["invalid-request"] * 2


async def test_a_batch_is_done_as_one_or_not_at_all(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="publish", queue="jobs", messages=[{"body": n} for n in range(4)])
        await client.ask(2, op="consume", sub=1, queue="jobs")
        await client.until(op="deliver")
        await client.ask(3, op="settle", sub=1, ack=[[4, 4]])
        publish = [{"queue": "next", "messages": [{"body": "sum"}]}]

        none = await client.ask(4, op="settle", sub=1, done=[{"numbers": [[1, 4]], "publish": publish}])
        done = {"numbers": [[1, 2], [3, 3]], "results": [{"n": 1}, None, 3], "publish": publish}
        whole = await client.ask(5, op="settle", sub=1, done=[done])
        stats = [
            (await client.ask(6 + n, op="query", what="queue", queue=q))["queue"]
            for n, q in enumerate(("jobs", "next"))
        ]

    assert (none["settled"], none.get("lost", [])) == ([[4, 4]], [])
    assert (whole.get("settled"), whole.get("lost")) == (None, None)
    assert (stats[0]["acked_total"], stats[0]["leased"], stats[1]["ready"]) == (4, 0, 1)


async def test_a_schedule_whose_firing_was_refused_says_why(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="declare", queue="small", settings={"length_max": 1})
        await client.ask(2, op="publish", queue="small", messages=[{"body": 1}])
        await client.ask(3, op="watch", sub=1, queue="small")
        await client.ask(
            4, op="operate", do="schedule", schedule="often", every_ms=1000, queue="small", message={"body": 2}
        )
        async with asyncio.timeout(30):
            told: list[dict[str, Any]] = []
            while not told:
                told = [event for event in (await client.until(op="event"))["events"] if event["kind"] == "refused"]
        async with httpx2.AsyncClient(base_url=real.url, trust_env=False) as http:
            (listed,) = (await http.get("/v1/schedules")).json()["schedules"]

    assert (told[0]["schedule"], told[0]["queue"]) == ("often", "small")
    assert (listed["last_error"]["code"], listed["fired"]) == ("queue-full", 0)


@pytest.mark.parametrize("setting", ["length_max", "bytes_max"])
async def test_limits_of_a_queue_are_refused_on_a_group_by_name(real: Running, setting: str) -> None:
    async with connected(real) as client:
        refused = await client.ask(1, op="declare", stream="clicks", group="g", settings={setting: 5})

    assert (refused["code"], refused["field"]) == ("invalid-request", f"settings.{setting}")
