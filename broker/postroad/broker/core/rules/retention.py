"""Retention: what a stream drops by age, by bytes or by count, whichever comes first, in whole batches; or by key (``compact.py``).

Retention ignores groups unless ``keep_until_acked``: a stuck group must not fill the disk of everyone. What a group lost to it is counted.
"""

from __future__ import annotations

from ..durable.queue import Queue
from ..durable.stream import Stream
from ..format.command import STEP_ITEMS
from ..format.effect import Revoke
from ..format.record import Trim
from .compact import LOOK_MS, compact, watch
from .context import COMMAND_BYTES, Context
from .dispatch import dispatch


def look(ctx: Context, stream: Stream) -> None:
    """Run retention or compaction, a step of it."""
    if stream.compaction is not None:
        compact(ctx, stream, stream.compaction)
    else:
        retain(ctx, stream)


def retain(ctx: Context, stream: Stream) -> None:
    """Trim what the settings no longer keep, a step of it, and see to the next look. Compaction waits for that look."""
    if stream.compaction is not None:
        watch(ctx, stream, stream.compaction)
        return
    settings, log = stream.settings, stream.log
    first = log.first
    if settings.retention_count is not None and log.next - first > settings.retention_count:
        first = max(first, log.boundary(log.next - settings.retention_count))
    if settings.retention_bytes is not None and log.bytes > settings.retention_bytes:
        # One entry more than a step takes: so a further step is seen to.
        first = max(first, log.boundary_by_bytes(settings.retention_bytes, STEP_ITEMS + 1))
    if settings.retention_ms is not None:
        first = max(first, log.boundary_by_time(ctx.aging - settings.retention_ms))
    if settings.keep_until_acked:
        for group in stream.groups.values():
            first = min(first, log.boundary(group.group.floor))
    if settings.retention_ms is not None and log.next > first:
        ctx.timers.at("retention", stream.number, ctx.now + max(LOOK_MS, settings.retention_ms // 100))
    if first <= log.first:
        return
    if not ctx.has_spare(COMMAND_BYTES):
        ctx.timers.at("retention", stream.number, ctx.now)
        return
    step = _step_end(stream)
    if step < first:
        first = step
        ctx.timers.at("retention", stream.number, ctx.now)
    ctx.commit(Trim(ctx.now, stream.number, first))
    for group in stream.groups.values():
        _revoke_before(ctx, group, first)
        dispatch(ctx, group)  # consumers may have room again, and ordering keys be free


def _step_end(stream: Stream) -> int:
    """Where a step's oldest messages end: whole entries, and one at least."""
    log, span = stream.log, STEP_ITEMS
    while (end := log.boundary(log.first + span)) <= log.first:
        span *= 2
    return end


def _revoke_before(ctx: Context, group: Queue, first: int) -> None:
    """End the leases of messages that are dropped; their holders are told."""
    for holder, held in ctx.runtime_of(group).holdings.within(0, first - 1):
        subscription = ctx.subscriptions[holder]
        last = min(held.last, held.number + first - 1 - held.sequence)
        subscription.leases.take(held.number, last)
        ctx.effects.append(Revoke(holder, [(held.number, last)], "trimmed"))
        if subscription.ended and not subscription.leases.count:
            ctx.end(subscription)
