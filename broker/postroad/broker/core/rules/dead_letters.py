"""Where exhausted messages go.

A *dead-letter queue* is one that the broker made as such: at the first dead letter of a queue, or when a consumer asked for a queue of
that name before. It has no rule of its own: what fails there is tried again, until an operator gives it a ``dead_letter``. A queue that
was there before and is named by another stays what it is: what fails there follows its own rule, and nothing of it is changed.

So dead letters may pass through several queues. A circle of them is refused when it is declared. One can still come about, as when
``a.dead``, which names ``a``, was there before ``a``: a queue in it sends its dead letters to a dead-letter queue of its own instead.
"""

from __future__ import annotations

from itertools import count
from zlib import crc32

from ...errors import InvalidRequest
from ...names import NAME_LENGTH_MAX
from ...settings import DAY_MS, QueueSettings
from ..durable.queue import Queue
from ..durable.stream import GROUP_SEPARATOR
from ..format.record import Define
from .context import Context

SUFFIX = ".dead"

SETTINGS = QueueSettings(dead_letter=None, expire_ms=14 * DAY_MS)
"""Dead messages are kept for a fortnight."""

STATIONS_MAX = 32
"""Queues that a message may pass through by dying again and again; more are taken for a circle."""


def dead_letter_name(name: str) -> str:
    """``<queue>.dead`` or ``<stream>.<group>.dead``; shortened, but still unique, where that would be too long for a name."""
    wanted = name.replace(GROUP_SEPARATOR, ".") + SUFFIX
    if len(wanted) > NAME_LENGTH_MAX:
        wanted = f"{wanted[:60]}-{crc32(name.encode()):08x}{SUFFIX}"
    return wanted


def keeps_its_dead(queue: Queue) -> bool:
    """Whether what fails in this queue is tried again for ever: it is a dead-letter queue, without a rule of its own."""
    return queue.dead_letter_of is not None and queue.settings.dead_letter is None


def check_target(ctx: Context, name: str, settings: QueueSettings) -> None:
    """Raises: InvalidRequest: the dead letters of a queue with these settings would come back to it, or are to go to a stream."""
    wanted = settings.dead_letter
    if not wanted:
        return
    if wanted == name:
        raise InvalidRequest(f'"{name}" cannot be its own dead-letter queue.', field="settings.dead_letter")
    if wanted in ctx.state.streams:
        raise InvalidRequest(f'"{wanted}" is a stream: dead letters go to a queue.', field="settings.dead_letter")
    if _comes_back(ctx, name, wanted):
        raise InvalidRequest(
            f'Dead letters of "{name}" would come back to it, by way of "{wanted}".', field="settings.dead_letter"
        )


def dead_letter_queue(ctx: Context, queue: Queue) -> Queue | None:
    """Where exhausted messages of ``queue`` go, made at first use; None: they are dropped."""
    wanted = _target_name(queue)
    if wanted is None:
        return None
    if wanted in ctx.state.streams or _comes_back(ctx, queue.name, wanted):
        return _own(ctx, queue)
    return ctx.state.queues.get(wanted) or _make(ctx, wanted, queue)


def made_by_name(ctx: Context, name: str) -> tuple[QueueSettings, str] | None:
    """Settings and ``dead_letter_of`` of a queue that a consumer asks for before anything has died, if its name is that of a dead-letter queue."""
    of = name.removesuffix(SUFFIX)
    if of in ("", name):
        return None
    groups = (f"{of[:at]}{GROUP_SEPARATOR}{of[at + 1 :]}" for at, letter in enumerate(of) if letter == ".")
    return QueueSettings(dead_letter=None), next((group for group in groups if group in ctx.state.queues), of)


def _target_name(queue: Queue) -> str | None:
    wanted = queue.settings.dead_letter
    return dead_letter_name(queue.name) if wanted == "" else wanted


def _comes_back(ctx: Context, name: str, target: str) -> bool:
    """Whether dead letters of ``name`` that go to ``target`` would be back after dying there, and wherever they go then."""
    passed: list[str] = []
    following: str | None = target
    while following is not None and following != name and len(passed) < STATIONS_MAX:
        station = ctx.state.queues.get(following)
        if station is None or following in passed:  # a circle further on is no business of this queue
            return False
        passed.append(following)
        following = _target_name(station)
    return following is not None


def _own(ctx: Context, queue: Queue) -> Queue:
    """A dead-letter queue for this queue alone, under the first name that nobody has."""
    name = dead_letter_name(queue.name)
    for number in count():
        ending = f"_{number}" if number > 1 else "_" * number
        candidate = name[: NAME_LENGTH_MAX - len(ending)] + ending
        found = ctx.state.queues.get(candidate)
        if found is None and candidate not in ctx.state.streams:
            return _make(ctx, candidate, queue)
        if found is not None and found.dead_letter_of == queue.name and keeps_its_dead(found):
            return found
    raise AssertionError("there is always another name")


def _make(ctx: Context, name: str, queue: Queue) -> Queue:
    ctx.commit(Define(ctx.now, name, ctx.state.next_log, SETTINGS.to_json(), queue.name))
    return ctx.state.queues[name]
