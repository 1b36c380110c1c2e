"""Readers of streams, replays, schedules and topics of the embedded engine, also across a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine_rig import Changed, Rig, turns
from postroad.broker.core.format import command as c
from postroad.broker.engine.embedded.look.readers import STEP
from postroad.broker.engine.engine import DeliveryBatch, PublishBatch, ReadSpec
from postroad.broker.errors import InvalidRequest, PostroadError, QueueFull, QueueNotFound
from postroad.broker.testing import MemoryFiles

HOUR_MS = 3_600_000


class Reading:
    """A reader's sink, and what it saw: bodies by offset, and what it was told of as trimmed."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self.seen: list[tuple[int, bytes]] = []
        self.trimmed: list[int] = []
        self.end: PostroadError | None = None
        self.reader: Any = None
        self.pause_after: int | None = None
        self.batches: list[DeliveryBatch] = []

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        self.batches.append(batch)
        if trimmed is not None:
            self.trimmed.append(trimmed)
        whole, at, size = b"".join(batch.bodies), 0, iter(batch.sizes)
        for run in batch.runs:
            for k in range(run.count):
                length = next(size)
                self.seen.append((run.sequence + k, whole[at : at + length]))
                at += length
        if self.pause_after is not None and len(self.seen) >= self.pause_after:
            self.reader.pause()
        self._changed.tell()

    def ended(self, error: PostroadError) -> None:
        self.end = error
        self._changed.tell()

    @property
    def offsets(self) -> list[int]:
        return [offset for offset, _ in self.seen]


async def read(rig: Rig, start: Any = "latest", stream: str = "s") -> Reading:
    sink = Reading(rig.changed)
    sink.reader = await rig.engine.read(ReadSpec(stream=stream, start=start), sink)
    return sink


async def to(rig: Rig, name: str, bodies: list[bytes], kind: str = "stream", **attributes: Any) -> Any:
    outcome: list[Any] = []
    producer = attributes.pop("producer", None)
    batch = PublishBatch(
        queue=name,
        kind=kind,
        sizes=[len(b) for b in bodies],
        bodies=b"".join(bodies),
        attributes=attributes,
        producer=producer,
    )

    def done(reply: Any) -> None:
        outcome.append(reply)
        rig.changed.tell()

    rig.engine.publish(batch, done)
    await rig.changed.until(lambda: outcome)
    if isinstance(outcome[0], PostroadError):
        raise outcome[0]
    return outcome[0]


async def declare(rig: Rig, **settings: Any) -> None:
    rig.engine.execute(c.DeclareStream(stream="s", settings=settings))
    await turns()


async def test_a_reader_follows_from_its_place_and_sees_what_is_published_later(rig: Rig) -> None:
    await to(rig, "s", [b"a", b"b", b"c"])
    reading = await read(rig, ("offset", 1))

    await to(rig, "s", [b"d"])
    await rig.changed.until(lambda: len(reading.seen) == 3)

    assert reading.seen == [(1, b"b"), (2, b"c"), (3, b"d")]
    assert reading.trimmed == []


@pytest.mark.parametrize(
    ("start", "offsets"),
    [("earliest", [0, 1, 2]), ("latest", []), (("last", 2), [1, 2]), (("last", 9), [0, 1, 2]), (("offset", 9), []),
     (("at", 0), [0, 1, 2])],
)  # fmt: skip
async def test_a_reader_begins_where_it_asks(rig: Rig, start: Any, offsets: list[int]) -> None:
    await to(rig, "s", [b"a", b"b", b"c"])

    reading = await read(rig, start)
    await to(rig, "s", [b"d"])
    await rig.changed.until(lambda: reading.seen and reading.seen[-1][0] == 3)

    assert reading.offsets == [*offsets, 3]


async def test_a_paused_reader_stays_behind_and_loses_nothing(rig: Rig) -> None:
    await declare(rig)
    reading = await read(rig)
    reading.pause_after = 1

    for n in range(5):
        await to(rig, "s", [b"%d" % n])
    await turns()
    assert reading.offsets == [0]
    reading.pause_after = None
    reading.reader.resume()
    await rig.changed.until(lambda: len(reading.seen) == 5)

    assert reading.offsets == list(range(5))


