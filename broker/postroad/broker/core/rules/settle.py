"""What consumers say of their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from ...errors import LeaseLost
from ..durable.runs import Runs, gaps
from ..format.command import Complete, NackRange, Published, PublishMessages, SettleDeliveries, SettleReply
from ..format.effect import Progressed
from ..volatile.lease import Lease
from ..volatile.queue_runtime import QueueRuntime
from ..volatile.subscription import Subscription
from .consume import return_free
from .context import Context
from .dispatch import dispatch
from .failure import Failed, fail
from .publish import check, make_target, store

Ranges = Sequence[tuple[int, int]]
"""Of delivery numbers, first and last."""


def settle_deliveries(ctx: Context, command: SettleDeliveries) -> SettleReply:
    """Ack, nack, release, extend, complete.

    Delivery numbers that are not leased any more come back in the reply; all others are carried out.

    Raises:
        LeaseLost: there is no such subscription.
        QueueFull, QueueNotFound, Conflict: a publish of a completion is refused; then nothing was carried out.
    """
    subscription = ctx.subscriptions.get(command.subscription)
    if subscription is None:
        raise LeaseLost("The subscription has ended, and with it its leases.")
    if command.completions:
        check(ctx, [publish for completion in command.completions for publish in completion.publishes])
    queue = subscription.queue
    runtime = ctx.runtime_of(queue)
    lost: list[tuple[int, int]] = []
    following: list[PublishMessages | None] = []
    all_were_full = queue.group.has_ready

    # Record first, then what no record says: should a record be refused, nothing has changed.
    acked = [lease for leases in _held(subscription, command.acks, lost) for lease in leases]
    if acked:
        ctx.settle(queue, "acked", _runs(acked), subscription.consumer)
        _take(runtime, subscription, command.acks, acked)
    plain = {item.number: item.result for item in command.completions if not item.publishes and not item.others}
    if plain:
        _with_results(ctx, runtime, subscription, plain, lost)
    for completion in command.completions:
        if completion.publishes or completion.others:
            _complete(ctx, runtime, subscription, completion, lost, following)
    for publish in following:  # before anything dies, and a dead-letter queue takes the name or the last place
        if publish is not None:
            make_target(ctx, publish)
    if command.nacks:
        _nack(ctx, runtime, subscription, command.nacks, lost)

    ctx.changed = True
    if subscription.is_silent:
        subscription.is_silent = False
        runtime.room.note(subscription)
    if command.begun is not None:
        subscription.begun = subscription.begun_after(command.begun)
    for first, last in command.releases:
        _held_of(subscription, first, last, lost)
        return_free(ctx, runtime, subscription.leases.take(first, last))
    if command.extends:
        deadline = ctx.now + (command.lease_ms or subscription.lease_ms)
        for first, last in command.extends:
            lost.extend(gaps(first, last, subscription.leases.extend(first, last, deadline)))
        ctx.timers.at("leases", subscription.id, deadline)
    for number, percent, note in command.progress:
        for lease in subscription.leases.held(number, number):
            ctx.effects.append(Progressed(queue.number, lease.sequence, percent, note))

    # Last: what they publish may be leased at once, under numbers that nobody could have meant.
    published = [store(ctx, publish) if publish is not None else None for publish in following]
    if subscription.ended and not subscription.leases.count:
        ctx.end(subscription)
    dispatch(ctx, queue, subscription if all_were_full else None)
    return _reply(subscription, lost, published)


def _held(subscription: Subscription, ranges: Ranges, lost: list[tuple[int, int]]) -> list[list[Lease]]:
    """The leases of each range of delivery numbers, every number once, though ranges may overlap; what is not held goes to ``lost``."""
    found: list[list[Lease]] = []
    named: Runs | None = None
    end = 0
    for first, last in ranges:
        if first <= end and named is None:
            named = Runs((lease.number, lease.last) for leases in found for lease in leases)
        end = max(end, last)
        parts = [(first, last)]
        if named is not None:
            lost.extend(again := named.within(first, last))
            parts = gaps(first, last, again)
        leases = [lease for part in parts for lease in _held_of(subscription, *part, lost)]
        found.append(leases)
        if named is not None:
            for lease in leases:
                named.add(lease.number, lease.last)
    return found


def _held_of(subscription: Subscription, first: int, last: int, lost: list[tuple[int, int]]) -> list[Lease]:
    leases = subscription.leases.held(first, last)
    if len(leases) != 1 or leases[0].number != first or leases[0].last != last:
        lost.extend(gaps(first, last, [(lease.number, lease.last) for lease in leases]))
    return leases


def _take(runtime: QueueRuntime, subscription: Subscription, ranges: Ranges, leases: list[Lease]) -> None:
    """These, which ``_held`` found in those ranges, are settled: their records are committed."""
    for first, last in ranges:
        subscription.leases.take(first, last)
    for lease in leases:
        subscription.note_settled(lease.number, lease.last)


def _nack(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, nacks: Sequence[NackRange],
    lost: list[tuple[int, int]],
) -> None:  # fmt: skip
    ranges = [(nack.first, nack.last) for nack in nacks]
    held = _held(subscription, ranges, lost)
    failed: dict[str, list[Failed]] = {}
    for nack, leases in zip(nacks, held, strict=True):
        for lease in leases:
            failed.setdefault(nack.reason or "nack", []).append(Failed(lease, nack.delay_ms, nack.dead))
    for reason, those in failed.items():
        fail(ctx, runtime.queue, those, reason, subscription.consumer)
    _take(runtime, subscription, ranges, [lease for leases in held for lease in leases])


def _complete(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, completion: Complete,
    lost: list[tuple[int, int]], following: list[PublishMessages | None],
) -> None:  # fmt: skip
    """Ack with result and publishes: records of one command, so one atomic batch of the journal."""
    done = {completion.number: completion.result, **dict(completion.others)}
    numbers = Runs((number, number) for number in sorted(done))
    gone = [gap for first, last in numbers for gap in gaps(first, last, subscription.leases.within(first, last))]
    if gone:
        lost.extend(gone)
        following.extend(None for _ in completion.publishes)
        return
    following.extend(completion.publishes)
    _with_results(ctx, runtime, subscription, done, lost)


def _with_results(
    ctx: Context, runtime: QueueRuntime, subscription: Subscription, done: dict[int, bytes | None],
    lost: list[tuple[int, int]],
) -> None:  # fmt: skip
    """Ack with the results by delivery number that there are: one record for all of them."""
    ranges = list(Runs((number, number) for number in sorted(done)))
    leases = [lease for held in _held(subscription, ranges, lost) for lease in held]
    if not leases:
        return
    results = {
        lease.sequence + offset: result
        for lease in leases
        for offset in range(lease.count)
        if (result := done[lease.number + offset]) is not None
    }
    ctx.settle(subscription.queue, "acked", _runs(leases), subscription.consumer, None, results or None)
    _take(runtime, subscription, ranges, leases)


def _runs(leases: list[Lease]) -> list[tuple[int, int, int]]:
    """Leases as ``(first, last, granted_at)`` by sequence, neighbours of one time joined: priorities are granted out of order."""
    runs: list[tuple[int, int, int]] = []
    for lease in sorted(leases, key=_sequence) if len(leases) > 1 else leases:
        last = lease.sequence + lease.count - 1
        if runs and runs[-1][1] + 1 == lease.sequence and runs[-1][2] == lease.granted_at:
            runs[-1] = (runs[-1][0], last, lease.granted_at)
        else:
            runs.append((lease.sequence, last, lease.granted_at))
    return runs


_sequence = attrgetter("sequence")


def _reply(subscription: Subscription, lost: list[tuple[int, int]], published: list[Published | None]) -> SettleReply:
    settled: list[tuple[int, int]] = []
    really_lost: list[tuple[int, int]] = []
    for first, last in lost:
        known = subscription.settled.within(first, last)
        settled.extend(known)
        really_lost.extend(gaps(first, last, known))
    return SettleReply(lost=really_lost, settled=settled, published=published)
