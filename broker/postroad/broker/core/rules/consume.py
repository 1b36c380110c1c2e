"""Consumers coming, going and coming back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import QueueNotFound
from ..durable.queue import Queue
from ..format.command import CancelConsumer, Consume, Consuming, Detach, SetPrefetch, Stall
from ..format.effect import Returned
from ..volatile.lease import Lease, missing
from ..volatile.subscription import Subscription
from .declare import define
from .dispatch import Live, lease
from .failure import Failed, fail

if TYPE_CHECKING:
    from ..machine import Machine

RESUME_MS = 500
"""How long leases outlive their connection, and how long a queue waits from its first consumer after a restart."""


def consume(machine: Machine, command: Consume) -> Consuming:
    """Add a consumer, or take up one whose connection was lost.

    Raises:
        QueueNotFound: no such queue, and ``declare`` is off.
    """
    queue = machine.state.queues.get(command.queue)
    if queue is None:
        if not command.declare:
            raise QueueNotFound(f'There is no queue named "{command.queue}".', queue=command.queue)
        queue = define(machine, command.queue)
    live = machine.live_of(queue)
    if live.held_until is None:
        live.held_until = machine.now + RESUME_MS
        machine.timers.at("held", queue.number, live.held_until)
    subscription = _former(machine, command) if command.resume else None
    if subscription is None:
        number = machine.next_subscription
        machine.next_subscription += 1
        subscription = Subscription(
            number, f"s{machine.state.epoch}-{number}{command.secret}", queue, command.consumer, command.client, command.prefetch,
            command.lease_ms or queue.settings.lease_ms, machine.now,
        )  # fmt: skip
        machine.subscriptions[number] = subscription
        live.consumers.append(subscription)
        lost = _lease_again(machine, live, subscription, command)
    else:
        subscription.detached_at = None
        subscription.stalled = False
        subscription.prefetch = command.prefetch
        subscription.client = command.client
        lost = _keep_held(machine, live, subscription, command)
    first = subscription.next_number
    machine.dispatch(queue)
    return Consuming(
        subscription=subscription.id, first=first, token=subscription.token, lease_ms=subscription.lease_ms, lost=lost
    )


def _former(machine: Machine, command: Consume) -> Subscription | None:
    """The subscription to go on with. It need not be detached: a client may be back before its old connection is known to be lost."""
    for subscription in machine.subscriptions.values():
        if subscription.token == command.resume and subscription.queue.name == command.queue:
            return None if subscription.ended else subscription
    return None


def _keep_held(machine: Machine, live: Live, subscription: Subscription, command: Consume) -> list[tuple[int, int]]:
    """The client is back in time: what it holds stays leased, what never reached it goes back."""
    lost: list[tuple[int, int]] = []
    kept: list[Lease] = []
    for number, count, _ in command.held:
        leases = subscription.leases.take(number, number + count - 1)
        kept += leases
        lost += missing(number, number + count - 1, [(held.number, held.last) for held in leases])
    subscription.begun = max(subscription.begun, min(command.begun, subscription.next_number - 1))
    give_back(machine, live, subscription, "connection lost")
    deadline = machine.now + subscription.lease_ms
    for held in kept:
        held.deadline = deadline
        subscription.leases.add(held)
    if kept:
        machine.timers.at("leases", subscription.id, deadline)
    return lost


def _lease_again(machine: Machine, live: Live, subscription: Subscription, command: Consume) -> list[tuple[int, int]]:
    """The broker forgot the leases (a restart, or too late): what is still ready goes to its holder under the same numbers."""
    group = live.queue.group
    lost: list[tuple[int, int]] = []
    for number, count, sequence in sorted(command.held):
        held = []
        if number >= subscription.next_number:
            for first, last, priority in sorted(group.remove_ready(sequence, sequence + count - 1)):
                start = number + first - sequence
                lease(machine, live, subscription, start, first, last - first + 1, priority)
                held.append((start, start + last - first))
            # An ack that was stored, but whose reply was lost with the broker, is no lost lease: sent again, it is "settled".
            for first, last in _settled_within(live.queue, sequence, sequence + count - 1):
                subscription.note_settled(number + first - sequence, number + last - sequence)
                held.append((number + first - sequence, number + last - sequence))
            held.sort()
            subscription.next_number = number + count
        lost += missing(number, number + count - 1, held)
    subscription.begun = min(command.begun, subscription.next_number - 1)
    return lost


def _settled_within(queue: Queue, first: int, last: int) -> list[tuple[int, int]]:
    last = min(last, queue.log.next - 1)
    return missing(first, last, list(queue.group.unsettled_within(first, last)))


def set_prefetch(machine: Machine, command: SetPrefetch) -> None:
    subscription = machine.subscriptions.get(command.subscription)
    if subscription is not None:
        subscription.prefetch = command.prefetch
        machine.dispatch(subscription.queue, subscription)


def stall(machine: Machine, command: Stall) -> None:
    subscription = machine.subscriptions.get(command.subscription)
    if subscription is not None:
        subscription.stalled = command.stalled
        machine.dispatch(subscription.queue, subscription)


def cancel_consumer(machine: Machine, command: CancelConsumer) -> None:
    """No more deliveries; what was not begun returns free, what was begun stays leased until it is settled or expires."""
    subscription = machine.subscriptions.get(command.subscription)
    if subscription is None:
        return
    live = machine.live_of(subscription.queue)
    subscription.ended = True
    if subscription in live.consumers:
        live.consumers.remove(subscription)
    return_free(machine, live, subscription.leases.take(subscription.begun + 1, subscription.next_number))
    if not subscription.leases.count:
        machine.end(subscription)
    machine.dispatch(subscription.queue)


def detach(machine: Machine, command: Detach) -> None:
    """The connection is lost: leases are kept for ``RESUME_MS``, in case the client comes back."""
    subscription = machine.subscriptions.get(command.subscription)
    if subscription is not None:
        subscription.detached_at = machine.now
        machine.timers.at("detached", subscription.id, machine.now + RESUME_MS)


def end_detached(machine: Machine, subscription: Subscription) -> None:
    """Nobody came back: begun deliveries count an attempt, the others return free."""
    live = machine.live_of(subscription.queue)
    if subscription in live.consumers:
        live.consumers.remove(subscription)
    give_back(machine, live, subscription, "connection lost")
    machine.end(subscription)
    machine.dispatch(subscription.queue)


def give_back(machine: Machine, live: Live, subscription: Subscription, reason: str) -> None:
    """Return all leases of a subscription, counting an attempt for what was begun."""
    begun = subscription.leases.take(1, subscription.begun) if subscription.begun else []
    return_free(machine, live, subscription.leases.clear())
    if begun:
        live.leased -= sum(held.count for held in begun)
        fail(machine, live.queue, [Failed(held, 0) for held in begun], reason, subscription.consumer)


def return_free(machine: Machine, live: Live, leases: list[Lease]) -> None:
    """Back to their place among the ready, no attempt counted."""
    for held in leases:
        live.leased -= held.count
        last = held.sequence + held.count - 1
        live.queue.group.add_ready(held.sequence, last, held.priority)
        machine.effects.append(Returned(live.queue.number, held.sequence, last))
