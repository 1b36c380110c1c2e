"""Whatever JSON and attributes are thrown at a door: a typed refusal, or exactly what was sent. Never an internal error, never a dead engine."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from doors import House, open_house
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.sampled_from(["1e400", "-0", "1.0", "0.1000000000000000055", "7" * 400])  # written as they are, below
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
RAW_NUMBERS = frozenset(("1e400", "-0", "1.0", "0.1000000000000000055", "7" * 400))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["type", "headers", "priority", "key", "expire_ms", "delay_ms", "deliver_at", "dedup_key"]),
    st.sampled_from(
        [
            None,
            0,
            1,
            9,
            10,
            -1,
            2**53,
            2**64 - 1,
            1.5,
            True,
            "",
            "k",
            "json",
            "text",
            "bytes",
            "\ud800",
            "é" * 100,
            "x" * 5000,
        ]
    )
    | st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=2)
    | VALUES,
    max_size=3,
)


def written(value: Any, spaced: bool) -> str:
    """JSON with every number as it stands, at times with white space inside."""
    if isinstance(value, str) and value in RAW_NUMBERS:
        return value
    gap = " " if spaced else ""
    if isinstance(value, list):
        return "[" + f",{gap}".join(written(item, spaced) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + f",{gap}".join(f"{json.dumps(k)}:{gap}{written(v, spaced)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=spaced)


def _message(body: str, attributes: dict[str, Any]) -> str:
    rest = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in attributes.items())
    return f'{{"body":{body}{rest}}}'


async def _text(house: House, queue: str, message: str) -> str:
    answer = await house.ask(f'{{"op":"publish","queue":"{queue}","messages":[{message}]}}')
    return "ok" if answer["op"] == "ok" else answer["code"]


async def _done(house: House, queue: str, message: str) -> str:
    publish = f'{{"queue":"{queue}","messages":[{message}]}}'
    answer = await house.ask(
        f'{{"op":"settle","sub":{await house.sub()},"done":[{{"number":1,"publish":[{publish}]}}]}}'
    )
    return "ok" if answer["op"] == "ok" else answer["code"]


async def _http(house: House, queue: str, message: str) -> str:
    return _code(
        await house.post(f"/v1/queues/{queue}/messages", f'{{"messages":[{message}]}}'.encode(errors="replace"))
    )


async def _schedule(house: House, queue: str, message: str) -> str:
    text = f'{{"queue":"{queue}","every_ms":1000,"message":{message}}}'.encode(errors="replace")
    made = _code(await house.post(f"/v1/schedules/{queue}-s", text, "PUT"))
    return made if made != "ok" else _code(await house.post(f"/v1/schedules/{queue}-s/run", ""))


async def _edit(house: House, queue: str, message: str) -> str:
    text = f'{{"message":"{await house.dead(queue)}","with":{message}}}'.encode(errors="replace")
    return _code(await house.post(f"/v1/queues/{queue}.dead/edit", text))


def _code(answer: Any) -> str:
    assert answer.status_code < 500, answer.text
    return "ok" if answer.is_success else str(answer.json()["code"])


DOORS = {door.__name__.strip("_"): door for door in (_text, _http, _done, _schedule, _edit)}
REFUSALS = ("invalid-request", "limit-exceeded", "invalid-state", "conflict")


@pytest.mark.parametrize("name", DOORS)
def test_every_value_is_refused_in_words_or_comes_back_as_it_was(name: str) -> None:
    async def all_of_it(cases: list[tuple[Any, bool, dict[str, Any]]]) -> None:
        async with open_house() as house:
            came_back = 0
            for value, spaced, attributes in cases:
                body, queue = written(value, spaced), house.queue()
                if "\ud800" in body or "\\ud" in body:
                    continue
                code = await DOORS[name](house, queue, _message(body, attributes))
                assert code == "ok" or code in REFUSALS, (code, body, attributes)
                if code == "ok" and attributes.get("type") in (None, "json"):
                    shown = (await house.http.get(f"/v1/queues/{queue}/messages?state=ready")).content
                    later = (await house.http.get(f"/v1/queues/{queue}/messages?state=delayed")).content
                    assert b'"body":%s' % body.encode() in shown + later, (body, shown, later)
                    came_back += 1
            assert came_back >= 2, "too little gets through for the test to mean something"
            assert house.rig.engine.healthy

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.lists(st.tuples(VALUES, st.booleans(), ATTRIBUTES), min_size=15, max_size=15))
    def run(cases: list[tuple[Any, bool, dict[str, Any]]]) -> None:
        asyncio.run(all_of_it(cases))

    run()
