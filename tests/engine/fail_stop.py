"""A broker that something goes wrong in: an exception at any call inside encoding, applying and appending, and what must hold then."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType
from typing import Any

from engine_rig import Rig, Worker, turns
from postroad.broker.core.durable import snapshot
from postroad.broker.core.durable.state import State
from postroad.broker.core.format.codec import decode
from postroad.broker.core.machine import Machine
from postroad.broker.core.rules.context import COMMAND_BYTES, Context
from postroad.broker.engine.embedded.write.pipeline import CommitPipeline
from postroad.broker.engine.engine import Completion, Confirm, PublishBatch
from postroad.broker.errors import PostroadError, Unavailable
from postroad.broker.journal import Files, Journal, JournalOptions
from postroad.broker.testing import FakeClock, MemoryFiles

SEGMENT_BYTES = 256 * 1024
STEPS = 40
CLOSE_S = 20

_NEVER = frozenset(("__exit__", "setprofile"))
"""Calls that cannot fail: a lock is let go, and the profiler is ours."""


class Injected(Exception):
    """No error that anything could expect."""


class Injector:
    """Sees each call inside ``Context.commit`` (which encodes and applies) and ``CommitPipeline._append``, also those of C.

    Args:
        at: Raise at this call, counted from 1; 0: at none.
        rules: See each call inside ``Machine.handle`` too: all that decides.

    Attributes:
        sites: Of all calls so far: file, line and what is called.
    """

    def __init__(self, at: int = 0, *, rules: bool = False) -> None:
        self.at = at
        self.rules = rules
        self.sites: list[str] = []
        self.is_armed = False
        self.has_raised = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        commit, append, handle = Context.commit, CommitPipeline._append, Machine.handle
        Context.commit = self._seen(commit)  # type: ignore[method-assign]
        CommitPipeline._append = self._seen(append)  # type: ignore[method-assign]
        if self.rules:
            Machine.handle = self._seen(handle)  # type: ignore[method-assign]
        try:
            yield
        finally:
            Context.commit, CommitPipeline._append = commit, append  # type: ignore[method-assign]
            Machine.handle = handle  # type: ignore[method-assign]

    def _seen(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def seen(*args: Any) -> Any:
            before = sys.getprofile()
            if not self.is_armed or self.has_raised or before is not None:
                return call(*args)
            sys.setprofile(self._profile)
            try:
                return call(*args)
            finally:
                sys.setprofile(None)

        return seen

    def _profile(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            if (
                frame.f_code.co_flags & CO_GENERATOR
            ):  # it may be its end that nobody waits for: what is raised there is lost
                return
            caller, name = frame.f_back, frame.f_code.co_name
        elif event == "c_call" and called.__name__ not in _NEVER:
            caller, name = frame, called.__name__
        else:
            return
        where = f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}" if caller is not None else ""
        self.sites.append(f"{where}:{name}")
        if len(self.sites) == self.at:
            self.has_raised = True
            raise Injected


@dataclass
class Run:
    """Some random commands on a broker of its own.

    Attributes:
        known: Ids whose publish was confirmed. done: ids whose ack was. copied: ids that more than one queue has.
        before: The durable state before each command, as a snapshot.
        refused: The command in which it was raised did not end the broker. is_intact: The state after it was that before it.
    """

    seed: int
    injector: Injector
    rig: Rig = field(default_factory=lambda: Rig(MemoryFiles(), FakeClock(), segment_bytes=SEGMENT_BYTES))
    known: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    copied: set[str] = field(default_factory=set)
    before: list[bytes] = field(default_factory=list)
    refused: bool = False
    is_intact: bool = True

    async def carry_out(self) -> None:
        """Until the end, or until the broker ends. What raises in between is the broker's business, and checked by ``check``."""
        rng, rig = random.Random(self.seed), self.rig
        await rig.start()
        engine = rig.engine
        await engine.declare("q", {"lease_ms": 2000, "attempts_max": 2, "backoff_ms": 300})
        await engine.declare("full", {"length_max": 5, "overflow": "dead_letter"})
        await engine.declare("s", {"retention_count": 20}, kind="stream")
        await engine.declare("s", {}, kind="stream", group="g", start="earliest")
        for target in ("q", "full"):
            await engine.operate("bind", {"topic": "t.*", "queue": target})
        message = {"body": 1, "headers": {"a": "1"}}
        await engine.operate("schedule", {"schedule": "c", "queue": "q", "message": message, "every_ms": 5000})
        workers = [await rig.consume("q", prefetch=5), await rig.consume("full", prefetch=2)]
        with self._watched():
            self.injector.is_armed = True
            for step in range(STEPS):
                if not engine.healthy:
                    break
                try:
                    async with asyncio.timeout(CLOSE_S):
                        await self._step(rng, workers, step)
                except PostroadError:
                    pass
            self.injector.is_armed = False

    @contextmanager
    def _watched(self) -> Iterator[None]:
        execute = CommitPipeline.execute

        def watched(pipeline: CommitPipeline, *args: Any, **more: Any) -> Any:
            if pipeline.failed is not None:
                return execute(pipeline, *args, **more)
            raised = self.injector.has_raised
            self.before.append(state_of(pipeline._machine))
            held = volatile(pipeline._machine)
            try:
                return execute(pipeline, *args, **more)
            finally:
                if self.injector.has_raised and not raised:
                    self.refused = pipeline.failed is None
                    self.is_intact = (
                        half_done(pipeline._machine, self.rig.clock.now_ms()) == self.before[-1:]
                        and volatile(pipeline._machine) == held
                    )

        CommitPipeline.execute = watched  # type: ignore[method-assign]
        try:
            yield
        finally:
            CommitPipeline.execute = execute  # type: ignore[method-assign]

    async def _step(self, rng: random.Random, workers: list[Worker], step: int) -> None:
        rig, engine = self.rig, self.rig.engine
        worker = rng.choice(workers)
        match rng.randrange(13):
            case 0 | 1:
                more: dict[str, Any] = rng.choice([
                    {}, {"priority": 3}, {"delay_ms": 500}, {"keys": ["a", "b", None]}, {"expire_ms": 700},
                    {"dedup_keys": ["x", f"y{step}", None]}, {"headers": {"h": "1"}}, {"producer": ("p", step + 1)},
                ])  # fmt: skip
                await self._publish([b"1", b"22", b""], rng.choice(["q", "full"]), **more)
            case 2:
                await self._publish([b"x" * 2000], rng.choice(["t.a", "t.b"]), kind="topic")
            case 3:
                await self._publish([b"s"] * 15, "s", kind="stream", expires_ms=[None] * 14 + [600])
            case 4 | 5:
                await self._ack(worker, rng)
            case 6:
                await self._nack(worker, rng)
            case 7:
                await self._complete(worker, step)
            case 8:
                rig.pass_time(rng.choice([50, 400, 1000, 3000]))
            case 9:
                await engine.operate(rng.choice(["pause", "resume"]), {"queue": "q"})
            case 10:
                await self._operate(rng)
            case 11:
                await engine.declare("full", {"length_max": rng.randint(1, 6)}, update=True)
            case _:
                at = workers.index(worker)
                worker.subscription.detach()
                workers[at] = await rig.consume(["q", "full"][at], prefetch=4)
        await turns(5)

    async def _publish(self, bodies: list[bytes], queue: str, **more: Any) -> None:
        confirm = await self._answered(self.rig.send(bodies, queue, **more))
        if isinstance(confirm, Confirm):
            duplicates = confirm.duplicates or {}
            ids = [f"{confirm.id_prefix}{index}" for index in range(confirm.count) if index not in duplicates]
            self.known += ids
            if more.get("kind") == "topic":
                self.copied.update(ids)

    async def _answered(self, outcome: list[Any]) -> Any:
        await self.rig.changed.until(lambda: outcome or not self.rig.engine.healthy)
        if outcome and isinstance(outcome[0], PostroadError):
            raise outcome[0]
        return outcome[0] if outcome else None

    def _free(self, worker: Worker) -> list[int]:
        """Numbers that the worker has and has not spoken of."""
        spoken: set[int] = worker.__dict__.setdefault("spoken", set())
        return [number for number in worker.ids if number not in spoken]

    async def _ack(self, worker: Worker, rng: random.Random) -> None:
        numbers = self._free(worker)[: rng.randint(1, 3)]
        if numbers:
            worker.__dict__["spoken"].update(numbers)
            settled = await self.rig.settle(worker, acks=[(numbers[0], numbers[-1])])
            lost = {number for first, last in (*settled.lost, *settled.settled) for number in range(first, last + 1)}
            if numbers[-1] - numbers[0] == len(numbers) - 1:
                self.done += [worker.ids[number] for number in numbers if number not in lost]

    async def _nack(self, worker: Worker, rng: random.Random) -> None:
        for number in self._free(worker)[:1]:
            worker.__dict__["spoken"].add(number)
            await self.rig.nack(worker, number, reason=rng.choice(["bad", None]), dead=rng.random() < 0.5)

    async def _complete(self, worker: Worker, step: int) -> None:
        for number in self._free(worker)[:1]:
            worker.__dict__["spoken"].add(number)
            publish = PublishBatch(queue="after", sizes=[1], bodies=b"1", attributes={"priority": 2})
            done = Completion(number=number, result=b'{"n":%d}' % step, publishes=[publish])
            await self.rig.settle(worker, completions=[done])

    async def _operate(self, rng: random.Random) -> None:
        engine = self.rig.engine
        match rng.randrange(5):
            case 0:
                await engine.operate("redrive", {"queue": rng.choice(["q.dead", "full.dead"])})
            case 1:
                await engine.operate("schedule_run", {"schedule": "c"})
            case 2 if self.known:
                await engine.operate("cancel", {"message": rng.choice(self.known)})
            case 3:
                await engine.operate("purge", {"queue": "after"})
            case _:
                await engine.operate("replay", {"stream": "s", "queue": "copies"})

    async def check(self) -> MemoryFiles:
        """What must hold, whatever was raised; returns the files as they are after the end."""
        rig, engine = self.rig, self.rig.engine
        machine, at = engine._machine, rig.clock.now_ms()
        assert self.is_intact or not self.refused, "what was refused has changed something"
        if engine.healthy:
            assert self.refused == self.injector.has_raised, "what was raised was lost"
            assert engine._journal.position == machine.state.position, "core and journal came apart"
            expected = [state_of(machine)]
        else:
            assert self.injector.has_raised, "the broker ended for nothing"
            assert not self.refused, "it did not end at once"
            assert rig.failures == 1
            assert isinstance(rig.send([b"later"])[0], Unavailable), "something was taken after the end"
            expected = [*self.before, *half_done(machine, at)]
        if engine.healthy:
            await engine._pipeline.all_durable()
        files = rig.crashed().files
        assert isinstance(files, MemoryFiles)
        async with asyncio.timeout(CLOSE_S):
            await engine.close()

        now = replayed(files.copy(), at)
        assert any(now == settled(data, at) for data in reversed(expected)), "no command ended in this state"
        again = Rig(files.copy(), rig.clock, segment_bytes=SEGMENT_BYTES)
        await again.start()
        async with asyncio.timeout(CLOSE_S):
            for id in self.known:
                await again.message(id)
            for id in set(self.done) - self.copied:
                assert (await again.message(id))["state"] == "done", id
            await again.publish([b"it serves"], "fresh")
            await again.engine.close()
        return files


