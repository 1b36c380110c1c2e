"""What operators do to messages: redrive, discard, purge, cancel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import InvalidState, MessageNotFound
from .command import CancelMessage, Discard, Purge, Redrive
from .effect import Revoke
from .queue import Queue
from .record import Place
from .runs import Runs

if TYPE_CHECKING:
    from .machine import Machine


def redrive(machine: Machine, command: Redrive) -> int:
    """Put dead messages back where they came from, with attempts from 0. Those whose queue is gone stay.

    Raises:
        InvalidState: nothing in it came from another queue.
    """
    queue = machine.queue(command.queue)
    ready = _waiting(queue)
    sequences = (
        ready.after(-1, command.limit) if command.sequences is None else [s for s in command.sequences if s in ready]
    )
    by_origin: dict[int, list[int]] = {}
    for sequence in sequences:
        placed = queue.log.placed.get(sequence)
        if placed is not None and placed[1] in machine.state.logs:
            by_origin.setdefault(placed[1], []).append(sequence)
    if sequences and not by_origin:
        raise InvalidState(f'Nothing chosen in "{queue.name}" came from a queue that still exists.', queue=queue.name)
    count = 0
    for origin, chosen in by_origin.items():
        target = machine.state.logs[origin]
        entries = [
            (target.log.next + offset, *queue.log.locate(sequence), queue.log.size_of(sequence), sequence, 0, 0)
            for offset, sequence in enumerate(chosen)
        ]
        machine.commit(Place(machine.now, target.number, "redriven", queue.number, entries))
        machine.settle(queue, "redriven", _runs(chosen))
        machine.dispatch(target)
        count += len(chosen)
    return count


def discard(machine: Machine, command: Discard) -> int:
    """Settle chosen messages that nobody holds, as purged."""
    queue = machine.queue(command.queue)
    waiting = _waiting(queue)
    chosen = sorted({sequence for sequence in command.sequences if sequence in waiting})
    if chosen:
        machine.settle(queue, "purged", _runs(chosen))
    return len(chosen)


def purge(machine: Machine, command: Purge) -> int:
    """Settle all that is ready, delayed or retrying."""
    queue = machine.queue(command.queue)
    waiting = _waiting(queue)
    if waiting:
        machine.settle(queue, "purged", [(first, last, 0) for first, last in waiting])
    return waiting.count


def cancel_message(machine: Machine, command: CancelMessage) -> None:
    """Settle one message as cancelled; who holds it is told.

    Raises:
        MessageNotFound: it is settled already.
    """
    queue = machine.queue(command.queue)
    sequence = command.sequence
    if queue.group.is_settled(sequence) or sequence >= queue.log.next:
        raise MessageNotFound("The message is settled already.")
    granted_at, consumer = 0, None
    for subscription in machine.subscriptions.values():
        if subscription.queue is not queue:
            continue
        lease = subscription.leases.find_sequence(sequence)
        if lease is not None:
            number = lease.number + sequence - lease.sequence
            subscription.leases.take(number, number)
            machine.live_of(queue).leased -= 1
            granted_at, consumer = lease.granted_at, subscription.consumer
            machine.effects.append(Revoke(subscription.id, [(number, number)], "cancelled"))
            break
    machine.settle(queue, "cancelled", [(sequence, sequence, granted_at)], consumer)
    machine.dispatch(queue)


def _waiting(queue: Queue) -> Runs:
    """All that is unsettled and not leased."""
    group = queue.group
    waiting = Runs()
    for runs in (*group.ready.values(), group.order.parked, group.delayed.members, group.retrying.members):
        for first, last in runs:
            waiting.add(first, last)
    return waiting


def _runs(sequences: Iterable[int]) -> list[tuple[int, int, int]]:
    return [(first, last, 0) for first, last in Runs((s, s) for s in sequences)]
