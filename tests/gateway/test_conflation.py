"""A slow watcher of all queues gets fewer states, and none of the queues is forgotten."""

from __future__ import annotations

from postroad.gateway.protocol.watcher import _conflated


def test_states_of_all_queues_are_joined_by_name_and_the_later_one_wins() -> None:
    older = {"queues": [{"name": "a", "ready": 1}, {"name": "b", "ready": 1}], "streams": [{"name": "s", "next": 1}]}
    newer = {"queues": [{"name": "b", "ready": 2}, {"name": "c", "ready": 3}]}

    joined = _conflated(older, newer)

    assert {item["name"]: item["ready"] for item in joined["queues"]} == {"a": 1, "b": 2, "c": 3}
    assert joined["streams"] == [{"name": "s", "next": 1}]


def test_deliveries_of_both_are_kept_up_to_the_bound() -> None:
    older = {"queue": {"name": "a"}, "deliveries": [{"id": str(n)} for n in range(40)]}
    newer = {"queue": {"name": "a", "ready": 2}, "deliveries": [{"id": str(n)} for n in range(40, 80)]}

    joined = _conflated(older, newer)

    assert joined["queue"]["ready"] == 2
    assert [row["id"] for row in joined["deliveries"]] == [str(n) for n in range(30, 80)]
