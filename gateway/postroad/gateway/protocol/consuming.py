"""``consume`` and ``settle`` requests → the engine's dataclasses (docs/protocol.md §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from postroad.broker.engine.engine import Completion, ConsumeSpec, LogLine, Nack, Progress, PublishBatch, SettleBatch
from postroad.broker.errors import InvalidRequest, LimitExceeded
from postroad.broker.limits import Limits
from postroad.broker.names import consumer_name

from .fields import (
    JSON_INT_MAX,
    boolean,
    bounded,
    integer,
    invalid,
    objects,
    queue_of,
    ranges,
    required,
    start_of,
    string,
    target_of,
)
from .publishing import inline_batch

REASON_LENGTH_MAX = 1000
NOTE_LENGTH_MAX = 200
LOG_LENGTH_MAX = 2000
LEVELS = ("debug", "info", "warn", "error")

_PLAIN = frozenset(("number", "result"))
"""A completion with nothing else is what a handler's return value makes: there are many of these."""


def consume_spec(request: Mapping[str, Any], limits: Limits, *, consumer: str, client: str) -> ConsumeSpec:
    """Args: consumer, client: defaults when the request names none.

    Raises:
        InvalidRequest, InvalidName, LimitExceeded.
    """
    kind, name = target_of(request)
    group = None
    if kind == "stream":
        group = queue_of(request, "group")
    prefetch = bounded(request, "prefetch", 1, "prefetch_max", limits.prefetch_max)
    return ConsumeSpec(
        queue=name,
        group=group,
        start=start_of(request) if group is not None else "latest",
        consumer=consumer_name(request.get("consumer", consumer)),
        client=client,
        prefetch=20 if prefetch is None else prefetch,
        lease_ms=lease_of(request, limits),
        declare=boolean(request, "declare", True),
        resume=string(request, "resume", 200),
        held=_held(request.get("held", []), limits),
        begun=integer(request, "begun", 0, JSON_INT_MAX) or 0,
        reports_begun=boolean(request, "reports_begun", False),
    )


def lease_of(request: Mapping[str, Any], limits: Limits) -> int | None:
    return bounded(request, "lease_ms", 100, "lease_ms_max", limits.lease_ms_max)


def _held(value: object, limits: Limits) -> list[tuple[int, int, int]]:
    expected = "an array of [number, count, sequence]"
    if type(value) is not list or len(value) > limits.prefetch_max:
        raise invalid("held", expected)
    held: list[tuple[int, int, int]] = []
    for item in value:
        if type(item) is not list or len(item) != 3 or not all(type(part) is int for part in item):
            raise invalid("held", expected)
        number, count, sequence = item
        if not (1 <= number <= JSON_INT_MAX and 1 <= count <= limits.prefetch_max and 0 <= sequence <= JSON_INT_MAX):
            raise invalid("held", expected)
        held.append((number, count, sequence))
    return held


def settle_batch(request: Mapping[str, Any], limits: Limits, body_bytes_max: int) -> SettleBatch:
    """Raises: InvalidRequest, InvalidName, LimitExceeded."""
    batch = SettleBatch()
    if "ack" in request:
        batch.acks = ranges(request["ack"], "ack")
    if "begun" in request:
        batch.begun = integer(request, "begun", 0, JSON_INT_MAX)
    if "nack" in request:
        batch.nacks = [_nack(item, f"nack[{i}]", limits) for i, item in enumerate(objects(request["nack"], "nack"))]
    if "release" in request:
        batch.releases = ranges(request["release"], "release")
    if "extend" in request:
        batch.extends = ranges(request["extend"], "extend")
        batch.lease_ms = lease_of(request, limits)
    if "progress" in request:
        items = objects(request["progress"], "progress")
        batch.progress = [_progress(item, f"progress[{index}].") for index, item in enumerate(items)]
    if "log" in request:
        batch.log = [_log_line(item, f"log[{i}].") for i, item in enumerate(objects(request["log"], "log"))]
    if "done" in request:
        items = objects(request["done"], "done")
        batch.completions = [_done(item, index, limits, body_bytes_max) for index, item in enumerate(items)]
    return batch


