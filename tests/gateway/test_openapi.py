"""The described API: a valid OpenAPI document, and a real server that no request of its shape brings down.

The document says little of bodies; here they are described closer, so that many requests get past the first check.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from postroad.gateway.rest.openapi import document
from postroad.gateway.rest.routes import ROUTES

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))
from live_broker import LiveBroker

schemathesis = pytest.importorskip("schemathesis")
validator = pytest.importorskip("openapi_spec_validator")

QUICK, DEEP = 6, 400
HANGS = "/v1/events"  # answers a browser for ever


def some(*values: object) -> dict[str, Any]:
    return {"enum": list(values)}


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def several(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": 3}


def needs(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    return schema | {"required": list(names)}


NAME = some("q", "q", "s", "q.dead", "a", "new", "t.x")
NUMBER = some(0, 1, 5, 100, 2000, 1_000_000, 2**53, 2**70, -1, 1.5, None)
ID = some("1-t2-0", "1-t3-0", "1-0-0", "9-zz-9", "", "1-t2-99999999999999999999")
HEADERS = {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3}
FLAG = {"type": "boolean"}
BODY = {"type": ["string", "integer", "boolean", "null", "array", "object"]}
MESSAGE = needs(
    fields(body=BODY, type=some("json", "text", "bytes"), headers=HEADERS, key=NAME, dedup_key=NAME, expire_ms=NUMBER,
           delay_ms=some(0, 50, 2**53), priority=some(0, 9)),
    "body",
)  # fmt: skip
MESSAGES = needs(fields(messages=several(MESSAGE), mandatory=FLAG), "messages")
PLACE = {"anyOf": [some("latest", "earliest", "now"), fields(offset=NUMBER), fields(at=NUMBER), fields(last=NUMBER)]}
QUEUE_SETTINGS = fields(
    lease_ms=some(100, 5000, 0), attempts_max=some(1, 3, 0), backoff_ms=some(0, 10, -1), dead_letter=some("q.dead", None, "s", "q"),
    expire_ms=NUMBER, concurrency_max=NUMBER, rate_max=NUMBER, length_max=NUMBER, bytes_max=NUMBER,
    overflow=some("reject", "drop_oldest", "dead_letter", "explode"),
)  # fmt: skip
STREAM_SETTINGS = fields(
    retention_ms=NUMBER, retention_bytes=NUMBER, retention_count=NUMBER, keep_until_acked=FLAG, compaction=FLAG,
    tombstone_ms=NUMBER,
)  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "PUT /v1/queues/{queue}": QUEUE_SETTINGS,
    "PUT /v1/streams/{stream}": STREAM_SETTINGS,
    "PUT /v1/streams/{stream}/groups/{group}": QUEUE_SETTINGS,
    "POST /v1/queues/{queue}/messages": MESSAGES,
    "POST /v1/streams/{stream}/messages": MESSAGES,
    "POST /v1/topics/{topic}/messages": MESSAGES,
    "POST /v1/settle": fields(
        ack=several(ID),
        nack=several(needs(fields(receipt=ID, delay_ms=NUMBER, reason=BODY, dead=FLAG), "receipt")),
        extend=several(needs(fields(receipt=ID, lease_ms=NUMBER), "receipt")),
        log=several(needs(fields(receipt=ID, text=BODY, level=some("info", "warn", "loud")), "receipt", "text")),
    ),
    "POST /v1/queues/{queue}/redrive": fields(messages=several(ID), limit=NUMBER),
    "POST /v1/queues/{queue}/discard": needs(fields(messages=several(ID)), "messages"),
    "POST /v1/queues/{queue}/pause": fields(reason=BODY),
    "POST /v1/queues/{queue}/edit": {"type": "object", "properties": {"message": ID, "with": MESSAGE}},
    "POST /v1/streams/{stream}/groups/{group}/reset": needs(fields(to=PLACE), "to"),
    "POST /v1/streams/{stream}/replay": needs(fields(first=NUMBER, last=NUMBER, queue=NAME, dry_run=FLAG), "queue"),
    "POST /v1/bindings": needs(
        fields(topic=some("t.*", "#", "t.#.x", "t..x", "a"), queue=NAME, stream=NAME,
               headers=fields(match=some("all", "any", "none"), values=HEADERS)),
        "topic", "queue",
    ),
    "PUT /v1/schedules/{schedule}": {"anyOf": [
        needs(fields(cron=some("* * * * *", "0 0 30 2 *", "0 9 * * 1-5", ""), queue=NAME, message=MESSAGE, paused=FLAG,
                     zone=some("UTC", "Europe/Berlin", "Nowhere")), "cron", "queue", "message"),
        needs(fields(every_ms=some(1000, 60_000, 999), topic=NAME, message=MESSAGE), "every_ms", "topic", "message"),
        needs(fields(every_ms=some(1000, 60_000, 999), stream=NAME, message=MESSAGE), "every_ms", "stream", "message"),
    ]},
}  # fmt: skip
BODIES["DELETE /v1/bindings"] = BODIES["POST /v1/bindings"]
QUERY = {
    "wait_ms": {"type": "string", "enum": ["0", "1", "20", "x", "-1"]},
    "max": {"type": "string", "enum": ["0", "1", "100", "101", "1.5"]},
    "lease_ms": {"type": "string", "enum": ["100", "1", "99999999999", ""]},
    "state": {"type": "string", "enum": ["ready", "parked", "delayed", "leased", "dead", "all"]},
    "from": {"type": "string", "enum": ["earliest", "latest", "0", "@0", "@", "-1", "{}"]},
    "update": {"type": "string", "enum": ["true", "false", "1"]},
}


def described() -> dict[str, Any]:
    """The document, with bodies and parameters said closer."""
    described = document("0")
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for parameter in operation["parameters"]:
                where, name = parameter["in"], parameter["name"]
                parameter["schema"] = NAME if where == "path" else QUERY.get(name, parameter["schema"])
            body = BODIES.get(f"{method.upper()} {path}")
            if body is not None:
                operation["requestBody"]["content"]["application/json"]["schema"] = body
    return described


SCHEMA = schemathesis.openapi.from_dict(described())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if found.ok().path != HANGS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBroker]:
    folder = tmp_path_factory.mktemp("openapi")
    broker = LiveBroker(folder / "data", folder / "log")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="module")
def http(server: LiveBroker) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        base = f"http://127.0.0.1:{server.port}"
        for path, body in (
            ("queues/q", {}), ("streams/s", {}), ("streams/s/groups/a", {}), ("queues/q.dead", {}),
        ):  # fmt: skip
            session.put(f"{base}/v1/{path}", json=body).raise_for_status()
        session.post(f"{base}/v1/bindings", json={"topic": "t.*", "queue": "q"}).raise_for_status()
        yield session


def test_the_document_is_valid_openapi_3_1_and_names_every_route(server: LiveBroker, http: requests.Session) -> None:
    served = http.get(f"http://127.0.0.1:{server.port}/v1/openapi.json").json()

    validator.OpenAPIV31SpecValidator(served).validate()
    found = {(method.upper(), path) for path, operations in served["paths"].items() for method in operations}
    assert found == {(route.method, route.path) for route in ROUTES}


def test_bounds_of_pages_are_in_the_document_and_in_force(server: LiveBroker, http: requests.Session) -> None:
    base = f"http://127.0.0.1:{server.port}"
    paths = http.get(f"{base}/v1/openapi.json").json()["paths"]
    for path, real in (("/v1/streams/{stream}/messages", "streams/s"), ("/v1/queues/{queue}/messages", "queues/q")):
        (limit,) = [p["schema"] for p in paths[path]["get"]["parameters"] if p["name"] == "limit"]
        assert limit == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
        answers = [http.get(f"{base}/v1/{real}/messages?limit={n}").status_code for n in (0, 1, 200, 201)]
        assert answers == [400, 200, 200, 400]


def attack(operation: Any, server: LiveBroker, http: requests.Session, examples: int) -> None:
    """Send requests of this shape, then such as are not; each answer must be one the document has."""
    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
        send_many(operation, server, http, examples, mode)
    assert server.is_ready()
    assert "Traceback" not in server.log.read_text()


def send_many(operation: Any, server: LiveBroker, http: requests.Session, examples: int, mode: Any) -> None:

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if operation.method != "get":
            case.headers = {**(case.headers or {}), "content-type": "application/json"}
        answer = case.call(base_url=f"http://127.0.0.1:{server.port}", session=http, timeout=10)
        assert answer.status_code < 500, (answer.status_code, answer.text, case.as_curl_command())
        if answer.status_code >= 400:
            problem = answer.json()
            assert problem["status"] == answer.status_code and problem["code"], answer.text

    with contextlib.suppress(Unsatisfiable):  # nothing about it can be wrong
        send()


def label(operation: Any) -> str:
    return str(operation.label)


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_no_request_is_answered_with_a_server_error(operation: Any, server: LiveBroker, http: requests.Session) -> None:
    attack(operation, server, http, QUICK)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_no_request_of_many_is_answered_with_a_server_error(
    operation: Any, server: LiveBroker, http: requests.Session
) -> None:
    attack(operation, server, http, DEEP)
