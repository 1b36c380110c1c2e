"""Starting, and time passing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..format.command import Start, Tick
from ..format.record import Boot
from ..volatile.subscription import Subscription
from .consume import RESUME_MS, end_detached
from .failure import Failed, fail
from .retention import look, retain
from .schedules import fire, watch
from .sessions import end_session, expect_end

if TYPE_CHECKING:
    from ..machine import Machine

LEASE_GRAIN_MS = 20


def start(machine: Machine, command: Start) -> None:
    """After recovery: a new epoch. What was leased is ready, but each queue waits for its holders to come back."""
    machine.now = max(machine.now, machine.state.at)
    machine.commit(Boot(machine.now, command.epoch))
    for queue in machine.state.queues.values():
        queue.group.come_due(machine.now)
        machine.watch_due(queue)
        for first, last in queue.group.retrying.members if queue.log.keyed else ():
            for sequence in range(first, last + 1):
                queue.group.order.hold(queue.log.key_of(sequence), sequence)
        if queue.group.unsettled:
            machine.live_of(queue).held_until = None
    for stream in machine.state.streams.values():
        retain(machine, stream)
    for name in machine.state.schedules:
        watch(machine, name)
    for session in machine.state.producers:
        expect_end(machine, session)


def tick(machine: Machine, command: Tick) -> None:
    """Carry out what has come due."""
    for kind, key in machine.timers.take_due(machine.now):
        if kind == "session":
            end_session(machine, str(key))
        elif kind == "schedule":
            fire(machine, str(key))
        elif kind == "leases" or kind == "detached":
            subscription = machine.subscriptions.get(int(key))
            if subscription is None:
                continue
            if kind == "leases":
                _expire(machine, subscription)
            elif subscription.detached_at is not None:
                if subscription.detached_at + RESUME_MS <= machine.now:
                    end_detached(machine, subscription)
                else:
                    machine.timers.at("detached", subscription.id, subscription.detached_at + RESUME_MS)
        elif kind == "expiry":
            if (queue := machine.state.logs.get(int(key))) is not None:
                machine.dispatch(queue)
        elif kind == "retention":
            if (stream := machine.state.stream_logs.get(int(key))) is not None:
                look(machine, stream)
        elif kind == "rate":
            if (queue := machine.state.logs.get(int(key))) is not None:
                machine.dispatch(queue)
        elif kind == "held":
            live = machine.live.get(int(key))
            if live is not None:
                live.held_until = 0
                machine.dispatch(live.queue)
        else:
            queue = machine.state.logs.get(int(key))
            if queue is not None:
                queue.group.come_due(machine.now)
                machine.watch_due(queue)
                machine.dispatch(queue)


def _expire(machine: Machine, subscription: Subscription) -> None:
    """Leases that ran out count an attempt each."""
    queue = subscription.queue
    expired = subscription.leases.expired(machine.now)
    if expired:
        machine.live_of(queue).leased -= sum(lease.count for lease in expired)
        fail(machine, queue, [Failed(lease, 0) for lease in expired], "lease expired", subscription.consumer)
        if subscription.ended and not subscription.leases.count:
            machine.end(subscription)
        machine.dispatch(queue)
    deadline = subscription.leases.next_deadline()
    if deadline is not None:
        machine.timers.at("leases", subscription.id, max(deadline, machine.now + LEASE_GRAIN_MS))
