"""Engine time goes by the monotonic clock, and finds back to the wall clock slowly."""

from __future__ import annotations

import pytest
from postroad.broker.clock import SystemClock

SECOND_NS = 1_000_000_000
HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000


class Machine:
    """The clocks of a machine."""

    def __init__(self) -> None:
        self.monotonic = 5 * SECOND_NS
        self.wall = START_MS * 1_000_000
        self.clock = self.started()

    def started(self, at_least_ms: int = 0) -> SystemClock:
        return SystemClock(at_least_ms, wall_ns=lambda: self.wall, monotonic_ns=lambda: self.monotonic)

    def run(self, seconds: int) -> None:
        """So many seconds pass, and the engine looks at the clock in each."""
        for _ in range(seconds):
            before = self.clock.now_ms()
            self.monotonic += SECOND_NS
            self.wall += SECOND_NS
            self.clock.slew()
            assert 999 <= self.clock.now_ms() - before <= 1001

    @property
    def skew_ms(self) -> int:
        return self.clock.wall_ms() - self.clock.now_ms()


@pytest.mark.parametrize("jump_ms", [2 * HOUR_MS, -2 * HOUR_MS])
def test_a_jump_of_the_wall_clock_is_no_jump_of_engine_time(jump_ms: int) -> None:
    machine = Machine()
    machine.run(10)

    machine.wall += jump_ms * 1_000_000
    assert machine.clock.now_ms() == START_MS + 10_000
    machine.run(1000)

    assert abs(machine.clock.now_ms() - (START_MS + 1_010_000)) <= 1000, "slewing is a thousandth at most"


@pytest.mark.parametrize("jump_ms", [10_000, -10_000])
def test_a_difference_that_stays_is_gone_after_a_while_and_then_time_runs_as_ever(jump_ms: int) -> None:
    machine = Machine()
    machine.wall += jump_ms * 1_000_000

    machine.run(5000)
    assert 4000 <= abs(machine.skew_ms) <= 6000
    machine.run(6000)

    assert abs(machine.skew_ms) <= 51
    before = machine.skew_ms
    machine.run(100)
    assert machine.skew_ms == before


def test_a_wall_clock_that_comes_back_heals_at_once() -> None:
    machine = Machine()
    machine.wall += 2 * HOUR_MS * 1_000_000
    machine.run(3)
    machine.wall -= 2 * HOUR_MS * 1_000_000
    machine.run(1)

    assert abs(machine.skew_ms) <= 4


def test_a_machine_that_sleeps_makes_nothing_due() -> None:
    machine = Machine()
    machine.wall += 8 * HOUR_MS * 1_000_000  # the monotonic clock stood still

    assert machine.clock.now_ms() == START_MS
    assert machine.skew_ms == 8 * HOUR_MS


def test_a_start_begins_at_the_wall_clock_and_never_before_the_last_record() -> None:
    machine = Machine()
    assert machine.started().now_ms() == START_MS

    late = machine.started()
    late.not_before(START_MS + HOUR_MS)
    assert late.now_ms() == START_MS + HOUR_MS
    assert machine.started(START_MS + HOUR_MS).now_ms() == START_MS + HOUR_MS
    late.not_before(START_MS)
    assert late.now_ms() == START_MS + HOUR_MS
