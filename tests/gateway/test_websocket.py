"""Connections to a real server: handshake, close codes, limits, slow readers."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import orjson
import pytest
import websockets
from fake_engine import FakeEngine
from gateway_under_test import connected, running_gateway, to_close
from postroad.broker.errors import NotAuthenticated
from postroad.gateway import keep_alive, websocket
from postroad.gateway.auth.access import Access
from postroad.gateway.auth.rights import ANYONE, Principal
from postroad.gateway.protocol.frame import encode_binary
from postroad.gateway.serving import Running
from test_parser import frame


class Raw:
    """A client of bytes, which may be slow, rude or silent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def upgrade(self, **headers: str) -> bytes:
        """The response's head to an upgrade request."""
        wanted = {
            "Host": "127.0.0.1",
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        }
        path = headers.pop("path", "/ws")
        wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in wanted.items() if value)]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)

    async def closed_with(self) -> int | None:
        """The code of the close frame at the end of what comes, or ``None`` if the connection just ended."""
        data = await asyncio.wait_for(self.reader.read(), 15)
        while data:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4]), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10]), 10
            if data[0] == 0x88:
                return int.from_bytes(data[start : start + 2])
            data = data[start + size :]
        return None


async def raw(running: Running) -> Raw:
    client = Raw(*await asyncio.open_connection("127.0.0.1", running.port))
    to_close.append(client.writer)
    return client


@pytest.fixture
async def client(running: Running) -> Raw:
    return await raw(running)


async def test_the_upgrade_is_accepted_as_the_rfc_says(client: Raw) -> None:
    head = await client.upgrade(Sec_WebSocket_Protocol="other, postroad.v1")

    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"sec-websocket-protocol: postroad.v1" in head
    assert b"permessage-deflate" not in head


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Host": "evil.example"}, 403, id="rebinding host"),
        pytest.param({"Host": "127.0.0.1.evil.example"}, 403, id="host with our prefix"),
        pytest.param({"Host": ""}, 403, id="no host"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="evil origin"),
        pytest.param({"Origin": "null"}, 403, id="null origin"),
        pytest.param({"Origin": "http://localhost.evil.example"}, 403, id="origin with our prefix"),
        pytest.param({"Origin": "http://evil-localhost"}, 403, id="origin with our suffix"),
        pytest.param({"Origin": "http://localhost@evil.example"}, 403, id="origin with user"),
        pytest.param({"Origin": "file://localhost"}, 403, id="file origin"),
        pytest.param({"Origin": "http://LOCALHOST:5173"}, 101, id="loopback origin, any port and case"),
        pytest.param({"Origin": "http://[::1]:5173"}, 101, id="loopback origin, IPv6"),
        pytest.param({"Host": "localhost:9"}, 101, id="loopback host"),
        pytest.param({"Sec_WebSocket_Version": "8"}, 426, id="old version"),
        pytest.param({"Sec_WebSocket_Key": "short"}, 400, id="bad key"),
        pytest.param({"Sec_WebSocket_Key": ""}, 400, id="no key"),
        pytest.param({"Sec_WebSocket_Protocol": "mqtt"}, 400, id="other subprotocol"),
        pytest.param({"path": "/elsewhere"}, 404, id="other path"),
        pytest.param({"path": "/ws?token=x"}, 101, id="a query is not looked at"),
    ],
)
async def test_who_may_open_a_websocket(client: Raw, headers: dict[str, str], status: int) -> None:
    head = await client.upgrade(**headers)

    assert head.startswith(b"HTTP/1.1 %d " % status)


async def test_listed_hosts_and_origins_are_served(engine: FakeEngine) -> None:
    access = Access("0.0.0.0", ["queue.example"], ["https://app.example"])
    async with running_gateway(engine, access=access) as running:
        listed = await (await raw(running)).upgrade(Host="queue.example", Origin="https://app.example")
        own = await (await raw(running)).upgrade(Host="queue.example:7070", Origin="http://queue.example:7070")
        loopback = await (await raw(running)).upgrade(Host="queue.example", Origin="http://localhost")
        port = await (await raw(running)).upgrade(Host="queue.example", Origin="https://app.example:8443")

    assert [head.split()[1] for head in (listed, own, loopback, port)] == [b"101", b"101", b"403", b"403"]


