"""What a stream may let go of: by age, by bytes, by count, whichever comes first, in whole batches; or by key (``compact.py``).

Retention ignores groups unless ``keep_until_acked``: a stuck group must not fill the disk of everyone. What a group lost to it is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..durable.stream import Stream
from ..format.effect import Revoke
from ..format.record import Trim
from ..volatile.subscription import Subscription
from .compact import LOOK_MS, compact, watch

if TYPE_CHECKING:
    from ..machine import Machine


def look(machine: Machine, stream: Stream) -> None:
    """Its time has come: let go of what the settings no longer keep."""
    if stream.compaction is not None:
        compact(machine, stream, stream.compaction)
    else:
        retain(machine, stream)


def retain(machine: Machine, stream: Stream) -> None:
    """Trim what the settings no longer keep, and see to the next look. Compaction waits for that look."""
    if stream.compaction is not None:
        watch(machine, stream, stream.compaction)
        return
    settings, log = stream.settings, stream.log
    first = log.first
    if settings.retention_count is not None and log.next - first > settings.retention_count:
        first = max(first, log.boundary(log.next - settings.retention_count))
    if settings.retention_bytes is not None and log.bytes > settings.retention_bytes:
        first = max(first, log.boundary_by_bytes(settings.retention_bytes))
    if settings.retention_ms is not None:
        first = max(first, log.boundary_by_time(machine.now - settings.retention_ms))
    if settings.keep_until_acked:
        for group in stream.groups.values():
            first = min(first, log.boundary(group.group.floor))
    if settings.retention_ms is not None and log.next > first:
        machine.timers.at("retention", stream.number, machine.now + max(LOOK_MS, settings.retention_ms // 100))
    if first <= log.first:
        return
    for subscription in list(machine.subscriptions.values()):
        if subscription.queue.stream is stream:
            _revoke_before(machine, subscription, first)
    machine.commit(Trim(machine.now, stream.number, first))
    for group in stream.groups.values():  # consumers may have room again, and ordering keys be free
        machine.dispatch(group)


def _revoke_before(machine: Machine, subscription: Subscription, first: int) -> None:
    """Leases of what is let go end: their holders are told."""
    for held in list(subscription.leases):
        if held.sequence < first:
            last = min(held.last, held.number + first - 1 - held.sequence)
            for taken in subscription.leases.take(held.number, last):
                machine.live_of(subscription.queue).leased -= taken.count
            machine.effects.append(Revoke(subscription.id, [(held.number, last)], "trimmed"))
            if subscription.ended and not subscription.leases.count:
                machine.end(subscription)
