"""A value that one door refuses does not come through another: the bounds are one table, for every way in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from doors import DOORS, OK, REFUSED, House, code_of, open_house, outcome
from postroad.broker.engine.engine import Completion, LogLine, Nack, Progress, PublishBatch

LONE = "\ud800"
"""Half of a surrogate pair: a string that UTF-8 cannot hold."""

BAD_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "expire_ms 0": {"expire_ms": 0},
    "expire_ms 2**53": {"expire_ms": 2**53},
    "expire_ms 2**64-1": {"expire_ms": 2**64 - 1},
    "expire_ms true": {"expire_ms": True},
    "expire_ms text": {"expire_ms": "5"},
    "delay_ms -1": {"delay_ms": -1},
    "delay_ms 2**53": {"delay_ms": 2**53},
    "priority 10": {"priority": 10},
    "priority -1": {"priority": -1},
    "priority 1.5": {"priority": 1.5},
    "key empty": {"key": ""},
    "key of 129 bytes": {"key": "k" * 129},
    "key of 65 characters in 130 bytes": {"key": "é" * 65},
    "key of 1 MB": {"key": "k" * 1_000_000},
    "key a lone surrogate": {"key": LONE},
    "key and priority": {"key": "k", "priority": 1},
    "dedup_key of 201 bytes": {"dedup_key": "d" * 201},
    "headers 65": {"headers": {str(n): "" for n in range(65)}},
    "headers 5,000": {"headers": {str(n): "" for n in range(5000)}},
    "headers of 16,385 bytes": {"headers": {"a": "é" * 8192}},
    "header value a number": {"headers": {"a": 1}},
    "header value a lone surrogate": {"headers": {"a": LONE}},
    "header name a lone surrogate": {"headers": {LONE: "a"}},
    "headers text": {"headers": "a"},
    "type unknown": {"type": "xml"},
}


@pytest.mark.parametrize("name", DOORS)
async def test_a_bad_attribute_is_refused_at_every_door(name: str) -> None:
    async with open_house() as house:
        for case, given in BAD_ATTRIBUTES.items():
            code = await DOORS[name](house, given)
            assert code in REFUSED, f"{case}: {code}"

        assert await DOORS[name](house, {}) == OK


@pytest.mark.parametrize("name", DOORS)
async def test_the_largest_values_pass_at_every_door(name: str) -> None:
    good: list[dict[str, Any]] = [
        {"expire_ms": 2**53 - 1, "priority": 9},
        {"key": "é" * 64},
        {"headers": {"a": "é" * 8191}},
        {"headers": {str(n): "" for n in range(64)}} if "edit" not in name else {},  # it adds one of its own
        {"type": "json"},
    ]
    if "edit" in name:
        good[2] = {"headers": {"a": "é" * 8100}}

    async with open_house() as house:
        assert [await DOORS[name](house, given) for given in good] == [OK] * len(good)


BAD_SETTLES: dict[str, dict[str, Any]] = {
    "nack delay_ms 2**64": {"nacks": [Nack(first=1, last=1, delay_ms=2**64)]},
    "nack delay_ms -1": {"nacks": [Nack(first=1, last=1, delay_ms=-1)]},
    "nack reason a lone surrogate": {"nacks": [Nack(first=1, last=1, reason=LONE)]},
    "nack reason of 5,000 bytes": {"nacks": [Nack(first=1, last=1, reason="r" * 5000)]},
    "nack reason of 4,002 bytes": {"nacks": [Nack(first=1, last=1, reason="\u20ac" * 1334)]},
    "nack last before first": {"nacks": [Nack(first=2, last=1)]},
    "nacks 20,000": {"nacks": [Nack(first=1, last=1)] * 20_000},
    "ack 0": {"acks": [(0, 1)]},
    "ack 2**53": {"acks": [(1, 2**53)]},
    "ack ranges 20,000": {"acks": [(1, 1)] * 20_000},
    "release backwards": {"releases": [(2, 1)]},
    "lease_ms 2**64": {"extends": [(1, 1)], "lease_ms": 2**64},
    "lease_ms 1": {"extends": [(1, 1)], "lease_ms": 1},
    "begun 2**53": {"begun": 2**53},
    "percent 101": {"progress": [Progress(number=1, percent=101)]},
    "note of 801 bytes": {"progress": [Progress(number=1, note="n" * 801)]},
    "note a lone surrogate": {"progress": [Progress(number=1, note=LONE)]},
    "log of 8,001 bytes": {"log": [LogLine(number=1, text="t" * 8001)]},
    "log a lone surrogate": {"log": [LogLine(number=1, text=LONE)]},
    "log level": {"log": [LogLine(number=1, text="t", level="loud")]},
    "result of 65,537 bytes": {"completions": [Completion(number=1, result=b'"' + b"r" * 65_535 + b'"')]},
    "result 513 deep": {"completions": [Completion(number=1, result=b"[" * 513 + b"]" * 513)]},
    "result no JSON": {"completions": [Completion(number=1, result=b"{")]},
    "result NaN": {"completions": [Completion(number=1, result=b"NaN")]},
    "result not UTF-8": {"completions": [Completion(number=1, result=b'"\xff"')]},
    "result a lone surrogate": {"completions": [Completion(number=1, result=b'"\\ud800"')]},
    "publish to a bad name": {
        "completions": [Completion(number=1, publishes=[PublishBatch(queue="A b", sizes=[1], bodies=b"1")])]
    },
}


async def test_a_bad_settle_is_refused_by_the_engine_and_carries_out_nothing() -> None:
    async with open_house() as house:
        for case, parts in BAD_SETTLES.items():
            worker = await house.held(house.queue())
            code = await outcome(house.rig.settle(worker, **parts))
            assert code in REFUSED, f"{case}: {code}"
            left = await house.rig.settle(worker, acks=[(1, 1)])
            assert not left.lost and not left.settled, f"{case} was carried out in part"


Call = Callable[[House], Awaitable[str]]


def _operate(do: str, **args: Any) -> Call:
    return lambda house: outcome(house.rig.engine.operate(do, args))


def _query(what: str, **args: Any) -> Call:
    return lambda house: outcome(house.rig.engine.query(what, args))


def _declare(**settings: Any) -> Call:
    return lambda house: outcome(house.rig.engine.declare(house.queue(), settings))


def _consume(**more: Any) -> Call:
    return lambda house: outcome(house.rig.consume(queue=house.queue(), **more))


def _put(path: str, text: str, method: str = "PUT") -> Call:
    async def put(house: House) -> str:
        return code_of(await house.post(path, text, method))

    return put


BAD_CALLS: dict[str, Call] = {
    "declare expire_ms 2**53": _declare(expire_ms=2**53),
    "declare length_max 2**53": _declare(length_max=2**53),
    "declare over HTTP length_max 2**53": _put("/v1/queues/a", '{"length_max":9007199254740992}'),
    "schedule every_ms 2**53": _operate(
        "schedule", schedule="s", queue="q", every_ms=2**53, message={"body": 1}
    ),
    "schedule cron of 1 MB": _operate("schedule", schedule="s", queue="q", cron="*" * 1_000_000, message={"body": 1}),
    "schedule zone a lone surrogate": _operate(
        "schedule", schedule="s", queue="q", every_ms=1000, zone=LONE, message={"body": 1}
    ),
    "schedule body a lone surrogate": _operate(
        "schedule", schedule="s", queue="q", every_ms=1000, message={"body": LONE}
    ),
    "schedule body NaN": _operate(
        "schedule", schedule="s", queue="q", every_ms=1000, message={"body": float("nan")}
    ),
    "schedule over HTTP every_ms 2**53": _put(
        "/v1/schedules/s", '{"queue":"q","every_ms":9007199254740992,"message":{"body":1}}'
    ),
    "bind filter a lone surrogate": _operate(
        "bind", topic="t", queue="known", headers={"values": {"a": LONE}}
    ),
    "bind filter of 1 MB": _operate("bind", topic="t", queue="known", headers={"values": {"a": "x" * 1_000_000}}),
    "bind filter over HTTP of 20 KB": _put(
        "/v1/bindings", '{"topic":"t","queue":"known","headers":{"values":{"a":"' + "x" * 20_000 + '"}}}', "POST"
    ),
    "bind pattern of 1 MB": _operate("bind", topic="a" * 1_000_000, queue="known"),
    "pause reason a lone surrogate": _operate("pause", queue="known", reason=LONE),
    "pause reason of 801 bytes": _operate("pause", queue="known", reason="r" * 801),
    "redrive limit 2**53": _operate("redrive", queue="known", limit=2**53),
    "redrive messages 20,000": _operate("redrive", queue="known", messages=["1-1-1"] * 20_000),
    "discard message id of 1 MB": _operate("discard", queue="known", messages=["1" * 1_000_000]),
    "search for a lone surrogate": _query("messages", queue="known", text=LONE),
    "search for 1 MB": _query("messages", queue="known", text="x" * 1_000_000),
    "search by a header that is a lone surrogate": _query("messages", queue="known", headers={"a": LONE}),
    "look at a queue whose name is a lone surrogate": _query("queue", queue=LONE),
    "consume prefetch 0": _consume(prefetch=0),
    "consume prefetch 2**53": _consume(prefetch=2**53),
    "consume lease_ms 2**53": _consume(lease_ms=2**53),
    "consume as a name of 1,000 characters": _consume(consumer="c" * 1000),
    "consume as a lone surrogate": _consume(consumer=LONE),
    "consume begun 2**53": _consume(begun=2**53),
    "consume held 20,000": _consume(held=[(1, 1, 1)] * 20_000),
}  # fmt: skip


async def test_bad_arguments_are_refused_by_every_call() -> None:
    async with open_house() as house:
        await house.rig.engine.declare("known", {})
        for case, call in BAD_CALLS.items():
            code = await call(house)
            assert code in REFUSED, f"{case}: {code}"


BAD_BATCHES: dict[str, dict[str, Any]] = {
    "a column too short": {"keys": ["a"]},
    "a column too long": {"priorities": [1, 2, 3]},
    "a column of scalars where the scalar belongs": {"key": ["a", "b"]},
    "a scalar where the column belongs": {"keys": "ab"},
    "an attribute that there is not": {"colour": "red"},
    "an attribute whose name is a lone surrogate": {LONE: 1},
}


async def test_a_batch_made_by_hand_is_checked_like_a_frame() -> None:
    async with open_house() as house:
        for case, attributes in BAD_BATCHES.items():
            code = await outcome(house.rig.publish([b"1", b"2"], queue=house.queue(), **attributes))
            assert code in REFUSED, f"{case}: {code}"
