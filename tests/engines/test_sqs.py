"""The contract, on Amazon SQS as moto and ElasticMQ play it; and what happens when a server or a gateway dies."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest
from contract import Contract
from desk import Desk, ids, running
from postroad.broker.engine.engine import Engine, Nack
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import InvalidName, InvalidRequest, LimitExceeded, QueueNotFound, Unavailable
from servers import Missing
from sqs_server import ENVIRONMENT, ElasticMq, Moto, SqsServer
from survival import a_gateway_dies, survives_a_stall

_prefixes = count()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("aiobotocore") is None:
        raise Missing("aiobotocore is not installed")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", params=[Moto, ElasticMq], ids=["moto", "elasticmq"])
def sqs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqsServer]:
    kind: type[SqsServer] = request.param
    server = kind(tmp_path_factory.mktemp(kind.__name__.lower()))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def url(sqs: SqsServer) -> str:
    return f"{sqs.url}&prefix=t{next(_prefixes)}-"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    engine = open_engine(url, data="")
    async with running(engine):
        yield engine


@pytest.fixture
async def client(sqs: SqsServer) -> AsyncIterator[Any]:
    """Another program's, beside Postroad."""
    from aiobotocore.session import get_session

    endpoint = f"http://127.0.0.1:{sqs.port}"
    async with get_session().create_client("sqs", region_name="eu-central-1", endpoint_url=endpoint) as client:
        yield client


class TestSqs(Contract): ...


class TestSurvival:
    @pytest.mark.timeout(300)
    async def test_a_gateway_dies_and_nothing_is_lost(self, url: str, sqs: SqsServer) -> None:
        url += "&visibility_ms=6000"
        engine = open_engine(url, data="")
        async with running(engine):
            await a_gateway_dies(url, engine, count=sqs.many, frame=50)

    async def test_a_stall_of_sqs_stops_nobody_for_long(self, engine: Engine, sqs: SqsServer) -> None:
        await survives_a_stall(engine, sqs)

    async def test_what_could_not_be_prolonged_is_revoked_and_comes_again_uncounted(
        self, url: str, sqs: SqsServer
    ) -> None:
        engine = open_engine(f"{url}&visibility_ms=2000", data="")
        async with running(engine):
            desk = Desk(engine)
            await desk.publish("q", b"1")
            inbox = await desk.consume("q", lease_ms=600_000)
            await inbox.count(1)
            sqs.freeze()
            try:
                await inbox.until(lambda: inbox.revoked_numbers)
            finally:
                sqs.thaw()
            assert inbox.revoked_numbers == [(1, 1)]
            assert (await inbox.ack(1)).lost == [(1, 1)]
            await inbox.count(2)
            assert inbox.got[1].attempt == 1
            assert (await inbox.ack(2)).lost == []
            await desk.counts("q", ready=0, leased=0)

    async def test_a_gateway_that_stood_still_cannot_settle_what_others_may_have(self, url: str) -> None:
        engine = open_engine(f"{url}&visibility_ms=1000", data="")
        async with running(engine):
            desk = Desk(engine)
            await desk.publish("q", b"1")
            inbox = await desk.consume("q", lease_ms=600_000)
            await inbox.count(1)
            time.sleep(1.5)  # noqa: ASYNC251 the whole process: nothing is prolonged, and SQS would take its old receipt all the same
            assert (await inbox.ack(1)).lost == [(1, 1)]
            await inbox.count(2)
            assert (await inbox.ack(2)).lost == []

    async def test_a_message_is_held_for_longer_than_sqs_hides_it(self, url: str) -> None:
        engine = open_engine(f"{url}&visibility_ms=2000", data="")
        async with running(engine):
            desk = Desk(engine)
            await desk.publish("q", b"1")
            inbox = await desk.consume("q", lease_ms=600_000)
            await inbox.count(1)
            await desk.after(4000)
            assert len(inbox.got) == 1
            assert (await inbox.ack(1)).lost == []

    async def test_two_gateways_share_a_queue_and_what_is_declared(self, url: str) -> None:
        url += "&refresh_ms=200"
        one, two = open_engine(url, data=""), open_engine(url, data="")
        async with running(one, two):
            here, there = Desk(one), Desk(two)
            await one.declare("q", {"attempts_max": 7})
            mine, theirs = await here.consume("q", prefetch=5), await there.consume("q", prefetch=5)
            settings = two.settings_of("q")
            assert settings is not None and settings.attempts_max == 7
            await here.publish("q", *(b"%d" % at for at in range(10)))
            await mine.count(5)
            await theirs.count(5)
            assert sorted(mine.bodies + theirs.bodies) == [b"%d" % at for at in range(10)]
            await mine.ack_all()
            await theirs.ack_all()
            await one.operate("pause", {"queue": "q", "reason": "repair"})
            await _until(lambda: there.stats("q"), lambda stats: stats["paused"])
            await one.operate("resume", {"queue": "q"})
            await _until(lambda: there.stats("q"), lambda stats: not stats["paused"])
            await one.delete("q")
            await theirs.until(lambda: theirs.error)
            assert isinstance(theirs.error, QueueNotFound)

    async def test_a_new_gateway_finds_queues_bindings_and_pauses(self, url: str) -> None:
        reason = "nobody may touch this until the printer has been repaired, " * 3
        headers = {"match": "all", "values": {"region": "eu" * 60}}
        one = open_engine(url, data="")
        async with running(one):
            await one.declare("orders.eu", {"attempts_max": 3, "dead_letter": "graveyard"})
            await one.operate("bind", {"topic": "orders.#", "queue": "orders.eu"})
            await one.operate("bind", {"topic": "orders.*", "queue": "orders.eu", "headers": headers})
            await one.operate("pause", {"queue": "orders.eu", "reason": reason})
            before = [await one.query(what, {}) for what in ("queues", "bindings")]
            await one.operate("unbind", {"topic": "orders.#", "queue": "orders.eu"})
            await one.operate("bind", {"topic": "orders.#", "queue": "orders.eu"})
        two = open_engine(url, data="")
        async with running(two):
            after = [await two.query(what, {}) for what in ("queues", "bindings")]
            assert after[0]["queues"][0]["pause_reason"] == reason
            assert after[1]["bindings"] == before[1]["bindings"] != []
            settings = two.settings_of("orders.eu")
            assert settings is not None and (settings.attempts_max, settings.dead_letter) == (3, "graveyard")

    async def test_a_server_that_is_not_there_is_said_so(self) -> None:
        engine = open_engine("sqs://127.0.0.1:9/?region=eu-central-1&scheme=http", data="")
        with pytest.raises(Unavailable):
            await engine.start()