async def test_readers_at_one_place_share_what_is_made_for_them(rig: Rig) -> None:
    await declare(rig)
    one, two, behind = await read(rig), await read(rig), await read(rig)
    behind.reader.pause()

    await to(rig, "s", [b"a"])
    behind.reader.resume()
    await to(rig, "s", [b"b"])
    await rig.changed.until(lambda: all(len(reading.seen) == 2 for reading in (one, two, behind)))

    assert one.seen == two.seen == behind.seen == [(0, b"a"), (1, b"b")]
    assert all(ours is theirs for ours, theirs in zip(one.batches, two.batches, strict=True))


async def test_what_becomes_durable_together_comes_in_one_batch(rig: Rig) -> None:
    await declare(rig)
    reading = await read(rig)
    done: list[Any] = []

    for n in range(3):
        body = b"%d" % n
        rig.engine.publish(PublishBatch(queue="s", kind="stream", sizes=[1], bodies=body, attributes={}), done.append)
    await rig.changed.until(lambda: len(reading.seen) == 3)

    assert len(reading.batches) <= 2  # the first may have left for the disk alone


async def test_what_retention_took_from_a_slow_reader_is_told(rig: Rig) -> None:
    await declare(rig, retention_count=2)
    reading = await read(rig)
    reading.pause_after = 1
    for n in range(6):
        await to(rig, "s", [b"%d" % n])

    reading.pause_after = None
    reading.reader.resume()
    await rig.changed.until(lambda: len(reading.seen) == 3)

    assert reading.offsets == [0, 4, 5]
    assert reading.trimmed == [4]


async def test_a_reader_from_before_the_earliest_is_told_what_is_gone(rig: Rig) -> None:
    await declare(rig, retention_count=1)
    for n in range(3):
        await to(rig, "s", [b"%d" % n])

    reading = await read(rig, ("offset", 0))
    await rig.changed.until(lambda: reading.seen)

    assert (reading.offsets, reading.trimmed) == ([2], [2])


async def test_a_long_stream_is_read_whole_and_in_order(rig: Rig) -> None:
    count = 2 * STEP + 7
    await to(rig, "s", [b"%d" % n for n in range(count)])

    reading = await read(rig, "earliest")
    await rig.changed.until(lambda: len(reading.seen) == count)

    assert reading.seen == [(n, b"%d" % n) for n in range(count)]


async def test_a_cancelled_reader_gets_nothing_more_and_a_deleted_stream_ends_the_others(rig: Rig) -> None:
    await declare(rig)
    gone, other = await read(rig), await read(rig)

    gone.reader.cancel()
    await to(rig, "s", [b"a"])
    await rig.changed.until(lambda: other.seen)
    await rig.engine.delete("s")
    await rig.changed.until(lambda: other.end)

    assert (gone.seen, gone.end) == ([], None)
    assert isinstance(other.end, QueueNotFound)
    with pytest.raises(QueueNotFound):
        await read(rig)


async def test_readers_settle_nothing(rig: Rig) -> None:
    rig.engine.execute(c.DeclareGroup(stream="s", group="g", start="earliest"))
    await to(rig, "s", [b"a", b"b"])

    reading = await read(rig, "earliest")
    await rig.changed.until(lambda: len(reading.seen) == 2)

    (group,) = (await rig.engine.query("stream", {"stream": "s"}))["stream"]["groups"]
    assert (group["committed"], group["lag"]) == (0, 2)


async def test_streams_and_groups_are_whole_after_a_crash(rig: Rig) -> None:
    rig.engine.execute(c.DeclareGroup(stream="s", group="g", start="earliest"))
    await to(rig, "s", [b"a", b"b", b"c"])
    worker = await rig.consume("s", group="g")
    await rig.got(worker, 3)
    await rig.settle(worker, acks=[(1, 1), (3, 3)])

    again = await rig.crashed().start()
    try:
        reading = await read(again, "earliest")
        other = await again.consume("s", group="g")
        again.pass_time(500)
        await again.got(other, 1)
        await again.changed.until(lambda: len(reading.seen) == 3)

        assert [body for _, body in reading.seen] == [b"a", b"b", b"c"]
        assert list(other.bodies.values()) == [b"b"]
    finally:
        await again.engine.close()


# Topics


