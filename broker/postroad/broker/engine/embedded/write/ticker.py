"""Waiting for the core: it says when it wants to be told the time, and what comes due then is a command like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ....core.format import command as c
from ....core.machine import Machine
from ....core.rules.compact import COMPACT_BYTES
from ....errors import Internal, PostroadError
from ....journal import Journal
from .pipeline import CommitPipeline

TICK_BYTES = 160
"""What the end of one lease may add to the journal: a return, or a place and a settle."""

FULL_RETRY_S = 1.0


class Ticker:
    """Args: now: The time, milliseconds."""

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        pipeline: CommitPipeline,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], int],
    ) -> None:
        self._machine = machine
        self._journal = journal
        self._pipeline = pipeline
        self._loop = loop
        self._now = now
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None
        self._is_stopped = False
        pipeline.arm = self.arm

    def arm(self) -> None:
        """See that the next tick comes in time."""
        due = self._machine.next_due()
        if due is None or (self._due is not None and self._due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(max(due - self._now(), 0) / 1000, self.tick)

    def stop(self) -> None:
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def tick(self) -> None:
        self._timer = self._due = None
        if self._is_stopped or self._pipeline.failed is not None:
            return
        if not self._journal.has_room(self._needed(), settle=True):
            # What comes due would have no place in the journal, and the broker would end: it waits for space.
            self._timer = self._loop.call_later(FULL_RETRY_S, self.tick)
            return
        try:
            self._machine.handle(c.Tick(), self._now())
            self._pipeline.emit(None)
        except PostroadError as error:  # nothing in a tick is a caller's fault
            raise Internal(f"tick refused: {error}") from error

    def _needed(self) -> int:
        """At most so many bytes of journal."""
        leased = sum(subscription.leases.count for subscription in self._machine.subscriptions.values())
        compacted = sum(stream.compaction is not None for stream in self._machine.state.streams.values())
        return 4096 + TICK_BYTES * leased + COMPACT_BYTES * compacted
