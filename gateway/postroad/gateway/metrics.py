"""``GET /metrics``: the overview's numbers in Prometheus' text format.

Nothing is counted for it: the numbers are those that the engine keeps anyway, read when they are asked for.
The number of series is bounded: beyond ``NAMES_MAX`` queues, streams and groups, by name, the rest is only counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .protocol.requests import GROUP_SEPARATOR, ask
from .rest.endpoint import api, principal_of, server_of

NAMES_MAX = 1000
SLICE = 500
"""Samples written in one turn of the loop."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("ready", "parked", "delayed", "retrying", "leased")

Labels = dict[str, str]
Sample = tuple[str, Labels, object]
"""Name of the metric, labels, value: a number, a boolean, or None if the engine does not know."""

HELP: dict[str, tuple[str, str]] = {
    "postroad_info": ("gauge", "Version, engine and durability of this server."),
    "postroad_uptime_seconds": ("gauge", "Since this server has started."),
    "postroad_clock_skew_seconds": ("gauge", "How far the wall clock is ahead of the engine's time; less than 0: behind."),
    "postroad_clock_held": ("gauge", "1 while nothing is deleted for its age, because the clock was far ahead at the start."),
    "postroad_connections": ("gauge", "Open WebSocket connections."),
    "postroad_names_omitted": ("gauge", "Queues, streams and groups beyond the limit, which are not here."),
    "postroad_queue_messages": ("gauge", "Messages that are not settled, by state; dead letters are ready in their queue."),
    "postroad_queue_consumers": ("gauge", "Consumers of the queue."),
    "postroad_queue_paused": ("gauge", "1 while the queue delivers nothing."),
    "postroad_queue_oldest_seconds": ("gauge", "Age of the oldest unsettled message."),
    "postroad_queue_bytes": ("gauge", "Bytes of unsettled bodies."),
    "postroad_queue_published_total": ("counter", "Messages published."),
    "postroad_queue_acked_total": ("counter", "Messages acked."),
    "postroad_queue_retried_total": ("counter", "Failed attempts that were tried again."),
    "postroad_queue_dead_total": ("counter", "Messages that were dead-lettered or dropped."),
    "postroad_stream_messages": ("gauge", "Messages that the stream keeps."),
    "postroad_stream_bytes": ("gauge", "Bytes of their bodies."),
    "postroad_stream_oldest_seconds": ("gauge", "Age of the oldest of them."),
    "postroad_stream_published_total": ("counter", "Messages published."),
    "postroad_stream_trimmed_total": ("counter", "Messages that retention has let go."),
    "postroad_stream_compacted_total": ("counter", "Messages that compaction has let go."),
    "postroad_group_lag": ("gauge", "Messages that the group has not settled."),
    "postroad_group_messages": ("gauge", "The same by state."),
    "postroad_group_committed_offset": ("gauge", "Its lowest unsettled offset."),
    "postroad_group_consumers": ("gauge", "Consumers of the group."),
    "postroad_group_paused": ("gauge", "1 while the group is delivered nothing."),
    "postroad_group_oldest_seconds": ("gauge", "Age of its oldest unsettled message."),
    "postroad_group_acked_total": ("counter", "Messages acked."),
    "postroad_group_retried_total": ("counter", "Failed attempts that were tried again."),
    "postroad_group_dead_total": ("counter", "Messages that were dead-lettered or dropped."),
    "postroad_group_trimmed_total": ("counter", "Messages that retention took before the group had settled them."),
    "postroad_journal_bytes": ("gauge", "Disk taken by the journal's segments."),
    "postroad_journal_segments": ("gauge", "Segments of the journal."),
    "postroad_journal_full": ("gauge", "1 while no segment can be reserved: publishes are refused."),
    "postroad_journal_syncs_total": ("counter", "Syncs of the journal."),
    "postroad_journal_sync_seconds": ("gauge", "How long syncs take, lately."),
    "postroad_memory_resident_bytes": ("gauge", "Resident set of this process."),
    "postroad_memory_bytes": ("gauge", "What of it is known, by part."),
}  # fmt: skip
"""Every metric, with its type and meaning, in the order in which they are told."""


@api
async def metrics(request: Request) -> Response:
    """What the caller may peek at."""
    context = server_of(request).context
    overview = await ask(context, principal_of(request), "overview", {})
    return Response(await render(samples(overview, version=context.version)), media_type=CONTENT_TYPE)


