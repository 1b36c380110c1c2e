"""Which consumer gets what is ready next.

Fair by free prefetch: in each round those with the most room come first (among equals, who was served longest ago), and each
gets an equal share of what is ready, in runs. One slow consumer fills up and is passed over; a batch for a single consumer is
one run, whatever its size.
"""

from __future__ import annotations

from ..durable.queue import Queue
from ..format.effect import Deliver
from ..volatile.lease import Lease
from ..volatile.queue_runtime import QueueRuntime
from ..volatile.subscription import Subscription
from .context import Context
from .expiry import expire

RETRYING_MAX = 100_000
"""While so many of a queue wait for another attempt, it delivers nothing more: exceptions cost memory, a backlog does not."""


def dispatch(ctx: Context, queue: Queue, freed: Subscription | None = None) -> None:
    """Grant ready messages while some are ready and some consumer has room.

    Args:
        freed: The only one whose room has grown. If something was ready before, or nothing has become ready, the others, who may be
            many, need no look.
    """
    runtime, group = ctx.runtime_of(queue), queue.group
    if (
        group.expiring
        and (due := group.next_expiry(queue.log)) is not None
        and due <= ctx.now
        and not expire(ctx, queue)
    ):
        return  # what has expired goes first, and goes on at once
    if not ctx.delivering or queue.paused or runtime.held_until != 0 or group.retrying.count >= RETRYING_MAX:
        return
    consumers = runtime.consumers
    settings = queue.settings
    if settings.concurrency_max is not None or settings.rate_max is not None:
        _dispatch_limited(ctx, runtime)
        return
    only = next(iter(consumers.values())) if len(consumers) == 1 else freed
    if only is not None:
        while (room := only.room) > 0 and _grant(ctx, runtime, only, room) is not None:
            pass
        return
    while group.has_ready:
        hungry = [subscription for subscription in consumers.values() if subscription.room > 0]
        if not hungry:
            return
        hungry.sort(key=lambda subscription: (-subscription.room, subscription.served))
        share = -(-group.ready_count // len(hungry))
        for subscription in hungry:
            wanted = min(share, subscription.room)
            while wanted > 0 and (granted := _grant(ctx, runtime, subscription, wanted)) is not None:
                wanted -= granted


def _dispatch_limited(ctx: Context, runtime: QueueRuntime) -> None:
    """Like ``dispatch``, one round at a time, within the queue's own limits."""
    settings, group = runtime.queue.settings, runtime.queue.group
    while group.has_ready:
        allowed = 1 << 62
        if settings.concurrency_max is not None:
            allowed = settings.concurrency_max - runtime.leased
        if settings.rate_max is not None:
            allowed = min(allowed, runtime.tokens(settings.rate_max, ctx.now))
            if allowed <= 0:
                ctx.timers.at("rate", runtime.queue.number, ctx.now + max(1000 // settings.rate_max, 1))
        hungry = [subscription for subscription in runtime.consumers.values() if subscription.room > 0]
        if allowed <= 0 or not hungry:
            return
        subscription = max(hungry, key=lambda s: (s.room, -s.served))
        share = -(-min(allowed, group.ready_count) // len(hungry))
        runtime.spent += _grant(ctx, runtime, subscription, min(share, subscription.room, allowed)) or 0


def _grant(ctx: Context, runtime: QueueRuntime, subscription: Subscription, count: int) -> int | None:
    """Lease the next run of up to ``count`` ready messages; returns how many (those of keys in work are parked instead), or None: none is ready."""
    log, group = runtime.queue.log, runtime.queue.group
    ctx.changed = True
    ready = group.take_ready(count)
    if ready is None:
        return None
    first, last, priority = ready
    if not log.keyed:
        _hand_over(ctx, runtime, subscription, first, last, priority)
        return last - first + 1
    granted, start = 0, first
    for sequence in range(first, last + 1):
        if not group.order.may_go(log.key_of(sequence), sequence):
            if start < sequence:
                _hand_over(ctx, runtime, subscription, start, sequence - 1, priority)
            granted += sequence - start
            start = sequence + 1
    if start <= last:
        _hand_over(ctx, runtime, subscription, start, last, priority)
    return granted + last + 1 - start


def _hand_over(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, first: int, last: int, priority: int
) -> None:
    group = runtime.queue.group
    taken = last - first + 1
    number = subscription.next_number
    subscription.next_number += taken
    lease(ctx, runtime, subscription, number, first, taken, priority)
    attempts = None
    if group.attempts.count and (tried := group.attempts.within(first, last)):
        attempts = [1] * taken
        for a, b, count in tried:
            attempts[a - first : b - first + 1] = [count + 1] * (b - a + 1)
    pieces = list(runtime.queue.log.pieces(first, last))
    ctx.effects.append(
        Deliver(
            subscription.id,
            runtime.queue.number,
            number,
            first,
            taken,
            pieces,
            attempts,
            ctx.now,
            subscription.consumer,
        )
    )


def lease(
    ctx: Context,
    runtime: QueueRuntime,
    subscription: Subscription,
    number: int,
    sequence: int,
    count: int,
    priority: int,
) -> None:
    """Messages ``sequence`` …, already taken out of ready, are this subscription's from now on."""
    ctx.changed = True
    deadline = ctx.now + subscription.lease_ms
    subscription.leases.add(Lease(number, count, sequence, priority, ctx.now, deadline))
    ctx.granted += 1
    subscription.served = ctx.granted
    log = runtime.queue.log
    if log.keyed:
        for taken in range(sequence, sequence + count):
            runtime.queue.group.order.hold(log.key_of(taken), taken)
    ctx.timers.at("leases", subscription.id, deadline)
