"""A queue over its limits makes room: the oldest messages that nobody holds are dropped or dead-lettered, a step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..durable.queue import Queue
from ..durable.runs import Runs
from ..format.command import STEP_ITEMS
from .context import COMMAND_BYTES, ITEM_BYTES, Context
from .failure import bury

DEAD_ITEMS = STEP_ITEMS // 2
"""Messages that one step dead-letters: each is an entry of a record, about 12 µs."""

LOOK_ITEMS = 64
"""How many messages to look at next where their sizes decide how many must go."""


def make_room(ctx: Context, queue: Queue, named: int = 0) -> int:
    """Let the oldest go until the limits are kept; what is leased counts, but stays.

    At most a step's messages go, or as many as the ``named`` ones of the frame that made it too many, and no more than the journal has
    room for in this command; the others at once, but in further ones. Returns how many went.
    """
    excess, bytes_over = _over(ctx, queue)
    if not excess and bytes_over <= 0:
        return 0
    step = DEAD_ITEMS if queue.settings.overflow == "dead_letter" else STEP_ITEMS
    most = max((ctx.room - ctx.owed - COMMAND_BYTES) // ITEM_BYTES, 0)
    gone, is_cut = _oldest(queue, excess, bytes_over, min(max(step, named), most))
    if is_cut:
        ctx.timers.at("overflow", queue.number, ctx.now)
    if not gone:
        return 0
    if queue.settings.overflow == "drop_oldest":
        ctx.settle(queue, "dropped", [(a, b, 0) for a, b in Runs((s, s) for s in gone)], reason="overflow")
    else:
        group = queue.group
        priorities = group.priorities_of(gone)
        dead = [(sequence, group.attempts.get(sequence, 0), 0, priorities.get(sequence, 0)) for sequence in gone]
        bury(ctx, queue, dead, "overflow", None)
    return len(gone)


def fitting(ctx: Context, queue: Queue, messages: Sequence[int], size_of: Callable[[int], int]) -> int:
    """How many of these messages, from the first on, the queue takes: all, unless it rejects what is too much."""
    settings = queue.settings
    length_max, bytes_max = settings.length_max, settings.bytes_max
    if settings.overflow != "reject" or (length_max is None and bytes_max is None):
        return len(messages)
    fits = len(messages)
    if length_max is not None:
        fits = min(max(length_max - queue.group.waiting_count - ctx.runtime_of(queue).leased, 0), fits)
    if bytes_max is not None:
        left = bytes_max - queue.log.bytes
        for at, message in enumerate(messages[:fits]):
            left -= size_of(message)
            if left < 0:
                return at
    return fits


def watch_room(ctx: Context, queue: Queue) -> None:
    """Its limits or what it holds changed in another way than by a publish: make room at once, but in commands of their own."""
    excess, bytes_over = _over(ctx, queue)
    if excess or bytes_over > 0:
        ctx.timers.at("overflow", queue.number, ctx.now)


def _over(ctx: Context, queue: Queue) -> tuple[int, int]:
    """Messages and bytes beyond the limits, where they make room."""
    settings = queue.settings
    excess, bytes_over = 0, 0
    if settings.overflow != "reject":
        if settings.length_max is not None:
            excess = max(queue.group.waiting_count + ctx.runtime_of(queue).leased - settings.length_max, 0)
        if settings.bytes_max is not None:
            bytes_over = queue.log.bytes - settings.bytes_max
    return excess, bytes_over


def _oldest(queue: Queue, excess: int, bytes_over: int, limit: int) -> tuple[list[int], bool]:
    """The oldest that must go, ``limit`` at most; and whether there are more of them. Visits only these."""
    gone: list[int] = []
    first = 0
    while len(gone) < limit and (len(gone) < excess or bytes_over > 0):
        wanted = max(excess - len(gone), LOOK_ITEMS if bytes_over > 0 else 0)
        runs = queue.group.waiting_from(first, min(wanted, limit - len(gone)))
        if not runs:
            return gone, False
        first = runs[-1][1] + 1
        for sequence in (s for a, b in runs for s in range(a, b + 1)):
            if len(gone) >= excess and bytes_over <= 0:
                break
            gone.append(sequence)
            if bytes_over > 0:
                bytes_over -= queue.log.size_of(sequence)
    return gone, len(gone) < excess or bytes_over > 0