async def test_a_topic_publish_is_one_body_in_the_journal_and_one_id_everywhere(rig: Rig) -> None:
    for name in ("a", "b"):
        await rig.engine.declare(name, {})
        rig.engine.execute(c.BindTopic(pattern="t.#", target=name))
    await declare(rig)
    rig.engine.execute(c.BindTopic(pattern="t.*", target="s"))
    workers = [await rig.consume("a"), await rig.consume("b")]
    reading = await read(rig)
    marker = b"the only copy of this body"

    confirm = await to(rig, "t.x", [marker], "topic")
    await rig.changed.until(lambda: reading.seen and all(worker.ids for worker in workers))

    assert confirm.routed == 3
    assert {worker.ids[1] for worker in workers} == {f"{confirm.id_prefix}0"}
    assert [worker.bodies[1] for worker in workers] == [marker, marker]
    assert reading.seen == [(0, marker)]
    files = rig.crashed().files
    assert isinstance(files, MemoryFiles)
    assert sum(bytes(files.content(name)).count(marker) for name in files.list()) == 1
    message = await rig.message(f"{confirm.id_prefix}0")
    assert {place["queue"] for place in message.get("placements", [])} >= {"a", "b"}


async def test_a_topic_frame_sent_again_is_answered_with_its_first_confirm(rig: Rig) -> None:
    for name in ("a", "b"):
        await rig.engine.declare(name, {})
        rig.engine.execute(c.BindTopic(pattern="t.#", target=name))
    first = await to(rig, "t.x", [b"1"], "topic", producer=("p", 1))
    nowhere = await to(rig, "elsewhere", [b"1"], "topic", producer=("p", 2))

    again = await to(rig, "t.x", [b"1"], "topic", producer=("p", 1))
    nowhere_again = await to(rig, "elsewhere", [b"1"], "topic", producer=("p", 2))

    assert (again.replayed, again.routed, again.position) == (True, 2, first.position)
    assert (nowhere.routed, nowhere_again.routed) == (0, 0)
    assert (await rig.stats("a"))["ready"] == 1


@pytest.mark.parametrize("range_", [{}, {"first": 0, "last": 0}, {"first": 5}, {"first": 3, "last": 1}])
async def test_a_replay_of_nothing_ends(rig: Rig, range_: dict[str, int]) -> None:
    await rig.engine.declare("s", {}, kind="stream")

    answer = await rig.engine.operate("replay", {"stream": "s", "queue": "q", **range_})

    assert answer["count"] == 0
    assert rig.engine.settings_of("q") is None


async def test_a_message_tells_its_topic_to_consumers_readers_and_whoever_looks_also_after_a_restart(rig: Rig) -> None:
    await rig.engine.declare("q", {})
    await rig.engine.declare("s", {}, kind="stream")
    for target in ({"queue": "q"}, {"stream": "s"}):
        await rig.engine.operate("bind", {"topic": "t.*", **target})
    await to(rig, "t.a", [b"1", b"2"], "topic")
    await rig.publish([b"3"])
    await to(rig, "t.b", [b"4"], "topic")
    rows = (await rig.engine.query("messages", {"queue": "q"}))["messages"]
    await rig.restart()  # nothing is in memory any more

    worker = await rig.consume()
    rig.pass_time(500)
    await rig.got(worker, 4)

    assert [row.get("topic") for row in rows] == ["t.a", "t.a", None, "t.b"]
    assert [topic for batch in worker.batches for topic in topics_of(batch)] == ["t.a", "t.a", None, "t.b"]
    reader = await read(rig, "earliest")
    await rig.changed.until(lambda: len(reader.seen) == 3)
    assert [topic for batch in reader.batches for topic in topics_of(batch)] == ["t.a", "t.a", "t.b"]


def topics_of(batch: DeliveryBatch) -> list[str | None]:
    return list(batch.attributes.get("topics") or [batch.attributes.get("topic")] * len(batch.sizes))


async def test_without_topics_a_delivery_says_nothing_of_them(rig: Rig) -> None:
    worker = await rig.consume()
    await rig.publish([b"1"], type="text")
    await rig.got(worker, 1)

    assert worker.batches[0].attributes == {"type": "text"}


async def test_a_refused_topic_publish_reaches_nobody(rig: Rig) -> None:
    await rig.engine.declare("a", {})
    await rig.engine.declare("small", {"length_max": 1})
    for name in ("a", "small"):
        rig.engine.execute(c.BindTopic(pattern="#", target=name))
    await to(rig, "t", [b"1"], "topic")

    with pytest.raises(QueueFull):
        await to(rig, "t", [b"2"], "topic")

    assert (await rig.stats("a"))["ready"] == 1


# Replaying


