"""Waiting for the core: it says when it wants to be told the time, and what comes due then is a command like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ....core.format import command as c
from ....core.machine import Machine
from ....errors import Unavailable
from .pipeline import CommitPipeline

FULL_RETRY_S = 1.0
"""Before what is due is tried again that found no room in the journal."""


class Ticker:
    """Args: now: The time, milliseconds."""

    def __init__(
        self, machine: Machine, pipeline: CommitPipeline, loop: asyncio.AbstractEventLoop, now: Callable[[], int]
    ) -> None:
        self._machine = machine
        self._pipeline = pipeline
        self._loop = loop
        self._now = now
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None
        self._is_stopped = False
        self._is_short = False
        pipeline.arm = self.arm

    def arm(self) -> None:
        """See that the next tick comes in time."""
        due, set_to = self._machine.next_due(), self._due
        if due is None or self._is_stopped or self._is_short:
            return
        if set_to is not None and (set_to == due or (set_to < due and due > self._machine.now)):
            return
        self._wait(
            due, max(due - self._now(), 0) / 1000
        )  # also if an earlier timer is late: what is left of a tick is due at once

    def stop(self) -> None:
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def tick(self) -> None:
        self._timer = self._due = None
        self._is_short = False
        if self._is_stopped or self._pipeline.failed is not None:
            return
        try:
            self._pipeline.execute(c.Tick(), 0)
        except Unavailable:  # the broker ends
            return
        if self._machine.is_short and not self._is_stopped:
            self._is_short = True
            # What is due has no room in the journal, and nothing else was done: it waits for space.
            self._wait(self._machine.now, FULL_RETRY_S)

    def _wait(self, due: int, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(seconds, self.tick)
