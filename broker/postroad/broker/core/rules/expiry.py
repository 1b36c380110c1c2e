"""Messages that are not delivered in time. A leased one is left to its holder; should it come back, it has expired."""

from __future__ import annotations

from ..durable.queue import Queue
from .context import Context

EXPIRE_MAX = 1000
"""Messages that expire in one step; more do at once, but in further ones."""

EXPIRE_BYTES = 64 * 1024
"""What such a step adds to the journal at most."""


def expire(ctx: Context, queue: Queue) -> bool:
    """Settle what has expired and nobody holds, up to ``EXPIRE_MAX`` messages; False: there is more, and it goes on at once.

    Nothing expires while the clock is not believed (``wall_clock.py``).
    """
    if not ctx.aging:
        return True
    if not ctx.has_spare(EXPIRE_BYTES):
        ctx.timers.at("expiry", queue.number, ctx.now)
        return False
    group = queue.group
    is_more = group.expire(ctx.now, EXPIRE_MAX, queue.log)
    expired = group.expired(EXPIRE_MAX)
    if expired:
        ctx.settle(queue, "expired", [(first, last, 0) for first, last in expired])
    if is_more or group.expiring.has_expired:
        ctx.timers.at("expiry", queue.number, ctx.now)
        return False
    ctx.watch_due(queue)
    return True
