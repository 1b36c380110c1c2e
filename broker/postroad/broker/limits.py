"""The one table of bounds, for every way in: docs/protocol.md §1.5 shows it, and a test compares the two.

Whatever takes a value from outside checks it against this table by ``checks.py`` and ``attributes.py``: WebSocket and HTTP, the engines'
own calls, schedules, edits, what a settle publishes, and the command line. A value that one of them refuses comes through no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

INTEGER_MAX = 2**53 - 1
"""The largest integer of ours: the largest that every JSON parser keeps exact."""


def _bound(high: int, unit: str, meaning: str) -> Any:
    return field(default=high, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds in force; each is told to clients in ``welcome.limits`` and named in ``limit-exceeded``. A row: default, unit, meaning."""

    frame_bytes_max: int = _bound(16 * 1024 * 1024, "bytes", "one WebSocket message")
    text_frame_bytes_max: int = _bound(2 * 1024 * 1024, "bytes", "one text frame: all of it is JSON that is parsed")
    http_body_bytes_max: int = _bound(2 * 1024 * 1024, "bytes", "the body of one HTTP request")
    header_bytes_max: int = _bound(1024 * 1024, "bytes", "the header of one binary frame")
    body_bytes_max: int = _bound(1024 * 1024, "bytes", "one message body (65,536 with a browser token)")
    messages_max: int = _bound(8192, "messages", "messages in one publish frame")
    headers_max: int = _bound(64, "headers", "headers of one message: flat string pairs")
    headers_bytes_max: int = _bound(16 * 1024, "bytes", "names and values of one message's headers together")
    key_bytes_max: int = _bound(128, "bytes", "an ordering key")
    dedup_key_bytes_max: int = _bound(200, "bytes", "a dedup key")
    priority_max: int = _bound(9, "", "the highest priority")
    prefetch_max: int = _bound(16_384, "deliveries", "unacked deliveries of one consumer")
    subscriptions_max: int = _bound(256, "subscriptions", "consumers, readers and watches of one connection")
    lease_ms_max: int = _bound(12 * 3600 * 1000, "milliseconds", "the longest lease")
    delay_ms_max: int = _bound(10 * 366 * 86_400 * 1000, "milliseconds", "the longest delay")
    settle_items_max: int = _bound(16_384, "items", "ranges or objects in each part of one settle")
    receipts_max: int = _bound(1000, "receipts", "receipts in each part of one settle over HTTP")
    ids_max: int = _bound(10_000, "ids", "messages named in one operation")
    result_bytes_max: int = _bound(64 * 1024, "bytes", "a result, as JSON")
    result_depth_max: int = _bound(512, "levels", "how deep a result may be nested")
    reason_bytes_max: int = _bound(4000, "bytes", "the reason of a nack")
    note_bytes_max: int = _bound(800, "bytes", "the note of a progress, the reason of a pause")
    log_bytes_max: int = _bound(8000, "bytes", "one log line of a handler")
    schedule_body_bytes_max: int = _bound(64 * 1024, "bytes", "the body of a schedule's message")
    filter_headers_max: int = _bound(16, "headers", "headers in the filter of a binding")
    queues_max: int = _bound(100_000, "queues", "queues and streams of one broker")
    bindings_max: int = _bound(10_000, "bindings", "bindings of one broker; publishing to a new topic looks at each")


LIMITS = Limits()
"""The defaults: what an engine goes by that is given no others."""
