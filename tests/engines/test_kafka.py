"""The contract, on Kafka; and what happens when Kafka or a gateway dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from contract import Contract
from desk import Desk, frame, running
from kafka_server import Kafka
from postroad.broker.engine.engine import Completion, Engine, Nack, SettleBatch
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import InvalidRequest, Unavailable
from survival import CRASH_TIMEOUT_S, Survival, survives_alone

_prefixes = count()


pytest.importorskip("confluent_kafka")
from postroad.broker.engine.kafka.machine import Machine, Outcome
from postroad.broker.engine.kafka.record import INDEX_BITS, Batch, pack, runs
from postroad.broker.engine.kafka.shelf import Shelf


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    server = Kafka(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()


class TestKafka(Contract):
    @pytest.fixture
    async def engine(self, kafka: Kafka) -> AsyncIterator[Engine]:
        engine = open_engine(f"{kafka.url}?prefix=t{next(_prefixes)}.", data="")
        async with running(engine):
            yield engine

    async def test_durability_is_said_as_kafka_keeps_it(self, engine: Engine) -> None:
        assert engine.durability == "os"


class TestMachine:
    @pytest.mark.parametrize("seed", range(20))
    def test_every_message_is_ready_waiting_held_or_gone_and_keys_keep_their_order(self, seed: int) -> None:
        random = Random(seed)
        machine, twin = Machine(), Machine()
        alive: dict[int, str | None] = {}
        now = 1000

        def both(command: dict[str, Any]) -> Outcome:
            twin.command(command)
            return machine.command(command)

        for offset in range(1, 401):
            now += random.randrange(20)
            node = random.choice("ab")
            match random.randrange(8):
                case 0 | 1:
                    keys = [random.choice([None, "k", "l"]) for _ in range(random.randint(1, 5))]
                    dues = [0 if key else random.choice([0, 0, now + 50]) for key in keys]
                    meta = {"w": [node, offset], "t": now, "i": "x", "k": keys, "d": dues}
                    record = pack(meta, [b"{}"] * len(keys), [b""] * len(keys))
                    for each in (machine, twin):
                        each.messages(Batch(offset, record))
                    alive.update({(offset << INDEX_BITS) + at: key for at, key in enumerate(keys)})
                case 2 | 3 | 4:
                    for entry in both(
                        {"do": "take", "w": [node, offset], "n": random.randint(1, 4), "at": now}
                    ).entries:
                        line = [other for other, key in alive.items() if key is not None and key == entry.key]
                        assert entry.key is None or entry.sequence == min(line)
                case 5 | 6:
                    held = sorted(machine.held.get(node, {}))
                    acks = [one for one in held if random.random() < 0.6]
                    back = [[one, 1, random.choice([0, now + 30])] for one in held if one not in acks]
                    stale = 1 << 60
                    outcome = both({"do": "settle", "w": [node, offset], "acks": runs([*acks, stale]), "ret": back})
                    assert outcome.absent == [stale]
                    for one in acks:
                        del alive[one]
                case 7:
                    both({"do": "reclaim", "w": [node, offset], "of": random.choice("ab")})
            assert machine.entries.keys() == alive.keys()
            assert machine.free + len(machine.waiting) + machine.leased == len(alive)
            assert machine.held.keys() == twin.held.keys()
        # Nothing was forgotten: what is left can all be had.
        for gone in "ab":
            both({"do": "reclaim", "w": ["c", 0], "of": gone})
        while entries := both({"do": "take", "w": ["c", 0], "n": 100, "at": now + 1000}).entries:
            both({"do": "settle", "w": ["c", 0], "acks": runs(sorted(entry.sequence for entry in entries))})
        assert machine.entries == twin.entries == {}


class TestLog:
    """What a gateway reads out of the logs of others, and what is cut from them."""

    @pytest.fixture
    def url(self, kafka: Kafka) -> str:
        return f"{kafka.url}?prefix=log{next(_prefixes)}.&node_timeout_ms=1500"

    async def test_bodies_that_found_no_room_are_fetched_again(self, url: str) -> None:
        engine = opened(url)
        async with running(engine):
            engine.backend._shelf = Shelf(0)
            desk = Desk(engine)
            frames = [[b"%d-%d" % (at, index) for index in range(7)] for at in range(30)]
            for bodies in frames:
                await desk.publish("q", *bodies)
            inbox = await desk.consume("q", prefetch=50)
            wanted = [body for bodies in frames for body in bodies]
            while len(inbox.got) < len(wanted):
                await inbox.fresh(len(inbox.got))
                await inbox.ack_all()
            assert inbox.bodies == wanted

    async def test_another_gateway_goes_on_with_attempts_order_and_delays(self, url: str) -> None:
        one = opened(url)
        async with running(one):
            desk = Desk(one)
            await one.declare("q", {"backoff_ms": 1, "backoff_max_ms": 1})
            await desk.publish("q", b"1", b"2", b"3", attributes={"keys": [None, "k", "k"]})
            await desk.publish("q", b"late", attributes={"delay_ms": 60_000})
            inbox = await desk.consume("q", prefetch=2)
            await inbox.count(2)
            await inbox.settle(acks=[(1, 1)], nacks=[Nack(first=2, last=2, reason="no", delay_ms=0)])
            await inbox.count(3)
        two = opened(url)
        async with running(two):
            desk = Desk(two)
            inbox = await desk.consume("q")
            await inbox.count(1)
            assert [(m.body, m.attempt) for m in inbox.got] == [(b"2", 2)]
            await inbox.ack(1)
            await inbox.count(2)
            assert inbox.got[1].body == b"3"
            await desk.counts("q", ready=0, leased=1, delayed=1)

    async def test_a_frame_sent_again_to_another_gateway_is_stored_once(self, url: str) -> None:
        one, two = opened(url), opened(url)
        async with running(one, two):
            two._chronicle.note_frame = lambda record: None  # type: ignore[method-assign]  # it was never told
            two._chronicle._sessions.clear()
            first = await Desk(one).publish("q", b"1", b"2", producer=("s", 1))
            again = await Desk(two).publish("q", b"1", b"2", producer=("s", 1))
            assert (again.id_prefix, again.replayed) == (first.id_prefix, True)
            await Desk(two).counts("q", ready=2)

    async def test_what_is_settled_is_cut_from_the_log_and_nothing_else(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("postroad.broker.engine.kafka.log.KEPT_MS", 0)
        monkeypatch.setattr("postroad.broker.engine.kafka.log.CUT_RECORDS", 1)
        one = opened(url)
        async with running(one):
            desk = Desk(one)
            inbox = await desk.consume("q")
            for at in range(20):
                await desk.publish("q", b"%d" % at)
            await inbox.count(20)
            await inbox.ack(*range(1, 15))
            log = await one.backend.log_of("q")
            async with asyncio.timeout(20):
                while (await one.backend.link.bounds(log.topic))[0] < 14:
                    await asyncio.sleep(0.05)
        two = opened(url)
        async with running(two):
            inbox = await Desk(two).consume("q")
            await inbox.count(6)
            assert inbox.bodies == [b"%d" % at for at in range(14, 20)]

    async def test_a_group_goes_on_from_what_its_log_came_to(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("postroad.broker.engine.kafka.group.STATE_EVERY", 5)
        one = opened(url)
        async with running(one):
            desk = Desk(one)
            await one.declare("s", {}, kind="stream")
            await one.declare("s", {"backoff_ms": 1}, group="g", start="earliest")
            inbox = await desk.consume("s", group="g")
            for at in range(10):
                await desk.publish("s", b"%d" % at, kind="stream")
            await inbox.count(10)
            await inbox.ack(*range(2, 9))
            await inbox.settle(nacks=[Nack(first=1, last=1, delay_ms=60_000, reason="no")])
            log = await one.backend.log_of("s/g")
            async with asyncio.timeout(20):
                while (await one.backend.link.bounds(log.topic))[0] < 5:
                    await asyncio.sleep(0.05)
        two = opened(url)
        async with running(two):
            desk = Desk(two)
            inbox = await desk.consume("s", group="g")
            await inbox.count(2)
            assert inbox.bodies == [b"8", b"9"]
            await desk.counts("s/g", ready=0, leased=2, retrying=1, committed=0)

    async def test_a_log_that_was_cut_under_a_gateway_is_read_again_and_nothing_is_lost(self, url: str) -> None:
        engine = opened(url)
        async with running(engine):
            desk = Desk(engine)
            await desk.publish("q", b"1", b"2")
            inbox = await desk.consume("q")
            await inbox.count(2)
            await inbox.ack(1)
            (await engine.backend.log_of("q")).torn()
            assert inbox.revoked_numbers == [(2, 2)]
            await inbox.count(3)
            assert inbox.got[2].body == b"2"
            assert (await inbox.ack(3)).lost == []
            await desk.counts("q", ready=0, leased=0)

    async def test_what_an_ack_publishes_is_published_once_although_its_gateway_died(self, url: str) -> None:
        one, two = opened(url), opened(url)

        async def dies(*_: object) -> list[int]:
            raise Unavailable("killed here")

        async with running(two):
            async with running(one):
                await one.declare("next", {})
                await Desk(one).publish("q", b"1")
                inbox = await Desk(one).consume("q")
                await inbox.count(1)
                one.backend.outbox.forward = dies  # type: ignore[method-assign]
                inbox.subscription.settle(
                    SettleBatch(completions=[Completion(number=1, publishes=[frame("next", b"follow")])]),
                    lambda _: None,
                )
                log = await one.backend.log_of("q")
                async with asyncio.timeout(20):
                    while not log.machine.outbox:
                        await asyncio.sleep(0.01)
                ((batch, _),) = log.machine.outbox.values()
                await (await two.backend.log_of("q")).caught_up()
                # It had got as far as publishing, and died before it could say so.
                await one.backend.outbox._forward(log, batch, batch.meta["out"][0], 0)
            heir = await Desk(two).consume("next")
            await heir.count(1)
            left = (await two.backend.log_of("q")).machine.outbox
            async with asyncio.timeout(20):
                while left:
                    await asyncio.sleep(0.05)
            await Desk(two).counts("next", ready=0, leased=1)
            assert heir.bodies == [b"follow"]

    async def test_what_other_clients_of_kafka_write_to_a_stream_is_read(self, url: str, kafka: Kafka) -> None:
        from confluent_kafka import Producer

        engine = opened(url)
        async with running(engine):
            desk = Desk(engine)
            await engine.declare("s", {}, kind="stream")
            await desk.publish("s", b"ours", kind="stream")
            producer = Producer({"bootstrap.servers": f"127.0.0.1:{kafka.port}"})
            topic = (await engine.backend.stream_of("s")).topic
            producer.produce(topic, b"theirs", key=b"k")
            await asyncio.to_thread(producer.flush)
            inbox, _ = await desk.read("s")
            await inbox.count(2)
            assert [(m.body, m.sequence, m.type) for m in inbox.got] == [(b"ours", 0, "json"), (b"theirs", 1, "bytes")]

    async def test_two_that_declare_one_queue_at_once_share_it(self, url: str) -> None:
        one, two = opened(url), opened(url)
        async with running(one, two):
            answers = await asyncio.gather(one.declare("q", {}), two.declare("q", {}))
            assert sorted(answer["created"] for answer in answers) == [False, True]
            await Desk(one).publish("q", b"1")
            await Desk(two).publish("q", b"2")
            inbox = await Desk(two).consume("q")
            await inbox.count(2)
            assert inbox.bodies == [b"1", b"2"]

    async def test_what_all_gateways_share_is_read_again_when_kafka_has_lost_some_of_it(self, url: str) -> None:
        engine = opened(url)
        async with running(engine):
            desk = Desk(engine)
            await engine.declare("before", {})
            backend = engine.backend
            backend._gateways._seen.clear()
            for follower in (backend.definitions, backend._events, backend._gateways):
                follower.torn()
            await engine.declare("after", {})
            log = await desk.watch()
            await desk.publish("before", b"1")
            await desk.publish("after", b"2")
            await log.until(lambda: log.kinds("before") == log.kinds("after") == ["published"])
            async with asyncio.timeout(20):
                while backend.node not in backend._gateways._seen:
                    await asyncio.sleep(0.05)

    async def test_a_confirm_may_promise_that_kafka_has_synced(self, url: str) -> None:
        from confluent_kafka.admin import AdminClient, ConfigResource

        engine = opened(url + "&flush=1")
        async with running(engine):
            assert engine.durability == "sync"
            await Desk(engine).publish("q", b"1")
            topic = (await engine.backend.log_of("q")).topic
            admin = AdminClient({"bootstrap.servers": url.removeprefix("kafka://").partition("?")[0]})
            asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
            found = await asyncio.to_thread(admin.describe_configs([asked])[asked].result)
            assert found["flush.messages"].value == "1"

    async def test_an_option_that_there_is_not_is_refused(self) -> None:
        for wrong in ("prefx=a", "prefix=a/b", "node_timeout_ms=soon"):
            with pytest.raises(InvalidRequest):
                opened(f"kafka://localhost?{wrong}")
        with pytest.raises(InvalidRequest):
            await opened("kafka://localhost?no.such=1").start()


def opened(url: str) -> Any:
    """An engine whose inside is looked at."""
    return open_engine(url, data="")


class TestSurvival(Survival):
    nowhere = "kafka://127.0.0.1:9"
    dying = "&node_timeout_ms=1500"

    @pytest.fixture
    def server(self, kafka: Kafka) -> Kafka:
        return kafka

    @pytest.mark.timeout(CRASH_TIMEOUT_S)
    async def test_nothing_confirmed_is_lost_when_kafka_is_killed(self, tmp_path: Path) -> None:
        await survives_alone(Kafka(tmp_path / "kafka"), "os")

    @pytest.mark.timeout(CRASH_TIMEOUT_S)
    async def test_nothing_confirmed_to_a_stream_is_lost_when_kafka_is_killed(self, tmp_path: Path) -> None:
        await survives_alone(Kafka(tmp_path / "kafka"), "os", group="g")
