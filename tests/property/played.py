"""A state machine whose rules are called by hand: a fixed scenario instead of a random walk.

A sabotage that only luck finds proves little: whether a random walk meets it depends on the seed, and on what the property library
has read in the sources. So each sabotage has a scenario here that meets it, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

Scenario = Callable[[Any], None]


class Played:
    """Has the rules of ``machine``; after each of them, what must always hold is checked."""

    def __init__(self, machine: RuleBasedStateMachine) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Callable[..., Any]:
        rule = getattr(self._machine, name)

        def step(*given: Any) -> Any:
            result = rule(*given)
            for invariant in self._machine.invariants:
                invariant.function(self._machine)
            return result

        return step


def play(machine: RuleBasedStateMachine, scenario: Scenario) -> None:
    """Raises: AssertionError: the core did something that it must not."""
    try:
        scenario(Played(machine))
    finally:
        machine.teardown()
