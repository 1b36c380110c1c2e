"""Declaring, deleting and pausing queues."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import Conflict, InvalidRequest, InvalidState, LimitExceeded, QueueNotFound
from ...settings import QueueSettings, StreamSettings
from ..durable.queue import Queue
from ..durable.stream import GROUP_SEPARATOR, Stream
from ..format.command import Declare, DeclareGroup, DeclareStream, Delete, SetPaused
from ..format.effect import End
from ..format.record import Define, DefineGroup, DefineStream, Pause, Undefine
from .context import Context
from .dead_letters import check_target
from .dispatch import dispatch
from .retention import retain


def declare(ctx: Context, command: Declare) -> bool:
    """Make a queue, or check or update its settings.

    Raises:
        InvalidRequest, Conflict, LimitExceeded.
    """
    queue = ctx.state.queues.get(command.queue)
    if queue is None:
        settings = QueueSettings().changed(command.settings)
        check_target(ctx, command.queue, settings)
        define(ctx, command.queue, settings)
        return True
    return _update(ctx, queue, command.settings, command.update)


def _update(ctx: Context, queue: Queue, given: Mapping[str, object], update: bool) -> bool:
    given = _of_group(given) if queue.stream is not None else given
    settings = queue.settings.changed(given)
    if settings != queue.settings:
        if not update:
            raise _conflict(queue.name, settings.to_json(), queue.settings.to_json())
        if settings.dead_letter != queue.settings.dead_letter:
            check_target(ctx, queue.name, settings)
        ctx.commit(Define(ctx.now, queue.name, queue.number, settings.to_json(), queue.dead_letter_of))
        ctx.timers.at("overflow", queue.number, ctx.now)  # if a limit is lower now, room is made at once
        dispatch(ctx, queue)
    return False


def _of_group(given: Mapping[str, object]) -> Mapping[str, object]:
    """Raises: InvalidRequest: a limit that only a queue, or the stream, can have."""
    default = QueueSettings()
    for name in ("length_max", "bytes_max", "overflow"):
        if name in given and given[name] != getattr(default, name):
            raise InvalidRequest(
                f"{name} is no setting of a group: what a stream keeps is said by its retention.",
                field=f"settings.{name}",
            )
    return given


def define(ctx: Context, name: str, settings: QueueSettings | None = None, dead_letter_of: str | None = None) -> Queue:
    """Make a queue that does not exist.

    Raises:
        LimitExceeded: there are ``queues_max`` already. Conflict: the name is a stream's.
    """
    state = ctx.state
    check_count(ctx)
    if name in state.streams:
        raise Conflict(f'"{name}" is a stream.', queue=name)
    settings = settings or QueueSettings()
    ctx.commit(Define(ctx.now, name, state.next_log, settings.to_json(), dead_letter_of))
    return state.queues[name]


def define_stream(ctx: Context, name: str, settings: StreamSettings | None = None) -> Stream:
    """Make a stream that does not exist.

    Raises:
        LimitExceeded, Conflict: the name is a queue's.
    """
    state = ctx.state
    check_count(ctx)
    if name in state.queues:
        raise Conflict(f'"{name}" is a queue.', queue=name)
    ctx.commit(DefineStream(ctx.now, name, state.next_log, (settings or StreamSettings()).to_json()))
    return state.streams[name]


def declare_stream(ctx: Context, command: DeclareStream) -> bool:
    """Make a stream, or check or update its settings.

    Raises:
        InvalidRequest, Conflict, LimitExceeded.
    """
    stream = ctx.state.streams.get(command.stream)
    if stream is None:
        define_stream(ctx, command.stream, StreamSettings().changed(command.settings))
        return True
    settings = stream.settings.changed(command.settings)
    if settings != stream.settings:
        if not command.update:
            raise _conflict(stream.name, settings.to_json(), stream.settings.to_json())
        if settings.compaction and stream.compaction is None and stream.log.count:
            raise InvalidState(
                f'"{stream.name}" keeps messages whose keys were not noted: compaction begins on an empty stream.',
                field="settings.compaction",
            )
        ctx.commit(DefineStream(ctx.now, stream.name, stream.number, settings.to_json()))
        retain(ctx, stream)
    return False


def declare_group(ctx: Context, command: DeclareGroup) -> bool:
    """Make a consumer group of a stream (and the stream, with defaults), or check or update the group's settings.

    Raises:
        InvalidRequest, Conflict, LimitExceeded.
    """
    state = ctx.state
    existing = state.streams.get(command.stream)
    group = existing.groups.get(command.group) if existing else None
    if group is not None:
        return _update(ctx, group, command.settings, command.update)
    check_count(ctx, 1 if existing else 2)
    settings = QueueSettings().changed(_of_group(command.settings))
    check_target(ctx, f"{command.stream}{GROUP_SEPARATOR}{command.group}", settings)
    stream = existing or define_stream(ctx, command.stream)
    start = offset_of(stream, command.start)
    number = state.next_log
    ctx.commit(DefineGroup(ctx.now, stream.number, number, command.group, settings.to_json(), start))
    ctx.watch_due(stream.groups[command.group])
    return True


def offset_of(stream: Stream, start: str | tuple[str, int]) -> int:
    """``earliest``, ``latest``, ``("offset", n)``, ``("last", n)`` or ``("at", milliseconds)`` as an offset that the stream has, or its end."""
    log = stream.log
    if start == "earliest":
        return log.first
    if isinstance(start, str):
        return log.next
    kind, value = start
    if kind == "at":
        value = log.boundary_by_time(value)
    elif kind == "last":
        value = log.next - value
    return min(max(value, log.first), log.next)


def check_count(ctx: Context, more: int = 1) -> None:
    """Raises: LimitExceeded: there would be more than ``queues_max``."""
    count, limit = len(ctx.state.queues) + len(ctx.state.streams), ctx.limits.queues_max
    if count + more > limit:
        raise LimitExceeded(f"There are {count:,} queues and streams already.", limit="queues_max", value=limit)


def _conflict(name: str, wanted: dict[str, object], present: dict[str, object]) -> Conflict:
    differ = [setting for setting, value in wanted.items() if value != present[setting]]
    return Conflict(f'"{name}" was declared with other settings: {", ".join(differ)}.', settings=differ)


def delete(ctx: Context, command: Delete) -> None:
    """Remove a queue, a stream with its groups, or a group, and everything in it; consumers end."""
    stream = ctx.state.streams.get(command.queue)
    gone = [*stream.groups.values()] if stream else [ctx.queue(command.queue)]
    number = stream.number if stream else gone[0].number
    ctx.commit(Undefine(ctx.now, command.queue, number))
    for queue in gone:
        runtime = ctx.runtimes.pop(queue.number, None)
        for subscription in runtime.subscriptions() if runtime is not None else ():
            del ctx.subscriptions[subscription]
            ctx.effects.append(End(subscription, QueueNotFound(f'"{command.queue}" was deleted.', queue=command.queue)))


def set_paused(ctx: Context, command: SetPaused) -> None:
    """Stop or resume deliveries; what is leased stays leased."""
    queue = ctx.queue(command.queue)
    if queue.paused != command.paused or queue.pause_reason != command.reason:
        ctx.commit(Pause(ctx.now, queue.number, command.paused, command.reason))
    dispatch(ctx, queue)
