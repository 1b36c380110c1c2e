"""The queue machine must turn red when the core is broken on purpose; else its green means nothing.

Each sabotage has a scenario that meets it; the sound core passes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import core_rig
import pytest
from played import Played, play
from postroad.broker.core.durable.delayed import Delayed
from postroad.broker.core.durable.group import Group
from postroad.broker.core.durable.runs import Runs
from postroad.broker.core.format.record import Record, Settle
from postroad.broker.core.rules import consume, failure, settle, tick
from postroad.broker.core.volatile.lease import Lease
from queue_machine import QueueMachine


def expiry_counts_no_attempt(patch: pytest.MonkeyPatch) -> None:
    def fail(machine: Any, queue: Any, failed: Any, *_: Any) -> None:
        live = machine.runtime_of(queue)
        consume.return_free(machine, live, [item.lease for item in failed])

    patch.setattr(tick, "fail", fail)


def an_acked_lease_stays(patch: pytest.MonkeyPatch) -> None:
    take = settle._take

    def leaky(runtime: Any, subscription: Any, ranges: Any, leases: list[Lease]) -> None:
        take(runtime, subscription, ranges, leases)
        for lease in leases:
            subscription.leases.add(replace(lease))

    patch.setattr(settle, "_take", leaky)


def a_returned_message_loses_its_place(patch: pytest.MonkeyPatch) -> None:
    def from_the_end(self: Runs, count: int) -> tuple[int, int]:
        first, last = list(self)[-1]
        taken = min(count, last - first + 1)
        self.remove(first, first + taken - 1)
        return first, first + taken - 1

    def take_ready(self: Group, count: int) -> tuple[int, int, int] | None:
        for priority, runs in self.ready.items():
            if runs:
                return (*from_the_end(runs, count), priority)
        return None

    patch.setattr(Group, "take_ready", take_ready)


def replay_forgets_settles(patch: pytest.MonkeyPatch) -> None:
    decode = core_rig.decode

    def forgetful(header: bytes) -> Record:
        record = decode(header)
        return replace(record, runs=[]) if isinstance(record, Settle) and record.how == "acked" else record

    patch.setattr(core_rig, "decode", forgetful)


def a_delay_ends_early(patch: pytest.MonkeyPatch) -> None:
    add = Delayed.add
    patch.setattr(Delayed, "add", lambda self, due, *rest: add(self, due - 200, *rest))


def unbegun_messages_are_punished(patch: pytest.MonkeyPatch) -> None:
    give_back = consume.give_back

    def punish(ctx: Any, runtime: Any, subscription: Any, reason: str, begun: int, keep: Any = ()) -> list[Lease]:
        return give_back(ctx, runtime, subscription, reason, subscription.next_number - 1, keep)

    patch.setattr(consume, "give_back", punish)


def a_redriven_message_loses_its_priority(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Group, "priorities_of", lambda self, sequences: {})


def a_dead_message_loses_its_priority(patch: pytest.MonkeyPatch) -> None:
    bury = failure.bury

    def flat(machine: Any, queue: Any, dead: Any, *rest: Any) -> None:
        bury(machine, queue, [(*row[:3], 0) for row in dead], *rest)

    patch.setattr(failure, "bury", flat)


def a_lease_expires(machine: Played) -> None:
    machine.begin(None)
    machine.publish("a", 1, 3)
    machine.wait(2000)


def a_message_is_acked(machine: Played) -> None:
    machine.begin(None)
    machine.publish("a", 1, 3)
    machine.ack(1, 0, 0)


def a_message_is_released_before_others(machine: Played) -> None:
    """All room is taken and two more wait; one that comes back goes before them."""
    machine.begin(None)
    machine.publish("a", 5, 3)
    machine.publish("a", 2, 3)
    machine.release(1, 0, 0)


def a_message_is_delayed(machine: Played) -> None:
    machine.begin(None)
    machine.publish_with_attributes("a", [(1000, 0, 0)])
    machine.wait(900)


def a_connection_is_lost_in_the_middle(machine: Played) -> None:
    """One of the messages that the consumer holds has begun."""
    machine.begin(None)
    machine.publish("a", 6, 3)
    machine.begin_work(1, 0)
    machine.lose_connection(1)
    machine.wait(500)


def a_priority_comes_back(machine: Played) -> None:
    """A message dies, all room is taken, another one waits: then the dead one comes back, and one place is free."""
    machine.begin(None)
    machine.publish_with_attributes("a", [(0, 1, 0)])
    machine.nack(1, 2, 0, None, True)
    machine.publish("a", 6, 3)
    machine.redrive(1, None)
    machine.ack(1, 0, 0)


def a_priority_dies(machine: Played) -> None:
    """Two messages die, the one of the lower priority first: the other is to be delivered first."""
    machine.begin(None)
    machine.publish_with_attributes("a", [(0, 0, 0), (0, 2, 0)])
    machine.nack(2, 2, 0, None, True)
    machine.nack(1, 2, 0, None, True)
    machine.consume("a.dead", 1)


SABOTAGES = [
    (expiry_counts_no_attempt, a_lease_expires),
    (an_acked_lease_stays, a_message_is_acked),
    (a_returned_message_loses_its_place, a_message_is_released_before_others),
    (replay_forgets_settles, a_message_is_acked),
    (a_delay_ends_early, a_message_is_delayed),
    (unbegun_messages_are_punished, a_connection_is_lost_in_the_middle),
    (a_redriven_message_loses_its_priority, a_priority_comes_back),
    (a_dead_message_loses_its_priority, a_priority_dies),
]


@pytest.mark.parametrize(("sabotage", "scenario"), SABOTAGES, ids=lambda given: given.__name__)
def test_the_machine_turns_red(sabotage: Any, scenario: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(QueueMachine(), scenario)

    sabotage(monkeypatch)

    with pytest.raises(AssertionError):
        play(QueueMachine(), scenario)
