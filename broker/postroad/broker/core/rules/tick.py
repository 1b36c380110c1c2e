"""Starting, and time passing.

One ``Tick`` does about a step of what is due. What is left stays due, so that the caller comes back as soon as others had their
turn. Timers are set again at a start, so that none is lost by whatever ended the process.
"""

from __future__ import annotations

from collections.abc import Callable

from ..format.command import STEP_ITEMS, Start, Tick
from ..format.record import Boot
from ..volatile.lease import Lease, split
from ..volatile.subscription import Subscription
from ..volatile.timers import Key
from .consume import RESUME_MS, end_detached, return_free
from .context import COMMAND_BYTES, ITEM_BYTES, STEP_BYTES, UNBOUNDED, Context
from .dispatch import dispatch
from .failure import Failed, fail
from .overflow import make_room, watch_room
from .retention import look, retain
from .schedules import bytes_of, fire, watch
from .sessions import end_session, expect_end
from .wall_clock import end_hold, held, recheck, recheck_some, take_skew, watch_hold

LEASE_GRAIN_MS = 20

DUE_MAX = 500
"""Rows of a queue that come due in one step; more do at once, but in further ones."""

RECORD_ITEMS = 10
"""What a timer counts for in a step that changes no message, or few: it may bring a record."""

FIRING_ITEMS = 50
"""What a firing counts for beside that; its body counts as bytes (``schedules.FIRED_BYTES_MAX``)."""

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
        watch_room(ctx, queue)
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
    """Carry out what has come due, about a step of it, as far as the journal has room for it at once; the rest stays due."""
    left, began = STEP_ITEMS, ctx.room
    short: list[Key] = []
    while left > 0 and (due := ctx.timers.pop_due(ctx.now)) is not None:
        left -= RECORD_ITEMS
        kind, key = due
        if not _has_room(ctx, kind, key):
            short.append(due)
        elif due in ctx.barred:
            _set_aside(ctx, kind, key)
        else:
            ctx.doing = due
            left -= DUE[kind](ctx, key) if kind != "schedule" else _schedule(ctx, str(key), began)
    for kind, key in short:
        ctx.timers.at(kind, key, ctx.now)
    ctx.is_short = (ctx.is_short or bool(short)) and not ctx.commits


def _has_room(ctx: Context, kind: str, key: int | str) -> bool:
    """Whether this timer's work has its place in the journal now."""
    if kind in ("leases", "detached"):
        subscription = ctx.subscriptions.get(int(key))
        count = subscription.leases.count if subscription is not None else 0
        return ctx.has_spare(COMMAND_BYTES + ITEM_BYTES * min(count, STEP_ITEMS))
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


def _session(ctx: Context, key: int | str) -> int:
    end_session(ctx, str(key))
    return 0


def _schedule(ctx: Context, name: str, began: int) -> int:
    return FIRING_ITEMS if fire(ctx, name, began) else STEP_ITEMS


def _clock(ctx: Context, key: int | str) -> int:
    end_hold(ctx)
    return 0


def _recheck(ctx: Context, key: int | str) -> int:
    recheck_some(ctx)
    return STEP_ITEMS


def _leases(ctx: Context, key: int | str) -> int:
    """Leases ran out: what was tried counts an attempt, a step of it; the rest returns free."""
    subscription = ctx.subscriptions.get(int(key))
    if subscription is None:
        return 0
    queue, tried = subscription.queue, subscription.tried
    expired = subscription.leases.expired(ctx.now, UNBOUNDED)
    count = 0
    if expired:
        runtime = ctx.runtime_of(queue)
        failed, free = split(expired, tried)
        failed = _step_of(subscription, failed)
        count = sum(lease.count for lease in failed)
        if failed:
            _fail(ctx, subscription, failed, "lease expired")
        return_free(
            ctx, runtime, [part for lease in free for part in subscription.leases.take(lease.number, lease.last)]
        )
        subscription.is_silent = subscription.reports_begun
        if subscription.ended and not subscription.leases.count:
            ctx.end(subscription)
        dispatch(ctx, queue)
    deadline = subscription.leases.next_deadline()
    if deadline is not None:
        soon = ctx.now if count >= STEP_ITEMS else ctx.now + LEASE_GRAIN_MS
        ctx.timers.at("leases", subscription.id, max(deadline, soon))
    return count


