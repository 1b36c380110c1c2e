"""What an external engine can do, and why not: the words of its backend, and of this layer for what no backend has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from ...errors import Unsupported
from ..engine import Capabilities
from .backend import Backend

QUEUE_LIMITS = ("length_max", "bytes_max", "overflow", "concurrency_max", "rate_max")
STREAM_LIMITS = ("retention_ms", "retention_count", "retention_bytes", "keep_until_acked", "compaction")
REASONS: Mapping[str, str] = {
    "schedules": "Only the embedded engine keeps schedules.",
    "search": "Only the embedded engine searches messages.",
    "edit": "Only the embedded engine redrives a message with another body.",
    "length_max": "Nothing counts what all gateways publish to a queue.",
    "bytes_max": "Nothing counts the bytes that all gateways publish to a queue.",
    "overflow": "Only the embedded engine makes room in a full queue; here it refuses.",
    "concurrency_max": "Nothing counts what all gateways have handed out.",
    "rate_max": "Nothing counts what all gateways hand out in a second.",
}


def capabilities_of(backend: Backend) -> Capabilities:
    """The backend's, with the limits it keeps for queues and streams."""
    kept = backend.settings | backend.stream_settings
    limits = {name: "emulated" if name in kept else "unsupported" for name in (*QUEUE_LIMITS, *STREAM_LIMITS)}
    return replace(backend.capabilities, **limits)


def reasons_of(backend: Backend) -> dict[str, str]:
    """Why not, for each capability that is unsupported."""
    able = capabilities_of(backend)
    unsupported = [item.name for item in fields(able) if getattr(able, item.name) == "unsupported"]
    return {name: _reason(backend, name) for name in unsupported}


def _reason(backend: Backend, name: str) -> str:
    own, words = backend.reasons, name.replace("_", " ")
    if name in STREAM_LIMITS and backend.capabilities.streams == "unsupported":
        return own.get("streams", f"{backend.name} has no streams.")
    return own.get(name) or REASONS.get(name) or f"{backend.name} has no {words}."


def refusal(backend: Backend, name: str, **details: object) -> Unsupported:
    """The error for what asks for a capability that is unsupported."""
    return Unsupported(_reason(backend, name), capability=name, **details)
