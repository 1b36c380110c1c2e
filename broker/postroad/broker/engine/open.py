"""An engine from a URL."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from ..clock import Clock
from ..errors import InvalidRequest, Unsupported
from ..journal import JournalOptions, RealFiles
from ..journal.options import Durability
from ..settings import DAY_MS
from .embedded import EmbeddedEngine
from .engine import Engine

_BACKENDS = {
    "redis": ("redis_streams", "RedisBackend", "redis", "redis"),
    "rediss": ("redis_streams", "RedisBackend", "redis", "redis"),
    "amqp": ("rabbitmq", "RabbitBackend", "rabbitmq", "aiormq"),
    "amqps": ("rabbitmq", "RabbitBackend", "rabbitmq", "aiormq"),
    "kafka": ("kafka", "KafkaBackend", "kafka", "confluent_kafka"),
    "sqs": ("sqs", "SqsBackend", "sqs", "aiobotocore"),
}
"""Scheme → module, class, the extra that brings its client library, and that library."""


def open_engine(
    url: str = "embedded:", *, data: str, durability: str = "sync", clock: Clock | None = None,
    clock_ahead_max_ms: int = DAY_MS,
) -> Engine:  # fmt: skip
    """Make the engine that ``url`` names; ``start`` opens it.

    Args:
        url: ``embedded:``, ``redis://…``, ``amqp://…``, ``kafka://…`` or ``sqs://…``.
        data: Folder of the embedded engine's journal; made if it does not exist.
        durability: ``sync``, ``os`` or ``memory``: what a confirm of the embedded engine promises. The others promise what their server does.
        clock: Another clock than the system's, for tests.
        clock_ahead_max_ms: How far past the journal's last record the clock may be at a start of the embedded engine, milliseconds,
            before nothing is deleted for its age until an operator has confirmed that clock, or an hour has passed.

    Raises:
        InvalidRequest: unknown scheme or durability.
        Unsupported: the client library of that engine is not installed; says which extra brings it.
    """
    scheme = url.split(":", 1)[0]
    if scheme in _BACKENDS:
        return _external(url, scheme, clock)
    if scheme != "embedded":
        raise InvalidRequest(
            f"There is no engine for {scheme[:20]!a}; there are: embedded, {', '.join(_BACKENDS)}.", field="engine"
        )
    if durability not in ("sync", "os", "memory"):
        raise InvalidRequest("durability must be sync, os or memory.", field="durability")
    options = JournalOptions(durability=cast(Durability, durability))  # checked just above
    return cast(Engine, EmbeddedEngine(RealFiles(data), options, clock=clock, clock_ahead_max_ms=clock_ahead_max_ms))


def _external(url: str, scheme: str, clock: Clock | None) -> Engine:
    """Imported only now: client libraries are extras, and slow to import."""
    module, name, extra, library = _BACKENDS[scheme]
    if find_spec(library) is None:
        raise Unsupported(
            f"The engine {scheme}: needs the client library that postroad[{extra}] brings: pip install 'postroad[{extra}]'.",
            extra=extra,
        )
    from .external import ExternalEngine

    backend = getattr(import_module(f".{module}", __package__), name)
    return cast(Engine, ExternalEngine(backend(url), clock=clock))
