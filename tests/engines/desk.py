"""An engine to drive in tests: what consumers, readers and watchers got, as plain lists to wait on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from postroad.broker.engine.engine import (
    Confirm,
    ConsumeSpec,
    DeliveryBatch,
    Engine,
    Json,
    PublishBatch,
    Ranges,
    Reader,
    ReadSpec,
    SettleBatch,
    Settled,
    Subscription,
    Watch,
    WatchSpec,
)
from postroad.broker.errors import PostroadError
from postroad.broker.testing import plain

PATIENCE_S = 60
"""A wait that ends in failure; far longer than anything takes, also on a slow and busy machine."""


class Waiting:
    """Something that changes, and can be waited on."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass(frozen=True)
class Delivered:
    number: int
    id: str
    sequence: int
    attempt: int
    body: bytes
    type: str
    headers: dict[str, str] | None
    key: str | None
    priority: int
    topic: str | None


class Inbox(Waiting):
    """A consumer's sink. ``got`` has all deliveries, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Delivered] = []
        self.revoked_numbers: list[tuple[int, int]] = []
        self.error: PostroadError | None = None
        self.trimmed: list[int] = []
        self.subscription: Subscription

    def deliver(self, batch: DeliveryBatch) -> None:
        self.got += unpacked(batch)
        self.changed()

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        if trimmed is not None:
            self.trimmed.append(trimmed)
        self.deliver(batch)

    def revoked(self, numbers: Ranges, reason: str) -> None:
        self.revoked_numbers += numbers
        self.changed()

    def ended(self, error: PostroadError) -> None:
        self.error = error
        self.changed()

    async def fresh(self, seen: int) -> list[Delivered]:
        """What came after the first ``seen``; waits until there is something."""
        await self.until(lambda: len(self.got) > seen)
        return self.got[seen:]

    async def count(self, wanted: int) -> list[Delivered]:
        await self.until(lambda: len(self.got) >= wanted)
        return self.got

    @property
    def bodies(self) -> list[bytes]:
        return [delivered.body for delivered in self.got]

    async def settle(self, **what: Any) -> Settled:
        done: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self.subscription.settle(SettleBatch(**what), lambda outcome: _finish(done, outcome))
        async with asyncio.timeout(PATIENCE_S):
            return await done

    async def ack(self, *numbers: int) -> Settled:
        return await self.settle(acks=[(number, number) for number in numbers])

    async def ack_all(self) -> Settled:
        return await self.settle(acks=[(1, self.got[-1].number)])


class Log(Waiting):
    """A watcher's sink."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Json] = []
        self.states: list[Json] = []
        self.trimmed: int | None = None
        self.watch: Watch

    def events(self, events: Sequence[Json], trimmed: int | None) -> None:
        self.seen += events
        self.trimmed = trimmed if trimmed is not None else self.trimmed
        self.changed()

    def state(self, state: Json) -> None:
        self.states.append(plain(state))
        self.changed()

    def ended(self, error: PostroadError) -> None:
        self.changed()

    def kinds(self, queue: str) -> list[str]:
        return [event["kind"] for event in self.seen if event.get("queue") == queue]

    @property
    def message(self) -> Json:
        states = [state["message"] for state in self.states if "message" in state]
        found: Json = states[-1] if states else plain(self.watch.snapshot["message"])
        return found


@asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for engine in engines:
            await engine.start()
            stack.push_async_callback(engine.close)
        yield


class Desk:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def publish(self, queue: str, *bodies: bytes, **more: Any) -> Confirm:
        """Publish one frame; raises what the engine refuses with."""
        done: asyncio.Future[Confirm] = asyncio.get_running_loop().create_future()
        self.engine.publish(frame(queue, *bodies, **more), lambda outcome: _finish(done, outcome))
        async with asyncio.timeout(PATIENCE_S):
            return await done

    async def consume(self, queue: str, **more: Any) -> Inbox:
        inbox = Inbox()
        spec = {"consumer": "tester", **more}
        inbox.subscription = await self.engine.consume(ConsumeSpec(queue=queue, **spec), inbox)
        return inbox

    async def read(self, stream: str, start: str | tuple[str, int] = "earliest") -> tuple[Inbox, Reader]:
        inbox = Inbox()
        return inbox, await self.engine.read(ReadSpec(stream=stream, start=start), inbox)

    async def watch(self, **spec: Any) -> Log:
        log = Log()
        log.watch = await self.engine.watch(WatchSpec(**spec), log)
        return log

    async def stats(self, queue: str) -> Json:
        found: Json = (await self.engine.query("queue", {"queue": queue}))["queue"]
        return found

    async def counts(self, queue: str, **wanted: int) -> None:
        """Wait until the queue's stats have these numbers, or the engine says that it cannot tell them."""
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            stats = await self.stats(queue)
            if all(stats[name] in (value, None) for name, value in wanted.items()):
                return
            assert asyncio.get_running_loop().time() < until, stats
            await asyncio.sleep(0.02)

    async def after(self, ms: int) -> None:
        """Wait until a message delayed by ``ms`` has come: time has passed for the engine too."""
        await self.publish("after", b"0", attributes={"delay_ms": ms})
        inbox = await self.consume("after")
        await inbox.count(1)
        await inbox.ack_all()
        inbox.subscription.cancel()


def frame(queue: str, *bodies: bytes, **more: Any) -> PublishBatch:
    return PublishBatch(queue=queue, sizes=[len(body) for body in bodies], bodies=b"".join(bodies), **more)


def ids(confirm: Confirm) -> list[str]:
    return [f"{confirm.id_prefix}{index}" for index in range(confirm.count)]


def _finish(done: asyncio.Future[Any], outcome: object) -> None:
    assert not done.done(), "an outcome is told once"
    if isinstance(outcome, PostroadError):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def unpacked(batch: DeliveryBatch) -> list[Delivered]:
    bodies = b"".join(bytes(part) for part in batch.bodies)
    attributes = batch.attributes
    count = len(batch.sizes)

    def column(scalar: str, name: str, default: Any) -> list[Any]:
        values = attributes.get(name)
        if isinstance(values, list):
            return values
        return [attributes.get(scalar, default)] * count

    types, headers = column("type", "types", "json"), column("headers", "headers", None)
    keys, priorities = column("key", "keys", None), column("priority", "priorities", 0)
    attempts, topics = column("attempt", "attempts", 1), column("topic", "topics", None)
    places = [(f"{run.id_prefix}{run.index + at}", run.sequence + at) for run in batch.runs for at in range(run.count)]
    assert len(places) == count
    found, offset = [], 0
    for at, size in enumerate(batch.sizes):
        found.append(
            Delivered(
                number=batch.number + at, id=places[at][0], sequence=places[at][1], attempt=attempts[at] or 1,
                body=bodies[offset : offset + size], type=types[at] or "json", headers=headers[at], key=keys[at],
                priority=priorities[at] or 0, topic=topics[at],
            )
        )  # fmt: skip
        offset += size
    assert offset == len(bodies)
    return found