async def test_beyond_the_cap_a_connection_is_refused_cleanly(engine: FakeEngine) -> None:
    async with running_gateway(engine, connections_max=1) as running:
        async with connected(running):
            head = await (await raw(running)).upgrade()

        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after" in head


BROKEN = encode_binary(b'{"op":"publish","queue":"a","sizes":[5]}') + b"1234"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(2, BROKEN), 1002, id="sizes do not add up"),
        pytest.param(frame(2, b"\x00\x00"), 1002, id="short frame"),
        pytest.param(frame(2, encode_binary(b"[]")), 1002, id="header is not an object"),
        pytest.param(frame(1, b"\xff"), 1007, id="text is not UTF-8"),
        pytest.param(frame(1, b"{}", mask=None), 1002, id="not masked"),
        pytest.param(bytes((0x82, 0xFF)) + (2**40).to_bytes(8) + b"1234", 1009, id="too large"),
        pytest.param(frame(8, b"\x03\xe8"), 1000, id="a normal close is answered"),
    ],
)
async def test_what_ends_a_connection_and_with_which_code(
    client: Raw, running: Running, data: bytes, code: int
) -> None:
    await client.upgrade()

    client.writer.write(data)

    assert await client.closed_with() == code
    async with connected(running) as other:
        assert (await other.ask(1, op="query", what="queues"))["op"] == "ok"


async def test_a_frame_in_fragments_with_a_ping_between_is_one_frame(client: Raw) -> None:
    await client.upgrade()
    text = b'{"op":"query","id":1,"what":"queues"}'

    client.writer.write(frame(1, text[:9], final=False) + frame(9, b"hi") + frame(0, text[9:]))

    assert await client.reader.readexactly(4) == b"\x8a\x02hi"
    head = await client.reader.readexactly(2)
    assert orjson.loads(await client.reader.readexactly(head[1]))["id"] == 1


async def test_answers_of_one_read_leave_together(client: Raw) -> None:
    await client.upgrade()
    request = b'{"op":"prefetch","sub":1,"prefetch":1,"id":%d}'
    client.writer.write(b"".join(frame(1, request % n) for n in range(50)))

    first = await client.reader.read(65_536)

    assert first.count(b'"op":"error"') == 50


async def test_a_consumer_receives_what_a_producer_publishes(running: Running) -> None:
    async with connected(running) as producer, connected(running) as consumer:
        await consumer.send(op="hello", id=0, format="binary")
        await consumer.ask(1, op="consume", sub=1, queue="a", prefetch=10)
        body = os.urandom(300_000)

        confirm = await _publish(producer, body)

        delivery = await consumer.until(op="deliver")
        assert consumer.bodies == body
        assert delivery["runs"][0][2] == confirm["id_prefix"]


async def _publish(producer: Any, body: bytes) -> Any:
    await producer.send(bodies=body, op="publish", id=1, queue="a", sizes=[len(body)])
    return await producer.until(id=1)


async def test_a_lost_connection_gives_its_messages_to_another(running: Running, engine: FakeEngine) -> None:
    async with connected(running) as first, connected(running) as second:
        await first.ask(1, op="publish", queue="a", messages=[{"body": 1}])
        await first.ask(2, op="consume", sub=1, queue="a")
        await first.until(op="deliver")
        await second.ask(1, op="consume", sub=1, queue="a")

        first.socket.transport.abort()

        assert (await second.until(op="deliver"))["messages"][0]["body"] == 1


async def test_a_stopping_server_drains_and_closes_with_1012(engine: FakeEngine) -> None:
    async with running_gateway(engine) as running, connected(running) as client:
        await client.ask(1, op="query", what="queues")
        stopping = asyncio.ensure_future(running.stop())
        drain = await client.until(op="drain")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.receive()
        await stopping

    assert drain["grace_ms"] == 0
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert engine.closed_with == 0


# Tokens


def _authenticate(token: str) -> Principal:
    if token != "good":
        raise NotAuthenticated("The token is not valid.")
    return ANYONE


