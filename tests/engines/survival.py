"""What must survive the death of the other broker, and of a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from desk import Desk, Inbox, ids, running
from postroad.broker.engine.engine import Confirm, Engine
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import Unavailable
from servers import Server

AGAIN_S = 60
"""A wait that ends in failure. The promises are an answer in 2 s and a return in 10 s, on a machine and a disk that are not busy; what they were
is in the figures, for no figure of a shared machine can tell a slow backend from a slow neighbour."""

ROUNDS = int(os.environ.get("POSTROAD_KILL_ROUNDS", "3"))
CRASH_TIMEOUT_S = 120 + 60 * ROUNDS


class Load:
    """A producer and a consumer that go on through everything, and what they were promised.

    Args:
        group: ``queue`` is a stream, and this the group that consumes it.
        final: An ack that is answered "lost" did not happen; else it may have, if the engine was lost just then.
    """

    def __init__(self, engine: Engine, queue: str = "load", *, group: str | None = None, final: bool = True) -> None:
        self.desk = Desk(engine)
        self.queue = queue
        self.group = group
        self.final = final
        self.confirmed: dict[str, bytes] = {}
        self.acked: set[str] = set()
        self.perhaps_acked: set[str] = set()
        self.again_after_ack: list[str] = []
        self.refused = 0
        self.slowest_s = 0.0
        self.inbox: Inbox
        self._stop = False
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        if self.group is not None:
            await self.desk.engine.declare(self.queue, {}, kind="stream")
        self.inbox = await self.desk.consume(self.queue, prefetch=200, group=self.group, start="earliest")
        self._tasks = [asyncio.create_task(self._produce()), asyncio.create_task(self._consume())]

    async def _produce(self) -> None:
        frame = 0
        while not self._stop:
            frame += 1
            bodies = [b"%d-%d" % (frame, index) for index in range(10)]
            confirm = await self._until_confirmed(frame, bodies)
            self.confirmed.update(zip(ids(confirm), bodies, strict=True))

    async def _until_confirmed(self, frame: int, bodies: list[bytes]) -> Confirm:
        while True:
            began = time.monotonic()
            try:
                kind = "queue" if self.group is None else "stream"
                return await self.desk.publish(self.queue, *bodies, kind=kind, producer=("load", frame))
            except Unavailable:
                self.refused += 1
                await asyncio.sleep(0.05)  # as a client backs off
            finally:
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def _consume(self) -> None:
        seen = 0
        while True:
            try:
                fresh = await self.inbox.fresh(seen)
            except TimeoutError:
                continue
            seen += len(fresh)
            self.again_after_ack += [message.id for message in fresh if message.id in self.acked]
            try:
                settled = await self.inbox.ack(*(message.number for message in fresh))
            except (Unavailable, TimeoutError):
                self.perhaps_acked |= {message.id for message in fresh}
            else:
                lost = {number for first, last in settled.lost for number in range(first, last + 1)}
                self.acked |= {message.id for message in fresh if message.number not in lost}
                if not self.final:
                    self.perhaps_acked |= {message.id for message in fresh if message.number in lost}

    async def confirmed_more(self, count: int) -> None:
        """Wait until so many more were confirmed."""
        wanted = len(self.confirmed) + count
        await self._until(lambda: len(self.confirmed) >= wanted)

    async def refused_more(self, count: int) -> None:
        """Wait until so many more publishes were answered ``unavailable``."""
        wanted = self.refused + count
        await self._until(lambda: self.refused >= wanted)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(AGAIN_S):
            while not condition():
                for task in self._tasks:
                    if task.done():
                        await task  # says what it died of
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Stop producing; wait until all that was confirmed is acked, or AGAIN_S passed without another one."""
        self._stop = True
        await asyncio.wait([self._tasks[0]], timeout=AGAIN_S)
        with contextlib.suppress(TimeoutError):
            while missing := self.missing:
                async with asyncio.timeout(AGAIN_S):
                    while len(self.missing) == len(missing):
                        await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()

    @property
    def missing(self) -> list[str]:
        """Confirmed, and never seen through. What was perhaps acked was delivered, at least."""
        return [id for id in self.confirmed if id not in self.acked and id not in self.perhaps_acked]

    def figures(self) -> str:
        return (
            f"{len(self.confirmed)} confirmed, {len(self.missing)} lost, {len(self.again_after_ack)} again after ack, "
            f"slowest answer {self.slowest_s:.2f} s"
        )


async def survives_a_crash(
    engine: Engine, server: Server, *, final: bool, rounds: int = ROUNDS, group: str | None = None
) -> None:
    """Nothing confirmed is lost when the other broker is killed under load, and all goes on by itself.

    Args:
        final: A confirmed ack is final even then.
        rounds: How often it is killed; ``POSTROAD_KILL_ROUNDS`` of the environment.
        group: Of a stream that takes the place of the queue.
    """
    load = Load(engine, group=group, final=final)
    slowest_return = 0.0
    await load.begin()
    for _ in range(rounds):
        await load.confirmed_more(500)
        server.kill()
        await load.refused_more(2)
        assert not engine.healthy
        await server.restart()
        began = time.monotonic()
        await load.confirmed_more(100)
        slowest_return = max(slowest_return, time.monotonic() - began)
        assert engine.healthy
    await load.end()
    what = engine.name if group is None else f"{engine.name}, a stream"
    print(f"figures  {what}: killed {rounds} times, {load.figures()}, slowest return {slowest_return:.2f} s")
    assert load.missing == []
    bodies = {message.id: message.body for message in load.inbox.got}
    assert all(bodies[id] == body for id, body in load.confirmed.items())
    if final:
        assert load.again_after_ack == []


