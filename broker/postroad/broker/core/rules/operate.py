"""What operators do to messages: redrive, discard, purge, cancel."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ...errors import InvalidState, MessageNotFound
from ..durable.queue import Queue
from ..durable.runs import Runs
from ..durable.stream_log import StreamLog
from ..format.command import CancelMessage, Discard, Published, Purge, Redrive, RedriveEdited
from ..format.effect import Revoke
from ..format.record import Move
from .context import Context
from .dispatch import dispatch
from .publish import check, store


def redrive(ctx: Context, command: Redrive) -> int:
    """Put dead messages back where they came from, with attempts from 0. Those whose queue is gone stay.

    Raises:
        InvalidState: nothing in it came from another queue.
    """
    queue = ctx.queue(command.queue)
    ready, placed_at = queue.group.waiting(), queue.log.placed_at
    chosen = dict.fromkeys(command.sequences) if command.sequences is not None else None
    wanted = (s for s in chosen if s in ready) if chosen is not None else (s for a, b in ready for s in range(a, b + 1))
    movable = (s for s in wanted if (came := placed_at(s)) and _takes_back(ctx, came[1], *queue.log.locate(s)))
    by_origin: dict[int, list[int]] = {}
    reopened: set[tuple[int, int]] = set()
    for sequence in movable if chosen is not None else islice(movable, command.limit):
        _, origin = placed_at(sequence) or (0, 0)
        target = ctx.state.logs[origin]
        if target.stream is not None:
            offset = _offset(target, *queue.log.locate(sequence))
            if (origin, offset) in reopened:  # it died twice, before and after a reset, and can be ready only once
                continue
            reopened.add((origin, offset))
        by_origin.setdefault(origin, []).append(sequence)
    if not by_origin and (ready if chosen is None else any(s in ready for s in chosen)):
        raise InvalidState(f'Nothing chosen in "{queue.name}" came from a queue that still exists.', queue=queue.name)
    count = 0
    for origin, sequences in by_origin.items():
        target = ctx.state.logs[origin]
        entries = []
        for offset, sequence in enumerate(sequences):
            place = queue.log.locate(sequence)
            at = target.log.next + offset if target.stream is None else _offset(target, *place)
            entries.append((at, *place, queue.log.size_of(sequence), sequence, 0, 0))
        known = queue.group.priorities_of(sequences)
        priorities = [known.get(sequence, 0) for sequence in sequences] if known else None
        ctx.commit(Move(ctx.now, target.number, "redriven", queue.number, entries, priorities=priorities))
        ctx.settle(queue, "redriven", _runs(sequences))
        dispatch(ctx, target)
        count += len(sequences)
    dispatch(ctx, queue)  # what was taken out may have held an ordering key
    return count


def redrive_edited(ctx: Context, command: RedriveEdited) -> Published:
    """Send an edited message back to where the dead one came from; the dead one is settled.

    Raises:
        MessageNotFound: it is not there, or someone holds it.
        InvalidState: its queue is gone; or it came from a group, which has no messages of its own: all groups would get it.
    """
    queue = ctx.queue(command.queue)
    if command.sequence not in queue.group.waiting():
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
    reply = store(ctx, publish)
    ctx.settle(queue, "redriven", _runs([command.sequence]), reason="edited")
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
    queue = ctx.queue(command.queue)
    waiting = queue.group.waiting()
    chosen = sorted({sequence for sequence in command.sequences if sequence in waiting})
    if chosen:
        ctx.settle(queue, "purged", _runs(chosen))
        dispatch(ctx, queue)
    return len(chosen)


def purge(ctx: Context, command: Purge) -> int:
    """Settle all that is ready, delayed or retrying."""
    queue = ctx.queue(command.queue)
    waiting = queue.group.waiting()
    if waiting:
        ctx.settle(queue, "purged", [(first, last, 0) for first, last in waiting])
    return waiting.count


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


def _runs(sequences: Iterable[int]) -> list[tuple[int, int, int]]:
    return [(first, last, 0) for first, last in Runs((s, s) for s in sequences)]
