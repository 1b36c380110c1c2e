"""What a consumer gets: batches, columns, attempts; and what becomes of what it says."""

from __future__ import annotations

import orjson
import pytest
from engine_rig import Rig, turns
from postroad.broker.core.format import command as c
from postroad.broker.engine.embedded.write.delivery import BATCH_BYTES
from postroad.broker.engine.engine import Completion, PublishBatch
from postroad.broker.errors import Conflict, InvalidState, LeaseLost, MessageNotFound, QueueNotFound


async def test_bodies_arrive_byte_for_byte_under_the_ids_of_the_confirm(rig: Rig) -> None:
    bodies = [b"", b"\x00\xff", b"{}", "grüße".encode()]
    confirm = await rig.publish(bodies)

    worker = await rig.consume()
    await rig.got(worker, 4)

    assert list(worker.bodies.values()) == bodies
    assert list(worker.ids.values()) == [f"{confirm.id_prefix}{i}" for i in range(4)]
    assert list(worker.sequences.values()) == [0, 1, 2, 3]


async def test_many_small_records_become_one_batch(rig: Rig) -> None:
    for _ in range(50):
        await rig.publish([b"x"])

    worker = await rig.consume(prefetch=50)
    await rig.got(worker, 50)

    assert len(worker.batches) == 1
    assert worker.batches[0].number == 1


async def test_a_batch_is_bounded_by_bytes_and_a_large_body_still_goes(rig: Rig) -> None:
    await rig.publish([b"a" * 60_000, b"b" * 60_000, b"c" * 60_000])
    await rig.publish([b"d" * (BATCH_BYTES + 5), b"e"])

    worker = await rig.consume(prefetch=10)
    await rig.got(worker, 5)

    assert [len(body) for body in worker.bodies.values()] == [60_000, 60_000, 60_000, BATCH_BYTES + 5, 1]
    assert len(worker.batches) > 1
    assert all(sum(batch.sizes[:-1]) < BATCH_BYTES for batch in worker.batches)  # at most one body over
    assert [batch.number for batch in worker.batches] == sorted(batch.number for batch in worker.batches)


async def test_columns_keep_every_messages_own_attributes_across_records(rig: Rig) -> None:
    await rig.publish([b"1", b"2"], types=["text", None], headers=[{"a": "1"}, None])
    await rig.publish([b"3"], headers={"b": "2"})
    await rig.publish([b"4", b"5"])

    worker = await rig.consume()
    await rig.got(worker, 5)

    (batch,) = worker.batches
    assert batch.attributes["types"] == ["text", "json", "json", "json", "json"]
    assert batch.attributes["headers"] == [{"a": "1"}, None, {"b": "2"}, None, None]
    assert "attempts" not in batch.attributes and "priorities" not in batch.attributes


async def test_one_value_for_all_is_a_scalar(rig: Rig) -> None:
    await rig.publish([b"1", b"2"], type="bytes", priority=3)

    worker = await rig.consume()
    await rig.got(worker, 2)

    assert worker.batches[0].attributes == {"type": "bytes", "priority": 3}


async def test_attempts_are_a_column_where_they_differ(rig: Rig) -> None:
    await rig.publish([b"1", b"2", b"3"])
    first = await rig.consume(prefetch=3)
    await rig.got(first, 3)
    await rig.settle(first, releases=[(1, 1), (3, 3)])
    await rig.nack(first, 2, delay_ms=1)
    first.subscription.cancel()

    rig.pass_time(10)
    second = await rig.consume(prefetch=3)
    await rig.got(second, 3)

    assert list(second.attempts.values()) == [1, 2, 1]


