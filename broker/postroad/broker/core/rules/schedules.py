"""Schedules: a message published again and again, at times that are known in advance.

Durable, listed, paused, run at once. A firing is one record that holds both the message and the schedule's next time, so a restart
neither forgets nor repeats one. What was missed while the broker was down fires once.

Cron expressions mean the wall clock, and intervals time that passes: ``next_at`` of the former is wall time. When the wall clock goes
back, a time that has fired does not fire again, unless the clock was ahead by more than ``BACK_MS``: then it was wrong, and is not
waited for.

A refusal is a record once after a start. Others that are alike, and all for lack of room on the disk, are only kept in memory: a
schedule that cannot fire must not fill the journal, least of all what is kept there for settles.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...attributes import check_attributes
from ...errors import InvalidRequest, InvalidState, LimitExceeded, PostroadError, QueueNotFound, StorageFull
from ...settings import DAY_MS
from ..durable.schedule import Schedule
from ..format import command as c
from ..format.record import RefuseSchedule, UndefineSchedule
from .context import COMMAND_BYTES, Context
from .cron import check_schedule, next_time
from .publish import check_possible, publish

SCHEDULES_MAX = 10_000

BACK_MS = 3 * 3_600_000
"""As cron does it: a clock that is set back by less waits until its schedules go on, one that is set back by more begins anew."""

CHARACTER_BYTES = 6
"""Of a character of headers or keys, as JSON, at most."""

FIRED_BYTES_MAX = 192 * 1024
"""What the schedules of one tick add to the journal at most, about; others that are due fire in the next. Every single one fits."""


def declare_schedule(ctx: Context, command: c.DeclareSchedule) -> int:
    """Make or replace a schedule; returns when it fires next.

    Raises:
        InvalidRequest, LimitExceeded, Conflict: also where it could never fire.
    """
    check_schedule(command.cron, command.every_ms, command.zone)
    schedules = ctx.state.schedules
    if command.name not in schedules and len(schedules) >= SCHEDULES_MAX:
        raise LimitExceeded("There are too many schedules.", limit="schedules_max", value=SCHEDULES_MAX)
    before = schedules.get(command.name)
    publish = command.publish
    check_attributes(publish.attributes, 1, ctx.limits)
    check_possible(ctx, publish)
    schedule = Schedule(
        name=command.name, cron=command.cron, every_ms=command.every_ms, zone=command.zone, kind=publish.kind,
        target=publish.queue, attributes=publish.attributes, body=command.body, paused=command.paused,
        next_at=next_time(command.cron, command.every_ms, command.zone, _clock(ctx, command.cron)),
        last_at=before.last_at if before else 0, fired=before.fired if before else 0,
    )  # fmt: skip
    ctx.commit(schedule.to_record(ctx.now))
    ctx.refusals.pop(command.name, None)
    watch(ctx, command.name)
    return schedule.next_at


def change_schedule(ctx: Context, command: c.ChangeSchedule) -> None:
    """Delete it, pause it, resume it, or run it now.

    Raises:
        QueueNotFound: there is none of that name. InvalidState: running it was refused.
    """
    schedule = ctx.state.schedules.get(command.name)
    if schedule is None:
        raise QueueNotFound(f'There is no schedule named "{command.name}".', schedule=command.name)
    if command.do == "delete":
        ctx.commit(UndefineSchedule(ctx.now, command.name))
        ctx.refusals.pop(command.name, None)
    elif command.do == "run":
        if (error := _publish(ctx, schedule, schedule.next_at)) is not None:
            raise InvalidState(f"It could not be published: {error.message}")
    else:
        record = schedule.to_record(ctx.now)
        record.paused = command.do == "pause"
        if not record.paused:
            record.next_at = next_time(schedule.cron, schedule.every_ms, schedule.zone, _clock(ctx, schedule.cron))
        ctx.commit(record)
        ctx.refusals.pop(command.name, None)
        watch(ctx, command.name)


def fire(ctx: Context, name: str, began: int) -> bool:
    """Publish a schedule that is due: once, however many times were missed; ``began``: the room at the begin of the tick.

    What the tick has done before may have taken the room; then it fires in the next one. Returns False in that case.
    """
    schedule = ctx.state.schedules.get(name)
    if schedule is None or schedule.paused:
        return True
    at_ms = _clock(ctx, schedule.cron)
    if next_at(ctx, schedule) <= at_ms:
        size = bytes_of(ctx, schedule)
        has_room = ctx.has_spare_to_publish(size)
        if ctx.commits and (not has_room or began - ctx.room + size > FIRED_BYTES_MAX):
            ctx.timers.at("schedule", name, ctx.now)
            return False
        error: PostroadError | None = None
        try:
            following = next_time(schedule.cron, schedule.every_ms, schedule.zone, at_ms)
        except InvalidRequest as gone:  # a time zone that this machine no longer knows
            following, error = at_ms + DAY_MS, gone
        if not has_room:
            error = StorageFull("The disk has no room for more messages; consuming goes on.")
        error = error or _publish(ctx, schedule, following)
        if error is not None:
            _refuse(ctx, schedule, following, error)
    watch(ctx, name)
    return True


def _refuse(ctx: Context, schedule: Schedule, following: int, error: PostroadError) -> None:
    """By a record if it is the first of its kind since the start, and not about the disk; else in memory."""
    before = ctx.refusals.get(schedule.name)
    is_new = before is None or before[1]["code"] != error.code
    if is_new and error.code != StorageFull.code and ctx.has_spare(COMMAND_BYTES):
        ctx.commit(RefuseSchedule(ctx.now, schedule.name, schedule.target, following, error.code, error.message))
    ctx.refusals[schedule.name] = following, {"at": ctx.now, "code": error.code, "message": error.message}


def next_at(ctx: Context, schedule: Schedule) -> int:
    """When it fires next, milliseconds: wall time if it has a cron expression."""
    refused = ctx.refusals.get(schedule.name)
    return schedule.next_at if refused is None else refused[0]


def last_error(ctx: Context, schedule: Schedule) -> dict[str, object] | None:
    """Why the last firing was refused; None: it was not."""
    refused = ctx.refusals.get(schedule.name)
    return schedule.last_error if refused is None else refused[1]


def watch(ctx: Context, name: str) -> None:
    """Wake when it is due."""
    schedule = ctx.state.schedules.get(name)
    if schedule is not None and not schedule.paused:
        skew_ms = ctx.skew_ms if schedule.cron is not None else 0
        ctx.timers.at("schedule", name, next_at(ctx, schedule) - skew_ms)


def realign(ctx: Context, name: str) -> bool:
    """The wall clock has jumped, or the broker has started: see that it wakes in time, and not years late. False: no room to say so."""
    schedule = ctx.state.schedules.get(name)
    if schedule is None or schedule.paused or schedule.cron is None:
        return True
    at_ms = _clock(ctx, schedule.cron)
    due = next_at(ctx, schedule)
    with suppress(InvalidRequest):  # as in ``fire``
        if due > at_ms + BACK_MS and next_time(schedule.cron, None, schedule.zone, at_ms + BACK_MS) < due:
            if not ctx.has_spare(2 * len(schedule.body) + _bytes_of(schedule.attributes, schedule.body)):
                return False
            record = schedule.to_record(ctx.now)
            record.next_at = next_time(schedule.cron, None, schedule.zone, at_ms)
            ctx.commit(record)
            ctx.refusals.pop(name, None)
    watch(ctx, name)
    return True


def _clock(ctx: Context, cron: str | None) -> int:
    """The time that a schedule goes by: wall time with a cron expression, else time that passes."""
    return ctx.now + ctx.skew_ms if cron is not None else ctx.now


def bytes_of(ctx: Context, schedule: Schedule) -> int:
    """What one firing adds to the journal at most."""
    targets = ctx.state.bindings.record_bytes(schedule.target, 1) if schedule.kind == "topic" else 0
    return targets + _bytes_of(schedule.attributes, schedule.body)


def _bytes_of(attributes: Mapping[str, Any], body: bytes) -> int:
    headers = attributes.get("headers") or {}
    text = sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())
    text += len((attributes.get("key") or "").encode())
    return COMMAND_BYTES + len(body) + CHARACTER_BYTES * text


def _publish(ctx: Context, schedule: Schedule, next_at: int) -> PostroadError | None:
    command = c.PublishMessages(
        queue=schedule.target, kind=schedule.kind, sizes=[len(schedule.body)], attributes=dict(schedule.attributes),
        schedule=(schedule.name, next_at),
    )  # fmt: skip
    try:
        ctx.check_publish(bytes_of(ctx, schedule))
        reply = publish(ctx, command)
    except PostroadError as error:
        return error
    ctx.fired[reply.position] = schedule.body
    ctx.refusals.pop(schedule.name, None)
    return None
