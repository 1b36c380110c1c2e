"""Several consumers of one queue: who gets what, and what becomes of the work of one that dies."""

from __future__ import annotations

import json
import time

from live_broker import LiveBroker, StartNode, eventually

COME_BACK_S = 2.0
"""Promised is 1 s; the rest is for a busy machine. A lease would end after 30 s."""


def test_consumers_of_different_speed_share_all_messages_and_the_quick_get_more(
    broker: LiveBroker, node: StartNode
) -> None:
    work_ms = [0, 1, 5, 25]
    consumers = [
        node(
            "consume.mjs", "emails", json.dumps({"quiet": True, "concurrency": 4, "workMs": ms, "name": f"takes-{ms}"})
        )
        for ms in work_ms
    ]
    for consumer in consumers:
        consumer.wait_for("started")

    producer = node("produce.mjs", "emails", 10_000, 5_000)
    assert producer.wait_for("done")["confirmed"] == 10_000
    eventually(lambda: not broker.unsettled(), 60, "everything is acked")

    shares = []
    for consumer in consumers:
        consumer.tell("stop")
        shares.append(consumer.wait_for("stopped")["acked"])
    assert sorted(n for share in shares for n in share) == list(range(10_000))
    counts = [len(share) for share in shares]
    assert counts[0] > counts[2] > counts[3] > 0 and counts[1] > counts[3], counts


def test_what_killed_consumers_had_begun_comes_back_at_once_with_another_attempt(
    broker: LiveBroker, node: StartNode
) -> None:
    victims = []
    for n in (0, 1):
        victims.append(node("consume.mjs", "emails", json.dumps({"hold": n, "name": f"victim-{n}", "prefetch": 1})))
        victims[n].wait_for("started")
    node("produce.mjs", "emails", 2).wait_for("done")
    for victim in victims:
        victim.wait_for("begin")
    survivors = [node("consume.mjs", "emails", json.dumps({"name": f"survivor-{i}", "prefetch": 1})) for i in (0, 1)]
    for survivor in survivors:
        survivor.wait_for("started")

    killed_at = time.time()
    for victim in victims:
        victim.kill()

    eventually(lambda: not broker.unsettled(), 10, "the survivors have done the work")
    begins = [begin for survivor in survivors for begin in survivor.said("begin")]
    assert sorted((begin["n"], begin["attempt"]) for begin in begins) == [(0, 2), (1, 2)]
    assert max(begin["at"] for begin in begins) / 1000 - killed_at < COME_BACK_S


def test_two_of_four_consumers_killed_in_the_middle_lose_nothing(broker: LiveBroker, node: StartNode) -> None:
    options = {"quiet": True, "concurrency": 5, "workMs": 4}
    consumers = [node("consume.mjs", "emails", json.dumps(options | {"name": f"consumer-{i}"})) for i in range(4)]
    for consumer in consumers:
        consumer.wait_for("started")
    producer = node("produce.mjs", "emails", 5_000, 2_500)
    producer.wait_for("half")

    for victim in consumers[:2]:
        victim.kill()

    assert producer.wait_for("done")["confirmed"] == 5_000
    eventually(lambda: not broker.unsettled(), 20, "everything is acked, long before a lease ends")
    stats = broker.queues()["emails"]
    assert (stats["published_total"], stats["acked_total"], stats["dead_total"]) == (5_000, 5_000, 0)
