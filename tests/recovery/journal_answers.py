"""What an engine answers about everything in its data folder, as one JSON value.

It uses the seam of engines only, so the same questions can be put to every release. The clock moves only when told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from postroad.broker.engine.embedded import EmbeddedEngine
from postroad.broker.engine.engine import (
    Confirm,
    ConsumeSpec,
    DeliveryBatch,
    PublishBatch,
    ReadSpec,
    SettleBatch,
    Settled,
)
from postroad.broker.errors import PostroadError
from postroad.broker.testing import FakeClock, plain

WAIT_S = 20
ONCE = b'{"once":true}'
"""Body of messages with a dedup key."""

STATES = ("ready", "parked", "delayed", "leased", "dead")

CHANGING = frozenset(("position", "uptime_ms", "journal", "rate_published", "rate_acked"))
"""Fields of a queue or stream that tell of the process, not of what is stored."""


class Sink:
    """What a consumer or a reader got: delivery number, message id and attempt of each message."""

    def __init__(self) -> None:
        self.got: list[tuple[int, str, int]] = []
        self._arrived = asyncio.Event()

    def deliver(self, batch: DeliveryBatch) -> None:
        ids = [f"{run.id_prefix}{run.index + k}" for run in batch.runs for k in range(run.count)]
        attempts = batch.attributes.get("attempts") or [batch.attributes.get("attempt", 1)] * len(ids)
        numbers = range(batch.number, batch.number + len(ids))
        self.got.extend(zip(numbers, ids, attempts, strict=True))
        self._arrived.set()

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        self.got.extend(
            (run.sequence + k, f"{run.id_prefix}{run.index + k}", 0) for run in batch.runs for k in range(run.count)
        )
        self._arrived.set()

    def revoked(self, numbers: Any, reason: str) -> None: ...

    def ended(self, error: PostroadError) -> None: ...

    async def count(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.got) < count:
                self._arrived.clear()
                await self._arrived.wait()


class Desk:
    """An engine as a test uses it: every call waits for its outcome. ``tick`` makes the engine look at what is due."""

    def __init__(self, engine: EmbeddedEngine, clock: FakeClock, tick: Callable[[], None]) -> None:
        self.engine = engine
        self.clock = clock
        self._tick = tick

    async def publish(self, queue: str, bodies: list[bytes], **more: Any) -> Confirm:
        kind, producer = more.pop("kind", "queue"), more.pop("producer", None)
        batch = PublishBatch(queue=queue, kind=kind, sizes=[len(b) for b in bodies], bodies=b"".join(bodies),
                             attributes=more, producer=producer)  # fmt: skip
        confirm: Confirm = await self._done(lambda done: self.engine.publish(batch, done))
        return confirm

    async def consume(self, queue: str, prefetch: int = 1000, group: str | None = None) -> tuple[Sink, Any]:
        sink = Sink()
        spec = ConsumeSpec(queue=queue, group=group, consumer="worker", prefetch=prefetch)
        return sink, await self.engine.consume(spec, sink)

    async def settle(self, subscription: Any, **parts: Any) -> Settled:
        settled: Settled = await self._done(lambda done: subscription.settle(SettleBatch(**parts), done))
        return settled

    async def operate(self, do: str, **args: Any) -> dict[str, Any]:
        return await self.engine.operate(do, args)

    async def query(self, what: str, **args: Any) -> dict[str, Any]:
        found: dict[str, Any] = plain(await self.engine.query(what, args))
        return found

    async def pass_time(self, ms: int) -> None:
        """Move the clock, carry out what is due, and wait until that is durable."""
        self.clock.advance(ms)
        self._tick()
        await self.query("schedules")

    async def _done(self, call: Callable[[Callable[[Any], None]], None]) -> Any:
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call(outcome.set_result)
        result = await asyncio.wait_for(outcome, WAIT_S)
        if isinstance(result, PostroadError):
            raise result
        return result


async def everything(desk: Desk, ids: list[str]) -> dict[str, Any]:
    """All answers of a data folder that ``write_journals.py`` wrote. It publishes and takes leases at the end."""
    await desk.pass_time(1000)  # what has expired meanwhile may be settled at once, or within a second
    told = await answers(desk, ids)
    told["handed_out"] = await handed_out(desk)
    told["last_frames"] = {f"session-{n}": desk.engine.session_opened(f"session-{n}") for n in range(3)}
    told["duplicates"] = {}
    for kind, name, key in (("queue", "once", "first"), ("queue", "once", "k1"), ("topic", "orders.once", "t1")):
        confirm = await desk.publish(name, [ONCE], kind=kind, dedup_keys=[key])
        told["duplicates"][f"{name} {key}"] = list((confirm.duplicates or {}).values())
    replay = await desk.publish("numbered", [b"1", b"2", b"3"], producer=("session-1", 2))
    told["replayed"] = [replay.id_prefix, replay.count, replay.replayed]
    return told


async def answers(desk: Desk, ids: list[str]) -> dict[str, Any]:
    """All that queries tell: of queues, streams, schedules, bindings, every waiting message, and the messages ``ids``."""
    overview = await desk.query("overview")
    queues = [queue["name"] for queue in overview["queues"]]
    groups = [group["name"] for stream in overview["streams"] for group in stream["groups"]]
    told: dict[str, Any] = {
        "queues": {name: _lasting(await desk.query("queue", queue=name)) for name in (*queues, *groups)},
        "streams": {stream["name"]: _lasting(stream) for stream in overview["streams"]},
        "schedules": (await desk.query("schedules"))["schedules"],
        "bindings": (await desk.query("bindings"))["bindings"],
        "messages": {
            f"{name} {state}": await _browse(desk, name, state) for name in (*queues, *groups) for state in STATES
        },
        "stories": {},
    }
    for id in ids:
        try:
            told["stories"][id] = (await desk.query("message", message=id))["message"]
        except PostroadError as error:
            told["stories"][id] = {"error": error.code}
    return told


async def handed_out(desk: Desk) -> dict[str, Any]:
    """What readers and consumers get of each stream, queue and group, in order, ``[id, attempt]``; it takes leases."""
    overview = await desk.query("overview")
    read: dict[str, Any] = {}
    for stream in overview["streams"]:
        sink = Sink()
        reader = await desk.engine.read(ReadSpec(stream=stream["name"], start="earliest"), sink)
        await sink.count(stream["messages"])
        reader.cancel()
        read[stream["name"]] = [[offset, id] for offset, id, _ in sink.got]
    names = [(queue["name"], None) for queue in overview["queues"]]
    names += [tuple(group["name"].split("/")) for stream in overview["streams"] for group in stream["groups"]]
    consumed: dict[str, Any] = {}
    sinks = [(name, group, await desk.consume(name, group=group)) for name, group in names]
    await desk.pass_time(1000)  # each queue waits half a second for the holders of before
    for name, group, (sink, _) in sinks:
        queue = name if group is None else f"{name}/{group}"
        leased = (await desk.query("queue", queue=queue))["queue"]["leased"]
        await sink.count(leased)
        consumed[queue] = [[id, attempt] for _, id, attempt in sink.got]
    return {"read": read, "consumed": consumed}


async def _browse(desk: Desk, queue: str, state: str) -> list[Any]:
    rows: list[Any] = []
    after = -1
    while True:
        page = await desk.query("messages", queue=queue, state=state, after=after, limit=200)
        rows += page["messages"]
        if page["next"] is None:
            return rows
        after = page["next"]


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(item) for name, item in value.items() if name not in CHANGING}
    return [_lasting(item) for item in value] if isinstance(value, list) else value