def volatile(machine: Any) -> str:
    """Who consumes, and what each holds."""
    return repr([
        (sub.id, [getattr(sub, name) for name in VOLATILE], [repr(lease) for lease in sub.leases], list(sub.settled))
        for _, sub in sorted(machine.subscriptions.items())
    ] + [
        (number, sorted(runtime.consumers), runtime.leased, runtime.held_until)
        for number, runtime in sorted(machine.runtimes.items())
        if runtime.consumers or runtime.leased
    ])  # fmt: skip


VOLATILE = ("begun", "prefetch", "stalled", "ended", "detached_at", "next_number", "is_silent")


def state_of(machine: Any) -> bytes:
    data: bytes = snapshot.take(machine.state, machine.leased_runs())[1]
    return data


def half_done(machine: Any, at: int) -> list[bytes]:
    """The state after a command that failed: whole if it failed when all of it was appended, else it may be no state at all."""
    try:
        data = state_of(machine)
        settled(data, at)
    except Exception:  # noqa: BLE001 - whatever: then nothing on disk may be like it
        return []
    return [data]


def settled(data: bytes, at: int) -> bytes:
    """The same, with all that is due moved."""
    return _settled(snapshot.restore(data), at)


def replayed(files: Files, at: int) -> bytes:
    """What the records on disk say, as a start reads them."""
    journal = Journal(files, JournalOptions(segment_bytes=SEGMENT_BYTES), post=lambda callback: None)
    recovered = journal.open()
    state = snapshot.restore(recovered.snapshot) if recovered.snapshot is not None else State()
    for position, header in journal.records():
        state.apply(decode(header), position)
    journal.close()
    return _settled(state, at)


