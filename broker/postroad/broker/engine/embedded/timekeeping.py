"""The two clocks of the engine (``postroad.broker.clock``), and what is told of their difference."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...clock import Clock
from ...core.format import command as c
from ...core.machine import Machine
from ..engine import Json

log = logging.getLogger("postroad.engine")

TOLD_MS = 250
"""The core is told of changes of the skew from here on; so cron expressions are as exact."""

LOGGED_MS = 1000
"""A skew that is worth a line in the log; half of it is none."""


class Timekeeping:
    """Args: execute: Carries out a command of the core.

    Attributes:
        told_ms: The skew that the core knows of: at first that of its start.
    """

    def __init__(self, clock: Clock, machine: Machine, execute: Callable[[object], None]) -> None:
        self._clock = clock
        self._machine = machine
        self._execute = execute
        self.told_ms = self.skew_ms
        self._is_skewed = False
        self._ahead_ms = 0

    @property
    def skew_ms(self) -> int:
        """How far the wall clock is ahead of engine time."""
        return self._clock.wall_ms() - self._clock.now_ms()

    def look(self) -> None:
        """Look at the wall clock: once a second, and before anything is said about it."""
        self._clock.slew()
        skew_ms = self.skew_ms
        if abs(skew_ms - self.told_ms) >= TOLD_MS:
            self.told_ms = skew_ms
            self._execute(c.SetSkew(skew_ms=skew_ms))
        if not self._is_skewed and abs(skew_ms) >= LOGGED_MS:
            self._is_skewed = True
            log.warning("the wall clock is %d ms off the time that passed: delays and leases go by the latter", skew_ms)
        elif self._is_skewed and abs(skew_ms) < LOGGED_MS // 2:
            self._is_skewed = False
            log.info("the wall clock is back, %d ms off", skew_ms)
        self._note_hold()

    def _note_hold(self) -> None:
        state = self._machine.state
        if self._ahead_ms and not state.ahead_ms:
            log.info("the clock is taken to be right: what has an age is deleted again")
        elif state.ahead_ms and not self._ahead_ms:
            log.warning(
                "the clock is %d ms past the last record: nothing is deleted for its age until it is confirmed (postroad clock confirm), "
                "or an hour has passed", state.ahead_ms,
            )  # fmt: skip
        self._ahead_ms = state.ahead_ms

    def numbers(self) -> Json:
        """What the overview says of it."""
        self.look()
        state = self._machine.state
        held = {"ahead_ms": state.ahead_ms, "until": state.held_until} if state.ahead_ms else None
        return {"clock_skew_ms": self.skew_ms, "clock_held": held}
