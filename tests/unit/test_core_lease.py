"""Leases of one subscription, by delivery number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from postroad.broker.core.durable.runs import gaps
from postroad.broker.core.volatile.holdings import Holdings
from postroad.broker.core.volatile.lease import Lease, Leases


def leases(*grants: tuple[int, int, int]) -> Leases:
    """``(number, count, sequence)`` each; deadline = 1000 + number."""
    made = Leases(1, Holdings())
    for number, count, sequence in grants:
        made.add(Lease(number, count, sequence, 0, 500, 1000 + number))
    return made


def held(them: Leases) -> dict[int, int]:
    return {lease.number + k: lease.sequence + k for lease in them for k in range(lease.count)}


def test_a_whole_grant_is_taken_as_it_was() -> None:
    them = leases((1, 5, 100), (6, 2, 200))

    (taken,) = them.take(1, 5)

    assert (taken.number, taken.count, taken.sequence) == (1, 5, 100)
    assert held(them) == {6: 200, 7: 201}


def test_a_part_out_of_the_middle_leaves_both_ends() -> None:
    them = leases((1, 5, 100))

    (taken,) = them.take(2, 3)

    assert (taken.number, taken.count, taken.sequence, taken.deadline) == (2, 2, 101, 1001)
    assert held(them) == {1: 100, 4: 103, 5: 104}
    assert them.count == 3


def test_a_range_over_gaps_takes_what_is_there() -> None:
    them = leases((1, 2, 10), (5, 2, 20), (9, 2, 30))

    taken = them.take(2, 9)

    assert [(lease.number, lease.count) for lease in taken] == [(2, 1), (5, 2), (9, 1)]
    assert gaps(2, 9, [(lease.number, lease.last) for lease in taken]) == [(3, 4), (7, 8)]
    assert held(them) == {1: 10, 10: 31}


def test_extending_a_part_changes_only_its_deadline() -> None:
    them = leases((1, 3, 10))

    assert them.extend(2, 5, 9000) == [(2, 3)]

    assert [(lease.number, lease.deadline) for lease in them] == [(1, 1001), (2, 9000)]
    assert them.next_deadline() == 1001
    assert [lease.number for lease in them.expired(1001, 100)] == [1]
    assert them.count == 3


def test_what_has_expired_is_held_until_it_is_taken() -> None:
    them = leases((1, 2, 10), (3, 1, 20))

    (expired,) = them.expired(1001, 100)
    assert them.held(1, 2) == [expired] == them.take(1, 2)

    assert them.take(1, 2) == []
    assert them.find(1) is None
    assert them.find(3) is not None


def test_leases_end_in_the_order_of_their_deadlines_and_a_step_takes_no_more_than_it_may() -> None:
    them = leases((1, 4, 10), (5, 4, 20), (9, 4, 30))
    them.extend(1, 4, 1008)

    assert [(lease.number, lease.count) for lease in them.expired(2000, 6)] == [(5, 4), (1, 2)]
    assert [lease.number for lease in them.expired(1005, 100)] == [5]
    assert them.next_deadline() == 1005


def test_deadlines_of_leases_that_have_ended_are_cleared_away() -> None:
    them = leases((1, 1, 10))
    for deadline in range(5_000):
        them.extend(1, 1, deadline)

    assert len(them._deadlines) < 2_000
    assert them.next_deadline() == 4_999


def test_looking_at_what_is_held_cuts_it_as_taking_it_does() -> None:
    for first, last in ((1, 9), (2, 5), (3, 3), (4, 4), (7, 9)):
        them = leases((1, 3, 10), (4, 2, 40))
        seen = them.held(first, last)
        assert them.count == 5
        assert seen == them.take(first, last)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.lists(st.tuples(st.integers(1, 25), st.integers(0, 8))))
def test_every_number_is_taken_at_most_once(counts: list[int], takes: list[tuple[int, int]]) -> None:
    them, number = Leases(1, Holdings()), 1
    for count in counts:
        them.add(Lease(number, count, number * 10, 0, 0, 0))
        number += count
    model = held(them)

    for first, length in takes:
        taken = them.take(first, first + length)
        got = {lease.number + k: lease.sequence + k for lease in taken for k in range(lease.count)}
        assert got == {n: s for n, s in model.items() if first <= n <= first + length}
        for gone in got:
            del model[gone]
        assert held(them) == model
        assert them.count == len(model)
