"""What operators do to messages: redrive, discard, purge, cancel.

Each command acts on a step's messages at most; whoever asks for more goes on where it ended, up to what existed when it was asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import InvalidState, MessageNotFound
from ..durable.queue import Queue
from ..durable.runs import Runs
from ..durable.stream_log import StreamLog
from ..format.command import (
    STEP_ITEMS,
    CancelMessage,
    Discard,
    Published,
    Purge,
    Range,
    Redrive,
    RedriveEdited,
    Stepped,
)
from ..format.effect import Revoke
from ..format.record import Move
from .context import Context
from .dispatch import dispatch
from .overflow import fitting, make_room
from .publish import check, hand_out, record


def redrive(ctx: Context, command: Redrive) -> Stepped:
    """Put dead messages back where they came from, with attempts from 0. Those whose queue is gone, or has no room, stay."""
    queue = ctx.queue(command.queue)
    following: int | None = None
    if command.sequences is not None:
        assert len(command.sequences) <= STEP_ITEMS, "more than a step"
        wanted = [s for s in dict.fromkeys(command.sequences) if queue.group.is_waiting(s)]
    else:
        runs, following = _next(queue, command.first, command.until, command.limit)
        wanted = [s for first, last in runs for s in range(first, last + 1)]
    reply = Stepped(count=0, seen=len(wanted), next=following, full=list(command.full))
    _redrive(ctx, queue, wanted, reply)
    return reply


def _redrive(ctx: Context, queue: Queue, sequences: list[int], reply: Stepped) -> None:
    """Send those of these that can go back; the reply tells how many."""
    by_origin: dict[int, list[int]] = {}
    reopened: set[tuple[int, int]] = set()
    for sequence in sequences:
        came = queue.log.placed_at(sequence)
        if came is None or not _takes_back(ctx, came[1], *queue.log.locate(sequence)):
            continue
        origin = came[1]
        target = ctx.state.logs[origin]
        if target.stream is not None:
            offset = _offset(target, *queue.log.locate(sequence))
            if (origin, offset) in reopened:  # it died twice, before and after a reset, and can be ready only once
                continue
            reopened.add((origin, offset))
        by_origin.setdefault(origin, []).append(sequence)
    moved: list[tuple[Queue, int]] = []
    for origin, able in by_origin.items():
        target = ctx.state.logs[origin]
        chosen = able[: fitting(ctx, target, able, queue.log.size_of)] if origin not in reply.full else []
        if len(chosen) < len(able):
            reply.left += len(able) - len(chosen)
            if origin not in reply.full:
                reply.full.append(origin)
        if not chosen:
            continue
        entries = []
        for offset, sequence in enumerate(chosen):
            place = queue.log.locate(sequence)
            at = target.log.next + offset if target.stream is None else _offset(target, *place)
            entries.append((at, *place, queue.log.size_of(sequence), sequence, 0, 0))
        known = queue.group.priorities_of(chosen)
        priorities = [known.get(sequence, 0) for sequence in chosen] if known else None
        ctx.commit(Move(ctx.now, target.number, "redriven", queue.number, entries, priorities=priorities))
        ctx.settle(queue, "redriven", _runs(chosen))
        moved.append((target, len(chosen)))
        reply.count += len(chosen)
    # Only now: what makes room may be dead letters for this very queue, and handing them out may lease or expire what is chosen.
    for target, count in moved:
        ctx.watch_due(target)
        make_room(ctx, target, count)
        dispatch(ctx, target)
    dispatch(ctx, queue)  # what was taken out may have held an ordering key


def redrive_edited(ctx: Context, command: RedriveEdited) -> Published:
    """Send an edited message back to where the dead one came from; the dead one is settled.

    Raises:
        MessageNotFound: it is not there, or someone holds it.
        InvalidState: its queue is gone; or it came from a group, which has no messages of its own: all groups would get it.
    """
    queue = ctx.queue(command.queue)
    if not queue.group.is_waiting(command.sequence):
        raise MessageNotFound(f'The message is not waiting in "{queue.name}".', queue=queue.name)
    placed = queue.log.placed_at(command.sequence)
    target = ctx.state.logs.get(placed[1]) if placed else None
    if target is None:
        raise InvalidState(f'The message in "{queue.name}" came from no queue that still exists.', queue=queue.name)
    if target.stream is not None:
        raise InvalidState(
            f'"{target.name}" is a group: an edited message would reach every group of the stream. '
            "Redrive it as it is, or publish a corrected one to the stream.",
            queue=queue.name,
        )
    publish = command.publish
    publish.queue, publish.kind = target.name, "queue"
    check(ctx, [publish])
    reply, routes = record(ctx, publish)
    ctx.settle(queue, "redriven", _runs([command.sequence]), reason="edited")
    hand_out(ctx, publish, routes)  # only now: what makes room may be dead letters for this very queue
    dispatch(ctx, queue)
    return reply


def _takes_back(ctx: Context, origin: int, position: int, index: int) -> bool:
    """Whether the queue still exists, or the group's stream still has the message, settled there."""
    target = ctx.state.logs.get(origin)
    return target is not None and (target.stream is None or _offset(target, position, index) >= 0)


