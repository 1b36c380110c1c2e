"""What every engine refuses at its own calls, whoever makes them: the bounds of ``limits.py``.

A gateway has checked what it passes on, under the names of its own fields, and says so (``checked``): then nothing is done twice. What was
built by hand is checked here, so that a value that a frame is refused for comes in by no other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..attributes import check_attributes
from ..checks import checked_integer, checked_list, checked_range, checked_start, checked_text, exceeded, invalid
from ..errors import InvalidRequest
from ..limits import INTEGER_MAX, Limits
from ..names import consumer_name, queue_name, topic_name
from ..users_json import checked_result
from .engine import LEVELS, Completion, ConsumeSpec, LogLine, Nack, Progress, PublishBatch, SettleBatch

LEASE_MS_MIN = 100
CRON_BYTES_MAX = 200
ID_BYTES_MAX = 100
SESSION_BYTES_MAX = 64
RESUME_BYTES_MAX = 200
SEARCH_BYTES_MAX = 800


def check_batch(batch: PublishBatch, limits: Limits) -> None:
    """Raises: InvalidRequest, InvalidName, LimitExceeded."""
    if batch.checked:
        return
    if batch.kind not in ("queue", "stream", "topic"):
        raise invalid("kind", "queue, stream or topic")
    (topic_name if batch.kind == "topic" else queue_name)(batch.queue)
    sizes, count, total = batch.sizes, len(batch.sizes), len(batch.bodies)
    if not count:
        raise InvalidRequest("A publish frame holds at least one message.", field="sizes")
    if count > limits.messages_max:
        raise exceeded(f"A publish frame may hold {limits.messages_max} messages.", "messages_max", limits.messages_max)
    if total > limits.frame_bytes_max:
        raise exceeded(f"A frame may have {limits.frame_bytes_max} bytes.", "frame_bytes_max", limits.frame_bytes_max)
    if sum(sizes) != total or min(sizes) < 0:
        raise invalid("sizes", "lengths of bodies that add up")
    if max(sizes) > limits.body_bytes_max:
        raise exceeded(f"A body may have {limits.body_bytes_max} bytes.", "body_bytes_max", limits.body_bytes_max)
    if batch.attributes:
        check_attributes(batch.attributes, count, limits)
    if batch.producer is not None:
        session, number = batch.producer
        checked_text(session, "session", SESSION_BYTES_MAX, 1)
        checked_integer(number, "frame", 1)


def check_settle(batch: SettleBatch, limits: Limits) -> None:
    """Raises: InvalidRequest, InvalidName, LimitExceeded: nothing of it may be carried out."""
    if batch.checked:
        return
    for field, ranges in (("ack", batch.acks), ("release", batch.releases), ("extend", batch.extends)):
        for first, last in _list(ranges, field, limits):
            checked_range(first, last, field)
    if batch.lease_ms is not None:
        checked_integer(batch.lease_ms, "lease_ms", LEASE_MS_MIN, limits.lease_ms_max)
    if batch.begun is not None:
        checked_integer(batch.begun, "begun", 0)
    for nack in _list(batch.nacks, "nack", limits):
        _check_nack(nack, limits)
    for progress in _list(batch.progress, "progress", limits):
        _check_progress(progress, limits)
    for line in _list(batch.log, "log", limits):
        _check_line(line, limits)
    count = 0
    for done in _list(batch.completions, "done", limits):
        count += 1 + len(_list(done.others, "done", limits))
        if count > limits.settle_items_max:
            most = limits.settle_items_max
            raise exceeded(f"done may name {most} deliveries.", "settle_items_max", most, field="done")
        _check_completion(done, limits)


def check_consume(spec: ConsumeSpec, limits: Limits) -> None:
    """Raises: InvalidRequest, InvalidName, LimitExceeded."""
    consumer_name(spec.consumer)
    checked_text(spec.client, "client", RESUME_BYTES_MAX)
    if checked_integer(spec.prefetch, "prefetch", 1) > limits.prefetch_max:
        raise exceeded(f"prefetch may be at most {limits.prefetch_max}.", "prefetch_max", limits.prefetch_max)
    if spec.lease_ms is not None and checked_integer(spec.lease_ms, "lease_ms", LEASE_MS_MIN) > limits.lease_ms_max:
        raise exceeded(f"lease_ms may be at most {limits.lease_ms_max}.", "lease_ms_max", limits.lease_ms_max)
    if spec.resume is not None:
        checked_text(spec.resume, "resume", RESUME_BYTES_MAX)
    checked_integer(spec.begun, "begun", 0)
    check_start(spec.start)
    for number, count, sequence in checked_list(spec.held, "held", limits.prefetch_max, "prefetch_max"):
        checked_integer(number, "held", 1)
        checked_integer(count, "held", 1, limits.prefetch_max)
        checked_integer(sequence, "held", 0)


def check_start(start: str | tuple[str, int]) -> None:
    """A place in a stream as calls have it. Raises: InvalidRequest."""
    checked_start({start[0]: start[1]} if isinstance(start, tuple) and len(start) == 2 else start)


def check_operation(args: Mapping[str, Any], limits: Limits) -> None:
    """The plain fields of an operation, by their names; what each must have is its own business.

    Raises:
        InvalidRequest, LimitExceeded.
    """
    for name, (low, high) in _INTEGERS.items():
        if args.get(name) is not None:
            checked_integer(args[name], name, low, high)
    for name, bytes_max in _TEXTS.items():
        if args.get(name) is not None:
            checked_text(args[name], name, bytes_max)
    if args.get("reason") is not None:
        checked_text(args["reason"], "reason", limits.note_bytes_max)
    if args.get("messages") is not None:
        for message in checked_list(args["messages"], "messages", limits.ids_max, "ids_max"):
            checked_text(message, "messages", ID_BYTES_MAX, 1)


_INTEGERS = {
    "limit": (1, INTEGER_MAX),
    "first": (0, INTEGER_MAX),
    "last": (0, INTEGER_MAX),
    "every_ms": (1, INTEGER_MAX),
}
_TEXTS = {"cron": CRON_BYTES_MAX, "zone": CRON_BYTES_MAX}


def _list(value: object, field: str, limits: Limits) -> Any:
    return checked_list(value, field, limits.settle_items_max, "settle_items_max")


def _check_nack(nack: Nack, limits: Limits) -> None:
    checked_range(nack.first, nack.last, "nack")
    if nack.delay_ms is not None:
        checked_integer(nack.delay_ms, "nack.delay_ms", 0, limits.delay_ms_max)
    if nack.reason is not None:
        checked_text(nack.reason, "nack.reason", limits.reason_bytes_max)


def _check_progress(progress: Progress, limits: Limits) -> None:
    checked_integer(progress.number, "progress.number", 1)
    if progress.percent is not None:
        checked_integer(progress.percent, "progress.percent", 0, 100)
    if progress.note is not None:
        checked_text(progress.note, "progress.note", limits.note_bytes_max)


def _check_line(line: LogLine, limits: Limits) -> None:
    checked_integer(line.number, "log.number", 1)
    checked_text(line.text, "log.text", limits.log_bytes_max)
    if line.level not in LEVELS:
        raise invalid("log.level", "one of " + ", ".join(LEVELS))


def _check_completion(done: Completion, limits: Limits) -> None:
    for number, result in ((done.number, done.result), *_list(done.others, "done.numbers", limits)):
        checked_integer(number, "done.number", 1)
        if result is not None:
            checked_result(result, "done.result", limits)
    for publish in _list(done.publishes, "done.publish", limits):
        check_batch(publish, limits)
