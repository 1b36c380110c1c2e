"""Every output waits for its record.

A command's reply, deliveries and events leave when the last position applied at its decision is durable, in the order of the
commands. This is the one place where that is so; sabotaging it turns the crash tests red.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ....core.format.effect import Effect
from ....core.format.record import Record

log = logging.getLogger("postroad.engine")


def guarded(what: str, call: Callable[..., object], *args: object) -> None:
    """Call what is not ours to trust. If it raises, that is its own loss: it is logged, and the rest of what leaves with it goes out."""
    try:
        call(*args)
    except Exception:
        log.exception("%s could not be given", what)


class Output(NamedTuple):
    """What one command gave.

    Attributes:
        position: It rests on everything up to here.
        reply: Called when its effects are carried out.
    """

    position: int
    reply: Callable[[], None] | None
    records: list[tuple[int, Record]]
    effects: list[Effect]


class Gate:
    """Holds outputs back until their position is durable.

    Args:
        release: Takes the outputs that are free, in order.
    """

    def __init__(self, release: Callable[[list[Output]], None]) -> None:
        self._release = release
        self._waiting: deque[Output] = deque()
        self._is_releasing = False
        self.durable = 0

    def put(self, output: Output) -> None:
        """Let it out now if it may go, else when its position is durable."""
        self._waiting.append(output)
        self._let_out()

    def open_to(self, position: int) -> None:
        """Everything up to ``position`` is durable."""
        self.durable = position
        self._let_out()

    def _let_out(self) -> None:
        if self._is_releasing:  # a callback asked for more: that comes after what is on its way
            return
        waiting = self._waiting
        self._is_releasing = True
        try:
            while waiting and waiting[0].position <= self.durable:
                free = []
                while waiting and waiting[0].position <= self.durable:
                    free.append(waiting.popleft())
                try:
                    self._release(free)
                except Exception:
                    log.exception("what was decided could not be given")
        finally:
            self._is_releasing = False

    def drop(self) -> list[Output]:
        """Take out everything still waiting: it will never be durable."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