async def test_a_part_of_a_record_has_the_right_bodies_and_columns(rig: Rig) -> None:
    await rig.publish([b"0", b"11", b"222", b"3333"], headers=[{"n": str(n)} for n in range(4)])
    worker = await rig.consume(prefetch=1)
    await rig.got(worker, 1)

    for number in range(1, 4):
        await rig.settle(worker, acks=[(number, number)])
        await rig.got(worker, number + 1)

    assert list(worker.bodies.values()) == [b"0", b"11", b"222", b"3333"]
    assert [batch.attributes["headers"] for batch in worker.batches] == [[{"n": str(n)}] for n in range(4)]


async def test_ids_match_when_some_of_a_frame_are_duplicates(rig: Rig) -> None:
    first = await rig.publish([b"old"], dedup_keys=["k"])

    confirm = await rig.publish([b"a", b"old", b"c"], dedup_keys=["x", "k", "z"])
    worker = await rig.consume()
    await rig.got(worker, 3)

    def id_of(index: int) -> str:
        return (confirm.duplicates or {}).get(index) or f"{confirm.id_prefix}{index}"

    assert confirm.duplicates is not None and confirm.duplicates[1] == f"{first.id_prefix}0"
    assert {id_of(0): b"a", id_of(1): b"old", id_of(2): b"c"} == {worker.ids[n]: worker.bodies[n] for n in worker.ids}


async def test_a_replayed_frame_gets_the_first_confirm_with_its_duplicates(rig: Rig) -> None:
    await rig.publish([b"old"], dedup_keys=["k"])
    first = await rig.publish([b"old", b"new"], dedup_keys=["k", "n"], producer=("p", 1))

    again = await rig.publish([b"old", b"new"], dedup_keys=["k", "n"], producer=("p", 1))

    assert again.replayed
    assert (again.position, again.count, again.duplicates) == (first.position, first.count, first.duplicates)