def _settled(state: State, at: int) -> bytes:
    for queue in state.logs.values():
        queue.group.come_due(at)
    return snapshot.take(state, {})[1]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def run_with(seed: int, at: int, *, rules: bool = False) -> tuple[Run, MemoryFiles]:
    """One run that raises at its ``at``-th call (0: at none), checked."""
    injector = Injector(at, rules=rules)
    run = Run(seed, injector)
    with injector.installed():
        await run.carry_out()
        files = await run.check()
    return run, files


def write_out(files: MemoryFiles, folder: Path) -> None:
    """The same as a real folder."""
    folder.mkdir()
    for name in files.list():
        content = bytes(files.content(name))
        with (folder / name).open("wb") as file:
            file.write(content.rstrip(b"\0"))
            file.truncate(len(content))


@contextmanager
def exact_room() -> Iterator[None]:
    """Each command that says what it needs of the journal finds exactly that, and not a byte more."""
    execute = CommitPipeline.execute

    def watched(pipeline: CommitPipeline, command: object, size: int = COMMAND_BYTES, **more: Any) -> Any:
        journal = pipeline._journal
        if size:
            journal.room = lambda: (size, size)  # type: ignore[method-assign]
        try:
            return execute(pipeline, command, size, **more)
        finally:
            journal.__dict__.pop("room", None)

    CommitPipeline.execute = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        CommitPipeline.execute = execute  # type: ignore[method-assign]
