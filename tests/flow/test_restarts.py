"""Brokers stop and start again, politely or not; producers and consumers do not notice much."""

from __future__ import annotations

import json
from pathlib import Path

from live_broker import LiveBroker, StartNode, eventually


def test_messages_of_a_queue_that_nobody_consumed_arrive_in_order_after_a_restart(
    broker: LiveBroker, node: StartNode
) -> None:
    producer = node("produce.mjs", "emails", 2_000)
    assert producer.wait_for("done")["confirmed"] == 2_000
    broker.kill()

    broker.start()
    consumer = node("consume.mjs", "emails", json.dumps({"quiet": True}))
    eventually(lambda: not broker.unsettled(), 30, "everything is acked")
    consumer.tell("stop")

    assert consumer.wait_for("stopped")["acked"] == list(range(2_000))


def test_a_broker_that_is_told_to_stop_under_load_exits_cleanly_and_loses_nothing(
    broker: LiveBroker, node: StartNode
) -> None:
    consumer = node("consume.mjs", "emails", json.dumps({"quiet": True, "concurrency": 20, "workMs": 1}))
    consumer.wait_for("started")
    producer = node("produce.mjs", "emails", 2_000, 2_000)
    producer.wait_for("half")

    code = broker.terminate()
    broker.start()

    assert code == 0
    assert producer.wait_for("done")["confirmed"] == 2_000
    eventually(lambda: not broker.unsettled(), 30, "everything is acked")
    consumer.tell("stop")
    stopped = consumer.wait_for("stopped")
    assert sorted(stopped["acked"]) == list(range(2_000))
    assert broker.queues()["emails"]["dead_total"] == 0


def test_a_second_broker_on_the_same_data_ends_with_its_own_exit_code_and_names_the_holder(
    broker: LiveBroker, tmp_path: Path
) -> None:
    second = LiveBroker(broker.data, tmp_path / "second.log")

    code = second.spawn().wait(10)

    assert code == 4
    assert str(broker.pid) in (tmp_path / "second.log").read_text()
    assert broker.is_ready()


def test_a_killed_broker_leaves_its_data_free_for_the_next(broker: LiveBroker) -> None:
    broker.kill()

    broker.start()

    assert broker.is_ready()


def test_a_handler_that_runs_across_a_restart_settles_and_its_message_is_not_delivered_again(
    broker: LiveBroker, node: StartNode
) -> None:
    holder = node("consume.mjs", "emails", json.dumps({"hold": 0, "name": "holder", "prefetch": 1}))
    holder.wait_for("started")
    node("produce.mjs", "emails", 1).wait_for("done")
    holder.wait_for("begin")
    other = node("consume.mjs", "emails", json.dumps({"quiet": True, "name": "other"}))
    other.wait_for("started")

    broker.kill()
    broker.start()
    eventually(lambda: broker.queues()["emails"]["leased"] == 1, 10, "the message is leased again")
    holder.tell("release")

    holder.wait_for("acked")
    eventually(lambda: not broker.unsettled(), 10, "nothing is left")
    for consumer, begun in ((holder, 1), (other, 0)):
        consumer.tell("stop")
        assert consumer.wait_for("stopped")["begun"] == begun
