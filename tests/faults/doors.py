"""Every way that a message or a value gets in, by one shape: a door takes what a message would have, and says how that ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
from engine_rig import Rig, Worker
from gateway_under_test import Talk, connected, running_gateway
from postroad.broker.engine.engine import Completion, PublishBatch
from postroad.broker.errors import PostroadError
from postroad.broker.limits import Limits
from postroad.gateway.protocol.frame import encode_binary
from postroad.gateway.serving import Running
from websockets import ConnectionClosed

JSON = {"content-type": "application/json"}
OK = "ok"
CLOSE_S = 1
REFUSED = frozenset(("invalid-request", "invalid-name", "limit-exceeded"))


@dataclass
class House:
    """An embedded engine with its gateway: HTTP and a WebSocket in text frames are open."""

    rig: Rig
    running: Running
    http: httpx2.AsyncClient
    talk: Talk
    numbers: Any = field(default_factory=lambda: count(1))

    def queue(self) -> str:
        """The name of a queue that nothing else uses."""
        return f"q{next(self.numbers)}"

    async def post(self, path: str, text: str | bytes, method: str = "POST") -> httpx2.Response:
        content = text.encode() if isinstance(text, str) else text
        return await self.http.request(method, path, content=content, headers=JSON)

    async def ask(self, text: str) -> dict[str, Any]:
        """The answer to a text frame without its id: one is put in front."""
        number = next(self.numbers)
        await self.talk.socket.send(f'{{"id":{number},{text.removeprefix("{")}')
        while True:
            frame = await self.talk.receive()
            if frame["op"] == "error" or frame.get("id") == number:
                return frame

    async def dead(self, queue: str) -> str:
        """The id of a message in ``<queue>.dead``."""
        confirm = await self.rig.publish([b"1"], queue=queue)
        worker = await self.rig.consume(queue=queue)
        await self.rig.got(worker, 1)
        await self.rig.nack(worker, 1, dead=True)
        worker.subscription.cancel()
        return f"{confirm.id_prefix}0"

    async def held(self, queue: str) -> Worker:
        """A worker that holds one delivery, number 1."""
        await self.rig.publish([b"1"], queue=queue)
        worker = await self.rig.consume(queue=queue)
        await self.rig.got(worker, 1)
        return worker

    async def sub(self) -> int:
        """The number of a consumer on the WebSocket that holds one delivery, number 1."""
        queue, number = self.queue(), next(self.numbers)
        await self.rig.publish([b"1"], queue=queue)
        await self.ask(f'{{"op":"consume","sub":{number},"queue":"{queue}"}}')
        await self.talk.until(op="deliver", sub=number)
        return number


@asynccontextmanager
async def open_house(**options: Any) -> AsyncIterator[House]:
    rig = await Rig(limits=Limits(), **options).start()
    close = rig.engine.close

    async def close_soon(drain_ms: int = 0) -> None:
        # An engine that a fault has broken would wait for ever for what will never be durable.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await close(drain_ms)

    rig.engine.close = close_soon  # type: ignore[method-assign]
    try:
        async with (
            running_gateway(rig.engine) as running,  # type: ignore[arg-type]  # any engine will do
            httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
            connected(running) as talk,
        ):
            yield House(rig, running, http, talk)
    finally:
        await rig.engine.close()


def code_of(answer: httpx2.Response) -> str:
    if answer.is_success:
        return OK
    found: str = answer.json()["code"]
    return found if 400 <= answer.status_code < 500 else f"{answer.status_code} {found}"


async def outcome(work: Awaitable[object]) -> str:
    """The code of what is raised."""
    try:
        await work
    except PostroadError as error:
        return error.code
    except Exception as error:  # noqa: BLE001  # what is no refusal fails the test, by name
        return f"{type(error).__name__}: {error}"
    return OK


Door = Callable[[House, dict[str, Any]], Awaitable[str]]
"""Takes a message's attributes in their scalar form; returns ``ok`` or the code of the refusal."""


