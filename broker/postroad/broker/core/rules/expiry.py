"""Messages that are not delivered in time. A leased one is left to its holder; should it come back, it has expired."""

from __future__ import annotations

from ..durable.queue import Queue
from ..durable.runs import Runs, gaps
from .context import Context


def expire(ctx: Context, queue: Queue) -> None:
    """Settle what has expired and nobody holds."""
    group = queue.group
    overdue = Runs()
    waiting = group.waiting()
    for due, first, last, _ in group.expiring.take_due_rows(ctx.now):
        free = waiting.within(first, last)
        for a, b in free:
            overdue.add(a, b)
        for a, b in gaps(first, last, free):
            group.expiring.add(due, a, b, 0)
    ctx.watch_due(queue)
    if overdue:
        ctx.settle(queue, "expired", [(first, last, 0) for first, last in overdue])
