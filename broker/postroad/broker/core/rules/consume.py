"""Consumers coming, going and coming back."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import QueueNotFound
from ..durable.queue import Queue
from ..durable.runs import gaps
from ..durable.stream import GROUP_SEPARATOR
from ..format.command import CancelConsumer, Consume, Consuming, Detach, SetPrefetch, Stall
from ..format.effect import Returned
from ..volatile.lease import Lease
from ..volatile.queue_runtime import QueueRuntime
from ..volatile.subscription import Subscription
from .context import Context
from .dead_letters import made_by_name
from .declare import define
from .dispatch import dispatch, lease
from .failure import Failed, fail

RESUME_MS = 500
"""How long leases outlive their connection, and how long a queue waits from its first consumer after a restart."""


def consume(ctx: Context, command: Consume) -> Consuming:
    """Add a consumer, or take up one whose connection was lost.

    Raises:
        QueueNotFound: no such queue, and ``declare`` is off.
    """
    queue = ctx.state.queues.get(command.queue)
    if queue is None:
        if not command.declare or GROUP_SEPARATOR in command.queue:
            raise QueueNotFound(f'There is no queue named "{command.queue}".', queue=command.queue)
        queue = define(ctx, command.queue, *(made_by_name(ctx, command.queue) or ()))
    runtime = ctx.runtime_of(queue)
    subscription = _former(ctx, command) if command.resume else None
    if subscription is None:
        ctx.changed = True
        number = ctx.next_subscription
        ctx.next_subscription += 1
        subscription = Subscription(
            number, f"s{ctx.state.epoch}-{number}-{queue.number}.{command.secret}", queue, command.consumer, command.client, command.prefetch,
            command.lease_ms or queue.settings.lease_ms, ctx.now, runtime.holdings,
            command.reports_begun,
        )  # fmt: skip
        ctx.subscriptions[number] = subscription
        runtime.consumers[number] = subscription
        lost = _lease_again(ctx, runtime, subscription, command)
    else:
        lost = _keep_held(ctx, runtime, subscription, command)
        subscription.detached_at = None
        subscription.stalled = False
        subscription.prefetch = command.prefetch
        subscription.client = command.client
        subscription.reports_begun = command.reports_begun
        subscription.is_silent = False
    if runtime.held_until is None:
        runtime.held_until = ctx.now + RESUME_MS
        ctx.timers.at("held", queue.number, runtime.held_until)
    first = subscription.next_number
    if len(runtime.consumers) <= 2:  # the first has not been noted while it was alone
        runtime.note_all()
    else:
        runtime.room.note(subscription)
    dispatch(ctx, queue)
    return Consuming(
        subscription=subscription.id, first=first, token=subscription.token, lease_ms=subscription.lease_ms, lost=lost
    )


def _former(ctx: Context, command: Consume) -> Subscription | None:
    """The subscription to go on with. It need not be detached: a client may be back before its old connection is known to be lost."""
    subscription = ctx.by_token(command.resume) if command.resume is not None else None
    if subscription is None or subscription.ended or subscription.queue.name != command.queue:
        return None
    return subscription


def _may_be_of(token: str | None, number: int) -> bool:
    """False if a token names another queue: one that was deleted and made again has other messages under the same sequences.

    A token of an earlier release names none.
    """
    parts = token.split("-") if token is not None else []
    return len(parts) < 3 or not parts[2].endswith(".") or parts[2] == f"{number}."


def _keep_held(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, command: Consume
) -> list[tuple[int, int]]:
    """The client is back in time: what it holds stays leased, what never reached it goes back."""
    lost: list[tuple[int, int]] = []
    ranges: list[tuple[int, int]] = []
    for number, count, _ in command.held:
        there = subscription.leases.within(number, number + count - 1)
        ranges += there
        lost += gaps(number, number + count - 1, there)
    begun = subscription.begun_after(command.begun)
    kept = give_back(ctx, runtime, subscription, "connection lost", begun, ranges)
    subscription.begun = begun
    deadline = ctx.now + subscription.lease_ms
    for held in kept:
        held.deadline = deadline
        subscription.leases.add(held)
    if kept:
        ctx.timers.at("leases", subscription.id, deadline)
    return lost


def _lease_again(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, command: Consume
) -> list[tuple[int, int]]:
    """The broker forgot the leases (a restart, or too late): what is still ready goes to its holder under the same numbers."""
    group = runtime.queue.group
    lost: list[tuple[int, int]] = []
    is_of_this_queue = _may_be_of(command.resume, runtime.queue.number)
    for number, count, sequence in sorted(command.held):
        held = []
        if number >= subscription.next_number and not is_of_this_queue:
            subscription.next_number = number + count
        elif number >= subscription.next_number:
            group.bring_due(sequence, sequence + count - 1, ctx.now)
            for first, last, priority in sorted(group.remove_ready(sequence, sequence + count - 1)):
                start = number + first - sequence
                lease(ctx, runtime, subscription, start, first, last - first + 1, priority)
                held.append((start, start + last - first))
            # An ack that was stored, but whose reply was lost with the broker, is no lost lease: sent again, it is "settled".
            for first, last in _settled_within(runtime.queue, sequence, sequence + count - 1):
                subscription.note_settled(number + first - sequence, number + last - sequence)
                held.append((number + first - sequence, number + last - sequence))
            held.sort()
            subscription.next_number = number + count
        lost += gaps(number, number + count - 1, held)
    subscription.begun = min(command.begun, subscription.next_number - 1)
    return lost


def _settled_within(queue: Queue, first: int, last: int) -> list[tuple[int, int]]:
    last = min(last, queue.log.next - 1)
    return gaps(first, last, list(queue.group.unsettled_within(first, last)))


def set_prefetch(ctx: Context, command: SetPrefetch) -> None:
    subscription = ctx.subscriptions.get(command.subscription)
    if subscription is not None:
        subscription.prefetch = command.prefetch
        subscription.is_silent = False
        dispatch(ctx, subscription.queue, subscription)


def stall(ctx: Context, command: Stall) -> None:
    subscription = ctx.subscriptions.get(command.subscription)
    if subscription is not None:
        subscription.stalled = command.stalled
        dispatch(ctx, subscription.queue, subscription)


def cancel_consumer(ctx: Context, command: CancelConsumer) -> None:
    """No more deliveries; what was not begun returns free, what was begun stays leased until it is settled or expires."""
    subscription = ctx.subscriptions.get(command.subscription)
    if subscription is None:
        return
    runtime = ctx.runtime_of(subscription.queue)
    subscription.ended = True
    runtime.consumers.pop(subscription.id, None)
    runtime.room.remove(subscription)
    return_free(ctx, runtime, subscription.leases.take(subscription.begun + 1, subscription.next_number))
    if not subscription.leases.count:
        ctx.end(subscription)
    dispatch(ctx, subscription.queue)


def detach(ctx: Context, command: Detach) -> None:
    """The connection is lost: leases are kept for ``RESUME_MS``, in case the client comes back."""
    subscription = ctx.subscriptions.get(command.subscription)
    if subscription is not None:
        subscription.detached_at = ctx.now
        ctx.timers.at("detached", subscription.id, ctx.now + RESUME_MS)


def end_detached(ctx: Context, subscription: Subscription) -> None:
    """Nobody came back: what was tried counts an attempt, the rest returns free."""
    runtime = ctx.runtime_of(subscription.queue)
    give_back(ctx, runtime, subscription, "connection lost", subscription.tried)
    runtime.consumers.pop(subscription.id, None)
    runtime.room.remove(subscription)
    ctx.end(subscription)
    dispatch(ctx, subscription.queue)


def give_back(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, reason: str, tried: int,
    keep: Iterable[tuple[int, int]] = (),
) -> list[Lease]:  # fmt: skip
    """Return all leases of a subscription but those of ``keep``, which come back, counting an attempt for numbers up to ``tried``."""
    failed = []
    start = 1
    for first, last in [*sorted(keep), (tried + 1, tried)]:
        if start < first and start <= tried:
            failed += subscription.leases.held(start, min(first - 1, tried))
        start = max(start, last + 1)
    if failed:
        fail(ctx, runtime.queue, [Failed(held, 0) for held in failed], reason, subscription.consumer)
        for held in failed:
            subscription.leases.take(held.number, held.last)
    ctx.changed = True
    kept = [held for first, last in keep for held in subscription.leases.take(first, last)]
    return_free(ctx, runtime, subscription.leases.clear())
    return kept


def return_free(ctx: Context, runtime: QueueRuntime, leases: list[Lease]) -> None:
    """Back to their place among the ready, no attempt counted."""
    for held in leases:
        last = held.sequence + held.count - 1
        runtime.queue.group.add_ready(held.sequence, last, held.priority)
        ctx.effects.append(Returned(runtime.queue.number, held.sequence, last))
    if leases and runtime.queue.settings.overflow != "reject":
        ctx.timers.at(
            "overflow", runtime.queue.number, ctx.now
        )  # its bounds may have been lowered while these were held
