"""Schedules: a message published again and again, at times that are known in advance.

Durable, listed, paused, run at once. A firing is one record that holds both the message and the schedule's next time, so a restart
neither forgets nor repeats one. What was missed while the broker was down fires once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InvalidState, LimitExceeded, PostroadError, QueueNotFound
from ..format import command as c
from ..format.record import DefineSchedule, RefuseSchedule, UndefineSchedule
from .cron import check_schedule, next_time

if TYPE_CHECKING:
    from ..machine import Machine

SCHEDULES_MAX = 10_000


@dataclass(slots=True, kw_only=True)
class Schedule:
    """Durable state of a schedule.

    Attributes:
        publish: Where to and with what attributes.
        body: Of the message; at most 64 KiB, kept in memory.
        next_at: When it fires next, milliseconds. last_at: when it last did; 0: never.
        last_error: Why the last firing was refused: ``at``, ``code``, ``message``; None once one has been published again.
    """

    name: str
    cron: str | None
    every_ms: int | None
    zone: str
    kind: str
    target: str
    attributes: dict[str, Any]
    body: bytes
    paused: bool
    next_at: int
    last_at: int = 0
    fired: int = 0
    last_error: dict[str, Any] | None = None

    def to_record(self, at: int) -> DefineSchedule:
        return DefineSchedule(at, self.name, self.cron, self.every_ms, self.zone, self.kind, self.target, self.attributes,
                              self.body.hex(), self.paused, self.next_at, self.last_at, self.fired, self.last_error)  # fmt: skip


def declare_schedule(machine: Machine, command: c.DeclareSchedule) -> int:
    """Make or replace a schedule; returns when it fires next.

    Raises:
        InvalidRequest, LimitExceeded.
    """
    check_schedule(command.cron, command.every_ms, command.zone)
    schedules = machine.state.schedules
    if command.name not in schedules and len(schedules) >= SCHEDULES_MAX:
        raise LimitExceeded("There are too many schedules.", limit="schedules_max", value=SCHEDULES_MAX)
    before = schedules.get(command.name)
    publish = command.publish
    schedule = Schedule(
        name=command.name, cron=command.cron, every_ms=command.every_ms, zone=command.zone, kind=publish.kind,
        target=publish.queue, attributes=publish.attributes, body=command.body, paused=command.paused,
        next_at=next_time(command.cron, command.every_ms, command.zone, machine.now),
        last_at=before.last_at if before else 0, fired=before.fired if before else 0,
    )  # fmt: skip
    machine.commit(schedule.to_record(machine.now))
    watch(machine, command.name)
    return schedule.next_at


def change_schedule(machine: Machine, command: c.ChangeSchedule) -> None:
    """Delete it, pause it, resume it, or run it now.

    Raises:
        QueueNotFound: there is none of that name. InvalidState: running it was refused.
    """
    schedule = machine.state.schedules.get(command.name)
    if schedule is None:
        raise QueueNotFound(f'There is no schedule named "{command.name}".', schedule=command.name)
    if command.do == "delete":
        machine.commit(UndefineSchedule(machine.now, command.name))
    elif command.do == "run":
        if (error := _publish(machine, schedule, schedule.next_at)) is not None:
            raise InvalidState(f"It could not be published: {error.message}")
    else:
        record = schedule.to_record(machine.now)
        record.paused = command.do == "pause"
        if not record.paused:
            record.next_at = next_time(schedule.cron, schedule.every_ms, schedule.zone, machine.now)
        machine.commit(record)
        watch(machine, command.name)


def fire(machine: Machine, name: str) -> None:
    """Its time has come: publish, once, however many times were missed."""
    schedule = machine.state.schedules.get(name)
    if schedule is None or schedule.paused:
        return
    if schedule.next_at <= machine.now:
        following = next_time(schedule.cron, schedule.every_ms, schedule.zone, machine.now)
        if (error := _publish(machine, schedule, following)) is not None:
            machine.commit(RefuseSchedule(machine.now, name, schedule.target, following, error.code, error.message))
    watch(machine, name)


def watch(machine: Machine, name: str) -> None:
    schedule = machine.state.schedules.get(name)
    if schedule is not None and not schedule.paused:
        machine.timers.at("schedule", name, schedule.next_at)


def _publish(machine: Machine, schedule: Schedule, next_at: int) -> PostroadError | None:
    from .publish import publish

    command = c.PublishMessages(
        queue=schedule.target, kind=schedule.kind, sizes=[len(schedule.body)], attributes=dict(schedule.attributes),
        schedule=(schedule.name, next_at),
    )  # fmt: skip
    try:
        reply = publish(machine, command)
    except PostroadError as error:
        return error
    machine.fired[reply.position] = schedule.body
    return None
