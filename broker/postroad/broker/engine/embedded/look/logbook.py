"""Log lines of handlers: from a delivery number to the message, and to those who follow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....core.format.ids import parse_id
from ....core.machine import Machine
from ...engine import LogLine
from ...message_logs import by_number
from .watching import Watching


class Logbook:
    """What a delivery that is not leased (any more) says is dropped: its handler was told that it lost it."""

    def __init__(self, machine: Machine, watching: Watching, now: Callable[[], int]) -> None:
        self._machine = machine
        self._watching = watching
        self._now = now
        self._earliest = 0

    def take(self, subscription: int, lines: Sequence[LogLine]) -> None:
        holder = self._machine.subscriptions.get(subscription)
        if holder is None:
            return
        queue, at = holder.queue, self._now()
        for number, said in by_number(lines).items():
            lease = holder.leases.find(number)
            if lease is None:
                continue
            sequence = lease.sequence + number - lease.number
            position, index = queue.log.locate(sequence)
            attempt = queue.group.attempts.get(sequence, 0) + 1
            where = {"attempt": attempt, "consumer": holder.consumer, "queue": queue.name}
            numbered = self._watching.logs.add(
                f"{self._machine.state.id_prefix(position)}{index}",
                ({"at": at, "level": line.level, "text": line.text, **where} for line in said),
            )
            self._watching.logged(queue.number, sequence, numbered)

    def trim(self, earliest: int) -> None:
        """The journal now begins at position ``earliest``."""
        if earliest > self._earliest:
            self._earliest = earliest
            self._watching.logs.forget(lambda id: parse_id(id)[1] < earliest)