async def test_a_token_in_the_upgrade_or_in_hello_is_good_and_none_is_not(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "HELLO_S", 0.2)
    monkeypatch.setattr(websocket, "CLOSE_S", 0.2)
    async with running_gateway(engine, authenticate=_authenticate) as running:
        bad = await (await raw(running)).upgrade(Authorization="Bearer bad")
        async with connected(running, additional_headers={"Authorization": "Bearer good"}) as client:
            assert (await client.ask(1, op="query", what="queues"))["op"] == "ok"
        async with connected(running) as client:
            assert (await client.ask(1, op="hello", token="good"))["op"] == "welcome"
            await asyncio.sleep(0.3)  # longer than the deadline, which must not apply any more
            assert (await client.ask(2, op="query", what="queues"))["op"] == "ok"
        silent = await raw(running)
        await silent.upgrade()
        code = await silent.closed_with()

    assert bad.startswith(b"HTTP/1.1 401 ")
    assert code == 1008


async def test_a_token_ends_a_live_connection_when_it_expires(engine: FakeEngine) -> None:
    import time

    def authenticate(token: str) -> Principal:
        return Principal(subject="x", grants=ANYONE.grants, expires_at=time.time() + float(token))

    async with running_gateway(engine, authenticate=authenticate) as running, connected(running) as client:
        await client.ask(1, op="hello", token="0.2")
        await client.ask(2, op="hello", token="0.4")

        error = await client.until(op="error")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.receive()

    assert error["code"] == "not-authenticated"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


# Slow and dead peers


async def _stuck(running: Running) -> Raw:
    """A client with small buffers that never reads after its handshake."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", running.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    client = Raw(reader, writer)
    to_close.append(client.writer)
    await client.upgrade()
    return client


async def test_a_slow_consumer_is_paused_and_others_go_on(running: Running, engine: FakeEngine) -> None:
    stuck = await _stuck(running)
    stuck.writer.write(frame(1, b'{"op":"consume","sub":1,"queue":"slow","prefetch":1000}'))
    async with connected(running) as other:
        await other.send(op="hello", format="binary")
        await other.ask(1, op="consume", sub=1, queue="fast", prefetch=100)
        for number in range(40):
            await other.send(bodies=b"x" * 500_000, op="publish", id=10, queue="slow", sizes=[500_000])
            await other.until(id=10)
            await other.send(bodies=b"y", op="publish", queue="fast", sizes=[1])
            assert (await other.until(op="deliver"))["number"] == number + 1

    (consumer,) = engine.queues["slow"].consumers
    assert consumer.paused
    assert len(engine.queues["slow"].ready) > 20


async def test_a_watcher_that_does_not_read_is_cut_with_1013(
    running: Running, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "WRITE_DEADLINE_S", 0.2)
    monkeypatch.setattr(websocket, "CLOSE_S", 3)
    stuck = await _stuck(running)
    stuck.writer.write(frame(1, b'{"op":"watch","sub":1}'))
    async with connected(running) as other:
        await other.ask(1, op="watch", sub=1)
        (connection,) = (c for c in running.server.connections if c.session.number == 1)
        while not connection.congested:
            engine.tell("published", "a", ids=["x" * 1000] * 20)
            await other.until(op="event")
        while not connection._is_closing:
            await asyncio.sleep(0.01)

        assert await stuck.closed_with() == 1013
        engine.tell("published", "a")
        await other.until(op="event")


async def test_a_peer_that_does_not_answer_pings_is_dropped_and_one_that_does_is_kept(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_alive, "PING_S", 0.1)
    async with running_gateway(engine) as running, connected(running) as alive:
        dead = await raw(running)
        await dead.upgrade()
        dead.writer.write(frame(1, b'{"op":"consume","sub":1,"queue":"a"}'))

        assert await dead.closed_with() is None
        assert (await alive.ask(1, op="query", what="overview"))["connections"] == 1
    assert engine.queues["a"].consumers == []


async def test_silent_http_sockets_are_closed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from postroad.gateway import serving

    monkeypatch.setattr(serving, "HEADERS_S", 0.2)
    silent, half = await raw(running), await raw(running)
    half.writer.write(b"GET / HTTP/1.1\r\nHost: local")

    assert await asyncio.wait_for(silent.reader.read(), 5) == b""
    assert await asyncio.wait_for(half.reader.read(), 5) == b""
