"""Topics and streams."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from desk import PATIENCE_S, Desk, ids
from postroad.broker.engine.engine import Nack
from postroad.broker.errors import InvalidRequest, Unroutable

from .needs import QUICK, needs


class Streams:
    @needs("topics")
    async def test_a_topic_copies_to_all_whose_pattern_matches(self, desk: Desk) -> None:
        for queue in ("billing", "audit", "other"):
            await desk.engine.declare(queue, {})
        for topic, queue in (("orders.*", "billing"), ("orders.#", "audit"), ("users.#", "other")):
            assert (await desk.engine.operate("bind", {"topic": topic, "queue": queue}))["changed"] is True
        confirm = await desk.publish("orders.created", b"1", kind="topic")
        assert confirm.routed == 2
        assert (await desk.publish("orders.created.eu", b"2", kind="topic")).routed == 1
        assert (await desk.publish("nobody", b"3", kind="topic")).routed == 0
        with pytest.raises(Unroutable):
            await desk.publish("nobody", b"3", kind="topic", mandatory=True)
        billing, audit = await desk.consume("billing"), await desk.consume("audit")
        await billing.count(1)
        await audit.count(2)
        assert (billing.bodies, audit.bodies) == ([b"1"], [b"1", b"2"])
        assert billing.got[0].id == audit.got[0].id == ids(confirm)[0]
        await desk.counts("other", ready=0)
        await desk.engine.operate("unbind", {"topic": "orders.*", "queue": "billing"})
        assert (await desk.publish("orders.created", b"4", kind="topic")).routed == 1

    @needs("topics")
    async def test_a_binding_may_ask_for_headers(self, desk: Desk) -> None:
        await desk.engine.declare("eu", {})
        wanted = {"match": "all", "values": {"region": "eu"}}
        await desk.engine.operate("bind", {"topic": "orders.#", "queue": "eu", "headers": wanted})
        headers = [{"region": "eu"}, {"region": "us"}, None]
        await desk.publish("orders.new", b"1", b"2", b"3", kind="topic", attributes={"headers": headers})
        inbox = await desk.consume("eu")
        await inbox.count(1)
        await desk.counts("eu", ready=0, leased=1)
        assert inbox.bodies == [b"1"]

    @needs("streams")
    async def test_every_group_of_a_stream_gets_every_message(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        await desk.engine.declare("s", QUICK, group="one", start="earliest")
        await desk.publish("s", b"1", b"2", kind="stream")
        one = await desk.consume("s", group="one")
        two = await desk.consume("s", group="two", start="earliest")
        late = await desk.consume("s", group="late", start="latest")
        await one.count(2)
        await two.count(2)
        assert one.bodies == two.bodies == [b"1", b"2"]
        await one.settle(acks=[(1, 1)], nacks=[Nack(first=2, last=2)])
        await one.count(3)
        assert (one.got[2].body, one.got[2].attempt) == (b"2", 2)
        await one.ack(3)
        await desk.publish("s", b"3", kind="stream")
        await late.count(1)
        assert late.bodies == [b"3"]

    @needs("streams", "live_events")
    async def test_who_watches_a_stream_or_all_is_told_its_numbers_with_those_of_its_groups(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        await desk.engine.declare("s", QUICK, group="one", start="earliest")
        log, everything = await desk.watch(queue="s"), await desk.watch()
        assert log.watch.snapshot["stream"]["next"] == 0
        assert [stream["name"] for stream in everything.watch.snapshot["streams"]] == ["s"]
        await desk.publish("s", b"1", b"2", kind="stream")
        inbox = await desk.consume("s", group="one")
        await inbox.count(2)
        await inbox.ack_all()

        def is_told(watcher: Any) -> bool:
            told = [one for state in watcher.states for one in [*state.get("streams", ()), state.get("stream")] if one]
            return bool(told) and told[-1]["next"] == 2 and told[-1]["groups"][0]["committed"] in (2, None)

        for watcher in (log, everything):
            await watcher.until(lambda watcher=watcher: is_told(watcher))
            assert all(queue["kind"] == "queue" for state in watcher.states for queue in state.get("queues", ()))

    @needs("streams", "redrive")
    async def test_what_is_dead_to_one_group_comes_back_to_that_group_alone(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        one = await desk.consume("s", group="one", start="earliest")
        two = await desk.consume("s", group="two", start="earliest")
        confirm = await desk.publish("s", b"1", b"2", kind="stream")
        await one.count(2)
        await two.count(2)
        await two.ack_all()
        await one.settle(acks=[(2, 2)], nacks=[Nack(first=1, last=1, dead=True, reason="no")])
        await desk.counts("s.one.dead", ready=1)
        assert (await desk.engine.operate("redrive", {"queue": "s.one.dead"}))["count"] == 1
        await one.count(3)
        assert (one.got[2].id, one.got[2].body, one.got[2].attempt) == (ids(confirm)[0], b"1", 1)
        await one.ack(one.got[2].number)
        await desk.counts("s/one", ready=0, leased=0)
        assert len(two.got) == 2

    @needs("streams")
    async def test_a_group_has_no_limits_of_a_queue(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        for limit in ({"length_max": 1}, {"bytes_max": 1}, {"overflow": "drop_oldest"}):
            with pytest.raises(InvalidRequest):
                await desk.engine.declare("s", limit, group="g")

    @needs("streams")
    async def test_a_group_may_begin_at_an_offset_and_be_reset(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        await desk.publish("s", *(b"%d" % at for at in range(6)), kind="stream")
        inbox = await desk.consume("s", group="g", start=("offset", 4))
        await inbox.count(2)
        assert [message.sequence for message in inbox.got] == [4, 5]
        await inbox.ack_all()
        reset = await desk.engine.operate("reset", {"stream": "s", "group": "g", "to": {"offset": 2}})
        assert reset["offset"] == 2
        await inbox.count(6)
        assert inbox.bodies[2:] == [b"2", b"3", b"4", b"5"]

    @needs("streams")
    async def test_a_reader_sees_all_by_dense_offsets_and_goes_on_live(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        bodies = [b"%d" % at for at in range(2500)]
        await desk.publish("s", *bodies, kind="stream")
        inbox, _ = await desk.read("s")
        await inbox.count(2500)
        await desk.publish("s", b"live", kind="stream")
        await inbox.count(2501)
        assert [message.sequence for message in inbox.got] == list(range(2501))
        assert inbox.bodies == [*bodies, b"live"]
        last, reader = await desk.read("s", ("last", 2))
        await last.count(2)
        assert (last.bodies, reader.offset >= 2499) == ([b"2499", b"live"], True)

    @needs("streams")
    async def test_a_reader_from_a_time_begins_there(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        await desk.publish("s", b"old", kind="stream")
        await desk.after(50)
        found = (await desk.read("s"))[0]
        old = await found.count(1)
        await desk.publish("s", b"new", kind="stream")
        stats = (await desk.engine.query("stream", {"stream": "s"}))["stream"]
        assert (stats["earliest"], stats["next"], stats["messages"]) == (0, 2, 2)
        now_ms = int(time.time() * 1000)
        inbox, _ = await desk.read("s", ("at", now_ms - 25))
        await desk.publish("s", b"newest", kind="stream")
        await inbox.until(lambda: b"newest" in inbox.bodies)
        assert old[0].body not in inbox.bodies

    @needs("streams", "retention_count")
    async def test_a_stream_lets_go_of_more_than_its_count_and_says_so(self, desk: Desk) -> None:
        await desk.engine.declare("s", {"retention_count": 10}, kind="stream")
        for at in range(40):
            await desk.publish("s", b"%d" % at, kind="stream")
        async with asyncio.timeout(PATIENCE_S):
            while (await desk.engine.query("stream", {"stream": "s"}))["stream"]["earliest"] < 30:
                await asyncio.sleep(0.05)
        inbox, _ = await desk.read("s", ("offset", 0))
        await inbox.until(lambda: b"39" in inbox.bodies)
        assert inbox.trimmed == [30]
        assert inbox.got[0].sequence == 30

    @needs("streams")
    async def test_a_stretch_of_a_stream_can_be_replayed_to_a_queue(self, desk: Desk) -> None:
        await desk.engine.declare("s", {}, kind="stream")
        await desk.engine.declare("q", {})
        await desk.publish("s", *(b"%d" % at for at in range(6)), kind="stream")
        where = {"stream": "s", "first": 1, "last": 3, "queue": "q"}
        assert (await desk.engine.operate("replay", {**where, "dry_run": True}))["count"] == 3
        assert (await desk.engine.operate("replay", where))["count"] == 3
        inbox = await desk.consume("q")
        await inbox.count(3)
        assert inbox.bodies == [b"1", b"2", b"3"]
