"""A queue over its limits makes room: the oldest messages that nobody holds are dropped or dead-lettered."""

from __future__ import annotations

from ..durable.queue import Queue
from ..durable.runs import Runs
from .context import Context
from .failure import bury


def make_room(ctx: Context, queue: Queue) -> None:
    """Let the oldest go until the limits are kept; what is leased counts, but stays."""
    settings = queue.settings
    if settings.overflow == "reject" or (settings.length_max is None and settings.bytes_max is None):
        return
    if not ctx.has_spare():
        ctx.timers.at("overflow", queue.number, ctx.now)
        return
    group, log = queue.group, queue.log
    excess = 0
    if settings.length_max is not None:
        excess = max(group.waiting_count + ctx.runtime_of(queue).leased - settings.length_max, 0)
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
        ctx.settle(queue, "dropped", [(a, b, 0) for a, b in Runs((s, s) for s in gone)], reason="overflow")
    elif gone:
        priorities = group.priorities_of(gone)
        dead = [(sequence, group.attempts.get(sequence, 0), 0, priorities.get(sequence, 0)) for sequence in gone]
        bury(ctx, queue, dead, "overflow", None)
