"""Starting, and time passing."""

from __future__ import annotations

from ..format.command import Start, Tick
from ..format.record import Boot
from ..volatile.lease import split
from ..volatile.subscription import Subscription
from .consume import RESUME_MS, end_detached, return_free
from .context import COMMAND_BYTES, ITEM_BYTES, STEP_BYTES, Context
from .dispatch import dispatch
from .failure import Failed, fail
from .overflow import make_room
from .retention import look, retain
from .schedules import bytes_of, fire, watch
from .sessions import end_session, expect_end
from .wall_clock import end_hold, held, recheck, recheck_some, take_skew, watch_hold

LEASE_GRAIN_MS = 20

LEASES_MAX = 1_000
"""Messages whose leases end in one step; the rest is due at once."""

DUE_MAX = 500
"""Rows of a queue that come due in one step; more do at once, but in further ones."""

SET_ASIDE = "Firing it ended the broker, so it is paused: the log of that moment says what was raised. Change it before it goes on."


def start(ctx: Context, command: Start) -> None:
    """After recovery: a new epoch. What was leased is ready, but each queue waits for its holders to come back."""
    ctx.now = max(ctx.now, ctx.state.at)
    take_skew(ctx, command.skew_ms)
    ctx.commit(Boot(ctx.now, command.epoch, *held(ctx, command.ahead_max_ms)))
    watch_hold(ctx)
    for queue in ctx.state.queues.values():
        queue.group.come_due(ctx.now, DUE_MAX)
        ctx.watch_due(queue)
        for first, last, *_ in queue.group.retrying if queue.log.keyed else ():
            for sequence in range(first, last + 1):
                queue.group.order.hold(queue.log.key_of(sequence), sequence)
        if queue.group.waiting_count:
            ctx.runtime_of(queue).held_until = None
    for stream in ctx.state.streams.values():
        retain(ctx, stream)
    for name in ctx.state.schedules:
        watch(ctx, name)
    recheck(ctx, ctx.state.schedules)
    for session in ctx.state.producers:
        expect_end(ctx, session)


def tick(ctx: Context, command: Tick) -> None:
    """Carry out what has come due, as far as the journal has room for it at once; the rest comes in the next tick."""
    began = ctx.room
    for kind, key in ctx.timers.take_due(ctx.now):
        if not _has_room(ctx, kind, key):
            ctx.timers.at(kind, key, ctx.now)
            ctx.is_short = True
            continue
        if (kind, key) in ctx.barred:
            _set_aside(ctx, kind, key)
            continue
        ctx.doing = kind, key
        if kind == "session":
            end_session(ctx, str(key))
        elif kind == "schedule":
            fire(ctx, str(key), began)
        elif kind == "clock":
            end_hold(ctx)
        elif kind == "recheck":
            recheck_some(ctx)
        elif kind == "leases" or kind == "detached":
            subscription = ctx.subscriptions.get(int(key))
            if subscription is None:
                continue
            if kind == "leases":
                _expire(ctx, subscription)
            elif subscription.detached_at is not None:
                if subscription.detached_at + RESUME_MS <= ctx.now:
                    end_detached(ctx, subscription)
                else:
                    ctx.timers.at("detached", subscription.id, subscription.detached_at + RESUME_MS)
        elif kind == "expiry":
            if (queue := ctx.state.logs.get(int(key))) is not None:
                dispatch(ctx, queue)
        elif kind == "overflow":
            if (queue := ctx.state.logs.get(int(key))) is not None:
                make_room(ctx, queue)
        elif kind == "retention":
            if (stream := ctx.state.stream_logs.get(int(key))) is not None:
                look(ctx, stream)
        elif kind in ("rate", "dispatch"):
            if (queue := ctx.state.logs.get(int(key))) is not None:
                dispatch(ctx, queue)
        elif kind == "held":
            runtime = ctx.runtimes.get(int(key))
            if runtime is not None:
                runtime.held_until = 0
                dispatch(ctx, runtime.queue)
        else:
            queue = ctx.state.logs.get(int(key))
            if queue is not None:
                queue.group.come_due(ctx.now, DUE_MAX)
                ctx.watch_due(queue)
                dispatch(ctx, queue)
    ctx.is_short = ctx.is_short and not ctx.commits


def _has_room(ctx: Context, kind: str, key: int | str) -> bool:
    """Whether this timer's work has its place in the journal now."""
    if kind in ("leases", "detached"):
        subscription = ctx.subscriptions.get(int(key))
        return ctx.has_spare(
            COMMAND_BYTES + ITEM_BYTES * (subscription.leases.count if subscription is not None else 0)
        )
    if kind == "schedule":
        schedule = ctx.state.schedules.get(str(key))
        if schedule is not None and (kind, key) in ctx.barred:
            return ctx.has_spare(bytes_of(ctx, schedule) + len(schedule.body))  # its record has the body as hexadecimal
        if not ctx.commits:  # it is refused rather than put off: so its times go on, and it says why
            return True
        return schedule is None or schedule.paused or ctx.has_spare_to_publish(bytes_of(ctx, schedule))
    return ctx.has_spare(STEP_BYTES if kind in ("expiry", "overflow", "retention") else COMMAND_BYTES)


def _set_aside(ctx: Context, kind: str, key: int | str) -> None:
    """This ended the process before, and would again at every start: it is not done, and a schedule says so."""
    ctx.barred.discard((kind, key))
    schedule = ctx.state.schedules.get(str(key)) if kind == "schedule" else None
    if schedule is not None:
        record = schedule.to_record(ctx.now)
        record.paused = True
        record.last_error = {"at": ctx.now, "code": "internal", "message": SET_ASIDE}
        ctx.commit(record)


def _expire(ctx: Context, subscription: Subscription) -> None:
    """Leases ran out: what was tried counts an attempt, the rest returns free."""
    queue, tried = subscription.queue, subscription.tried
    expired = subscription.leases.expired(ctx.now, LEASES_MAX)
    if expired:
        runtime = ctx.runtime_of(queue)
        failed, free = split(expired, tried)
        if failed:
            fail(ctx, queue, [Failed(lease, 0) for lease in failed], "lease expired", subscription.consumer)
        for lease in failed:
            subscription.leases.take(lease.number, lease.last)
        return_free(
            ctx, runtime, [part for lease in free for part in subscription.leases.take(lease.number, lease.last)]
        )
        subscription.is_silent = subscription.reports_begun
        if subscription.ended and not subscription.leases.count:
            ctx.end(subscription)
        dispatch(ctx, queue)
    deadline = subscription.leases.next_deadline()
    if deadline is not None:
        soon = ctx.now if expired and deadline <= ctx.now else ctx.now + LEASE_GRAIN_MS
        ctx.timers.at("leases", subscription.id, max(deadline, soon))
