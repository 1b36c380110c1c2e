"""Every output waits for its record.

A command's reply, deliveries and events leave when the last position applied at its decision is durable, in the order of the
commands. This is the one place where that is so; sabotaging it turns the crash tests red.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ...core.effect import Effect
from ...core.record import Record


class Output(NamedTuple):
    """What one command gave.

    Attributes:
        position: It rests on everything up to here.
        reply: Called first.
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
        self.durable = 0

    def put(self, output: Output) -> None:
        """Let it out now if it may go, else when its position is durable."""
        if not self._waiting and output.position <= self.durable:
            self._release([output])
        else:
            self._waiting.append(output)

    def open_to(self, position: int) -> None:
        """Everything up to ``position`` is durable."""
        self.durable = position
        free = []
        waiting = self._waiting
        while waiting and waiting[0].position <= position:
            free.append(waiting.popleft())
        if free:
            self._release(free)

    def drop(self) -> list[Output]:
        """Take out everything still waiting: it will never be durable."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