async def test_a_dry_run_counts_and_a_replay_copies(rig: Rig) -> None:
    await to(rig, "s", [b"%d" % n for n in range(5)])
    asked = {"stream": "s", "first": 1, "last": 99, "queue": "copy"}

    dry = await rig.engine.operate("replay", {**asked, "dry_run": True})
    real = await rig.engine.operate("replay", asked)
    worker = await rig.consume("copy")
    await rig.got(worker, 4)

    assert (dry["count"], dry["first"], dry["last"], real["count"]) == (4, 1, 4, 4)
    assert list(worker.bodies.values()) == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("given", [{"first": -1}, {"last": "x"}, {"first": True}])
async def test_a_replay_of_no_range_is_refused(rig: Rig, given: dict[str, Any]) -> None:
    await to(rig, "s", [b"a"])

    with pytest.raises(InvalidRequest):
        await rig.engine.operate("replay", {"stream": "s", "queue": "copy", **given})


@pytest.mark.parametrize("to_", ["soon", {"offset": -1}, {"offset": 1, "at": 2}, {"offset": True}, None, 5, []])
async def test_a_reset_to_no_place_is_refused(rig: Rig, to_: object) -> None:
    rig.engine.execute(c.DeclareGroup(stream="s", group="g"))

    with pytest.raises(InvalidRequest):
        await rig.engine.operate("reset", {"stream": "s", "group": "g", "to": to_})


# Schedules


async def test_a_schedule_fires_its_body_and_one_missed_during_a_crash_fires_once(rig: Rig) -> None:
    asked = {
        "schedule": "hourly",
        "every_ms": HOUR_MS,
        "queue": "q",
        "message": {"body": {"tick": 1}, "headers": {"a": "b"}},
    }
    await rig.engine.operate("schedule", asked)
    rig.pass_time(HOUR_MS)
    await turns()
    worker = await rig.consume()
    await rig.got(worker, 1)
    assert json.loads(worker.bodies[1]) == {"tick": 1}
    await rig.settle(worker, acks=[(1, 1)])

    again = rig.crashed()
    again.clock.advance(5 * HOUR_MS)
    await again.start()
    try:
        again.pass_time(0)
        other = await again.consume()
        again.pass_time(500)
        await again.got(other, 1)
        (row,) = (await again.engine.query("schedules", {}))["schedules"]

        assert json.loads(other.bodies[1]) == {"tick": 1}
        assert row["fired"] == 2
        assert (await again.stats())["published_total"] == 2
    finally:
        await again.engine.close()


async def test_schedules_are_listed_paused_resumed_run_and_deleted(rig: Rig) -> None:
    asked = {
        "schedule": "n",
        "cron": "0 9 * * *",
        "zone": "Europe/Berlin",
        "queue": "q",
        "message": {"body": "hi", "type": "text"},
    }
    first = await rig.engine.operate("schedule", asked)

    await rig.engine.operate("schedule_pause", {"schedule": "n"})
    (paused,) = (await rig.engine.query("schedules", {}))["schedules"]
    await rig.engine.operate("schedule_run", {"schedule": "n"})
    await rig.engine.operate("schedule_resume", {"schedule": "n"})
    (row,) = (await rig.engine.query("schedules", {}))["schedules"]
    await rig.engine.operate("schedule_delete", {"schedule": "n"})

    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert (row["next_at"], row["fired"], row["queue"], row["body"]) == (first["next_at"], 1, "q", "hi")
    assert (await rig.engine.query("schedules", {}))["schedules"] == []
    assert (await rig.stats())["ready"] == 1


# Times


async def test_a_time_is_told_as_an_offset(rig: Rig) -> None:
    start = rig.clock.now_ms()
    await to(rig, "s", [b"a", b"b"])
    rig.pass_time(1000)
    await to(rig, "s", [b"c"])

    async def at(ms: int) -> int:
        return int((await rig.engine.query("offset", {"stream": "s", "at": start + ms}))["offset"])

    assert [await at(ms) for ms in (-5000, 0, 1, 1000, 1001)] == [0, 0, 2, 2, 3]
    for asked in ({"stream": "s"}, {"stream": "s", "at": -1}, {"stream": "s", "at": "now"}):
        with pytest.raises(InvalidRequest):
            await rig.engine.query("offset", asked)
    with pytest.raises(QueueNotFound):
        await rig.engine.query("offset", {"stream": "none", "at": 0})
