"""Bad requests of every op, over text and binary, on a connection that stays usable."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from fake_engine import FakeEngine
from gateway_under_test import Alone
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.broker.errors import ERRORS
from postroad.broker.limits import Limits
from postroad.broker.names import NAME_LENGTH_MAX
from postroad.gateway.protocol import requests
from postroad.gateway.protocol.errors import WIRE_CODES
from postroad.gateway.protocol.opcodes import Violation

MESSAGE = {"body": 1}
BIG = 2**53

BAD: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("op missing", {}, "invalid-request", "op"),
    ("op unknown", {"op": "frobnicate"}, "invalid-request", "op"),
    ("op not text", {"op": ["publish"]}, "invalid-request", "op"),
    ("bind nothing", {"op": "bind", "queue": "a"}, "invalid-request", "topic"),
    ("bind headers", {"op": "bind", "topic": "x", "queue": "a", "headers": 1}, "invalid-request", "headers"),
    ("unbind both", {"op": "unbind", "topic": "x", "queue": "a", "stream": "b"}, "invalid-request", "stream"),
    ("read no stream", {"op": "read", "sub": 1}, "invalid-request", "stream"),
    ("read from", {"op": "read", "sub": 1, "stream": "s", "from": {"offset": -1}}, "invalid-request", "from"),
    ("consume no group", {"op": "consume", "sub": 1, "stream": "s"}, "invalid-request", "group"),
    ("query no stream", {"op": "query", "what": "stream"}, "invalid-request", "stream"),
    ("reset to", {"op": "operate", "do": "reset", "stream": "s", "group": "g", "to": 5}, "invalid-request", "to"),
    ("schedule message", {"op": "operate", "do": "schedule", "schedule": "s", "queue": "a"}, "invalid-request", "message"),
    ("edit with", {"op": "operate", "do": "edit", "queue": "a", "message": "1"}, "invalid-request", "with"),
    ("hello client", {"op": "hello", "client": "x"}, "invalid-request", "client"),
    ("hello client name", {"op": "hello", "client": {"name": 1}}, "invalid-request", "client.name"),
    ("hello format", {"op": "hello", "format": "xml"}, "invalid-request", "format"),
    ("hello session", {"op": "hello", "session": "a b"}, "invalid-request", "session"),
    ("hello session long", {"op": "hello", "session": "a" * 65}, "invalid-request", "session"),
    ("hello token", {"op": "hello", "token": 5}, "invalid-request", "token"),
    ("declare no queue", {"op": "declare"}, "invalid-request", "queue"),
    ("declare name", {"op": "declare", "queue": "a..b"}, "invalid-name", "queue"),
    ("declare long name", {"op": "declare", "queue": "a" * (NAME_LENGTH_MAX + 1)}, "invalid-name", "queue"),
    ("declare settings", {"op": "declare", "queue": "a", "settings": []}, "invalid-request", "settings"),
    ("declare unknown", {"op": "declare", "queue": "a", "settings": {"x": 1}}, "invalid-request", "settings.x"),
    (
        "declare range",
        {"op": "declare", "queue": "a", "settings": {"lease_ms": 99}},
        "invalid-request",
        "settings.lease_ms",
    ),
    ("declare update", {"op": "declare", "queue": "a", "update": 1}, "invalid-request", "update"),
    ("declare conflict", {"op": "declare", "queue": "known", "settings": {"lease_ms": 500}}, "conflict", None),
    ("delete unknown", {"op": "delete", "queue": "nope"}, "queue-not-found", None),
    ("publish no queue", {"op": "publish", "messages": [MESSAGE]}, "invalid-request", "queue"),
    ("publish topic", {"op": "publish", "topic": "a..b", "messages": [MESSAGE]}, "invalid-name", "topic"),
    ("publish two", {"op": "publish", "topic": "a", "stream": "b", "messages": [MESSAGE]}, "invalid-request", "topic"),
    ("stream delay", {"op": "publish", "stream": "b", "delay_ms": 1, "messages": [MESSAGE]}, "invalid-request", "delay_ms"),
    ("publish nothing", {"op": "publish", "queue": "a"}, "invalid-request", "messages"),
    ("publish empty", {"op": "publish", "queue": "a", "messages": []}, "invalid-request", "messages"),
    ("publish empty sizes", {"op": "publish", "queue": "a", "sizes": []}, "invalid-request", "sizes"),
    ("publish not objects", {"op": "publish", "queue": "a", "messages": [1]}, "invalid-request", "messages"),
    ("publish no body", {"op": "publish", "queue": "a", "messages": [{}]}, "invalid-request", "messages[0].body"),
    (
        "publish type",
        {"op": "publish", "queue": "a", "messages": [{"body": 1, "type": "xml"}]},
        "invalid-request",
        "messages[0].type",
    ),
    (
        "publish text",
        {"op": "publish", "queue": "a", "messages": [{"body": 1, "type": "text"}]},
        "invalid-request",
        "messages[0].body",
    ),
    (
        "publish base64",
        {"op": "publish", "queue": "a", "messages": [{"body": "a$", "type": "bytes"}]},
        "invalid-request",
        "messages[0].body",
    ),
    (
        "publish delay",
        {"op": "publish", "queue": "a", "messages": [{"body": 1, "delay_ms": -1}]},
        "invalid-request",
        "messages[0].delay_ms",
    ),
    (
        "publish priority",
        {"op": "publish", "queue": "a", "priority": 10, "messages": [MESSAGE]},
        "invalid-request",
        "priority",
    ),
    (
        "publish column",
        {"op": "publish", "queue": "a", "keys": ["a", "b"], "messages": [MESSAGE]},
        "invalid-request",
        "keys",
    ),
    ("publish key", {"op": "publish", "queue": "a", "key": "", "messages": [MESSAGE]}, "invalid-request", "key"),
    (
        "publish long key",
        {"op": "publish", "queue": "a", "key": "é" * 65, "messages": [MESSAGE]},
        "invalid-request",
        "key",
    ),
    (
        "publish key and delay",
        {"op": "publish", "queue": "a", "key": "k", "messages": [{"body": 1, "delay_ms": 5}]},
        "invalid-request",
        "delay_ms",
    ),
    (
        "publish keys and priority",
        {"op": "publish", "queue": "a", "keys": ["k"], "priorities": [3], "messages": [MESSAGE]},
        "invalid-request",
        "priority",
    ),
    (
        "publish headers",
        {"op": "publish", "queue": "a", "headers": {"a": 1}, "messages": [MESSAGE]},
        "invalid-request",
        "headers",
    ),
    (
        "publish many headers",
        {"op": "publish", "queue": "a", "headers": {str(n): "" for n in range(65)}, "messages": [MESSAGE]},
        "limit-exceeded",
        None,
    ),
    (
        "publish large headers",
        {"op": "publish", "queue": "a", "headers": {"a": "x" * 16_384}, "messages": [MESSAGE]},
        "limit-exceeded",
        None,
    ),
    (
        "publish too many",
        {"op": "publish", "queue": "a", "messages": [MESSAGE] * 8193},
        "limit-exceeded",
        None,
    ),
    (
        "publish expire",
        {"op": "publish", "queue": "a", "expire_ms": 0, "messages": [MESSAGE]},
        "invalid-request",
        "expire_ms",
    ),
    (
        "publish dedup",
        {"op": "publish", "queue": "a", "dedup_key": 5, "messages": [MESSAGE]},
        "invalid-request",
        "dedup_key",
    ),
    ("publish frame", {"op": "publish", "queue": "a", "frame": 1, "messages": [MESSAGE]}, "invalid-request", "frame"),
    ("publish frame 0", {"op": "publish", "queue": "a", "frame": 0, "messages": [MESSAGE]}, "invalid-request", "frame"),
    ("publish declare", {"op": "publish", "queue": "a", "declare": 0, "messages": [MESSAGE]}, "invalid-request", "declare"),
    (
        "publish undeclared",
        {"op": "publish", "queue": "nope", "declare": False, "messages": [MESSAGE]},
        "queue-not-found",
        None,
    ),
    ("consume no sub", {"op": "consume", "queue": "a"}, "invalid-request", "sub"),
    ("consume sub", {"op": "consume", "sub": -1, "queue": "a"}, "invalid-request", "sub"),
    ("consume sub taken", {"op": "consume", "sub": 5, "queue": "a"}, "invalid-state", "sub"),
    ("consume prefetch", {"op": "consume", "sub": 1, "queue": "a", "prefetch": 0}, "invalid-request", "prefetch"),
    ("consume much", {"op": "consume", "sub": 1, "queue": "a", "prefetch": 16_385}, "limit-exceeded", None),
    ("consume name", {"op": "consume", "sub": 1, "queue": "a", "consumer": "\n"}, "invalid-name", None),
    ("consume lease", {"op": "consume", "sub": 1, "queue": "a", "lease_ms": 99}, "invalid-request", "lease_ms"),
    ("consume long lease", {"op": "consume", "sub": 1, "queue": "a", "lease_ms": BIG - 1}, "limit-exceeded", None),
    ("consume held", {"op": "consume", "sub": 1, "queue": "a", "held": [[1, 2]]}, "invalid-request", "held"),
    ("consume resume", {"op": "consume", "sub": 1, "queue": "a", "resume": 7}, "invalid-request", "resume"),
    (
        "consume undeclared",
        {"op": "consume", "sub": 1, "queue": "nope", "declare": False},
        "queue-not-found",
        None,
    ),
    ("prefetch nothing", {"op": "prefetch", "sub": 5}, "invalid-request", "prefetch"),
    ("prefetch unknown", {"op": "prefetch", "sub": 9, "prefetch": 1}, "invalid-request", "sub"),
    ("cancel unknown", {"op": "cancel", "sub": 9}, "invalid-request", "sub"),
    ("cancel a watch", {"op": "cancel", "sub": 6}, "invalid-request", "sub"),
    ("settle unknown", {"op": "settle", "sub": 9, "ack": [[1, 1]]}, "invalid-request", "sub"),
    ("settle a watch", {"op": "settle", "sub": 6, "ack": [[1, 1]]}, "invalid-request", "sub"),
    ("settle ack", {"op": "settle", "sub": 5, "ack": [1]}, "invalid-request", "ack"),
    ("settle ack order", {"op": "settle", "sub": 5, "ack": [[2, 1]]}, "invalid-request", "ack"),
    ("settle ack zero", {"op": "settle", "sub": 5, "ack": [[0, 1]]}, "invalid-request", "ack"),
    ("settle ack float", {"op": "settle", "sub": 5, "ack": [[1.0, 2]]}, "invalid-request", "ack"),
    ("settle release", {"op": "settle", "sub": 5, "release": {}}, "invalid-request", "release"),
    ("settle nack", {"op": "settle", "sub": 5, "nack": [{}]}, "invalid-request", "nack[0].number"),
    (
        "settle nack last",
        {"op": "settle", "sub": 5, "nack": [{"number": 3, "last": 2}]},
        "invalid-request",
        "nack[0].last",
    ),
    (
        "settle nack reason",
        {"op": "settle", "sub": 5, "nack": [{"number": 1, "reason": 1}]},
        "invalid-request",
        "nack[0].reason",
    ),
    ("settle begun", {"op": "settle", "sub": 5, "begun": "1"}, "invalid-request", "begun"),
    ("settle lease", {"op": "settle", "sub": 5, "extend": [[1, 1]], "lease_ms": 1}, "invalid-request", "lease_ms"),
    (
        "settle percent",
        {"op": "settle", "sub": 5, "progress": [{"number": 1, "percent": 101}]},
        "invalid-request",
        "progress[0].percent",
    ),
    (
        "settle note",
        {"op": "settle", "sub": 5, "progress": [{"number": 1, "note": "é" * 401}]},
        "invalid-request",
        "progress[0].note",
    ),
    (
        "deliver_at and delay",
        {"op": "publish", "queue": "a", "messages": [{"body": 1, "delay_ms": 1, "deliver_at": 1}]},
        "invalid-request",
        "deliver_at",
    ),
    (
        "deliver_at too far",
        {"op": "publish", "queue": "a", "deliver_at": 2**52, "messages": [{"body": 1}]},
        "invalid-request",
        "deliver_at",
    ),
    (
        "deliver_at of a stream",
        {"op": "publish", "stream": "s", "deliver_at": 1, "messages": [{"body": 1}]},
        "invalid-request",
        "delays_ms",
    ),
    (
        "deliver_at with a key",
        {"op": "publish", "queue": "a", "messages": [{"body": 1, "key": "k", "deliver_at": 2_000_000_000_000}]},
        "invalid-request",
        "delay_ms",
    ),
    ("settle log number", {"op": "settle", "sub": 5, "log": [{"text": "x"}]}, "invalid-request", "log[0].number"),
    ("settle log text", {"op": "settle", "sub": 5, "log": [{"number": 1}]}, "invalid-request", "log[0].text"),
    (
        "settle log length",
        {"op": "settle", "sub": 5, "log": [{"number": 1, "text": "é" * 4001}]},
        "invalid-request",
        "log[0].text",
    ),
    (
        "settle log level",
        {"op": "settle", "sub": 5, "log": [{"number": 1, "text": "x", "level": "loud"}]},
        "invalid-request",
        "log[0].level",
    ),
    ("settle done", {"op": "settle", "sub": 5, "done": [{}]}, "invalid-request", "done[0].number"),
    *(
        (f"settle done {name}", {"op": "settle", "sub": 5, "done": [done]}, "invalid-request", f"done[0].{field}")
        for name, field, done in (
            ("numbers", "numbers", {"numbers": [1]}),
            ("no numbers", "numbers", {"numbers": []}),
            ("too many numbers", "numbers", {"numbers": [[1, 10**12]]}),
            ("a number twice", "numbers", {"numbers": [[1, 3], [3, 3]]}),
            ("number and numbers", "numbers", {"number": 1, "numbers": [[1, 1]]}),
            ("results", "results", {"numbers": [[1, 2]], "results": [1]}),
        )
    ),
    (
        "settle result",
        {"op": "settle", "sub": 5, "done": [{"number": 1, "result": "x" * 65_536}]},
        "limit-exceeded",
        None,
    ),
    (
        "settle done publish",
        {"op": "settle", "sub": 5, "done": [{"number": 1, "publish": [{"messages": [MESSAGE]}]}]},
        "invalid-request",
        "queue",
    ),
    ("watch sub", {"op": "watch", "sub": "1"}, "invalid-request", "sub"),
    ("watch taken", {"op": "watch", "sub": 6}, "invalid-state", "sub"),
    ("watch last", {"op": "watch", "sub": 1, "last": 1001}, "invalid-request", "last"),
    ("watch from", {"op": "watch", "sub": 1, "from": -1}, "invalid-request", "from"),
    ("watch unknown", {"op": "watch", "sub": 1, "queue": "nope"}, "queue-not-found", None),
    ("watch message", {"op": "watch", "sub": 1, "message": 5}, "invalid-request", "message"),
    ("watch no message", {"op": "watch", "sub": 1, "message": "1-p9-0"}, "message-not-found", None),
    ("watch capability", {"op": "watch", "sub": 1, "message": "1-p1-0", "capability": "x"}, "not-allowed", None),
    (
        "watch capability type",
        {"op": "watch", "sub": 1, "message": "1-p1-0", "capability": 1},
        "invalid-request",
        "capability",
    ),
    ("unwatch unknown", {"op": "unwatch", "sub": 9}, "invalid-request", "sub"),
    ("unwatch a consumer", {"op": "unwatch", "sub": 5}, "invalid-request", "sub"),
    ("query nothing", {"op": "query"}, "invalid-request", "what"),
    ("query unknown", {"op": "query", "what": "secrets"}, "invalid-request", "what"),
    ("query type", {"op": "query", "what": {}}, "invalid-request", "what"),
    ("query no queue", {"op": "query", "what": "queue"}, "invalid-request", "queue"),
    ("query unknown queue", {"op": "query", "what": "queue", "queue": "nope"}, "queue-not-found", None),
    ("query state", {"op": "query", "what": "messages", "queue": "a", "state": "x"}, "invalid-request", "state"),
    ("query limit", {"op": "query", "what": "messages", "queue": "a", "limit": 201}, "invalid-request", "limit"),
    ("query after", {"op": "query", "what": "messages", "queue": "a", "after": "x"}, "invalid-request", "after"),
    ("query message", {"op": "query", "what": "message"}, "invalid-request", "message"),
    ("query events", {"op": "query", "what": "events", "last": 1001}, "invalid-request", "last"),
    ("operate nothing", {"op": "operate"}, "invalid-request", "do"),
    ("operate unknown", {"op": "operate", "do": "explode"}, "invalid-request", "do"),
    ("operate type", {"op": "operate", "do": []}, "invalid-request", "do"),
    ("operate no queue", {"op": "operate", "do": "purge"}, "invalid-request", "queue"),
    ("operate unknown queue", {"op": "operate", "do": "purge", "queue": "nope"}, "queue-not-found", None),
    ("operate ids", {"op": "operate", "do": "discard", "queue": "a"}, "invalid-request", "messages"),
    (
        "operate id",
        {"op": "operate", "do": "discard", "queue": "a", "messages": [1]},
        "invalid-request",
        "messages",
    ),
    ("operate limit", {"op": "operate", "do": "redrive", "queue": "a", "limit": 0}, "invalid-request", "limit"),
    ("operate message", {"op": "operate", "do": "cancel"}, "invalid-request", "message"),
    ("operate reason", {"op": "operate", "do": "pause", "queue": "a", "reason": 5}, "invalid-request", "reason"),
]  # fmt: skip


async def _usable(engine: FakeEngine, format: str) -> Alone:
    """A ready connection with a consumer 5 and a watch 6, beside queues ``a`` and ``known``."""
    alone = Alone(engine)
    await alone.text(op="hello", format=format)
    await alone.text(op="publish", queue="a", messages=[{"body": 1}])
    await alone.text(op="declare", queue="known", settings={"lease_ms": 1000})
    await alone.text(op="consume", sub=5, queue="a", prefetch=1)
    await alone.text(op="watch", sub=6, queue="known")
    return alone


@pytest.mark.parametrize("format", ["text", "binary"])
@pytest.mark.parametrize(("frame", "code", "field"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_bad_request_is_answered_and_the_connection_stays_usable(
    engine: FakeEngine, format: str, frame: dict[str, Any], code: str, field: str | None
) -> None:
    alone = await _usable(engine, format)
    send = alone.text if format == "text" else alone.binary

    answers = await send(id=7, **frame)
    after = await send(op="query", id=8, what="queues")

    error = next(answer for answer in answers if answer["op"] == "error")
    assert error["id"] == 7
    assert error["code"] == code
    assert error.get("field") == field or field is None
    assert isinstance(error["retryable"], bool)
    assert alone.bugs == []
    assert alone.port.closed is None
    assert next(answer for answer in after if answer["op"] == "ok")["id"] == 8


def test_every_op_has_a_bad_row() -> None:
    tried = {row[1].get("op") for row in BAD if isinstance(row[1].get("op"), str)}

    assert {"hello", "publish", "settle", *requests.AT_ONCE, *requests.WAITING} <= tried


@pytest.mark.parametrize("bad_id", [-1, 2**53, 1.5, "7", True, []])
async def test_an_id_that_is_none_is_answered_without_it(engine: FakeEngine, bad_id: object) -> None:
    alone = Alone(engine)

    (error,) = await alone.text(op="query", what="queues", id=bad_id)

    assert (error["code"], error["field"]) == ("invalid-request", "id")
    assert "id" not in error


async def test_sizes_beyond_a_limit_are_refused_and_the_frame_is_skipped(engine: FakeEngine) -> None:
    alone = Alone(engine)
    limit = Limits().body_bytes_max

    (inline,) = await alone.text(op="publish", id=0, queue="a", messages=[{"body": "x" * (limit - 1)}])
    (large,) = await alone.binary(b"x" * (limit + 1), op="publish", id=1, queue="a", sizes=[limit + 1])
    (many,) = await alone.binary(b"", op="publish", id=2, queue="a", sizes=[0] * 8193)
    (fits,) = await alone.binary(b"x" * limit, op="publish", id=3, queue="a", sizes=[limit])

    assert (inline["code"], inline["limit"]) == ("limit-exceeded", "body_bytes_max")
    assert (large["code"], large["limit"], large["value"]) == ("limit-exceeded", "body_bytes_max", limit)
    assert (many["code"], many["limit"]) == ("limit-exceeded", "messages_max")
    assert fits["op"] == "ok"


def test_the_wire_knows_every_error_of_the_broker() -> None:
    assert {error.code for error in ERRORS} == WIRE_CODES
    assert all(inspect.isclass(error) for error in ERRORS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**54) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "queue", "sub", "messages", "prefetch", "ack", "nack", "release", "extend", "begun", "progress", "log", "done", "what",
    "do", "settings", "message", "capability", "last", "from", "held", "resume", "frame", "declare", "keys", "headers",
    "delay_ms", "delays_ms", "deliver_at", "delivers_at", "type", "types", "priority", "limit", "state", "after", "client", "session", "token",
    "format", "consumer", "lease_ms", "update", "reason", "dedup_keys", "expires_ms",
)  # fmt: skip
OPS = ["hello", "publish", "settle", *requests.AT_ONCE, *requests.WAITING]
LIKELY = st.sampled_from(["a", "known", 5, 6, "queues", "redrive", [[1, 1]], [{"body": 1}], [{"number": 1}]])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPS), st.dictionaries(st.sampled_from(FIELDS), LIKELY | JSON)), max_size=4))
def test_whatever_is_asked_only_documented_errors_come_back(frames: list[tuple[str, dict[str, Any]]]) -> None:
    import asyncio

    async def ask() -> None:
        alone = await _usable(FakeEngine(), "text")
        for number, (op, fields) in enumerate(frames):
            try:
                answers = await alone.text(**fields | {"op": op, "id": number})
            except Violation:
                return
            for answer in answers:
                assert answer["op"] != "error" or answer["code"] in WIRE_CODES
        assert [bug for bug in alone.bugs if not isinstance(bug, KeyError)] == []

    asyncio.run(ask())
