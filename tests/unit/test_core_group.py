"""What a group says of what waits, visiting what it says and no more; and what it finds wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from core_rig import Core
from postroad.broker.core.durable.runs import Range, Runs


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> list[Range]:
    """Runs that were looked at in order."""
    seen: list[Range] = []
    starting = Runs.starting

    def counted(self: Runs, value: int) -> Iterator[Range]:
        for run in starting(self, value):
            seen.append(run)
            yield run

    monkeypatch.setattr(Runs, "starting", counted)
    return seen


def test_what_waits_from_a_place_on_is_found_by_visiting_just_that(visited: list[Range]) -> None:
    core = Core()
    core.publish(6000, priorities=[n % 2 for n in range(6000)])

    assert core.queue().group.waiting_from(2500, 100) == [(2500, 2599)]
    assert len(visited) <= 102


def test_what_waits_is_told_wherever_it_waits() -> None:
    core = Core()
    core.publish(6, priorities=[0, 1, 0, 2, 0, 0], delays_ms=[0, 0, 5000, 5000, 0, 0])
    worker = core.consume(prefetch=3)
    core.nack(worker, 1, delay_ms=9000)
    core.settle(worker, acks=[(2, 2)])

    group = core.queue().group  # 0 acked, 1 retrying, 2 and 3 delayed, 4 and 5 leased
    assert group.waiting_from(0, 9) == [(1, 3)]
    assert group.waiting_within(2, 5) == [(2, 3)]
    assert [group.is_waiting(sequence) for sequence in range(6)] == [False, True, True, True, False, False]
    assert group.priorities_of(range(6)) == {1: 1, 3: 2}
    assert group.waiting_count == 3
    group.check(core.queue().log, [(4, 5)])


@pytest.mark.parametrize(
    ("leased", "said"),
    [
        pytest.param([(0, 0)], "2 is in no state|2 … 2 is in no state", id="nowhere"),
        pytest.param([(0, 0), (2, 2), (1, 1)], "1 is (ready|leased)", id="twice"),
    ],
)
def test_a_message_in_no_state_or_in_two_is_found(leased: list[Range], said: str) -> None:
    core = Core()
    core.publish(3)
    group = core.queue().group
    group.remove_ready(0, 0)
    group.remove_ready(2, 2)

    with pytest.raises(AssertionError, match=said):
        group.check(core.queue().log, leased)


def test_a_record_takes_a_message_from_wherever_replay_has_it() -> None:
    """Live, a retried message has come due and was delivered again; replay still has it among the retrying ones."""
    core = Core()
    core.publish(2)
    worker = core.consume(prefetch=2)
    core.nack(worker, 1, delay_ms=1000)
    core.nack(worker, 2, delay_ms=1000)
    core.wait(1000)
    core.nack(worker, 3, delay_ms=5000)
    core.settle(worker, acks=[(4, 4)])

    core.restart()

    assert core.counts() == {"retrying": 1, "acked": 1, "retried": 3}
    core.queue().group.check(core.queue().log, [])