def _text(message: dict[str, Any]) -> str:
    return json.dumps({"body": 1, **message})


def _batch(queue: str, attributes: dict[str, Any]) -> PublishBatch:
    return PublishBatch(queue=queue, sizes=[1], bodies=b"1", attributes=attributes)


async def engine_publish(house: House, attributes: dict[str, Any]) -> str:
    return await outcome(house.rig.publish([b"1"], queue=house.queue(), **attributes))


async def engine_column(house: House, attributes: dict[str, Any]) -> str:
    columns = {"type": "types", "delay_ms": "delays_ms", "dedup_key": "dedup_keys", "priority": "priorities",
               "key": "keys", "expire_ms": "expires_ms"}  # fmt: skip
    given = {columns.get(name, name): [None, value] for name, value in attributes.items()}
    return await outcome(house.rig.publish([b"1", b"2"], queue=house.queue(), **given))


async def engine_done(house: House, attributes: dict[str, Any]) -> str:
    worker = await house.held(house.queue())
    completion = Completion(number=1, publishes=[_batch(house.queue(), attributes)])
    return await outcome(house.rig.settle(worker, completions=[completion]))


async def engine_schedule(house: House, attributes: dict[str, Any]) -> str:
    args = {"schedule": house.queue(), "queue": "target", "every_ms": 1000, "message": {"body": 1, **attributes}}
    return await outcome(house.rig.engine.operate("schedule", args))


async def engine_edit(house: House, attributes: dict[str, Any]) -> str:
    queue = house.queue()
    args = {"queue": f"{queue}.dead", "message": await house.dead(queue), "with": {"body": 1, **attributes}}
    return await outcome(house.rig.engine.operate("edit", args))


async def http_publish(house: House, attributes: dict[str, Any]) -> str:
    path = f"/v1/queues/{house.queue()}/messages"
    return code_of(await house.post(path, f'{{"messages":[{_text(attributes)}]}}'))


async def http_schedule(house: House, attributes: dict[str, Any]) -> str:
    text = f'{{"queue":"target","every_ms":1000,"message":{_text(attributes)}}}'
    return code_of(await house.post(f"/v1/schedules/{house.queue()}", text, "PUT"))


async def http_edit(house: House, attributes: dict[str, Any]) -> str:
    queue = house.queue()
    text = f'{{"message":"{await house.dead(queue)}","with":{_text(attributes)}}}'
    return code_of(await house.post(f"/v1/queues/{queue}.dead/edit", text))


async def text_publish(house: House, attributes: dict[str, Any]) -> str:
    answer = await house.ask(f'{{"op":"publish","queue":"{house.queue()}","messages":[{_text(attributes)}]}}')
    return str(answer.get("code", OK))


async def text_done(house: House, attributes: dict[str, Any]) -> str:
    publish = f'{{"queue":"{house.queue()}","messages":[{_text(attributes)}]}}'
    answer = await house.ask(
        f'{{"op":"settle","sub":{await house.sub()},"done":[{{"number":1,"publish":[{publish}]}}]}}'
    )
    return str(answer.get("code", OK))


async def binary_publish(house: House, attributes: dict[str, Any]) -> str:
    number = next(house.numbers)
    head = json.dumps({"op": "publish", "id": number, "queue": house.queue(), "sizes": [1], **attributes})
    async with connected(house.running) as talk:
        await talk.socket.send(encode_binary(head.encode()) + b"1")
        try:
            return str((await talk.until(id=number)).get("code", OK))
        except ConnectionClosed as closed:  # a header that is no JSON ends the connection, as it always did
            assert closed.rcvd is not None
            return "invalid-request" if closed.rcvd.code == 1002 else f"closed with {closed.rcvd.code}"


DOORS: dict[str, Door] = {
    door.__name__: door
    for door in (
        engine_publish, engine_column, engine_done, engine_schedule, engine_edit, http_publish, http_schedule, http_edit,
        text_publish, text_done, binary_publish,
    )
}  # fmt: skip