class TestKeys:
    async def test_attempts_and_order_of_a_key_outlive_a_gateway(self, url: str) -> None:
        one, two = open_engine(url, data=""), open_engine(url, data="")
        async with running(one):
            desk = Desk(one)
            await one.declare("q", {"backoff_ms": 1, "backoff_max_ms": 1})
            await desk.publish("q", b"1", b"2", b"3", attributes={"key": "a"})
            inbox = await desk.consume("q")
            await inbox.count(1)
            await inbox.settle(nacks=[Nack(first=1, last=1)])
        async with running(two):
            inbox = await Desk(two).consume("q")
            for number in (1, 2, 3):
                await inbox.count(number)
                await inbox.ack(number)
            assert inbox.bodies == [b"1", b"2", b"3"]
            assert inbox.got[0].attempt >= 2

    async def test_keys_are_any_text(self, engine: Engine) -> None:
        desk = Desk(engine)
        keys = ["a b", "ü" * 64, "x" * 128, "m:x", "k"]
        await desk.publish("q", *(b"%d" % at for at in range(5)), attributes={"keys": keys})
        inbox = await desk.consume("q")
        await inbox.count(5)
        assert {message.body: message.key for message in inbox.got} == {b"%d" % at: keys[at] for at in range(5)}

    async def test_a_dead_message_with_a_key_is_redriven_in_order_of_its_key(self, engine: Engine) -> None:
        desk = Desk(engine)
        (id,) = ids(await desk.publish("q", b"1", attributes={"key": "a"}))
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="no")])
        await desk.counts("q.dead", ready=1)
        assert (await engine.operate("redrive", {"queue": "q.dead"}))["count"] == 1
        await inbox.count(2)
        await desk.publish("q", b"2", attributes={"key": "a"})
        assert (inbox.got[1].id, inbox.got[1].key, inbox.got[1].attempt) == (id, "a", 1)
        await inbox.ack(2)
        await inbox.count(3)
        assert inbox.bodies == [b"1", b"1", b"2"]