def _offset(group: Queue, position: int, index: int) -> int:
    """Offset of a message in a group's stream; -1: it is trimmed, or not settled."""
    assert isinstance(group.log, StreamLog), "only a group has offsets"
    offset = group.log.find(position, index)
    return offset if offset >= 0 and group.group.is_settled(offset) else -1


def discard(ctx: Context, command: Discard) -> int:
    """Settle chosen messages that nobody holds, as purged."""
    assert len(command.sequences) <= STEP_ITEMS, "more than a step"
    queue = ctx.queue(command.queue)
    chosen = sorted({sequence for sequence in command.sequences if queue.group.is_waiting(sequence)})
    if chosen:
        ctx.settle(queue, "purged", _runs(chosen))
        dispatch(ctx, queue)
    return len(chosen)


def purge(ctx: Context, command: Purge) -> Stepped:
    """Settle what is ready, parked, delayed or retrying."""
    queue = ctx.queue(command.queue)
    runs, following = _next(queue, command.first, command.until, command.limit)
    if runs:
        ctx.settle(queue, "purged", [(first, last, 0) for first, last in runs])
        dispatch(ctx, queue)  # what was taken out may have held an ordering key
    count = sum(last - first + 1 for first, last in runs)
    return Stepped(count=count, seen=count, next=following)


def cancel_message(ctx: Context, command: CancelMessage) -> None:
    """Settle one message as cancelled; who holds it is told.

    Raises:
        MessageNotFound: it is settled already.
    """
    queue = ctx.queue(command.queue)
    sequence = command.sequence
    if queue.group.is_settled(sequence) or sequence >= queue.log.next:
        raise MessageNotFound("The message is settled already.")
    held = ctx.holder(queue, sequence)
    if held is None:
        ctx.settle(queue, "cancelled", [(sequence, sequence, 0)])
    else:
        subscription, lease = held
        ctx.settle(queue, "cancelled", [(sequence, sequence, lease.granted_at)], subscription.consumer)
        number = lease.number + sequence - lease.sequence
        subscription.leases.take(number, number)
        ctx.effects.append(Revoke(subscription.id, [(number, number)], "cancelled"))
        if subscription.ended and not subscription.leases.count:
            ctx.end(subscription)
    dispatch(ctx, queue)


def _next(queue: Queue, first: int, until: int, limit: int) -> tuple[list[Range], int | None]:
    """What waits from ``first`` on, before ``until``, a step at most; and where the following step begins."""
    limit = min(limit, STEP_ITEMS)
    runs = queue.group.waiting_from(first, limit)
    while runs and runs[-1][1] >= until:
        a, _ = runs.pop()
        if a < until:
            runs.append((a, until - 1))
    if sum(b - a + 1 for a, b in runs) < limit or runs[-1][1] + 1 >= until:
        return runs, None
    return runs, runs[-1][1] + 1


def _runs(sequences: Iterable[int]) -> list[tuple[int, int, int]]:
    return [(first, last, 0) for first, last in Runs((s, s) for s in sequences)]
