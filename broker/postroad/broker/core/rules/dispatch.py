"""Which consumer gets what is ready next.

Fair by free prefetch: in each round those with the most room come first (among equals, who was served longest ago), and each
gets an equal share of what is ready, in runs. One slow consumer fills up and is passed over; a batch for a single consumer is
one run, whatever its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..durable.queue import Queue
from ..format.effect import Deliver
from ..volatile.lease import Lease
from ..volatile.subscription import Subscription
from .expiry import expire

if TYPE_CHECKING:
    from ..machine import Machine

RETRYING_MAX = 100_000
"""While so many of a queue wait for another attempt, it delivers nothing more: exceptions cost memory, a backlog does not."""


class Live:
    """The volatile side of a queue: its consumers.

    Attributes:
        leased: Messages under a lease.
        spent: Deliveries counted against the queue's rate since the meter was last set.
        held_until: After a restart nothing is delivered before this time, so that consumers can come back to what they held;
            0: not waiting; None: the first consumer has not come yet.
    """

    __slots__ = ("_rate", "_since", "consumers", "held_until", "leased", "queue", "spent")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.consumers: list[Subscription] = []
        self.leased = 0
        self.held_until: int | None = 0
        self.spent = 0
        self._since = 0
        self._rate = 0

    def tokens(self, rate: int, at_ms: int) -> int:
        """Deliveries allowed now: ``rate`` a second, at most a second's worth saved up."""
        if rate != self._rate:  # what was earned and spent at another rate says nothing about this one
            since = at_ms - 1000 if self._rate == 0 else at_ms
            self._rate, self._since, self.spent = rate, since, 0
        earned = (at_ms - self._since) * rate // 1000
        if earned - self.spent > rate:
            self._since, self.spent, earned = at_ms - 1000, 0, rate
        return earned - self.spent


def dispatch(machine: Machine, live: Live, freed: Subscription | None = None) -> None:
    """Grant ready messages while some are ready and some consumer has room.

    Args:
        freed: The only one whose room has grown. If something was ready before, or nothing has become ready, the others, who may be
            many, need no look.
    """
    queue = live.queue
    group = queue.group
    if group.expiring.members and (due := group.expiring.next_due()) is not None and due <= machine.now:
        expire(machine, queue)
    if not machine.delivering or queue.paused or live.held_until != 0 or group.retrying.members.count >= RETRYING_MAX:
        return
    consumers = live.consumers
    settings = queue.settings
    if settings.concurrency_max is not None or settings.rate_max is not None:
        _dispatch_limited(machine, live)
        return
    only = consumers[0] if len(consumers) == 1 else freed
    if only is not None:
        while (room := only.room) > 0 and _grant(machine, live, only, room) is not None:
            pass
        return
    while group.has_ready:
        hungry = [subscription for subscription in consumers if subscription.room > 0]
        if not hungry:
            return
        hungry.sort(key=lambda subscription: (-subscription.room, subscription.served))
        share = -(-group.ready_count // len(hungry))
        for subscription in hungry:
            wanted = min(share, subscription.room)
            while wanted > 0 and (granted := _grant(machine, live, subscription, wanted)) is not None:
                wanted -= granted


def _dispatch_limited(machine: Machine, live: Live) -> None:
    """Like ``dispatch``, one round at a time, within the queue's own limits."""
    settings, group = live.queue.settings, live.queue.group
    while group.has_ready:
        allowed = 1 << 62
        if settings.concurrency_max is not None:
            allowed = settings.concurrency_max - live.leased
        if settings.rate_max is not None:
            allowed = min(allowed, live.tokens(settings.rate_max, machine.now))
            if allowed <= 0:
                machine.timers.at("rate", live.queue.number, machine.now + max(1000 // settings.rate_max, 1))
        hungry = [subscription for subscription in live.consumers if subscription.room > 0]
        if allowed <= 0 or not hungry:
            return
        subscription = max(hungry, key=lambda s: (s.room, -s.served))
        share = -(-min(allowed, group.ready_count) // len(hungry))
        live.spent += _grant(machine, live, subscription, min(share, subscription.room, allowed)) or 0


def _grant(machine: Machine, live: Live, subscription: Subscription, count: int) -> int | None:
    """Lease the next run of up to ``count`` ready messages; returns how many (those of keys in work are parked instead), or None: none is ready."""
    log, group = live.queue.log, live.queue.group
    ready = group.take_ready(count)
    if ready is None:
        return None
    first, last, priority = ready
    if not log.keyed:
        _hand_over(machine, live, subscription, first, last, priority)
        return last - first + 1
    granted, start = 0, first
    for sequence in range(first, last + 1):
        if not group.order.may_go(log.key_of(sequence), sequence):
            if start < sequence:
                _hand_over(machine, live, subscription, start, sequence - 1, priority)
            granted += sequence - start
            start = sequence + 1
    if start <= last:
        _hand_over(machine, live, subscription, start, last, priority)
    return granted + last + 1 - start


def _hand_over(machine: Machine, live: Live, subscription: Subscription, first: int, last: int, priority: int) -> None:
    group = live.queue.group
    taken = last - first + 1
    number = subscription.next_number
    subscription.next_number += taken
    lease(machine, live, subscription, number, first, taken, priority)
    attempts = None
    if group.attempts:
        counted = [group.attempts.get(sequence, 0) + 1 for sequence in range(first, last + 1)]
        attempts = counted if max(counted) > 1 else None
    pieces = list(live.queue.log.pieces(first, last))
    machine.effects.append(
        Deliver(
            subscription.id,
            live.queue.number,
            number,
            first,
            taken,
            pieces,
            attempts,
            machine.now,
            subscription.consumer,
        )
    )


def lease(
    machine: Machine, live: Live, subscription: Subscription, number: int, sequence: int, count: int, priority: int
) -> None:
    """Messages ``sequence`` …, already taken out of ready, are this subscription's from now on."""
    deadline = machine.now + subscription.lease_ms
    subscription.leases.add(Lease(number, count, sequence, priority, machine.now, deadline))
    machine.granted += 1
    subscription.served = machine.granted
    live.leased += count
    log = live.queue.log
    if log.keyed:
        for taken in range(sequence, sequence + count):
            live.queue.group.order.hold(log.key_of(taken), taken)
    machine.timers.at("leases", subscription.id, deadline)
