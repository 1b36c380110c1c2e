"""Which consumer gets what is ready next.

Fair by free prefetch: in each round those with the most room come first (by the power of two that it reaches; among equals, who waited
longest), and each gets an equal share of what is ready, in runs. One slow consumer fills up and is passed over; a batch for a single
consumer is one run, whatever its size.

Only those that are served are looked at, and one command grants ``GRANTS_MAX`` leases at most: what is left goes on with a timer
that is due at once, so that others have their turn between.
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

GRANTS_MAX = 1_000
"""Leases that one command grants, or messages with ordering keys that it looks at."""


def dispatch(ctx: Context, queue: Queue, freed: Subscription | None = None) -> None:
    """Grant ready messages while some are ready and some consumer has room.

    Args:
        freed: The only one whose room has grown. If something was ready before, or nothing has become ready, the others need no look.
    """
    runtime, group = ctx.runtime_of(queue), queue.group
    only = runtime.note_freed(freed)
    if (
        group.expiring
        and (due := group.next_expiry(queue.log)) is not None
        and due <= ctx.now
        and not expire(ctx, queue)
    ):
        return  # what has expired goes first, and goes on at once
    if not ctx.delivering or queue.paused or runtime.held_until != 0 or group.retrying.count >= RETRYING_MAX:
        return
    settings = queue.settings
    if settings.concurrency_max is not None or settings.rate_max is not None:
        left = _dispatch_limited(ctx, runtime)
    else:
        left = _serve(ctx, runtime, only) if only is not None else _go_round(ctx, runtime)
    if left <= 0 and group.has_ready:
        ctx.timers.at("dispatch", queue.number, ctx.now)


def _serve(ctx: Context, runtime: QueueRuntime, subscription: Subscription) -> int:
    """Fill one consumer; returns what is left of ``GRANTS_MAX``."""
    left = GRANTS_MAX
    while left > 0 and (room := subscription.room) > 0:
        granted = _grant(ctx, runtime, subscription, room, left)
        if granted is None:
            break
        left -= granted[1]
    if len(runtime.consumers) > 1:
        runtime.room.note(subscription)
    return left


def _go_round(ctx: Context, runtime: QueueRuntime) -> int:
    """An equal share for each that has room, round after round; returns what is left of ``GRANTS_MAX``."""
    group, left = runtime.queue.group, GRANTS_MAX
    while left > 0 and len(runtime.room) and group.has_ready:
        share = -(-group.ready_count // len(runtime.room))
        served: list[Subscription] = []
        while left > 0 and group.has_ready and (subscription := runtime.room.pop()) is not None:
            served.append(subscription)
            due = min(share, subscription.room)
            while due > 0 and left > 0 and (granted := _grant(ctx, runtime, subscription, due, left)) is not None:
                due -= granted[0]
                left -= granted[1]
        for subscription in served:
            runtime.room.note(subscription)
    return left


def _dispatch_limited(ctx: Context, runtime: QueueRuntime) -> int:
    """Like ``_go_round``, one grant at a time, within the queue's own limits."""
    settings, group, left = runtime.queue.settings, runtime.queue.group, GRANTS_MAX
    if len(runtime.consumers) == 1:
        runtime.note_all()
    while left > 0 and group.has_ready:
        allowed = 1 << 62
        if settings.concurrency_max is not None:
            allowed = settings.concurrency_max - runtime.leased
        if settings.rate_max is not None:
            allowed = min(allowed, runtime.tokens(settings.rate_max, ctx.now))
            if allowed <= 0:
                ctx.timers.at("rate", runtime.queue.number, ctx.now + max(1000 // settings.rate_max, 1))
        hungry = len(runtime.room)
        if allowed <= 0 or (subscription := runtime.room.pop()) is None:
            break
        share = -(-min(allowed, group.ready_count) // hungry)
        granted, cost = _grant(ctx, runtime, subscription, min(share, subscription.room, allowed), left) or (0, 1)
        runtime.spent += granted
        runtime.room.note(subscription)
        left -= cost
    return left


def _grant(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, count: int, left: int
) -> tuple[int, int] | None:
    """Lease the next run of up to ``count`` ready messages. None: none is ready.

    Returns how many (those of keys in work are parked instead), and what that takes of ``left``: where keys are used each message is
    looked at.
    """
    log, group = runtime.queue.log, runtime.queue.group
    ctx.changed = True
    ready = group.take_ready(min(count, left) if log.keyed else count)
    if ready is None:
        return None
    first, last, priority = ready
    if not log.keyed:
        _hand_over(ctx, runtime, subscription, first, last, priority)
        return last - first + 1, 1
    granted, start = 0, first
    for sequence in range(first, last + 1):
        if not group.order.may_go(log.key_of(sequence), sequence):
            if start < sequence:
                _hand_over(ctx, runtime, subscription, start, sequence - 1, priority)
            granted += sequence - start
            start = sequence + 1
    if start <= last:
        _hand_over(ctx, runtime, subscription, start, last, priority)
    return granted + last + 1 - start, last - first + 1


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
    log = runtime.queue.log
    if log.keyed:
        for taken in range(sequence, sequence + count):
            runtime.queue.group.order.hold(log.key_of(taken), taken)
    ctx.timers.at("leases", subscription.id, deadline)