async def test_a_completion_stores_result_and_publishes_with_their_bodies(rig: Rig) -> None:
    confirm = await rig.publish([b"job"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    publishes = [
        PublishBatch(queue="next", sizes=[1, 2], bodies=b"abb"),
        PublishBatch(queue="next", sizes=[3], bodies=b"ccc"),
    ]

    await rig.settle(worker, completions=[Completion(number=1, result=orjson.dumps({"ok": 1}), publishes=publishes)])
    following = await rig.consume("next")
    await rig.got(following, 3)

    assert list(following.bodies.values()) == [b"a", b"bb", b"ccc"]
    message = await rig.message(f"{confirm.id_prefix}0")
    assert (message["state"], message["result"]) == ("done", {"ok": 1})


async def test_settled_and_lost_are_told_apart(rig: Rig) -> None:
    await rig.publish([b"1", b"2"])
    worker = await rig.consume()
    await rig.got(worker, 2)
    await rig.settle(worker, acks=[(1, 1)])

    reply = await rig.settle(worker, acks=[(1, 3)])

    assert (reply.settled, reply.lost) == ([(1, 1)], [(3, 3)])


async def test_a_paused_sink_gets_nothing_and_catches_up(rig: Rig) -> None:
    worker = await rig.consume()
    worker.subscription.pause()
    await rig.publish([b"1"])
    await turns()
    assert worker.ids == {}

    worker.subscription.resume()

    await rig.got(worker, 1)


async def test_a_cancelled_message_is_revoked_from_its_holder(rig: Rig) -> None:
    confirm = await rig.publish([b"1"])
    worker = await rig.consume()
    await rig.got(worker, 1)

    answer = await rig.engine.operate("cancel", {"message": f"{confirm.id_prefix}0"})

    assert answer["state"] == "cancelled"
    assert worker.gone == [(1, 1)]
    assert (await rig.settle(worker, acks=[(1, 1)])).lost == [(1, 1)]
    with pytest.raises(InvalidState):
        await rig.engine.operate("cancel", {"message": f"{confirm.id_prefix}0"})


async def test_a_deleted_queue_ends_its_consumers(rig: Rig) -> None:
    worker = await rig.consume()

    await rig.engine.delete("q")

    assert isinstance(worker.end, QueueNotFound)
    with pytest.raises(LeaseLost):
        await rig.settle(worker, acks=[(1, 1)])


async def test_a_cancelled_consumers_sink_is_let_go(rig: Rig) -> None:
    for _ in range(5):
        (await rig.consume()).subscription.cancel()
    await rig.engine._pipeline.all_durable()

    assert rig.engine._outlet._sinks == {}


async def test_a_resumed_consumer_delivers_to_its_new_sink(rig: Rig) -> None:
    await rig.publish([b"1", b"2"])
    first = await rig.consume(prefetch=2)
    await rig.got(first, 2)
    first.subscription.detach()

    second = await rig.consume(prefetch=2, resume=first.subscription.token, held=[(1, 1, 0)], begun=1)
    await rig.got(second, 1)

    assert second.subscription.token == first.subscription.token
    assert list(second.sequences.items()) == [(3, 1)]
    assert (await rig.settle(second, acks=[(1, 1), (3, 3)])).lost == []


async def test_an_id_of_another_epoch_is_nobodys(rig: Rig) -> None:
    confirm = await rig.publish([b"1"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    await rig.nack(worker, 1, dead=True)
    foreign = "9" + confirm.id_prefix[1:] + "0"

    with pytest.raises(MessageNotFound):
        await rig.engine.query("message", {"message": foreign})
    with pytest.raises(MessageNotFound):
        await rig.engine.operate("cancel", {"message": foreign})
    answer = await rig.engine.operate("discard", {"queue": "q.dead", "messages": [foreign]})

    assert answer["count"] == 0


async def test_redriving_everything_passes_over_what_lost_its_queue(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.broker.engine.embedded.long_operations.MOVE_ITEMS", 2)
    for name in ("gone", "here"):
        await rig.engine.declare(name, {"dead_letter": "morgue"})
        await rig.publish([b"1", b"2", b"3", b"4"], name)
        worker = await rig.consume(name)
        await rig.got(worker, 4)
        await rig.settle(worker, nacks=[c.NackRange(first=1, last=4, dead=True)])
    await rig.engine.delete("gone")

    answer = await rig.engine.operate("redrive", {"queue": "morgue"})

    assert answer["count"] == 4
    assert (await rig.stats("morgue"))["ready"] == 4


async def test_declaring_with_other_settings_is_refused(rig: Rig) -> None:
    await rig.engine.declare("q", {"lease_ms": 1000})

    with pytest.raises(Conflict):
        await rig.engine.declare("q", {"lease_ms": 2000})


async def test_dead_letters_of_a_long_name_are_listed(rig: Rig) -> None:
    name = "n" * 75
    await rig.publish([b"1"], name)
    worker = await rig.consume(name)
    await rig.got(worker, 1)
    await rig.nack(worker, 1, dead=True)

    answer = await rig.engine.query("messages", {"queue": name, "state": "dead"})

    assert [message["state"] for message in answer["messages"]] == ["dead"]


async def test_a_batch_is_done_in_one_record_and_each_message_has_its_result(rig: Rig) -> None:
    await rig.publish([b"1", b"2", b"3"])
    worker = await rig.consume()
    await rig.got(worker, 3)
    batch = PublishBatch(queue="next", sizes=[2], bodies=b"up")
    done = Completion(number=1, result=b'{"n":1}', others=[(2, None), (3, b"3")], publishes=[batch])

    settled = await rig.settle(worker, completions=[done])

    assert settled.lost == []
    messages = [await rig.message(worker.ids[number]) for number in (1, 2, 3)]
    assert [(message["state"], message["result"]) for message in messages] == [
        ("done", {"n": 1}), ("done", None), ("done", 3),
    ]  # fmt: skip
    acks = {message["timeline"][-1]["position"] for message in messages}
    assert len(acks) == 1
    after = await rig.crashed().start()
    assert ((await after.stats())["acked_total"], (await after.stats("next"))["ready"]) == (3, 1)
    await after.engine.close()