class TestMessages:
    async def test_what_another_program_sent_is_delivered(self, engine: Engine, url: str, client: Any) -> None:
        desk = Desk(engine)
        await engine.declare("orders.new", {"backoff_ms": 1, "backoff_max_ms": 1})
        prefix = url.rsplit("=", 1)[1]
        queue = (await client.get_queue_url(QueueName=f"{prefix}ordersDnew"))["QueueUrl"]
        await client.send_message(QueueUrl=queue, MessageBody='{"a":1}')
        inbox = await desk.consume("orders.new")
        (first,) = await inbox.count(1)
        assert (first.body, first.type, first.attempt) == (b'{"a":1}', "json", 1)
        await inbox.settle(nacks=[Nack(first=1, last=1)])
        await inbox.count(2)
        assert (inbox.got[1].id, inbox.got[1].attempt) == (first.id, 2)
        await inbox.ack(2)
        await client.send_message(QueueUrl=queue, MessageBody="no JSON")
        await inbox.count(3)
        assert (inbox.got[2].body, inbox.got[2].type) == (b"no JSON", "text")

    async def test_what_sqs_hands_over_twice_is_delivered_once(self, engine: Engine, url: str, client: Any) -> None:
        desk = Desk(engine)
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        (hand,) = engine.backend.feeds["q"]._hands._held  # type: ignore[attr-defined]
        prefix, receipt = url.rsplit("=", 1)[1], hand.receipt
        queue = (await client.get_queue_url(QueueName=f"{prefix}q"))["QueueUrl"]
        await client.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=0)
        await _until(lambda: _soon(hand), lambda hand: hand.receipt != receipt)
        assert len(inbox.got) == 1
        assert (await inbox.ack(1)).lost == []
        await desk.counts("q", ready=0, leased=0)

    async def test_what_only_looks_like_ours_is_delivered_as_it_is(self, engine: Engine, url: str, client: Any) -> None:
        desk = Desk(engine)
        await engine.declare("q", {})
        prefix = url.rsplit("=", 1)[1]
        queue = (await client.get_queue_url(QueueName=f"{prefix}q"))["QueueUrl"]
        broken = ["no JSON", "[]", "{}", '{"i":"x","x":0,"t":1}', '{"i":"abcdefgh-1-","x":0,"t":"1"}']
        for name, texts in (("postroad", broken), ("postroad-kept", ["no", "[]", '{"a":"1"}', '{"dead":1}'])):
            for text in texts:
                attributes = {name: {"DataType": "String", "StringValue": text}}
                await client.send_message(QueueUrl=queue, MessageBody=f"{name} {text}", MessageAttributes=attributes)
        inbox = await desk.consume("q")
        await inbox.count(9)
        assert sorted(body.split()[0] for body in inbox.bodies) == [b"postroad"] * 5 + [b"postroad-kept"] * 4
        assert {message.attempt for message in inbox.got} == {1}

    async def test_text_is_the_body_that_other_programs_see(self, engine: Engine, url: str, client: Any) -> None:
        await engine.declare("q", {})
        await Desk(engine).publish("q", '{"ü":1}'.encode())
        prefix = url.rsplit("=", 1)[1]
        queue = (await client.get_queue_url(QueueName=f"{prefix}q"))["QueueUrl"]
        found = await client.receive_message(QueueUrl=queue, WaitTimeSeconds=5)
        assert found["Messages"][0]["Body"] == '{"ü":1}'

    async def test_a_delay_longer_than_sqs_knows_is_waited_out(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("postroad.broker.engine.sqs.batches.DELAY_MAX_S", 1)
        desk = Desk(engine)
        inbox = await desk.consume("q")
        before = time.monotonic()
        await desk.publish("q", b"late", attributes={"delay_ms": 4300})
        await inbox.count(1)
        assert time.monotonic() - before >= 4.29
        assert inbox.got[0].attempt == 1
        await inbox.ack(1)
        await desk.counts("q", ready=0, leased=0, delayed=0)

    async def test_a_frame_with_a_message_that_is_too_large_is_refused_whole(self, engine: Engine) -> None:
        import random

        desk = Desk(engine)
        noise = random.Random(1).randbytes(1_100_000)
        with pytest.raises(LimitExceeded):
            await desk.publish("q", b"small", noise)
        await desk.publish("q", b"next")
        inbox = await desk.consume("q")
        await inbox.count(1)
        assert inbox.bodies == [b"next"]


class TestNames:
    async def test_names_that_sqs_has_no_room_for_are_refused(self, engine: Engine, url: str) -> None:
        room = 80 - len(url.rsplit("=", 1)[1]) - len(".fifo")
        for name, settings in (
            ("x" * (room + 1), {"dead_letter": None}),
            ("x" * (room - 4), {}),
            ("x", {"dead_letter": "x" * (room + 1)}),
        ):
            with pytest.raises(InvalidName):
                await engine.declare(name, settings)
        await engine.declare("x" * room, {"dead_letter": None})

    async def test_names_that_look_alike_are_different_queues(self, engine: Engine) -> None:
        desk = Desk(engine)
        for name in ("a.b", "a-b", "a_b", "adb", "definitions"):
            await desk.publish(name, name.encode())
        for name in ("a.b", "a-b", "a_b", "adb", "definitions"):
            inbox = await desk.consume(name)
            await inbox.count(1)
            assert inbox.bodies == [name.encode()]


@pytest.mark.parametrize(
    "url",
    [
        "sqs://key:secret@eu-central-1", "sqs://eu-central-1?visibility_ms=no", "sqs://eu-central-1?visibility_ms=1",
        "sqs://eu-central-1?prefix=a.b", "sqs://eu-central-1?nothing=1", "sqs://127.0.0.1:x/", "sqs://127.0.0.1:1/?scheme=ftp",
    ],
)  # fmt: skip
def test_an_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        open_engine(url, data="")
    assert "secret" not in refused.value.message


async def _until(get: Any, condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition(await get()):
            await asyncio.sleep(0.02)


async def _soon(value: Any) -> Any:
    return value
