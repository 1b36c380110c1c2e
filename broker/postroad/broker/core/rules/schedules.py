"""Schedules: a message published again and again, at times that are known in advance.

Durable, listed, paused, run at once. A firing is one record that holds both the message and the schedule's next time, so a restart
neither forgets nor repeats one. What was missed while the broker was down fires once.
"""

from __future__ import annotations

from ...errors import InvalidState, LimitExceeded, PostroadError, QueueNotFound
from ..durable.schedule import Schedule
from ..format import command as c
from ..format.record import RefuseSchedule, UndefineSchedule
from .context import COMMAND_BYTES, Context
from .cron import check_schedule, next_time
from .publish import publish

SCHEDULES_MAX = 10_000

ATTRIBUTES_BYTES = 20 * 1024
"""Headers, key and the like of one message, as JSON, at most."""


def declare_schedule(ctx: Context, command: c.DeclareSchedule) -> int:
    """Make or replace a schedule; returns when it fires next.

    Raises:
        InvalidRequest, LimitExceeded.
    """
    check_schedule(command.cron, command.every_ms, command.zone)
    schedules = ctx.state.schedules
    if command.name not in schedules and len(schedules) >= SCHEDULES_MAX:
        raise LimitExceeded("There are too many schedules.", limit="schedules_max", value=SCHEDULES_MAX)
    before = schedules.get(command.name)
    publish = command.publish
    schedule = Schedule(
        name=command.name, cron=command.cron, every_ms=command.every_ms, zone=command.zone, kind=publish.kind,
        target=publish.queue, attributes=publish.attributes, body=command.body, paused=command.paused,
        next_at=next_time(command.cron, command.every_ms, command.zone, ctx.now),
        last_at=before.last_at if before else 0, fired=before.fired if before else 0,
    )  # fmt: skip
    ctx.commit(schedule.to_record(ctx.now))
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
    elif command.do == "run":
        if (error := _publish(ctx, schedule, schedule.next_at)) is not None:
            raise InvalidState(f"It could not be published: {error.message}")
    else:
        record = schedule.to_record(ctx.now)
        record.paused = command.do == "pause"
        if not record.paused:
            record.next_at = next_time(schedule.cron, schedule.every_ms, schedule.zone, ctx.now)
        ctx.commit(record)
        watch(ctx, command.name)


def fire(ctx: Context, name: str) -> None:
    """Publish a schedule that is due: once, however many times were missed."""
    schedule = ctx.state.schedules.get(name)
    if schedule is None or schedule.paused:
        return
    if schedule.next_at <= ctx.now:
        following = next_time(schedule.cron, schedule.every_ms, schedule.zone, ctx.now)
        if (error := _publish(ctx, schedule, following)) is not None:
            ctx.commit(RefuseSchedule(ctx.now, name, schedule.target, following, error.code, error.message))
    watch(ctx, name)


def watch(ctx: Context, name: str) -> None:
    schedule = ctx.state.schedules.get(name)
    if schedule is not None and not schedule.paused:
        ctx.timers.at("schedule", name, schedule.next_at)


def bytes_of(ctx: Context, schedule: Schedule) -> int:
    """What one firing adds to the journal at most."""
    targets = ctx.state.bindings.record_bytes(schedule.target, 1) if schedule.kind == "topic" else 0
    return COMMAND_BYTES + ATTRIBUTES_BYTES + targets + len(schedule.body)


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
    return None
