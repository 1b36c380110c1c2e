"""A session without a socket: what it answers, in which order, in which format."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fake_engine import FakeEngine
from gateway_under_test import KEYS, Alone
from postroad.broker.errors import NotAuthenticated, QueueFull
from postroad.gateway.auth.rights import Principal
from postroad.gateway.protocol.capability import capability_of
from postroad.gateway.protocol.session import State


@pytest.fixture
async def alone(engine: FakeEngine) -> Alone:
    return Alone(engine)


async def test_hello_tells_the_engine_its_limits_and_the_producer_session(alone: Alone) -> None:
    (welcome,) = await alone.text(op="hello", id=0, session="p1", client={"name": "app", "version": "1"})

    assert welcome["op"] == "welcome"
    assert welcome["engine"] == "fake"
    assert welcome["durability"] == "memory"
    assert welcome["limits"]["body_bytes_max"] == 1_048_576
    assert welcome["session"] == {"id": "p1", "last_frame": 0}
    assert alone.session.state is State.READY


async def test_who_asks_is_told_what_the_engine_cannot_do_and_why(engine: FakeEngine) -> None:
    engine.capabilities = replace(engine.capabilities, dead_letter="unsupported")
    engine.reasons = {"dead_letter": "It forgets."}
    alone = Alone(engine)

    (welcome,) = await alone.text(op="hello", id=0)
    (overview,) = await alone.text(op="query", id=1, what="overview")

    for told in (welcome, overview):
        assert told["capabilities"]["dead_letter"] == "unsupported"
        assert told["capabilities"]["retry"] == "native"
        assert told["reasons"] == {"dead_letter": "It forgets."}


@pytest.mark.parametrize(("given", "binary"), [("text", False), ("binary", True)])
async def test_the_format_of_hello_decides_the_format_of_answers(alone: Alone, given: str, binary: bool) -> None:
    await alone.text(op="hello", id=0, format=given)

    assert alone.port.raw[-1][1] is binary


async def test_without_a_format_the_first_frame_decides(engine: FakeEngine) -> None:
    first, second = Alone(engine), Alone(engine)

    await first.binary(op="query", id=1, what="queues")
    await second.text(op="query", id=1, what="queues")

    assert first.port.raw[-1][1] is True
    assert second.port.raw[-1][1] is False


async def test_a_binary_publish_reaches_a_binary_consumer_byte_for_byte(alone: Alone) -> None:
    await alone.binary(op="consume", id=1, sub=7, queue="a")

    answers = await alone.binary(b"\x00\xff{not json", op="publish", id=2, queue="a", sizes=[2, 9])

    confirm = next(frame for frame in answers if frame.get("id") == 2)
    assert confirm["count"] == 2
    assert confirm["watch_key"] == KEYS.key(confirm["id_prefix"])
    delivery = next(frame for frame in answers if frame["op"] == "deliver")
    assert delivery["sub"] == 7
    assert delivery["number"] == 1
    assert delivery["sizes"] == [2, 9]
    assert alone.port.bodies[alone.port.sent.index(delivery)] == b"\x00\xff{not json"


async def test_a_text_publish_reaches_a_text_consumer_by_type(alone: Alone) -> None:
    await alone.text(op="consume", id=1, sub=1, queue="a")

    answers = await alone.text(
        op="publish",
        id=2,
        queue="a",
        messages=[
            {"body": {"to": "a@b.c"}, "headers": {"trace": "1"}},
            {"body": "plain", "type": "text"},
            {"body": "AP8=", "type": "bytes"},
            {"body": None},
        ],
    )

    (delivery,) = (frame for frame in answers if frame["op"] == "deliver")
    assert [(message["type"], message["body"]) for message in delivery["messages"]] == [
        ("json", {"to": "a@b.c"}),
        ("text", "plain"),
        ("bytes", "AP8="),
        ("json", None),
    ]
    assert delivery["messages"][0]["headers"] == {"trace": "1"}
    assert "headers" not in delivery["messages"][1]


async def test_a_body_that_is_not_what_it_claims_is_told_as_what_it_is(alone: Alone) -> None:
    await alone.text(op="consume", id=1, sub=1, queue="a")

    answers = await alone.binary(b"oops\xff\xfe", op="publish", queue="a", sizes=[4, 2])

    (delivery,) = answers
    assert [(m["type"], m["body"]) for m in delivery["messages"]] == [("text", "oops"), ("bytes", "//4=")]


async def test_a_request_without_id_is_answered_only_by_its_error(alone: Alone) -> None:
    assert await alone.text(op="publish", queue="a", messages=[{"body": 1}]) == []

    (error,) = await alone.text(op="publish", queue="A", messages=[{"body": 1}])

    assert error["op"] == "error"
    assert error["code"] == "invalid-name"
    assert "id" not in error


async def test_requests_behind_a_declare_wait_for_it(alone: Alone) -> None:
    for frame in (
        {"op": "declare", "id": 1, "queue": "a", "settings": {"lease_ms": 5000}},
        {"op": "consume", "id": 2, "sub": 1, "queue": "a", "declare": False},
        {"op": "settle", "id": 3, "sub": 1, "ack": [[1, 1]]},
        {"op": "cancel", "id": 4, "sub": 1},
    ):
        alone.session.receive_text(_json(frame))
    assert alone.session.is_busy

    await alone.settle()

    answers = {frame["id"]: frame for frame in alone.port.sent}
    assert answers[1]["created"] is True
    assert answers[2]["lease_ms"] == 5000
    assert answers[3]["lost"] == [[1, 1]]
    assert answers[4]["op"] == "ok"
    assert not alone.session.is_busy


async def test_a_query_holds_nobody(alone: Alone) -> None:
    alone.session.receive_text(_json({"op": "query", "id": 1, "what": "queues"}))
    alone.session.receive_text(_json({"op": "prefetch", "id": 2, "sub": 1, "prefetch": 1}))

    assert [frame["id"] for frame in alone.port.sent] == [2]


async def test_settle_tells_lost_and_settled_and_carries_out_the_rest(alone: Alone) -> None:
    await alone.text(op="publish", queue="a", messages=[{"body": n} for n in range(3)])
    await alone.text(op="consume", id=1, sub=1, queue="a")
    await alone.text(op="settle", sub=1, ack=[[1, 1]])

    (answer,) = await alone.text(op="settle", id=2, sub=1, ack=[[1, 2], [9, 9]], begun=2)

    assert answer["settled"] == [[1, 1]]
    assert answer["lost"] == [[9, 9]]
    assert alone.engine.queues["a"].acked == 2


async def test_a_nacked_message_comes_again_with_its_attempt(alone: Alone) -> None:
    await alone.text(op="publish", queue="a", messages=[{"body": 1}])
    await alone.text(op="consume", id=1, sub=1, queue="a")

    answers = await alone.text(op="settle", sub=1, nack=[{"number": 1, "reason": "no"}])

    assert answers[0]["messages"][0]["attempt"] == 2
    assert answers[0]["messages"][0]["number"] == 2


async def test_done_stores_the_result_and_publishes_further(alone: Alone) -> None:
    await alone.text(op="publish", queue="a", messages=[{"body": 1}])
    await alone.text(op="consume", id=1, sub=1, queue="a")

    done = [{"number": 1, "result": {"ok": 1}, "publish": [{"queue": "b", "messages": [{"body": 2}]}]}]
    (answer,) = await alone.text(op="settle", id=2, sub=1, done=done)

    assert answer["op"] == "ok"
    assert len(alone.engine.queues["b"].ready) == 1
    assert alone.engine.messages["1-p1-0"].result == {"ok": 1}


async def test_a_cancelled_consumer_still_settles_what_was_begun(alone: Alone) -> None:
    await alone.text(op="publish", queue="a", messages=[{"body": 1}, {"body": 2}])
    await alone.text(op="consume", id=1, sub=1, queue="a")
    await alone.text(op="settle", sub=1, begun=1)
    await alone.text(op="cancel", id=2, sub=1)

    (answer,) = await alone.text(op="settle", id=3, sub=1, ack=[[1, 2]])

    assert answer["lost"] == [[2, 2]]
    assert alone.engine.queues["a"].acked == 1


async def test_a_replayed_frame_gets_the_first_confirm(alone: Alone) -> None:
    await alone.text(op="hello", session="p1")
    (first,) = await alone.text(op="publish", id=1, queue="a", frame=1, messages=[{"body": 1}])

    (again,) = await alone.text(op="publish", id=2, queue="a", frame=1, messages=[{"body": 1}])

    assert again["replayed"] is True
    assert again["id_prefix"] == first["id_prefix"]


async def test_an_engines_refusal_is_the_answer(alone: Alone) -> None:
    alone.engine.fail_next = QueueFull("The queue is full.")

    (error,) = await alone.text(op="publish", id=1, queue="a", messages=[{"body": 1}])

    assert (error["code"], error["retryable"]) == ("queue-full", True)


async def test_a_bug_costs_one_request_and_tells_only_where_to_look(alone: Alone) -> None:
    alone.engine.fail_next = RuntimeError("secret detail")

    (error,) = await alone.text(op="query", id=1, what="queues")
    (answer,) = await alone.text(op="query", id=2, what="queues")

    assert error["code"] == "internal"
    assert "secret" not in str(error)
    assert len(alone.bugs) == 1
    assert answer["op"] == "ok"


async def test_a_lost_connection_detaches_consumers_and_ends_watches(alone: Alone) -> None:
    await alone.text(op="hello", session="p1")
    await alone.text(op="consume", id=1, sub=1, queue="a")
    await alone.text(op="watch", id=2, sub=2)

    alone.session.lost()

    assert alone.engine.queues["a"].consumers == []
    assert alone.engine.watches == []
    assert alone.engine.open_sessions == []


async def test_a_consumer_that_opens_after_the_connection_was_lost_is_detached(alone: Alone) -> None:
    alone.session.receive_text(_json({"op": "consume", "id": 1, "sub": 1, "queue": "a"}))
    alone.session.lost()

    await alone.settle()

    assert alone.engine.queues["a"].consumers == []


async def test_a_deleted_queue_ends_its_consumers(alone: Alone) -> None:
    await alone.text(op="consume", id=1, sub=1, queue="a")

    answers = await alone.text(op="delete", id=2, queue="a")

    assert {"op": "end", "sub": 1}.items() <= answers[0].items()
    assert answers[0]["code"] == "queue-not-found"
    assert alone.session.subs == {}


async def test_draining_refuses_publishes_and_takes_settles(alone: Alone) -> None:
    await alone.text(op="publish", queue="a", messages=[{"body": 1}])
    await alone.text(op="consume", id=1, sub=1, queue="a")
    alone.session.drain(5000)

    assert alone.port.sent[-1] == {"op": "drain", "grace_ms": 5000}
    (refused,) = await alone.text(op="publish", id=2, queue="a", messages=[{"body": 1}])
    (settled,) = await alone.text(op="settle", id=3, sub=1, ack=[[1, 1]])
    assert refused["code"] == "unavailable"
    assert settled["op"] == "ok"
    assert alone.engine.queues["a"].consumers[0].paused


# Watching


async def test_a_watch_starts_with_its_snapshot_then_events_then_state(alone: Alone) -> None:
    await alone.text(op="publish", queue="a", messages=[{"body": 1}])

    answers = await alone.text(op="watch", id=1, sub=2, queue="a", last=10)

    assert [frame["op"] for frame in answers] == ["ok", "event", "state"]
    assert answers[0]["queue"]["name"] == "a"
    assert answers[1]["events"][0]["kind"] == "published"


async def test_a_slow_watcher_gets_the_latest_state_and_the_count_of_what_it_missed(alone: Alone) -> None:
    await alone.text(op="watch", id=1, sub=2)
    alone.port.congested = True
    before = len(alone.port.sent)
    for _ in range(300):
        alone.engine.tell("published", "a")
    alone.engine.find_or_make("a").published = 1
    alone.engine.tell_state()
    alone.engine.find_or_make("a").published = 2
    alone.engine.tell_state()
    assert len(alone.port.sent) == before

    alone.port.congested = False
    alone.session.congestion_changed()

    event, state = alone.port.sent[before:]
    assert event["skipped"] == 44
    assert len(event["events"]) == 256
    assert state["queues"][0]["published_total"] == 2


async def test_history_that_is_still_to_be_told_waits_while_the_connection_is_congested(alone: Alone) -> None:
    await alone.text(op="watch", id=1, sub=2)
    (watch,) = alone.engine.watches
    push_raw = alone.session.push_raw

    def fill_the_socket(*args: Any) -> None:
        push_raw(*args)
        alone.port.congested = True

    alone.session.push_raw = fill_the_socket  # type: ignore[method-assign]
    alone.engine.tell("published", "a")
    was_paused = watch.is_paused
    alone.port.congested = False
    alone.session.congestion_changed()

    assert (was_paused, watch.is_paused) == (True, False)


async def test_a_watch_that_is_opened_on_a_congested_connection_is_told_no_history_yet(alone: Alone) -> None:
    alone.port.congested = True

    await alone.text(op="watch", id=1, sub=2)

    assert [watch.is_paused for watch in alone.engine.watches] == [True]


async def test_a_congested_connection_pauses_its_consumers_until_it_is_read(alone: Alone) -> None:
    await alone.text(op="consume", id=1, sub=1, queue="a")
    consumer = alone.engine.queues["a"].consumers[0]

    alone.port.congested = True
    alone.session.congestion_changed()
    assert consumer.paused

    alone.port.congested = False
    alone.session.congestion_changed()
    assert not consumer.paused


async def test_a_watched_message_is_shown_without_its_body(alone: Alone) -> None:
    (confirm,) = await alone.text(op="publish", id=1, queue="a", messages=[{"body": "secret", "headers": {"a": "b"}}])

    answers = await alone.text(op="watch", id=2, sub=1, message=confirm["id_prefix"] + "0")

    assert [frame["op"] for frame in answers] == ["ok", "state"]
    for frame in answers:
        assert frame["message"]["state"] == "queued"
        assert not {"body", "headers", "key"} & frame["message"].keys()


# Rights

BROWSER = Principal(subject="web", grants={"publish": ("a", "orders.*")}, is_browser=True)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": "publish", "queue": "b", "messages": [{"body": 1}]}, "not-allowed"),
        ({"op": "publish", "queue": "orders.x.y", "messages": [{"body": 1}]}, "not-allowed"),
        ({"op": "publish", "queue": "orders.x", "messages": [{"body": 1}]}, "queue-not-found"),
        ({"op": "consume", "sub": 1, "queue": "a"}, "not-allowed"),
        ({"op": "declare", "queue": "a"}, "not-allowed"),
        ({"op": "delete", "queue": "a"}, "not-allowed"),
        ({"op": "watch", "sub": 1, "queue": "a"}, "not-allowed"),
        ({"op": "watch", "sub": 1}, "not-allowed"),
        ({"op": "query", "what": "queues"}, "not-allowed"),
        ({"op": "query", "what": "message", "message": "1-p1-0"}, "not-allowed"),
        ({"op": "operate", "do": "purge", "queue": "a"}, "not-allowed"),
        ({"op": "operate", "do": "redrive", "queue": "a"}, "not-allowed"),
        ({"op": "publish", "queue": "a", "messages": [{"body": "x" * 65_536}]}, "limit-exceeded"),
    ],
)
async def test_what_a_token_does_not_allow_is_refused(engine: FakeEngine, frame: dict[str, Any], code: str) -> None:
    alone = Alone(engine, principal=BROWSER)

    (error,) = await alone.text(id=1, **frame)

    assert error["code"] == code


async def test_log_lines_are_for_who_may_peek_or_has_the_capability(engine: FakeEngine) -> None:
    producer, worker = Alone(engine), Alone(engine)
    (confirm,) = await producer.text(op="publish", id=1, queue="a", messages=[{"body": 1}])
    id, capability = f"{confirm['id_prefix']}0", capability_of(confirm["watch_key"], 0)
    await worker.text(op="consume", id=1, sub=1, queue="a")
    await worker.text(op="settle", id=2, sub=1, log=[{"number": 1, "text": "hello", "level": "debug"}])
    question: dict[str, Any] = {"op": "query", "id": 9, "what": "logs", "message": id}

    answers = []
    for grants in ({"peek": ("a",)}, {"peek": ("b",)}, {}):
        principal = Principal(subject="someone", grants=grants)
        answers += await Alone(engine, principal=principal).text(**question)
    answers += await Alone(engine, principal=Principal(subject="nobody")).text(**question, capability=capability)

    assert [answer.get("code") or answer["logs"][0]["text"] for answer in answers] == [
        "hello", "not-allowed", "not-allowed", "hello",
    ]  # fmt: skip


async def test_a_capability_lets_anyone_follow_one_message_and_no_other(engine: FakeEngine) -> None:
    producer, browser = Alone(engine), Alone(engine, principal=Principal(subject="nobody"))
    (confirm,) = await producer.text(op="publish", id=1, queue="a", messages=[{"body": 1}, {"body": 2}])
    prefix, capability = confirm["id_prefix"], capability_of(confirm["watch_key"], 1)

    answers = await browser.text(op="watch", id=1, sub=1, message=f"{prefix}1", capability=capability)
    (shown,) = await browser.text(op="query", id=2, what="message", message=f"{prefix}1", capability=capability)
    (other,) = await browser.text(op="watch", id=3, sub=2, message=f"{prefix}0", capability=capability)
    (without,) = await browser.text(op="watch", id=4, sub=2, message=f"{prefix}1")

    assert answers[0]["message"]["id"] == f"{prefix}1"
    assert "body" not in shown["message"]
    assert other["code"] == "not-allowed"
    assert without["code"] == "not-allowed"


async def test_events_of_other_queues_are_not_shown(engine: FakeEngine) -> None:
    alone = Alone(engine, principal=Principal(subject="x", grants={"peek": ("mine.*",)}))
    await alone.text(op="watch", id=1, sub=1)

    engine.tell("published", "theirs")
    engine.tell("published", "mine.a")

    events = [event["queue"] for frame in alone.port.sent if frame["op"] == "event" for event in frame["events"]]
    assert events == ["mine.a"]


async def test_without_a_token_only_hello_is_answered(engine: FakeEngine) -> None:
    def authenticate(token: str) -> Principal:
        if token != "good":
            raise NotAuthenticated("The token is not valid.")
        return BROWSER

    refused, wrong, right = (Alone(engine, authenticate=authenticate) for _ in range(3))

    (error,) = await refused.text(op="query", id=1, what="queues")
    (also,) = await wrong.text(op="hello", id=1, token="bad")
    (welcome,) = await right.text(op="hello", id=1, token="good")

    assert error["code"] == also["code"] == "not-authenticated"
    assert refused.port.closed == wrong.port.closed == (1008, "not authenticated")
    assert welcome["limits"]["body_bytes_max"] == 65_536
    assert right.port.closed is None


async def test_unconfirmed_bytes_are_bounded_by_not_reading_on(alone: Alone) -> None:
    alone.engine.hold = True
    body = b"x" * 1_048_576
    for _ in range(33):
        await alone.binary(body, op="publish", queue="a", sizes=[len(body)])
    assert alone.session.is_busy

    alone.engine.release()

    assert not alone.session.is_busy


def _json(frame: dict[str, Any]) -> str:
    import json

    return json.dumps(frame)


async def test_more_subscriptions_than_allowed_are_refused(alone: Alone) -> None:
    for number in range(256):
        alone.session.receive_text(_json({"op": "watch", "sub": number}))
    await asyncio.gather(*alone.port.tasks)
    for _ in range(600):
        await asyncio.sleep(0)

    (error,) = await alone.text(op="watch", id=1, sub=999)

    assert (error["code"], error["limit"], error["value"]) == ("limit-exceeded", "subscriptions_max", 256)


async def test_a_long_operation_acts_before_what_is_asked_behind_it(alone: Alone) -> None:
    await alone.text(op="publish", id=1, queue="q", messages=[{"body": 1}])

    alone.session.receive_text('{"op":"operate","id":2,"do":"purge","queue":"q"}')
    alone.session.receive_text('{"op":"publish","id":3,"queue":"q","messages":[{"body":2}]}')
    await alone.settle()

    assert [message.body for message in alone.engine.queues["q"].ready] == [b"2"]


async def test_a_connection_has_a_bounded_number_of_long_operations(alone: Alone, engine: FakeEngine) -> None:
    go_on = asyncio.Event()

    async def operate(do: str, args: Any) -> dict[str, Any]:
        await go_on.wait()
        return {"count": 1, "position": 1}

    engine.operate = operate  # type: ignore[method-assign]
    for number in range(16):
        await alone.text(op="operate", id=number, do="purge", queue="q")

    (refused,) = await alone.text(op="operate", id=16, do="purge", queue="q")
    (answer,) = await alone.text(op="query", id=17, what="queues")
    go_on.set()
    await alone.settle()
    (again,) = await alone.text(op="operate", id=18, do="purge", queue="q")

    assert (refused["code"], refused["limit"], refused["value"]) == ("limit-exceeded", "operations_max", 16)
    assert answer["id"] == 17
    assert again["count"] == 1


ROW = {"kind": "redrive", "queue": "a.dead", "done": 0, "total": 9, "state": "running", "started_at": 1}


async def test_operations_are_listed_to_who_may_peek_and_stopped_by_who_may_do_them(engine: FakeEngine) -> None:
    engine.operations = {"o-1": {"id": "o-1", **ROW}, "o-2": {"id": "o-2", **ROW, "queue": "b.dead", "stream": "s"}}
    grants = {"peek": ("a.#", "b.#"), "redrive": ("a.#",)}
    alone = Alone(engine, principal=Principal(subject="ada", grants=grants))

    (listed,) = await alone.text(op="query", id=1, what="operations")
    (overview,) = await alone.text(op="query", id=2, what="overview")
    (refused,) = await alone.text(op="operate", id=3, do="stop", operation="o-2")
    (stopped,) = await alone.text(op="operate", id=4, do="stop", operation="o-1")
    (ended,) = await alone.text(op="operate", id=5, do="stop", operation="o-1")

    assert [row["id"] for row in listed["operations"]] == ["o-1"]
    assert overview["operations"] == []
    assert refused["code"] == "not-allowed"
    assert stopped["stopped"] is True
    assert ended["code"] == "invalid-state"
