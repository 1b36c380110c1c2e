"""Watching: events with no gap, and one message's life, live and read back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import Rig, turns
from postroad.broker.engine.engine import Progress, WatchSpec
from postroad.broker.errors import MessageNotFound, QueueNotFound


async def lived(rig: Rig, *, watch: bool) -> tuple[str, Any]:
    """A message that is retried, dies, is redriven and done."""
    await rig.engine.declare("q", {"attempts_max": 2})
    confirm = await rig.publish([b"other", b"1"], type="text")
    id = f"{confirm.id_prefix}1"
    watcher = await rig.watch(message=id) if watch else None
    worker = await rig.consume(prefetch=10)
    await rig.got(worker, 2)
    await rig.settle(worker, acks=[(1, 1)])
    rig.clock.advance(5)
    await rig.settle(worker, progress=[Progress(number=2, percent=40, note="half")])
    await rig.nack(worker, 2, delay_ms=1000, reason="smtp 421")
    rig.pass_time(1000)
    await rig.got(worker, 3)
    rig.clock.advance(5)
    await rig.nack(worker, 3, reason="smtp 550")
    rig.clock.advance(5)
    await rig.engine.operate("redrive", {"queue": "q.dead"})
    await rig.got(worker, 4)
    rig.clock.advance(5)
    await rig.settle(worker, acks=[(4, 4)])
    return id, watcher


async def test_a_message_watch_follows_retry_death_redrive_and_done(rig: Rig) -> None:
    _, watcher = await lived(rig, watch=True)

    await rig.changed.until(lambda: watcher.states and watcher.states[-1]["message"]["state"] == "done")

    message = watcher.states[-1]["message"]
    assert [entry["kind"] for entry in message["timeline"]] == [
        "published", "delivered", "progress", "retrying", "delivered", "dead", "redriven", "delivered", "acked",
    ]  # fmt: skip
    assert [entry.get("attempt") for entry in message["timeline"] if "attempt" in entry] == [1, 1, 2, 2, 1, 1]
    assert message["timeline"][3]["reason"] == "smtp 421" and message["timeline"][5]["reason"] == "smtp 550"
    assert (message["queue"], message["attempts"]) == ("q", 1)


async def test_a_timeline_read_from_the_journal_equals_the_live_one(rig: Rig) -> None:
    id, watcher = await lived(rig, watch=True)
    await rig.changed.until(lambda: watcher.states and watcher.states[-1]["message"]["state"] == "done")
    live = watcher.states[-1]["message"]

    read = await rig.message(id)

    durable = [entry for entry in live["timeline"] if entry["kind"] != "progress"]
    assert read["timeline"] == durable
    for field in ("state", "attempts", "reason", "queue", "sequence", "result", "due", "consumer"):
        assert read[field] == live[field], field


async def test_a_timeline_is_the_same_after_a_restart(rig: Rig) -> None:
    id, _ = await lived(rig, watch=False)
    before = await rig.message(id)

    await rig.restart()

    assert await rig.message(id) == before


async def test_a_dead_message_says_where_it_is_and_why(rig: Rig) -> None:
    confirm = await rig.publish([b"1"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    await rig.nack(worker, 1, dead=True, reason="bad address")

    message = await rig.message(f"{confirm.id_prefix}0")

    assert (message["state"], message["queue"], message["reason"]) == ("dead", "q.dead", "bad address")
    assert message["attempts_max"] == 5
    (row,) = (await rig.engine.query("messages", {"queue": "q", "state": "dead"}))["messages"]
    assert (row["state"], row["reason"], row["attempts"]) == ("dead", "bad address", 1)
    assert row["dead_letter_of"] == "q"


async def test_a_free_return_is_told_live(rig: Rig) -> None:
    confirm = await rig.publish([b"1"])
    watcher = await rig.watch(message=f"{confirm.id_prefix}0")
    worker = await rig.consume()
    await rig.got(worker, 1)
    worker.subscription.cancel()

    await rig.changed.until(lambda: watcher.states and watcher.states[-1]["message"]["state"] == "queued")

    assert [entry["kind"] for entry in watcher.states[-1]["message"]["timeline"]] == [
        "published", "delivered", "returned",
    ]  # fmt: skip


async def test_a_message_watch_starts_with_what_has_been(rig: Rig) -> None:
    confirm = await rig.publish([b"1"])
    worker = await rig.consume()
    await rig.got(worker, 1)

    watcher = await rig.watch(message=f"{confirm.id_prefix}0")

    message = watcher.snapshot["message"]
    assert (message["state"], message["consumer"]) == ("delivered", "worker")
    assert "body" not in message and "headers" not in message and "key" not in message


@pytest.mark.parametrize("id", ["", "1-1-0", "1-zzzz-0", "1-3-9", "nonsense", "1-3-0-0", "1--0", "9-3-0"])
async def test_an_id_that_never_was_is_not_found(rig: Rig, id: str) -> None:
    await rig.publish([b"1"])

    with pytest.raises(MessageNotFound):
        await rig.watch(message=id)
    with pytest.raises(MessageNotFound):
        await rig.engine.query("message", {"message": id})


async def test_events_follow_one_another_without_gap_from_a_position(rig: Rig) -> None:
    first = await rig.publish([b"1"])
    await rig.publish([b"2"])
    watcher = await rig.watch(queue="q", from_position=first.position)
    await rig.publish([b"3"])

    await rig.changed.until(lambda: len(watcher.seen) >= 2)

    positions = [event["position"] for event in watcher.seen]
    assert positions == [first.position + 1, first.position + 2]
    assert watcher.trimmed is None


async def test_events_published_while_history_is_read_are_neither_lost_nor_doubled(rig: Rig) -> None:
    for _ in range(30):
        await rig.publish([b"x"])
    opening = asyncio.ensure_future(rig.watch(queue="q", last=1000))
    outcomes = []
    for _ in range(20):
        outcomes.append(rig.send([b"y"]))
        await turns(3)
    watcher = await opening
    await rig.changed.until(lambda: all(outcomes))
    await rig.changed.until(lambda: watcher.seen and watcher.seen[-1]["position"] == outcomes[-1][0].position)  # type: ignore[union-attr]

    positions = [event["position"] for event in watcher.seen if event["kind"] == "published"]
    assert positions == list(range(positions[0], positions[0] + 50))


async def test_the_last_events_come_oldest_first(rig: Rig) -> None:
    for n in range(5):
        await rig.publish([b"x"] * (n + 1))

    watcher = await rig.watch(queue="q", last=3)
    await rig.changed.until(lambda: len(watcher.seen) == 3)

    assert [event["count"] for event in watcher.seen] == [3, 4, 5]


async def test_a_watch_without_history_starts_with_the_next_event(rig: Rig) -> None:
    await rig.publish([b"1"])
    watcher = await rig.watch(queue="q")
    await rig.publish([b"2", b"3"])
    await rig.changed.until(lambda: watcher.seen)

    (event,) = watcher.seen
    assert (event["kind"], event["count"]) == ("published", 2)


async def test_a_watch_from_the_future_sees_what_comes(rig: Rig) -> None:
    watcher = await rig.watch(queue=None, from_position=10_000)

    await rig.publish([b"1"])
    await rig.changed.until(lambda: watcher.seen)

    assert watcher.kinds()[-1] == "published"


async def test_a_queue_watch_sees_only_its_queue_and_all_sees_all(rig: Rig) -> None:
    await rig.publish([b"1"], "a")
    await rig.publish([b"1"], "b")
    one, all_of_them = await rig.watch(queue="a"), await rig.watch()

    await rig.publish([b"2"], "b")
    await rig.publish([b"2"], "a")
    await rig.changed.until(lambda: len(all_of_them.seen) == 2 and one.seen)

    assert [event["queue"] for event in one.seen] == ["a"]
    assert [event["queue"] for event in all_of_them.seen] == ["b", "a"]


async def test_the_state_tells_numbers_and_deliveries(rig: Rig) -> None:
    await rig.publish([b"1"])
    watcher = await rig.watch(queue="q")
    worker = await rig.consume()
    await rig.got(worker, 1)

    await rig.changed.until(lambda: watcher.states)

    state = watcher.states[-1]
    assert (state["queue"]["leased"], state["queue"]["consumers"]) == (1, 1)
    (delivery,) = state["deliveries"]
    assert (delivery["id"], delivery["consumer"], delivery["attempt"]) == (worker.ids[1], "worker", 1)


async def test_a_cancelled_watch_is_told_nothing_more(rig: Rig) -> None:
    watcher = await rig.watch(queue=None)
    sink = await rig.engine.watch(WatchSpec(queue=None), watcher)
    sink.cancel()
    sink.cancel()
    before = len(rig.engine._watching.queues)

    await rig.publish([b"1"])
    await rig.changed.until(lambda: watcher.seen)
    await turns()

    assert before == 1
    assert watcher.kinds() == ["declared", "published"]


async def test_watching_what_is_not_there_is_refused(rig: Rig) -> None:
    with pytest.raises(QueueNotFound):
        await rig.watch(queue="nowhere")


async def test_events_tell_a_whole_life(rig: Rig) -> None:
    await lived(rig, watch=False)
    await rig.engine.operate("pause", {"queue": "q", "reason": "night"})
    await rig.engine.operate("resume", {"queue": "q"})
    await rig.publish([b"x", b"y"], delay_ms=50_000)
    await rig.engine.operate("purge", {"queue": "q"})

    events = (await rig.engine.query("events", {"queue": "q", "last": 100}))["events"]

    assert [event["kind"] for event in events] == [
        "started", "declared", "published", "acked", "retrying", "dead", "redriven", "acked", "paused", "resumed",
        "published", "purged",
    ]  # fmt: skip
    by_kind = {event["kind"]: event for event in events}
    assert (by_kind["dead"]["to"], by_kind["dead"]["reason"]) == ("q.dead", "smtp 550")
    assert (by_kind["purged"]["count"], len(by_kind["purged"]["ids"])) == (2, 2)
    assert by_kind["retrying"]["attempt"] == 1 and by_kind["retrying"]["consumer"] == "worker"
    assert [event["position"] for event in events] == sorted(event["position"] for event in events)


async def test_live_events_equal_those_read_back(rig: Rig) -> None:
    watcher = await rig.watch(queue=None)
    await lived(rig, watch=False)
    await rig.changed.until(lambda: watcher.kinds().count("acked") == 2)

    read = (await rig.engine.query("events", {"last": 100}))["events"]

    assert [event for event in read if event["kind"] != "started"] == watcher.seen


async def test_a_watch_of_a_deleted_queue_ends(rig: Rig) -> None:
    await rig.publish([b"1"])
    watcher = await rig.watch(queue="q")

    await rig.engine.delete("q")
    await turns()

    assert isinstance(watcher.end, QueueNotFound)


async def test_a_message_of_a_deleted_queue_is_not_queued_any_more(rig: Rig) -> None:
    confirm = await rig.publish([b"1"])
    await rig.engine.delete("q")

    message = await rig.message(f"{confirm.id_prefix}0")

    assert message["state"] == "purged"