async def survives_alone(server: Server, durability: str, *, group: str | None = None) -> None:
    """``survives_a_crash`` on a server of its own, stopped for good at the end; a confirmed ack is final."""
    server.start()
    try:
        engine = open_engine(server.url, data="")
        async with running(engine):
            assert engine.durability == durability
            await survives_a_crash(engine, server, final=True, group=group)
    finally:
        server.stop()


async def survives_a_stall(engine: Engine, server: Server) -> None:
    """While the other broker hangs publishes are refused; when it answers again all goes on."""
    load = Load(engine, "stall")
    await load.begin()
    await load.confirmed_more(100)
    server.freeze()
    try:
        await load.refused_more(2)
    finally:
        server.thaw()
    await load.confirmed_more(100)
    await load.end()
    assert load.missing == []


async def a_gateway_dies(url: str, engine: Engine, count: int = 10_000, frame: int = 500) -> None:
    """Of messages shared by two gateways none is lost when one is killed, and none acked there comes again."""
    desk = Desk(engine)
    await engine.declare("shared", {})
    command = [sys.executable, str(Path(__file__).with_name("other_gateway.py")), url, "shared"]
    other = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert other.stdout is not None
    try:
        assert (await other.stdout.readline()).strip() == b"ready"
        published: list[str] = []
        acked_there: set[str] = set()
        asked_there: set[str] = set()
        inbox = await desk.consume("shared", prefetch=500)
        for first in range(0, count, frame):
            confirm = await desk.publish("shared", *(b"%d" % at for at in range(first, first + frame)))
            published += ids(confirm)
            if first >= count // 2 and other.returncode is None:
                lines = [await other.stdout.readline()]
                while lines[-1].startswith(b"?"):
                    lines.append(await other.stdout.readline())
                other.kill()
                await other.wait()
                lines += (await other.stdout.read()).splitlines()
                acked_there |= {line.strip().decode() for line in lines if not line.startswith(b"?")}
                asked_there |= {line[1:].strip().decode() for line in lines if line.startswith(b"?")}
            await inbox.ack_all() if inbox.got else None
    finally:
        if other.returncode is None:
            other.kill()
            await other.wait()
    settled, here = 0, {message.id for message in inbox.got}
    async with asyncio.timeout(AGAIN_S):
        while not set(published) <= here | asked_there:
            settled += len(await inbox.fresh(settled))
            await inbox.ack_all()
            here = {message.id for message in inbox.got}
    await inbox.ack_all()
    assert acked_there, "the other gateway had its share"
    await desk.counts("shared", ready=0, leased=0)


async def both_see_the_same(one: Engine, two: Engine) -> None:
    """Browsers on either gateway see the same live events, in the same order; messages go to either."""
    here, there = Desk(one), Desk(two)
    await one.declare("q", {})
    await there.stats("q")
    log, mirror = await here.watch(queue="q"), await there.watch(queue="q")
    inbox = await there.consume("q", prefetch=100)
    confirms = [await here.publish("q", b"%d" % at) for at in range(20)]
    confirms += [await there.publish("q", b"%d" % at) for at in range(20)]
    await inbox.count(40)
    await inbox.ack_all()
    for watcher in (log, mirror):
        await watcher.until(lambda watcher=watcher: "acked" in watcher.kinds("q"))
    assert log.seen == mirror.seen
    assert sum(event["count"] for event in log.seen if event["kind"] == "published") == 40
    message = ids(confirms[0])[0]
    if one.capabilities.timeline != "unsupported":
        shown = [(await engine.query("message", {"message": message}))["message"] for engine in (one, two)]
        assert [found["state"] for found in shown] == ["done", "done"]
    await two.operate("pause", {"queue": "q"})
    async with asyncio.timeout(AGAIN_S):
        while not (await here.stats("q"))["paused"]:
            await asyncio.sleep(0.01)


class Survival:
    """What holds when a server or a gateway dies, the same on each of the other brokers.

    A subclass gives ``server``, running, and a URL ``nowhere`` at which none listens; ``dying`` are further options of a gateway that
    will be killed.
    """

    nowhere: ClassVar[str]
    dying: ClassVar[str] = ""

    async def test_a_stall_of_the_server_stops_nobody_for_long(self, server: Server) -> None:
        engine = open_engine(f"{server.url}?prefix=stall.", data="")
        async with running(engine):
            await survives_a_stall(engine, server)

    async def test_a_gateway_dies_and_nothing_is_lost(self, server: Server) -> None:
        url = f"{server.url}?prefix=dying.{self.dying}"
        engine = open_engine(url, data="")
        async with running(engine):
            await a_gateway_dies(url, engine)

    async def test_two_gateways_are_one(self, server: Server) -> None:
        url = f"{server.url}?prefix=two."
        one, two = open_engine(url, data=""), open_engine(url, data="")
        async with running(one, two):
            await both_see_the_same(one, two)

    async def test_a_server_that_is_not_there_is_said_so(self) -> None:
        engine = open_engine(self.nowhere, data="")
        with pytest.raises(Unavailable):
            await engine.start()