def samples(overview: dict[str, Any], *, version: str) -> Iterator[Sample]:
    """All samples of an overview (docs/protocol.md §6)."""
    info = {"version": version, "engine": str(overview["engine"]), "durability": str(overview["durability"])}
    yield "postroad_info", info, 1
    yield "postroad_uptime_seconds", {}, _seconds(overview["uptime_ms"])
    if (skew_ms := overview.get("clock_skew_ms")) is not None:
        yield "postroad_clock_skew_seconds", {}, _seconds(skew_ms)
        yield "postroad_clock_held", {}, overview["clock_held"] is not None
    yield "postroad_connections", {}, overview["connections"]
    queues, streams = overview["queues"], overview.get("streams", [])
    groups = [group for stream in streams for group in stream["groups"]]
    named = [*queues, *streams, *groups]
    kept = {id(stats) for stats in sorted(named, key=lambda stats: str(stats["name"]))[:NAMES_MAX]}
    yield "postroad_names_omitted", {}, len(named) - len(kept)
    for stats in queues:
        if id(stats) in kept:
            yield from _of_queue(stats)
    for stats in streams:
        if id(stats) in kept:
            yield from _of_stream(stats)
    for stats in groups:
        if id(stats) in kept:
            yield from _of_group(stats)
    if "journal" in overview:
        yield from _of_journal(overview["journal"])
    for part, size in overview.get("memory", {}).items():
        if part == "rss":
            yield "postroad_memory_resident_bytes", {}, size
        else:
            yield "postroad_memory_bytes", {"part": part}, size


async def render(given: Iterable[Sample]) -> str:
    """The text format, one block a metric. Where there are many samples, others get their turns of the loop in between."""
    lines: dict[str, list[str]] = {name: [] for name in HELP}
    for count, (name, labels, value) in enumerate(given, 1):
        if value is not None:
            shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            lines[name].append(f"{name}{{{shown}}} {_number(value)}" if shown else f"{name} {_number(value)}")
        if count % SLICE == 0:
            await asyncio.sleep(0)
    out = []
    for name, (kind, meaning) in HELP.items():
        if lines[name]:
            out += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", *lines[name]]
    return "\n".join(out) + "\n"


def _of_queue(stats: dict[str, Any]) -> Iterator[Sample]:
    labels = {"queue": str(stats["name"])}
    yield from _common("postroad_queue", labels, stats)
    yield "postroad_queue_bytes", labels, stats["bytes"]
    yield "postroad_queue_published_total", labels, stats["published_total"]


def _of_stream(stats: dict[str, Any]) -> Iterator[Sample]:
    labels = {"stream": str(stats["name"])}
    for field in ("messages", "bytes", "published_total", "trimmed_total", "compacted_total"):
        yield f"postroad_stream_{field}", labels, stats.get(field)
    yield "postroad_stream_oldest_seconds", labels, _seconds(stats["oldest_ms"])


def _of_group(stats: dict[str, Any]) -> Iterator[Sample]:
    stream, _, group = str(stats["name"]).partition(GROUP_SEPARATOR)
    labels = {"stream": stream, "group": group}
    yield from _common("postroad_group", labels, stats)
    yield "postroad_group_lag", labels, stats["lag"]
    yield "postroad_group_committed_offset", labels, stats["committed"]
    yield "postroad_group_trimmed_total", labels, stats["trimmed_total"]


def _common(prefix: str, labels: Labels, stats: dict[str, Any]) -> Iterator[Sample]:
    for state in STATES:
        yield f"{prefix}_messages", labels | {"state": state}, stats.get(state)
    for field in ("consumers", "paused", "acked_total", "retried_total", "dead_total"):
        yield f"{prefix}_{field}", labels, stats.get(field)
    yield f"{prefix}_oldest_seconds", labels, _seconds(stats["oldest_ms"])


def _of_journal(stats: dict[str, Any]) -> Iterator[Sample]:
    yield "postroad_journal_bytes", {}, stats["bytes"]
    yield "postroad_journal_segments", {}, stats["segments"]
    yield "postroad_journal_full", {}, stats["full"]
    yield "postroad_journal_syncs_total", {}, stats["syncs"]
    for quantile, field in (("0.5", "sync_p50_ms"), ("0.99", "sync_p99_ms"), ("1", "sync_max_ms")):
        yield "postroad_journal_sync_seconds", {"quantile": quantile}, _seconds(stats[field])


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _number(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
