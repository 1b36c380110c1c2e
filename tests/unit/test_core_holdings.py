"""Who holds what of a queue, by sequence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from postroad.broker.core.volatile.holdings import Holdings
from postroad.broker.core.volatile.lease import Lease, Leases


def test_who_holds_a_message_is_found_by_its_sequence() -> None:
    holdings = Holdings()
    one, other = Leases(1, holdings), Leases(2, holdings)
    one.add(Lease(1, 3, 10, 0, 0, 0))
    other.add(Lease(1, 2, 20, 4, 0, 0))

    assert [found and found[0] for found in map(holdings.find, (9, 10, 12, 13, 21, 22))] == [None, 1, 1, None, 2, None]
    assert [(id, lease.sequence) for id, lease in holdings.within(12, 20)] == [(1, 10), (2, 20)]
    assert holdings.runs() == [(10, 12, 0), (20, 21, 4)]


def test_whose_lease_ended_is_noted_until_somebody_has_looked() -> None:
    holdings = Holdings()
    one, other = Leases(1, holdings), Leases(2, holdings)
    one.add(Lease(1, 3, 10, 0, 0, 0))
    other.add(Lease(1, 2, 20, 0, 0, 0))

    one.take(2, 2)

    assert list(holdings.freed) == [1]
    assert (holdings.count, len(holdings)) == (4, 3)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(0, 8), st.booleans()), max_size=12),
)
def test_holdings_are_the_leases_of_all_subscriptions(
    grants: list[tuple[int, int, bool]], changes: list[tuple[int, int, int, bool]]
) -> None:
    """Grants go up or down in sequence, as priorities make them; then ranges are taken, or extended."""
    holdings = Holdings()
    them = {id: Leases(id, holdings) for id in (1, 2, 3)}
    numbers, above, below = dict.fromkeys(them, 1), 1000, 1000
    for id, count, is_later in grants:
        below -= 0 if is_later else count
        them[id].add(Lease(numbers[id], count, above if is_later else below, 0, 0, 0))
        above += count if is_later else 0
        numbers[id] += count
    for id, first, more, is_taken in changes:
        if is_taken:
            them[id].take(first, first + more)
        else:
            them[id].extend(first, first + more, 7)

    wanted = sorted((lease.sequence, lease.count, id) for id in them for lease in them[id])
    assert [(lease.sequence, lease.count, id) for id, lease in holdings] == wanted
    assert holdings.count == sum(count for _, count, _ in wanted)
    for sequence, count, id in wanted:
        for held in (holdings.find(sequence), holdings.find(sequence + count - 1)):
            assert held is not None and held[0] == id
