"""The contract of an engine, in the words of docs/protocol.md: one suite, run against every engine.

A subclass gives the fixture ``engine``, started. What an engine's ``capabilities`` call ``unsupported`` is skipped here and must be
refused by ``test_what_is_unsupported_is_refused``; nothing else is ever skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from desk import PATIENCE_S, Desk, frame, ids
from postroad.broker.engine.engine import Completion, Engine, LogLine, Nack, Progress
from postroad.broker.errors import (
    Conflict,
    InvalidRequest,
    InvalidState,
    MessageNotFound,
    PostroadError,
    QueueFull,
    QueueNotFound,
    Unroutable,
    Unsupported,
)

QUICK = {"backoff_ms": 1, "backoff_max_ms": 1}


def needs(*capabilities: str) -> Callable[[Any], Any]:
    """This promise holds only where the engine can do these things."""
    return pytest.mark.needs(*capabilities)


class Contract:
    @pytest.fixture
    def desk(self, engine: Engine, request: pytest.FixtureRequest) -> Desk:
        for mark in request.node.iter_markers("needs"):
            for capability in mark.args:
                if getattr(engine.capabilities, capability) == "unsupported":
                    pytest.skip(f"{engine.name} says {capability} is unsupported")
        return Desk(engine)

    # Publishing and delivering

    async def test_what_was_published_is_delivered_as_it_was(self, desk: Desk) -> None:
        bodies = [b'{"a": 1 }', b"", bytes(range(256)), b"x" * 300_000]
        attributes = {"types": ["json", "text", "bytes", "bytes"], "headers": [{"h": "1"}, None, {"ü": "ß"}, None]}
        confirm = await desk.publish("q", *bodies, attributes=attributes)
        inbox = await desk.consume("q")
        got = await inbox.count(4)
        assert inbox.bodies == bodies
        assert [message.id for message in got] == ids(confirm)
        assert [message.type for message in got] == ["json", "text", "bytes", "bytes"]
        assert [message.headers for message in got] == [{"h": "1"}, None, {"ü": "ß"}, None]
        assert [message.attempt for message in got] == [1, 1, 1, 1]
        assert [message.number for message in got] == [1, 2, 3, 4]

    @needs("order")
    async def test_messages_come_in_the_order_they_were_published(self, desk: Desk) -> None:
        inbox = await desk.consume("q", prefetch=1000)
        frames = [[b"%d-%d" % (at, index) for index in range(20)] for at in range(15)]
        await asyncio.gather(*(desk.publish("q", *bodies) for bodies in frames))
        await inbox.count(300)
        assert inbox.bodies == [body for bodies in frames for body in bodies]
        sequences = [message.sequence for message in inbox.got]
        assert sequences == sorted(set(sequences))

    async def test_ids_are_never_used_twice(self, desk: Desk) -> None:
        confirms = await asyncio.gather(*(desk.publish("q", b"1", b"2") for _ in range(50)))
        assert len({id for confirm in confirms for id in ids(confirm)}) == 100

    async def test_competing_consumers_share_and_none_gets_what_another_has(self, desk: Desk) -> None:
        one = await desk.consume("q", prefetch=10, consumer="one")
        two = await desk.consume("q", prefetch=10, consumer="two")
        await desk.publish("q", *(b"%d" % at for at in range(20)))
        await one.count(10)
        await two.count(10)
        assert len(one.got) == len(two.got) == 10
        assert sorted(one.bodies + two.bodies) == sorted(b"%d" % at for at in range(20))

    async def test_few_messages_go_to_all_consumers_in_turn(self, desk: Desk) -> None:
        inboxes = [await desk.consume("q", prefetch=100, consumer=f"c{at}") for at in range(3)]
        for at in range(30):
            await desk.publish("q", b"%d" % at)
        async with asyncio.timeout(PATIENCE_S):
            while sum(len(inbox.got) for inbox in inboxes) < 30:
                await asyncio.sleep(0.01)
        assert min(len(inbox.got) for inbox in inboxes) >= 5

    async def test_a_consumer_never_holds_more_than_its_prefetch(self, desk: Desk) -> None:
        inbox = await desk.consume("q", prefetch=5)
        await desk.publish("q", *(b"%d" % at for at in range(12)))
        await inbox.count(5)
        await desk.counts("q", leased=5, ready=7)
        assert len(inbox.got) == 5
        await inbox.ack(1, 2)
        await inbox.count(7)
        await desk.counts("q", leased=5, ready=5)
        assert len(inbox.got) == 7
        inbox.subscription.prefetch(10)
        await inbox.count(12)

    async def test_a_paused_socket_gets_nothing_until_it_has_room(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        inbox.subscription.pause()
        await desk.publish("q", b"1")
        other = await desk.consume("other")
        await desk.publish("other", b"1")
        await other.count(1)
        assert inbox.got == []
        inbox.subscription.resume()
        await inbox.count(1)

    # Settling

    async def test_an_ack_is_final(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        settled = await inbox.ack_all()
        assert (settled.lost, settled.settled) == ([], [])
        await desk.counts("q", ready=0, leased=0)
        again = await inbox.ack_all()
        assert (again.lost, again.settled) == ([], [(1, 2)])

    async def test_numbers_that_were_never_given_are_lost(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        assert (await inbox.ack(7)).lost == [(7, 7)]

    async def test_a_nacked_message_comes_back_with_the_next_attempt(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        confirm = await desk.publish("q", b"1", attributes={"headers": {"h": "1"}})
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, reason="smtp 421")])
        first, second = await inbox.count(2)
        assert (first.attempt, second.attempt) == (1, 2)
        assert (second.id, second.body, second.headers) == (ids(confirm)[0], b"1", {"h": "1"})
        assert second.number > first.number
        await inbox.ack(second.number)
        await desk.counts("q", ready=0, leased=0)

    async def test_a_nack_with_a_delay_comes_back_no_sooner(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        before = time.monotonic()
        await inbox.settle(nacks=[Nack(first=1, last=1, delay_ms=300)])
        await inbox.count(2)
        assert time.monotonic() - before >= 0.29

    async def test_attempts_are_counted_to_the_limit_and_then_the_message_is_dead(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "attempts_max": 3})
        await desk.publish("q", b"poison", b"good")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.ack(2)
        for number in (1, 3, 4):
            await inbox.until(lambda number=number: any(message.number == number for message in inbox.got))
            await inbox.settle(nacks=[Nack(first=number, last=number, reason="no")])
        dead = await desk.consume("q.dead")
        await dead.count(1)
        assert dead.bodies == [b"poison"]
        assert [message.attempt for message in inbox.got] == [1, 1, 2, 3]
        await desk.counts("q", ready=0, leased=0, delayed=0)

    async def test_a_nack_may_say_that_there_is_no_hope(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="hopeless")])
        dead = await desk.consume("q.dead")
        await dead.count(1)
        assert len(inbox.got) == 1

    async def test_without_a_dead_letter_queue_the_exhausted_are_dropped(self, desk: Desk) -> None:
        await desk.engine.declare("q", {"attempts_max": 1, "dead_letter": None})
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1)])
        await desk.counts("q", ready=0, leased=0)
        with pytest.raises(QueueNotFound):
            await desk.stats("q.dead")

    async def test_a_dead_letter_queue_never_dead_letters(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True)])
        dead = await desk.consume("q.dead")
        await dead.count(1)
        await dead.settle(nacks=[Nack(first=1, last=1, dead=True, delay_ms=0)])
        await dead.count(2)
        with pytest.raises(QueueNotFound):
            await desk.stats("q.dead.dead")

    async def test_a_release_returns_it_with_no_attempt_counted(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(releases=[(1, 1)])
        assert [message.attempt for message in await inbox.count(2)] == [1, 1]

    @needs("redrive")
    async def test_a_redrive_returns_the_dead_to_where_they_came_from(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2", attributes={"headers": {"h": "1"}})
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(nacks=[Nack(first=1, last=2, dead=True, reason="no")])
        await desk.counts("q.dead", ready=2)
        assert (await desk.engine.operate("redrive", {"queue": "q.dead"}))["count"] == 2
        await inbox.count(4)
        assert sorted(inbox.bodies[2:]) == [b"1", b"2"]
        assert [(message.attempt, message.headers) for message in inbox.got[2:]] == [(1, {"h": "1"})] * 2
        await desk.counts("q.dead", ready=0)

    @needs("redrive", "peek")
    async def test_single_dead_messages_can_be_redriven_or_discarded(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"1", b"2", b"3")
        inbox = await desk.consume("q")
        await inbox.count(3)
        await inbox.settle(nacks=[Nack(first=1, last=3, dead=True, reason="no")])
        _, second, third = ids(confirm)
        await desk.counts("q.dead", ready=3)
        assert (await desk.engine.operate("redrive", {"queue": "q.dead", "messages": [second]}))["count"] == 1
        await inbox.count(4)
        assert inbox.bodies[-1] == b"2"
        assert (await desk.engine.operate("discard", {"queue": "q.dead", "messages": [third]}))["count"] == 1
        await desk.counts("q.dead", ready=1)

    # Leases

    async def test_a_lease_that_runs_out_counts_and_a_late_settle_loses(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "lease_ms": 200})
        await desk.publish("q", b"1")
        slow = await desk.consume("q", prefetch=1, consumer="slow")
        await slow.count(1)
        slow.subscription.pause()
        quick = await desk.consume("q", consumer="quick", lease_ms=60_000)
        await quick.count(1)
        assert quick.got[0].attempt == 2
        late = await slow.ack(1)
        assert (late.lost, late.settled) == ([(1, 1)], [])
        mine = await quick.ack(1)
        assert (mine.lost, mine.settled) == ([], [])

    async def test_an_extended_lease_lives_on(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "lease_ms": 300})
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(extends=[(1, 1)], lease_ms=60_000)
        await inbox.count(3)
        assert inbox.bodies == [b"1", b"2", b"2"]
        assert (await inbox.ack(1)).lost == []

    async def test_a_lost_connection_counts_what_was_begun_and_nothing_else(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2", b"3")
        inbox = await desk.consume("q")
        await inbox.count(3)
        await inbox.settle(begun=1)
        inbox.subscription.detach()
        heir = await desk.consume("q", consumer="heir")
        await heir.count(3)
        assert {message.body: message.attempt for message in heir.got} == {b"1": 2, b"2": 1, b"3": 1}

    async def test_a_consumer_that_comes_back_keeps_what_it_holds(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(begun=1)
        inbox.subscription.detach()
        back = await desk.consume(
            "q", resume=inbox.subscription.token, begun=1, held=[(1, 1, inbox.got[0].sequence)], prefetch=10
        )
        assert back.subscription.lost == []
        await back.count(1)
        assert (back.bodies, back.got[0].attempt) == ([b"2"], 1)
        assert (await back.ack(1, back.got[0].number)).lost == []
        await desk.counts("q", ready=0, leased=0)

    async def test_a_cancelled_consumer_returns_the_unbegun_and_may_settle_the_rest(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(begun=1)
        inbox.subscription.cancel()
        heir = await desk.consume("q", consumer="heir")
        await heir.count(1)
        assert (heir.bodies, heir.got[0].attempt) == ([b"2"], 1)
        assert (await inbox.ack(1)).lost == []
        await heir.ack_all()
        await desk.counts("q", ready=0, leased=0)

    # Attributes

    @needs("delay")
    async def test_a_delayed_message_comes_no_sooner(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        before = time.monotonic()
        await desk.publish("q", b"late", b"now", attributes={"delays_ms": [400, None]})
        await inbox.count(1)
        assert inbox.bodies == [b"now"]
        await inbox.count(2)
        assert time.monotonic() - before >= 0.39
        assert inbox.got[1].attempt == 1

    @needs("priority")
    async def test_higher_priorities_come_first(self, desk: Desk) -> None:
        await desk.publish("q", b"a", b"b", b"c", b"d", attributes={"priorities": [None, 9, 5, 9]})
        await desk.counts("q", ready=4)
        inbox = await desk.consume("q", prefetch=1)
        for number in range(1, 5):
            await inbox.count(number)
            await inbox.ack(number)
        assert inbox.bodies == [b"b", b"d", b"c", b"a"]
        assert [message.priority for message in inbox.got] == [9, 9, 5, 0]

    @needs("ordering_key")
    async def test_one_message_of_a_key_is_in_flight_also_across_retries(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        await desk.publish("q", b"a1", b"a2", b"b1", b"n", attributes={"keys": ["a", "a", "b", None]})
        inbox = await desk.consume("q")
        await inbox.count(3)
        # Among keys there is an order only where there is one among all messages.
        in_order = desk.engine.capabilities.order != "unsupported"
        assert (inbox.bodies if in_order else sorted(inbox.bodies)) == [b"a1", b"b1", b"n"]
        numbers = {message.body: message.number for message in inbox.got}
        await inbox.settle(nacks=[Nack(first=numbers[b"a1"], last=numbers[b"a1"])])
        await inbox.count(4)
        assert (inbox.bodies[3], inbox.got[3].attempt) == (b"a1", 2)
        await inbox.ack(inbox.got[3].number)
        await inbox.count(5)
        assert (inbox.bodies[4], inbox.got[4].attempt) == (b"a2", 1)
        await inbox.ack(numbers[b"b1"], numbers[b"n"], inbox.got[4].number)
        await desk.publish("q", b"a3", attributes={"key": "a"})
        await inbox.count(6)
        assert inbox.bodies[-1] == b"a3"

    @needs("expiry", "delay")
    async def test_what_has_expired_is_not_delivered(self, desk: Desk) -> None:
        await desk.publish("q", b"brief", b"lasting", attributes={"expires_ms": [50, None]})
        await desk.after(200)
        inbox = await desk.consume("q")
        await inbox.count(1)
        assert inbox.bodies == [b"lasting"]
        await inbox.ack_all()
        await desk.counts("q", ready=0, leased=0)

    @needs("dedup")
    async def test_a_dedup_key_stores_a_message_once(self, desk: Desk) -> None:
        first = await desk.publish("q", b"1", attributes={"dedup_key": "k"})
        again = await desk.publish("q", b"1", b"2", attributes={"dedup_keys": ["k", "other"]})
        assert again.duplicates == {0: ids(first)[0]}
        with pytest.raises(Conflict):
            await desk.publish("q", b"different", attributes={"dedup_key": "k"})
        await desk.publish("elsewhere", b"different", attributes={"dedup_key": "k"})
        inbox = await desk.consume("q")
        await inbox.count(2)
        assert inbox.bodies == [b"1", b"2"]
        await desk.counts("q", ready=0, leased=2)

    @needs("producer_sessions")
    async def test_a_frame_sent_again_gets_its_first_confirm(self, desk: Desk) -> None:
        assert desk.engine.session_opened("s-1") == 0
        first = await desk.publish("q", b"1", b"2", producer=("s-1", 1))
        again = await desk.publish("q", b"1", b"2", producer=("s-1", 1))
        assert (again.id_prefix, again.count, again.replayed) == (first.id_prefix, 2, True)
        desk.engine.session_closed("s-1")
        assert desk.engine.session_opened("s-1") == 1
        await desk.counts("q", ready=2)

    # Topics and streams

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

    # Operators

    @needs("pause")
    async def test_a_paused_queue_delivers_nothing(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        assert (await desk.engine.operate("pause", {"queue": "q", "reason": "repair"}))["paused"] is True
        await desk.publish("q", b"1")
        other = await desk.consume("other")
        await desk.publish("other", b"1")
        await other.count(1)
        assert inbox.got == []
        assert (await desk.stats("q"))["paused"] is True
        await desk.engine.operate("resume", {"queue": "q"})
        await inbox.count(1)

    async def test_a_purge_empties_a_queue_but_not_hands(self, desk: Desk) -> None:
        await desk.publish("q", *(b"%d" % at for at in range(10)))
        inbox = await desk.consume("q", prefetch=2)
        await inbox.count(2)
        await desk.counts("q", ready=8)
        assert (await desk.engine.operate("purge", {"queue": "q"}))["count"] == 8
        await desk.counts("q", ready=0, leased=2)
        assert (await inbox.ack_all()).lost == []
        assert len(inbox.got) == 2

    @needs("cancel")
    async def test_a_cancelled_message_is_revoked_and_never_comes(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"held", b"waiting", b"good")
        inbox = await desk.consume("q", prefetch=1)
        await inbox.count(1)
        held, waiting, _ = ids(confirm)
        assert (await desk.engine.operate("cancel", {"message": waiting}))["state"] == "cancelled"
        assert (await desk.engine.operate("cancel", {"message": held}))["state"] == "cancelled"
        await inbox.until(lambda: inbox.revoked_numbers)
        assert inbox.revoked_numbers == [(1, 1)]
        await inbox.count(2)
        assert inbox.bodies == [b"held", b"good"]
        assert (await inbox.ack(1)).lost == [(1, 1)]
        with pytest.raises(InvalidState):
            await desk.engine.operate("cancel", {"message": waiting})

    @needs("cancel", "redrive")
    async def test_a_redriven_message_can_be_cancelled_where_it_is_now(self, desk: Desk) -> None:
        (id,) = ids(await desk.publish("q", b"1"))
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True)])
        inbox.subscription.cancel()
        await desk.counts("q.dead", ready=1)
        await desk.engine.operate("redrive", {"queue": "q.dead"})
        await desk.counts("q", ready=1)
        assert (await desk.engine.operate("cancel", {"message": id}))["state"] == "cancelled"
        await desk.counts("q", ready=0)

    @needs("peek")
    async def test_looking_does_not_touch(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b'{"a":1}', b'"2"', b"3", attributes={"headers": {"h": "1"}})
        page = await desk.engine.query("messages", {"queue": "q", "limit": 2})
        assert [row["id"] for row in page["messages"]] == ids(confirm)[:2]
        assert [row["body"] for row in page["messages"]] == [{"a": 1}, "2"]
        assert [row["headers"] for row in page["messages"]] == [{"h": "1"}] * 2
        rest = await desk.engine.query("messages", {"queue": "q", "after": page["next"]})
        assert [row["id"] for row in rest["messages"]] == ids(confirm)[2:]
        assert rest["next"] is None
        inbox = await desk.consume("q")
        await inbox.count(3)
        assert [message.attempt for message in inbox.got] == [1, 1, 1]
        leased = await desk.engine.query("messages", {"queue": "q", "state": "leased"})
        assert [(row["state"], row["consumer"]) for row in leased["messages"]] == [("delivered", "tester")] * 3
        assert (await desk.engine.query("messages", {"queue": "q"}))["messages"] == []

    @needs("peek", "dead_letter")
    async def test_the_dead_say_why_and_where_from(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="smtp 550")])
        await desk.counts("q.dead", ready=1)
        (row,) = (await desk.engine.query("messages", {"queue": "q.dead"}))["messages"]
        assert (row["state"], row["reason"], row["attempts"]) == ("dead", "smtp 550", 1)
        assert row["dead_letter_of"] == "q"

    async def test_declaring_again_must_agree_or_say_update(self, desk: Desk) -> None:
        assert (await desk.engine.declare("q", {"attempts_max": 3}))["created"] is True
        assert (await desk.engine.declare("q", {"attempts_max": 3}))["created"] is False
        with pytest.raises(Conflict):
            await desk.engine.declare("q", {"attempts_max": 4})
        await desk.engine.declare("q", {"attempts_max": 4}, update=True)
        settings = desk.engine.settings_of("q")
        assert settings is not None and settings.attempts_max == 4

    async def test_what_does_not_exist_is_said_so(self, desk: Desk) -> None:
        with pytest.raises(QueueNotFound):
            await desk.publish("nothing", b"1", declare=False)
        with pytest.raises(QueueNotFound):
            await desk.consume("nothing", declare=False)
        with pytest.raises(QueueNotFound):
            await desk.stats("nothing")
        with pytest.raises(QueueNotFound):
            await desk.engine.operate("purge", {"queue": "nothing"})
        with pytest.raises(MessageNotFound):
            await desk.engine.query("message", {"message": "no id of ours"})

    async def test_deleting_a_queue_ends_its_consumers(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        await desk.publish("q", b"1")
        await inbox.count(1)
        await desk.engine.delete("q")
        await inbox.until(lambda: inbox.error)
        assert isinstance(inbox.error, QueueNotFound)
        with pytest.raises(QueueNotFound):
            await desk.stats("q")
        await desk.publish("q", b"2")
        again = await desk.consume("q")
        await again.count(1)
        assert again.bodies == [b"2"]

    async def test_a_full_queue_refuses_or_the_limit_is_refused(self, desk: Desk) -> None:
        try:
            await desk.engine.declare("q", {"length_max": 2})
        except Unsupported as refused:
            assert refused.details["field"] == "settings.length_max"
            return
        await desk.publish("q", b"1", b"2")
        with pytest.raises(QueueFull):
            await desk.publish("q", b"3")

    async def test_stats_count_what_is_where(self, desk: Desk) -> None:
        await desk.publish("q", *(b"%d" % at for at in range(5)))
        inbox = await desk.consume("q", prefetch=2, consumer="mailer", client="test")
        await inbox.count(2)
        await inbox.ack(1)
        await inbox.count(3)
        await desk.counts("q", ready=2, leased=2, consumers=1, published_total=5, acked_total=1)
        (consumer,) = (await desk.engine.query("queue", {"queue": "q"}))["consumers"]
        assert (consumer["consumer"], consumer["prefetch"], consumer["leased"]) == ("mailer", 2, 2)
        overview = await desk.engine.query("overview", {})
        assert [stats["name"] for stats in overview["queues"]] == ["q"]

    # Watching

    @needs("live_events")
    async def test_events_are_told_live_and_again_to_who_asks_for_the_last(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        log = await desk.watch(queue="q")
        everything = await desk.watch()
        confirm = await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(acks=[(1, 1)], nacks=[Nack(first=2, last=2, reason="no")])
        await inbox.count(3)
        await inbox.settle(nacks=[Nack(first=3, last=3, dead=True, reason="hopeless")])
        wanted = ["published", "acked", "retrying", "dead"]
        for watcher in (log, everything):
            await watcher.until(lambda watcher=watcher: set(wanted) <= set(watcher.kinds("q")))
        assert log.kinds("q") == wanted
        published, acked, retrying, dead = log.seen
        assert (published["ids"], published["count"]) == (ids(confirm), 2)
        assert (acked["ids"], acked["consumer"]) == (ids(confirm)[:1], "tester")
        assert (retrying["ids"], retrying["reason"], retrying["attempt"]) == (ids(confirm)[1:], "no", 1)
        assert (dead["reason"], dead["to"]) == ("hopeless", "q.dead")
        positions = [event["position"] for event in log.seen]
        assert positions == sorted(set(positions))
        late = await desk.watch(queue="q", last=2)
        await late.until(lambda: len(late.seen) == 2)
        assert late.seen == log.seen[-2:]
        resumed = await desk.watch(queue="q", from_position=published["position"])
        await resumed.until(lambda: len(resumed.seen) == 3)
        assert resumed.seen == log.seen[1:]
        events = (await desk.engine.query("events", {"queue": "q", "last": 2}))["events"]
        assert events == log.seen[-2:]

    @needs("live_events")
    async def test_state_follows_what_changes(self, desk: Desk) -> None:
        log = await desk.watch()
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)

        def delivered() -> bool:
            return any(row["consumer"] == "tester" for state in log.states for row in state.get("deliveries", ()))

        await log.until(delivered)
        await inbox.ack_all()
        await log.until(
            lambda: any(
                stats["name"] == "q" and stats["acked_total"] == 1
                for state in log.states
                for stats in state.get("queues", ())
            )
        )

    @needs("timeline")
    async def test_a_watched_message_is_followed_to_its_end(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        confirm = await desk.publish("q", b"1")
        log = await desk.watch(message=ids(confirm)[0])
        assert log.message["state"] == "queued"
        inbox = await desk.consume("q", consumer="mailer")
        await inbox.count(1)
        await log.until(lambda: log.message["state"] == "delivered")
        assert log.message["consumer"] == "mailer"
        await inbox.settle(begun=1, progress=[Progress(number=1, percent=40, note="sending")])
        await log.until(lambda: log.message["progress"] is not None)
        assert (log.message["progress"]["percent"], log.message["progress"]["note"]) == (40, "sending")
        await inbox.settle(nacks=[Nack(first=1, last=1, reason="smtp 421")])
        await inbox.count(2)
        await inbox.ack(2)
        await log.until(lambda: log.message["state"] == "done")
        kinds = [entry["kind"] for entry in log.message["timeline"]]
        assert kinds == ["published", "delivered", "progress", "retrying", "delivered", "acked"]
        assert (log.message["attempts"], log.message["timeline"][3]["reason"]) == (2, "smtp 421")
        found = (await desk.engine.query("message", {"message": ids(confirm)[0]}))["message"]
        assert found["state"] == "done"

    @needs("timeline")
    async def test_what_a_handler_says_reaches_watchers_and_can_be_read_later(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        confirm = await desk.publish("q", b"1")
        log = await desk.watch(message=ids(confirm)[0])
        inbox = await desk.consume("q", consumer="mailer")
        await inbox.count(1)
        await inbox.settle(begun=1, log=[LogLine(number=1, text="begin"), LogLine(number=1, text="!", level="warn")])
        await inbox.settle(log=[LogLine(number=1, text="end")], acks=[(1, 1)])
        await log.until(lambda: log.message["state"] == "done")

        def told() -> list[str]:
            return [line["text"] for state in log.states for line in state.get("logs", ())]

        await log.until(lambda: len(told()) == 3)
        assert told() == ["begin", "!", "end"]
        assert "logged" not in {entry["kind"] for entry in log.message["timeline"]}
        lines = (await desk.engine.query("logs", {"message": ids(confirm)[0]}))["logs"]
        assert [(line["n"], line["level"], line["attempt"]) for line in lines] == [
            (1, "info", 1), (2, "warn", 1), (3, "info", 1),
        ]  # fmt: skip
        assert {line["consumer"] for line in lines} == {"mailer"}
        later = await desk.watch(message=ids(confirm)[0])
        assert [line["text"] for line in later.watch.snapshot["logs"]] == ["begin", "!", "end"]

    @needs("topics")
    async def test_a_delivered_message_tells_the_topic_it_was_published_to(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        await desk.engine.operate("bind", {"topic": "orders.*", "queue": "q"})
        await desk.publish("orders.created", b"1", kind="topic")
        await desk.publish("q", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        assert [(delivered.body, delivered.topic) for delivered in inbox.got] == [
            (b"1", "orders.created"),
            (b"2", None),
        ]

    @needs("timeline", "dead_letter")
    async def test_a_dead_message_says_why(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"1")
        log = await desk.watch(message=ids(confirm)[0])
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="smtp 550")])
        await log.until(lambda: log.message["state"] == "dead")
        assert (log.message["reason"], log.message["attempts"]) == ("smtp 550", 1)

    @needs("results", "timeline")
    async def test_an_ack_may_carry_a_result(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(completions=[Completion(number=1, result=b'{"sent":true}')])
        log = await desk.watch(message=ids(confirm)[0])
        await log.until(lambda: log.message["state"] == "done")
        assert log.message["result"] == {"sent": True}

    @needs("atomic_ack_publish")
    async def test_ack_and_publish_are_one_or_nothing(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "lease_ms": 200})
        await desk.engine.declare("next", {})
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q", prefetch=2)
        await inbox.count(2)
        done = await inbox.settle(completions=[Completion(number=1, publishes=[frame("next", b"follow", b"up")])])
        assert done.lost == []
        await inbox.count(3)
        assert inbox.got[2].body == b"2"
        late = await inbox.settle(completions=[Completion(number=2, publishes=[frame("next", b"never")])])
        assert late.lost == [(2, 2)]
        heir = await desk.consume("next")
        await heir.count(2)
        await desk.counts("next", ready=0, leased=2)
        assert heir.bodies == [b"follow", b"up"]

    # What it cannot do

    async def test_what_is_unsupported_is_refused(self, engine: Engine) -> None:
        desk = Desk(engine)
        attempts: dict[str, Callable[[], Any]] = {
            "delay": lambda: desk.publish("q", b"1", attributes={"delay_ms": 5}),
            "dedup": lambda: desk.publish("q", b"1", attributes={"dedup_key": "k"}),
            "priority": lambda: desk.publish("q", b"1", attributes={"priority": 5}),
            "ordering_key": lambda: desk.publish("q", b"1", attributes={"key": "k"}),
            "expiry": lambda: desk.publish("q", b"1", attributes={"expire_ms": 5000}),
            "topics": lambda: desk.publish("orders.new", b"1", kind="topic"),
            "streams": lambda: engine.declare("s", {}, kind="stream"),
            "redrive": lambda: engine.operate("redrive", {"queue": "q"}),
            "peek": lambda: engine.query("messages", {"queue": "q"}),
            "pause": lambda: engine.operate("pause", {"queue": "q"}),
            "cancel": lambda: engine.operate("cancel", {"message": "x"}),
            "timeline": lambda: engine.query("message", {"message": "x"}),
            "live_events": lambda: desk.watch(),
            "schedules": lambda: engine.operate("schedule", {"schedule": "s", "every_ms": 1000, "queue": "q"}),
            "edit": lambda: engine.operate("edit", {"queue": "q", "message": "x", "with": 1}),
            "length_max": lambda: engine.declare("limited", {"length_max": 1}),
            "bytes_max": lambda: engine.declare("limited", {"bytes_max": 1}),
            "overflow": lambda: engine.declare("limited", {"overflow": "drop_oldest"}),
            "concurrency_max": lambda: engine.declare("limited", {"concurrency_max": 1}),
            "rate_max": lambda: engine.declare("limited", {"rate_max": 1}),
            "retention_ms": lambda: engine.declare("kept", {"retention_ms": 1000}, kind="stream"),
            "retention_count": lambda: engine.declare("kept", {"retention_count": 1}, kind="stream"),
            "retention_bytes": lambda: engine.declare("kept", {"retention_bytes": 1}, kind="stream"),
            "keep_until_acked": lambda: engine.declare("kept", {"keep_until_acked": True}, kind="stream"),
        }
        if engine.capabilities.peek != "unsupported":
            attempts["search"] = lambda: engine.query("messages", {"queue": "q", "text": "x"})
        await engine.declare("q", {})
        for capability, attempt in attempts.items():
            if getattr(engine.capabilities, capability) == "unsupported":
                with pytest.raises(Unsupported) as refused:
                    await attempt()
                assert refused.value.message == engine.reasons[capability], (
                    "who is refused reads the same as who asks before"
                )
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        if engine.capabilities.atomic_ack_publish == "unsupported":
            with pytest.raises(Unsupported):
                await inbox.settle(completions=[Completion(number=1, publishes=[frame("q", b"2")])])
        assert (await inbox.ack(1)).lost == []

    async def test_there_is_a_reason_for_what_is_unsupported_and_for_nothing_else(self, engine: Engine) -> None:
        able = {item.name: getattr(engine.capabilities, item.name) for item in fields(engine.capabilities)}
        assert set(able.values()) <= {"native", "emulated", "gateway-local", "unsupported"}
        assert set(engine.reasons) == {name for name, level in able.items() if level == "unsupported"}
        assert all(len(reason) <= 120 and reason.endswith(".") for reason in engine.reasons.values())

    async def test_a_refused_publish_stores_nothing(self, desk: Desk) -> None:
        with pytest.raises(PostroadError):
            await desk.publish("q", b"1", attributes={"key": "k", "delay_ms": 5})
        await desk.publish("q", b"2")
        inbox = await desk.consume("q")
        await inbox.count(1)
        assert inbox.bodies == [b"2"]
