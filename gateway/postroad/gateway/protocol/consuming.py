"""``consume`` and ``settle`` requests → the engine's dataclasses (docs/protocol.md §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw
from postroad.broker.checks import checked_integer, checked_list, exceeded, invalid
from postroad.broker.engine.engine import (
    LEVELS,
    Completion,
    ConsumeSpec,
    LogLine,
    Nack,
    Progress,
    PublishBatch,
    SettleBatch,
)
from postroad.broker.errors import InvalidRequest
from postroad.broker.limits import INTEGER_MAX, Limits
from postroad.broker.names import consumer_name
from postroad.broker.users_json import check_result_size

from .fields import (
    boolean,
    bounded,
    integer,
    objects,
    queue_of,
    ranges,
    required,
    start_of,
    string,
    target_of,
)
from .publishing import inline_batch
from .slices import PlainDone


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
        begun=integer(request, "begun", 0) or 0,
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
        if not (1 <= number <= INTEGER_MAX and 1 <= count <= limits.prefetch_max and 0 <= sequence <= INTEGER_MAX):
            raise invalid("held", expected)
        held.append((number, count, sequence))
    return held


def settle_batch(request: Mapping[str, Any], limits: Limits, body_bytes_max: int) -> SettleBatch:
    """Raises: InvalidRequest, InvalidName, LimitExceeded."""
    batch = SettleBatch(checked=True)
    if "ack" in request:
        batch.acks = ranges(request["ack"], "ack", limits)
    if "begun" in request:
        batch.begun = integer(request, "begun", 0)
    if "nack" in request:
        batch.nacks = [_nack(item, f"nack[{i}]", limits) for i, item in enumerate(_items(request, "nack", limits))]
    if "release" in request:
        batch.releases = ranges(request["release"], "release", limits)
    if "extend" in request:
        batch.extends = ranges(request["extend"], "extend", limits)
        batch.lease_ms = lease_of(request, limits)
    if "progress" in request:
        items = _items(request, "progress", limits)
        batch.progress = [_progress(item, f"progress[{index}].", limits) for index, item in enumerate(items)]
    if "log" in request:
        batch.log = [_log_line(item, f"log[{i}].", limits) for i, item in enumerate(_items(request, "log", limits))]
    if "done" in request:
        done = checked_list(request["done"], "done", limits.settle_items_max, "settle_items_max")
        batch.completions = _completions(done, limits, body_bytes_max)
    return batch


def _completions(done: Sequence[Any], limits: Limits, body_bytes_max: int) -> list[Completion]:
    """All that is done together names at most ``settle_items_max`` deliveries, however few items name them."""
    found, count = [], 0
    for index, item in enumerate(done):
        completion = _done(item, index, limits, body_bytes_max)
        count += 1 + len(completion.others)
        if count > limits.settle_items_max:
            raise exceeded(
                f"done may name {limits.settle_items_max} deliveries.", "settle_items_max", limits.settle_items_max,
                field="done",
            )  # fmt: skip
        found.append(completion)
    return found


def _items(request: Mapping[str, Any], field: str, limits: Limits) -> list[dict[str, Any]]:
    return objects(request[field], field, limits.settle_items_max, "settle_items_max")


def _nack(item: Mapping[str, Any], field: str, limits: Limits) -> Nack:
    first = required(integer(item, "number", 1, prefix=f"{field}."), f"{field}.number")
    last = integer(item, "last", first, prefix=f"{field}.")
    return Nack(
        first=first,
        last=first if last is None else last,
        delay_ms=integer(item, "delay_ms", 0, limits.delay_ms_max, f"{field}."),
        reason=string(item, "reason", limits.reason_bytes_max, f"{field}."),
        dead=boolean(item, "dead", False, f"{field}."),
    )


def _progress(item: Mapping[str, Any], prefix: str, limits: Limits) -> Progress:
    return Progress(
        number=required(integer(item, "number", 1, prefix=prefix), prefix + "number"),
        percent=integer(item, "percent", 0, 100, prefix),
        note=string(item, "note", limits.note_bytes_max, prefix),
    )


def _log_line(item: Mapping[str, Any], prefix: str, limits: Limits) -> LogLine:
    number = required(integer(item, "number", 1, prefix=prefix), prefix + "number")
    text, level = log_text(item, prefix, limits)
    return LogLine(number=number, text=text, level=level)


def log_text(item: Mapping[str, Any], prefix: str, limits: Limits) -> tuple[str, str]:
    """Text and level of a log line; shared with HTTP.

    Raises:
        InvalidRequest.
    """
    text, level = string(item, "text", limits.log_bytes_max, prefix), item.get("level", "info")
    if text is None:
        raise InvalidRequest(f"{prefix}text is missing.", field=f"{prefix}text")
    if level not in LEVELS:
        raise invalid(f"{prefix}level", "one of " + ", ".join(LEVELS))
    return text, level


def _done(item: PlainDone | Mapping[str, Any], index: int, limits: Limits, body_bytes_max: int) -> Completion:
    if type(item) is PlainDone:
        number = item.number
        if not 1 <= number <= INTEGER_MAX:
            checked_integer(number, f"done[{index}].number", 1)
        return Completion(number=number, result=_result(item.result, limits))
    if type(item) is not dict:
        raise invalid("done", "an array of objects")
    field = f"done[{index}]"
    numbers, results = _done_numbers(item, field, limits)
    frames = objects(item.get("publish", []), f"{field}.publish", limits.settle_items_max, "settle_items_max")
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
        number = required(integer(item, "number", 1, prefix=f"{field}."), f"{field}.number")
        return [number], [_result(item.get("result"), limits)]
    found = ranges(item["numbers"], f"{field}.numbers", limits)
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


def _result(value: Raw | None, limits: Limits) -> bytes | None:
    """The bytes of a result, which the frame has proven to be JSON; ``null`` is none."""
    if value is None or (result := bytes(value)) == b"null":
        return None
    check_result_size(result, limits)
    return result


def _publish(frame: Mapping[str, Any], limits: Limits, body_bytes_max: int) -> PublishBatch:
    kind, name = target_of(frame, topics=True)
    return inline_batch(frame, name, limits, body_bytes_max, kind=kind)
