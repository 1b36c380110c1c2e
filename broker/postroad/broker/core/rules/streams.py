"""Operations on streams and topics: resetting a group, replaying a range into a queue, binding."""

from __future__ import annotations

from ...errors import Conflict, InvalidRequest, LimitExceeded, QueueNotFound
from ..durable.queue import Queue
from ..durable.stream import Stream
from ..durable.topic.bindings import Binding, check_filter
from ..durable.topic.pattern import check_pattern
from ..format.command import STEP_ITEMS, BindTopic, Replay, ResetGroup, Stepped
from ..format.effect import Revoke
from ..format.record import Bind, Move, Reset
from .context import Context
from .declare import define, offset_of
from .dispatch import dispatch
from .overflow import fitting, make_room


def reset_group(ctx: Context, command: ResetGroup) -> int:
    """Go on from another offset: leases are revoked, attempts forgotten.

    Raises:
        QueueNotFound. InvalidRequest: it is a queue, not a group.
    """
    group = ctx.queue(command.queue)
    if group.stream is None:
        raise InvalidRequest(
            f'"{group.name}" is a queue; only a consumer group has a position to reset.', field="group"
        )
    start = offset_of(ctx.state.stream_logs[group.stream], command.start)
    ctx.commit(Reset(ctx.now, group.number, start))
    for subscription in ctx.holders(group):
        if leases := subscription.leases.clear():
            ctx.effects.append(Revoke(subscription.id, [(held.number, held.last) for held in leases], "reset"))
            if subscription.ended:
                ctx.end(subscription)
    ctx.watch_due(group)
    dispatch(ctx, group)
    return start


def replay(ctx: Context, command: Replay) -> Stepped:
    """Copy messages of a stream to a queue, by reference, as far as it has room; made if there is anything to copy.

    Raises:
        QueueNotFound: no such stream. Conflict: the target is a stream.
    """
    stream = _stream(ctx, command.stream)
    queue = ctx.state.queues.get(command.queue)
    if queue is not None and queue.stream is not None:
        raise InvalidRequest("The target of a replay must be a queue.", field="queue")
    if command.queue in ctx.state.streams:
        raise Conflict(f'"{command.queue}" is a stream.', queue=command.queue)
    log = stream.log
    first = max(command.first, log.first)
    last = min(command.last, log.next - 1, first + min(command.limit, STEP_ITEMS) - 1)
    kept = [sequence for a, b in log.kept(first, last) for sequence in range(a, b + 1)]
    fits = fitting(ctx, queue, kept, log.size_of) if queue is not None else len(kept)
    if fits:
        queue = queue or define(ctx, command.queue)
        entries = [
            (at, *log.locate(sequence), log.size_of(sequence), sequence, 0, 0)
            for at, sequence in enumerate(kept[:fits], queue.log.next)
        ]
        ctx.commit(Move(ctx.now, queue.number, "replayed", stream.number, entries))
        ctx.watch_due(queue)
        make_room(ctx, queue, fits)
        dispatch(ctx, queue)
    reply = Stepped(count=fits, seen=max(last - first + 1, 0), next=None, left=len(kept) - fits)
    if last < min(command.last, log.next - 1):
        reply.next = last + 1
    if queue is not None and reply.left:
        reply.full.append(queue.number)
    return reply


def bind_topic(ctx: Context, command: BindTopic) -> bool:
    """Add or remove a binding; adding one that is there, or removing one that is not, changes nothing.

    Raises:
        InvalidName, InvalidRequest. QueueNotFound: no such target. LimitExceeded: there are ``bindings_max`` already.
    """
    pattern = check_pattern(command.pattern)
    headers, any_header = check_filter(command.headers)
    state = ctx.state
    target: Queue | Stream | None = state.queues.get(command.target) or state.streams.get(command.target)
    if target is None or (isinstance(target, Queue) and target.stream is not None):
        raise QueueNotFound(f'There is no queue or stream named "{command.target}".', queue=command.target)
    binding = Binding(pattern, target.number, headers, any_header)
    if (binding in state.bindings.all) == command.on:
        return False
    if command.on and (count := len(state.bindings.all)) >= (limit := ctx.limits.bindings_max):
        raise LimitExceeded(f"There are {count:,} bindings already.", limit="bindings_max", value=limit)
    ctx.commit(Bind(ctx.now, target.number, pattern, command.on, list(headers), any_header))
    return True


def _stream(ctx: Context, name: str) -> Stream:
    stream = ctx.state.streams.get(name)
    if stream is None:
        raise QueueNotFound(f'There is no stream named "{name}".', stream=name)
    return stream