def _fail(ctx: Context, subscription: Subscription, failed: list[Lease], reason: str) -> None:
    """These end, and an attempt is counted for each message of them."""
    queue = subscription.queue
    fail(ctx, queue, [Failed(lease, 0) for lease in failed], reason, subscription.consumer)
    for lease in failed:
        subscription.leases.take(lease.number, lease.last)


def _step_of(subscription: Subscription, failed: list[Lease]) -> list[Lease]:
    """The first of these leases, a step's messages at most; the last one is cut. The others wait for the next step."""
    step, left = list[Lease](), STEP_ITEMS
    for lease in failed:
        if not left:
            break
        step += subscription.leases.held(lease.number, min(lease.last, lease.number + left - 1))
        left -= step[-1].count
    return step


def _detached(ctx: Context, key: int | str) -> int:
    subscription = ctx.subscriptions.get(int(key))
    if subscription is None or subscription.detached_at is None:
        return 0
    if subscription.detached_at + RESUME_MS > ctx.now:
        ctx.timers.at("detached", subscription.id, subscription.detached_at + RESUME_MS)
        return 0
    failed = subscription.leases.held(1, subscription.tried)
    step = _step_of(subscription, failed)
    count = sum(lease.count for lease in step)
    if count < sum(lease.count for lease in failed):
        _fail(ctx, subscription, step, "connection lost")
        ctx.timers.at("detached", subscription.id, ctx.now)
        dispatch(ctx, subscription.queue)
    else:
        end_detached(ctx, subscription)
    return count


def _due(ctx: Context, key: int | str) -> int:
    """What waited for its time is ready."""
    queue = ctx.state.logs.get(int(key))
    if queue is None:
        return 0
    before = queue.group.ready_count
    queue.group.come_due(ctx.now, DUE_MAX)
    count = queue.group.ready_count - before
    ctx.watch_due(queue)
    dispatch(ctx, queue)
    return count


def _expiry(ctx: Context, key: int | str) -> int:
    queue = ctx.state.logs.get(int(key))
    if queue is None:
        return 0
    before = queue.group.waiting_count
    dispatch(ctx, queue)  # which looks first at what has expired
    ctx.watch_due(queue)
    return before - queue.group.waiting_count


def _overflow(ctx: Context, key: int | str) -> int:
    queue = ctx.state.logs.get(int(key))
    if queue is None:
        return 0
    count = make_room(ctx, queue)
    dispatch(ctx, queue)  # what was taken out may have held an ordering key
    return count


def _retention(ctx: Context, key: int | str) -> int:
    stream = ctx.state.stream_logs.get(int(key))
    if stream is None:
        return 0
    before = stream.log.count
    look(ctx, stream)
    return before - stream.log.count


def _rate(ctx: Context, key: int | str) -> int:
    if (queue := ctx.state.logs.get(int(key))) is not None:
        dispatch(ctx, queue)
    return 0


def _dispatch(ctx: Context, key: int | str) -> int:
    """The next step of a dispatch that was cut."""
    _rate(ctx, key)
    return STEP_ITEMS


def _held(ctx: Context, key: int | str) -> int:
    """After a restart: whoever wanted to come back has had the time."""
    runtime = ctx.runtimes.get(int(key))
    if runtime is not None:
        runtime.held_until = 0
        dispatch(ctx, runtime.queue)
    return 0


DUE: dict[str, Callable[[Context, int | str], int]] = {
    "session": _session, "leases": _leases, "detached": _detached, "due": _due,
    "expiry": _expiry, "overflow": _overflow, "retention": _retention, "rate": _rate, "dispatch": _dispatch, "held": _held,
    "clock": _clock, "recheck": _recheck,
}  # fmt: skip
"""Kind of timer → its work; returns how many messages it was about."""
