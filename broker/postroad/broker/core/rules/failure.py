"""Failed attempts: what comes back, and what has had its last chance."""

from __future__ import annotations

from dataclasses import dataclass

from ..durable.queue import Queue
from ..format.record import Move, Return
from ..volatile.lease import Lease
from .context import Context
from .dead_letters import dead_letter_queue, keeps_its_dead
from .dispatch import dispatch
from .retry import retry_delay_ms

Dead = tuple[int, int, int, int]
"""``(sequence, attempts, granted_at, priority)`` of a message that had its last chance."""


@dataclass(slots=True)
class Failed:
    """Deliveries that failed. ``delay_ms`` None: the queue's backoff; ``dead``: no further attempt."""

    lease: Lease
    delay_ms: int | None = None
    dead: bool = False


def fail(ctx: Context, queue: Queue, failed: list[Failed], reason: str, consumer: str) -> None:
    """Count an attempt for each message: it waits for the next one, or is dead.

    A dead-letter queue without a rule of its own never dead-letters: what fails there just waits.
    """
    settings, group, is_last = queue.settings, queue.group, keeps_its_dead(queue)
    back: list[tuple[int, int, int, int, int, int, int]] = []
    dead: list[Dead] = []
    for item in failed:
        lease = item.lease
        for sequence in range(lease.sequence, lease.sequence + lease.count):
            attempts = group.attempts.get(sequence, 0) + 1
            if (item.dead or attempts >= settings.attempts_max) and not is_last:
                dead.append((sequence, attempts, lease.granted_at, lease.priority))
                continue
            delay = item.delay_ms
            place = queue.log.locate(sequence)
            if delay is None:
                delay = retry_delay_ms(attempts, settings.backoff_ms, settings.backoff_max_ms, *place)
            due = ctx.now + delay if delay else 0
            back.append((sequence, attempts, due, lease.priority, lease.granted_at, *place))
    if back:
        ctx.commit(Return(ctx.now, queue.number, back, reason, consumer))
        ctx.watch_due(queue)
        if settings.overflow != "reject":
            ctx.timers.at("overflow", queue.number, ctx.now)  # its bounds may have been lowered while these were held
    if dead:
        bury(ctx, queue, dead, reason, consumer)


def bury(ctx: Context, queue: Queue, dead: list[Dead], reason: str, consumer: str | None) -> None:
    """Move to the dead-letter queue by reference: place and settle are records of one command, so one atomic batch."""
    runs = [(sequence, sequence, granted_at) for sequence, _, granted_at, _ in dead]
    target = dead_letter_queue(ctx, queue)
    if target is None:
        ctx.settle(queue, "dropped", runs, consumer, reason)
        return
    entries = [
        (
            target.log.next + offset,
            *queue.log.locate(sequence),
            queue.log.size_of(sequence),
            sequence,
            attempts,
            granted_at,
        )
        for offset, (sequence, attempts, granted_at, _) in enumerate(dead)
    ]
    priorities = [priority for *_, priority in dead] if any(priority for *_, priority in dead) else None
    ctx.commit(Move(ctx.now, target.number, "dead", queue.number, entries, reason, consumer, priorities))
    ctx.settle(queue, "dead", runs, consumer, reason)
    if target.settings.overflow != "reject":
        # Not here: what makes room there may be dead letters for the next queue, and so on.
        ctx.timers.at("overflow", target.number, ctx.now)
    ctx.watch_due(target)
    dispatch(ctx, target)
