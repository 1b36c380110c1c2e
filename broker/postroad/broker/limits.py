"""Every bound, with its unit and default (docs/protocol.md §1.5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds in force; each is told to clients in ``welcome.limits`` and named in ``limit-exceeded``.

    Attributes:
        frame_bytes_max: One WebSocket message or HTTP request body, bytes.
        body_bytes_max: One message body, bytes.
        messages_max: Messages in one publish frame.
        headers_max: Header pairs of one message.
        headers_bytes_max: Their keys and values together, bytes of UTF-8.
        prefetch_max: Unacked deliveries of one consumer.
        subscriptions_max: Consumers, readers and watches of one connection.
        lease_ms_max: The longest lease, milliseconds.
        delay_ms_max: The longest delay, milliseconds.
        result_bytes_max: A stored result, bytes of JSON.
        queues_max: Queues in one broker.
    """

    frame_bytes_max: int = 16 * 1024 * 1024
    body_bytes_max: int = 1024 * 1024
    messages_max: int = 8192
    headers_max: int = 64
    headers_bytes_max: int = 16 * 1024
    prefetch_max: int = 16_384
    subscriptions_max: int = 256
    lease_ms_max: int = 12 * 3600 * 1000
    delay_ms_max: int = 10 * 366 * 86_400 * 1000
    result_bytes_max: int = 64 * 1024
    queues_max: int = 100_000
