"""A queue over its limits makes room: the oldest messages that nobody holds are dropped or dead-lettered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..durable.queue import Queue
from ..durable.runs import Runs
from .failure import bury

if TYPE_CHECKING:
    from ..machine import Machine


def make_room(machine: Machine, queue: Queue) -> None:
    """Let the oldest go until the limits are kept; what is leased counts, but stays."""
    settings = queue.settings
    if settings.overflow == "reject" or (settings.length_max is None and settings.bytes_max is None):
        return
    group, log = queue.group, queue.log
    excess = 0
    if settings.length_max is not None:
        excess = max(group.unsettled + machine.live_of(queue).leased - settings.length_max, 0)
    spare = log.bytes - settings.bytes_max if settings.bytes_max is not None else 0
    if not excess and spare <= 0:
        return
    waiting = group.waiting()
    gone: list[int] = []
    for sequence in waiting.after(-1, waiting.count):
        if len(gone) >= excess and spare <= 0:
            break
        gone.append(sequence)
        spare -= log.size_of(sequence)
    if settings.overflow == "drop_oldest":
        machine.settle(queue, "dropped", [(a, b, 0) for a, b in Runs((s, s) for s in gone)], reason="overflow")
    elif gone:
        priorities = group.priorities_of(gone)
        dead = [(sequence, group.attempts.get(sequence, 0), 0, priorities.get(sequence, 0)) for sequence in gone]
        bury(machine, queue, dead, "overflow", None)
