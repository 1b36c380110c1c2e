"""Messages that are not delivered in time. A leased one is left to its holder; should it come back, it has expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..durable.queue import Queue
from ..durable.runs import Runs
from ..volatile.lease import missing

if TYPE_CHECKING:
    from ..machine import Machine


def expire(machine: Machine, queue: Queue) -> None:
    """Settle what has expired and nobody holds."""
    group = queue.group
    overdue = Runs()
    waiting = group.waiting()
    for due, first, last, _ in group.expiring.take_due_rows(machine.now):
        free = waiting.within(first, last)
        for a, b in free:
            overdue.add(a, b)
        for a, b in missing(first, last, free):
            group.expiring.add(due, a, b, 0)
    machine.watch_due(queue)
    if overdue:
        machine.settle(queue, "expired", [(first, last, 0) for first, last in overdue])