def _nack(item: Mapping[str, Any], field: str, limits: Limits) -> Nack:
    first = required(integer(item, "number", 1, JSON_INT_MAX, f"{field}."), f"{field}.number")
    last = integer(item, "last", first, JSON_INT_MAX, f"{field}.")
    return Nack(
        first=first,
        last=first if last is None else last,
        delay_ms=integer(item, "delay_ms", 0, limits.delay_ms_max, f"{field}."),
        reason=string(item, "reason", REASON_LENGTH_MAX, f"{field}."),
        dead=boolean(item, "dead", False, f"{field}."),
    )


def _progress(item: Mapping[str, Any], prefix: str) -> Progress:
    return Progress(
        number=required(integer(item, "number", 1, JSON_INT_MAX, prefix), prefix + "number"),
        percent=integer(item, "percent", 0, 100, prefix),
        note=string(item, "note", NOTE_LENGTH_MAX, prefix),
    )


def _log_line(item: Mapping[str, Any], prefix: str) -> LogLine:
    number = required(integer(item, "number", 1, JSON_INT_MAX, prefix), prefix + "number")
    text, level = log_text(item, prefix)
    return LogLine(number=number, text=text, level=level)


def log_text(item: Mapping[str, Any], prefix: str) -> tuple[str, str]:
    """Text and level of a log line; shared with HTTP.

    Raises:
        InvalidRequest.
    """
    text, level = string(item, "text", LOG_LENGTH_MAX, prefix), item.get("level", "info")
    if text is None:
        raise InvalidRequest(f"{prefix}text is missing.", field=f"{prefix}text")
    if level not in LEVELS:
        raise invalid(f"{prefix}level", "one of " + ", ".join(LEVELS))
    return text, level


def _done(item: Mapping[str, Any], index: int, limits: Limits, body_bytes_max: int) -> Completion:
    number = item.get("number")
    if type(number) is int and 1 <= number <= JSON_INT_MAX and item.keys() <= _PLAIN:
        return Completion(number=number, result=_result(item.get("result"), limits))
    field = f"done[{index}]"
    numbers, results = _done_numbers(item, field, limits)
    frames = objects(item.get("publish", []), f"{field}.publish")
    if any("frame" in frame for frame in frames):
        raise InvalidRequest(
            "A publish inside done is not numbered: it is part of the settle.", field=f"{field}.publish"
        )
    return Completion(
        number=numbers[0],
        result=results[0],
        others=list(zip(numbers[1:], results[1:], strict=True)),
        publishes=[_publish(frame, limits, body_bytes_max) for frame in frames],
    )


def _done_numbers(item: Mapping[str, Any], field: str, limits: Limits) -> tuple[list[int], list[bytes | None]]:
    """The deliveries that are done together, and the result of each: ``number`` and ``result``, or ``numbers`` and ``results``."""
    if "numbers" not in item:
        number = required(integer(item, "number", 1, JSON_INT_MAX, f"{field}."), f"{field}.number")
        return [number], [_result(item.get("result"), limits)]
    found = ranges(item["numbers"], f"{field}.numbers")
    count = sum(last - first + 1 for first, last in found)
    if "number" in item or not 1 <= count <= limits.prefetch_max:
        raise invalid(f"{field}.numbers", f"1 to {limits.prefetch_max} delivery numbers, instead of number")
    numbers = sorted(number for first, last in found for number in range(first, last + 1))
    if len(set(numbers)) < count:
        raise invalid(f"{field}.numbers", "each number once")
    results = item.get("results")
    if results is None:
        return numbers, [None] * count
    if type(results) is not list or len(results) != count:
        raise invalid(
            f"{field}.results", f"an array with a result, or null, for each of the {count} numbers, in their order"
        )
    return numbers, [_result(result, limits) for result in results]


def _result(value: object, limits: Limits) -> bytes | None:
    result = orjson.dumps(value) if value is not None else None
    if result is not None and len(result) > limits.result_bytes_max:
        raise LimitExceeded(
            f"A result may have {limits.result_bytes_max} bytes of JSON.",
            limit="result_bytes_max",
            value=limits.result_bytes_max,
        )
    return result


def _publish(frame: Mapping[str, Any], limits: Limits, body_bytes_max: int) -> PublishBatch:
    kind, name = target_of(frame, topics=True)
    return inline_batch(frame, name, limits, body_bytes_max, kind=kind)
