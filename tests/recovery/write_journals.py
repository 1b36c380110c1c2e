"""Writes ``journals/``: data folders of a release with everything in them, and what that release answers about them.

    .venv/bin/python tests/recovery/write_journals.py NAME

Run it in a checkout of the release, ``NAME`` being its commit or version: it makes ``journals/NAME-…`` for each of ``ENDINGS``, a
``.tar.xz`` of the folder and an ``.expected.json.xz``. Each phase is a process of its own, so a kill is a kill.
"""

from __future__ import annotations

import asyncio
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from journal_answers import ONCE, Desk, everything
from postroad.broker.core.format.command import Tick
from postroad.broker.engine.embedded import EmbeddedEngine
from postroad.broker.engine.engine import Completion, Nack, PublishBatch
from postroad.broker.journal import JournalOptions, RealFiles
from postroad.broker.testing import FakeClock

JOURNALS = Path(__file__).parent / "journals"
START_MS = 1_700_000_000_000
PHASE_MS = 20_000
SEGMENT_BYTES = 128 * 1024
TORN_BYTES = 40

ENDINGS = {
    "killed": ("kill", "kill", "kill"),
    "stopped": ("stop", "stop", "stop"),
    "snapshot-and-killed": ("stop", "kill", "kill"),
    "torn": ("kill", "kill", "kill", "tear"),
}
"""How each phase ends. ``killed`` has no snapshot; ``stopped`` a snapshot of all; the third a snapshot and records after it;
``torn`` has records only, and the last batch is cut short."""


def opened(folder: Path, at_ms: int) -> tuple[EmbeddedEngine, Desk]:
    options = JournalOptions(segment_bytes=SEGMENT_BYTES, mark_ms=3_600_000)
    clock = FakeClock(at_ms)
    engine = EmbeddedEngine(RealFiles(folder), options, clock=clock)
    return engine, Desk(engine, clock, lambda: engine.execute(Tick()))


def opens_at(phases: int) -> int:
    """When the folder is opened to be asked: within a minute of its last record."""
    return START_MS + phases * PHASE_MS


class Phase:
    """One life of the broker; ``n`` counts from 0. ``ids``: messages to ask about later."""

    def __init__(self, desk: Desk, n: int) -> None:
        self.desk = desk
        self.n = n
        self.ids: list[str] = []

    async def put(self, queue: str, count: int, size: int = 20, **more: Any) -> list[str]:
        bodies = [f'{{"n":{i},"of":"{queue}"'.encode().ljust(size) + b"}" for i in range(count)]
        confirm = await self.desk.publish(queue, bodies, **more)
        return [f"{confirm.id_prefix}{i}" for i in range(count)]

    def note(self, ids: list[str]) -> None:
        self.ids.extend(ids)

    async def declare_all(self) -> None:
        declare = self.desk.engine.declare
        await declare("work", {"attempts_max": 2, "backoff_ms": 40_000, "lease_ms": 5_000})
        await declare("keyed", {"attempts_max": 3, "backoff_ms": 300_000})
        await declare("expiring", {"expire_ms": 3_600_000})
        await declare("oldest", {"length_max": 5, "overflow": "drop_oldest"})
        await declare("overflowing", {"bytes_max": 200, "overflow": "dead_letter", "dead_letter": "graveyard"})
        await declare("dropping", {"dead_letter": None, "attempts_max": 1})
        await declare("full", {"length_max": 2})
        await declare("slow", {"rate_max": 1000, "concurrency_max": 3})
        await declare("log", {"retention_count": 60}, kind="stream")
        await declare("latest", {"compaction": True, "tombstone_ms": 10_000, "retention_count": 5}, kind="stream")
        await declare("kept", {"keep_until_acked": True, "retention_count": 10}, kind="stream")
        await declare("log", {}, group="all", start="earliest")
        await declare("log", {"attempts_max": 1}, group="dying", start="earliest")
        await declare("log", {"expire_ms": 7_200_000}, group="reset", start="latest")
        await declare("kept", {}, group="behind", start="earliest")
        bind = self.desk.operate
        await declare("copies", {})
        await declare("eu", {})
        await bind("bind", topic="orders.*", queue="copies")
        await bind("bind", topic="orders.#", stream="log")
        await bind(
            "bind",
            topic="orders.created",
            queue="eu",
            headers={"match": "all", "values": {"region": "eu", "kind": "a"}},
        )
        await bind(
            "bind", topic="orders.created", queue="copies", headers={"match": "any", "values": {"x": "1", "y": "2"}}
        )
        schedule = self.desk.operate
        message = {"body": {"from": "schedule"}, "headers": {"h": "1"}}
        await schedule("schedule", schedule="every", queue="plain", every_ms=15_000, message=message)
        await schedule(
            "schedule", schedule="cron", topic="orders.tick", cron="*/5 * * * *", zone="Europe/Prague", message=message
        )
        await schedule(
            "schedule",
            schedule="paused",
            stream="log",
            every_ms=9_000,
            message={"body": "aGk=", "type": "bytes"},
            paused=True,
        )
        await schedule(
            "schedule", schedule="refused", queue="full", every_ms=7_000, message={"body": "x", "type": "text"}
        )
        await schedule("schedule", schedule="gone", queue="plain", every_ms=60_000, message=message)
        await schedule("schedule_delete", schedule="gone")

    async def run(self) -> None:
        desk = self.desk
        if self.n == 0:
            await self.declare_all()
        await self.plain()
        await self.failures()
        await self.keys()
        await self.topics()
        await self.streams()
        await self.dedup_and_sessions()
        await self.operations()
        await desk.pass_time(8_000)  # schedules fire, leases end
        await self.put("plain", 2)

    async def plain(self) -> None:
        self.note((await self.put("plain", 30))[:2])
        for _ in range(12):
            await self.put("plain", 1, size=50)
        self.note(
            (await self.put("mixed", 10, priorities=[0, 9, None, 3, 3, 0, 9, 1, 0, 5], types=["json"] * 9 + ["text"]))[
                :3
            ]
        )
        self.note((await self.put("mixed", 4, delay_ms=3_600_000 + self.n, priority=2))[:1])
        await self.put("mixed", 6, delays_ms=[0, 100, 90_000, 14 * 86_400_000, 5, 90_000])
        # One that has expired when the folder is opened has no time of its own: releases settle it at once, or a little later.
        self.note((await self.put("expiring", 4, expires_ms=[None, 5_000, 86_400_000, None]))[: 2 if self.n < 2 else 1])
        await self.put("oldest", 4)
        await self.put("overflowing", 3, size=40)
        await self.put("slow", 5, headers={"tenant": "t1"}, type="text")
        if self.n == 0:
            await self.put("full", 2)

    async def failures(self) -> None:
        desk = self.desk
        ids = await self.put(
            "work", 16, priorities=[k % 3 for k in range(16)], headers=[{"k": str(k)} for k in range(16)]
        )
        sink, subscription = await desk.consume("work")
        await desk.pass_time(600)  # the queue waits for holders of before
        await sink.count(len(ids))
        numbers = [number for number, _, _ in sink.got]
        nacks = [Nack(first=n, last=n, reason=reason, delay_ms=delay, dead=dead) for n, reason, delay, dead in (
            (numbers[0], "one reason", None, False), (numbers[1], "another reason", 500_000, False),
            (numbers[2], "dead at once", None, True), (numbers[3], "a third: ž", None, True), (numbers[4], "dead at once", None, True),
            (numbers[5], None, 0, False),
        )]  # fmt: skip
        await desk.settle(subscription, nacks=nacks, begun=numbers[8])
        await desk.settle(subscription, acks=[(numbers[6], numbers[6])])
        publish = PublishBatch(queue="plain", sizes=[9], bodies=b'{"r":[1]}', attributes={})
        done = [Completion(number=numbers[7], result=b'{"total":12,"list":[1,2.5,null]}', publishes=[publish]),
                Completion(number=numbers[8], result=b'"plain result"', others=[(numbers[9], b"3")])]  # fmt: skip
        await desk.settle(subscription, completions=done)
        self.note(ids)
        await desk.pass_time(6_000)  # what is left expires: attempts of those that had begun
        subscription.detach()
        await desk.pass_time(600)
        doomed = await self.put("dropping", 2)
        sink, subscription = await desk.consume("dropping")
        await desk.pass_time(600)
        await sink.count(1)
        await desk.settle(subscription, nacks=[Nack(first=sink.got[0][0], last=sink.got[0][0], reason="dropped")])
        subscription.cancel()
        self.note(doomed)

    async def keys(self) -> None:
        desk = self.desk
        ids = await self.put("keyed", 8, keys=["a", "b", "a", None, "c", "a", "b", "c"])
        sink, subscription = await desk.consume("keyed")
        await desk.pass_time(600)
        await sink.count(2)
        first = sink.got[0][0]
        await desk.settle(subscription, nacks=[Nack(first=first, last=first, reason="held key", delay_ms=400_000)])
        await desk.settle(subscription, acks=[(sink.got[1][0], sink.got[1][0])])
        subscription.cancel()
        self.note(ids)

    async def topics(self) -> None:
        self.note(await self.put("orders.created", 4, kind="topic", headers=[
            {"region": "eu", "kind": "a"}, {"region": "us"}, {"x": "1"}, {"region": "eu", "kind": "a", "y": "2"},
        ]))  # fmt: skip
        await self.put("orders.paid.late", 2, kind="topic")
        await self.put("nobody.listens", 1, kind="topic")

    async def streams(self) -> None:
        desk = self.desk
        self.note((await self.put("log", 25, kind="stream"))[:2])
        for _ in range(5):
            await self.put("log", 1, kind="stream", size=80, key="k")
        await self.put("log", 3, kind="stream", expires_ms=[None, 3_000, 90_000_000])
        await self.put("kept", 8, kind="stream")
        keys = ["a", "b", None, "c", "a", f"only{self.n}"]
        await self.put("latest", len(keys), kind="stream", keys=keys)
        await desk.publish(
            "latest", [b"", b'{"x":1}'], kind="stream", keys=["b", "d"], headers=[{"postroad-tombstone": "1"}, {}]
        )
        sink, subscription = await desk.consume("log", group="all", prefetch=20)
        await desk.pass_time(600)
        await sink.count(12)
        numbers = [number for number, _, _ in sink.got]
        await desk.settle(
            subscription, acks=[(numbers[0], numbers[2]), (numbers[5], numbers[5]), (numbers[8], numbers[9])]
        )
        await desk.settle(
            subscription, nacks=[Nack(first=numbers[3], last=numbers[3], reason="group", delay_ms=100_000)]
        )
        subscription.cancel()
        sink, subscription = await desk.consume("log", group="dying", prefetch=3)
        await desk.pass_time(600)
        await sink.count(3)
        numbers = [number for number, _, _ in sink.got]
        await desk.settle(subscription, nacks=[Nack(first=numbers[0], last=numbers[1], reason="died in a group")])
        subscription.cancel()
        await desk.operate("reset", stream="log", group="reset", to="earliest" if self.n % 2 else "latest")
        await desk.operate("replay", stream="log", first=20, last=50, queue="replayed")
        sink, subscription = await desk.consume("kept", group="behind", prefetch=4)
        await desk.pass_time(600)
        await sink.count(4)
        await desk.settle(subscription, acks=[(sink.got[1][0], sink.got[2][0])])
        subscription.cancel()

    async def dedup_and_sessions(self) -> None:
        desk = self.desk
        for frame in (1, 2, 3):
            desk.engine.session_opened(f"session-{self.n}")
            await self.put("numbered", 3, producer=(f"session-{self.n}", frame + self.n))
        once = await desk.publish("once", [ONCE] * 3, dedup_keys=["first", f"k{self.n}", None])
        self.note([f"{once.id_prefix}{index}" for index in range(3) if index not in (once.duplicates or {})])
        await desk.publish("orders.once", [ONCE] * 2, kind="topic", dedup_keys=["t1", f"t{self.n}"])

    async def operations(self) -> None:
        desk = self.desk
        dead = (await desk.query("messages", queue="work.dead", state="dead"))["messages"]
        await desk.operate("edit", queue="work.dead", message=dead[0]["id"], **{"with": {"body": {"mended": self.n}}})
        await desk.operate("redrive", queue="work.dead", messages=[dead[1]["id"]])
        self.note([dead[0]["id"], dead[1]["id"]])
        purged = await self.put("purged", 3)
        await desk.operate("discard", queue="purged", messages=purged[:1])
        await desk.operate("cancel", message=purged[1])
        await desk.operate("purge", queue="purged")
        self.note(purged)
        await self.put("standing", 3)
        await desk.operate("pause", queue="standing", reason="maintenance ž")
        await desk.engine.declare(f"deleted-{self.n}", {"attempts_max": 1})
        gone = await self.put(f"deleted-{self.n}", 4)
        sink, subscription = await desk.consume(f"deleted-{self.n}")
        await sink.count(4)
        await desk.settle(subscription, nacks=[Nack(first=1, last=2, reason="died, then its queue was deleted")])
        await desk.engine.delete(f"deleted-{self.n}")
        await self.put(f"brook-{self.n}", 3, kind="stream")
        await desk.engine.declare(f"brook-{self.n}", {}, group="g", start="earliest")
        await desk.engine.delete(f"brook-{self.n}")
        self.note(gone)
        await desk.engine.declare("slow", {"rate_max": 2000 + self.n}, update=True)
        await desk.operate("schedule_run", schedule="paused")


async def run_phase(folder: Path, n: int, end: str) -> None:
    engine, desk = opened(folder, START_MS + n * PHASE_MS)
    await engine.start()
    if end == "tear":
        await desk.publish("plain", [b'"the last batch"'])
    else:
        phase = Phase(desk, n)
        await phase.run()
        (folder.parent / f"ids-{n}.json").write_text(json.dumps(phase.ids))
    if end != "stop":
        os._exit(0)
    await engine.close()


def tear(folder: Path) -> None:
    """Overwrite the last bytes that were written with zeros, as a power cut may leave them."""
    for segment in sorted(folder.iterdir(), reverse=True):
        data = segment.read_bytes()
        used = len(data.rstrip(b"\0"))
        if segment.suffix == ".segment" and b"the last batch" in data:
            segment.write_bytes(data[: used - TORN_BYTES].ljust(len(data), b"\0"))
            return
    raise SystemExit("the last batch was not found")


async def expected(folder: Path, phases: int, ids: list[str]) -> dict[str, Any]:
    engine, desk = opened(folder, opens_at(phases))
    await engine.start()
    told = await everything(desk, ids)
    await engine.close()
    return told


def write(name: str) -> None:
    for ending, phases in ENDINGS.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "data"
            ids: list[str] = []
            for n, end in enumerate(phases):
                subprocess.run([sys.executable, __file__, "--phase", str(folder), str(n), end], check=True)
                if end != "tear":
                    ids += json.loads((folder.parent / f"ids-{n}.json").read_text())
                else:
                    tear(folder)
            copy = Path(temporary) / "copy"
            shutil.copytree(folder, copy)
            told = asyncio.run(expected(copy, len(phases), ids))
            path = JOURNALS / f"{name}-{ending}"
            with tarfile.open(f"{path}.tar.xz", "w:xz") as archive:
                archive.add(folder, arcname=".")
            content = {"opens_at": opens_at(len(phases)), "ids": ids, "told": told}
            with lzma.open(f"{path}.expected.json.xz", "wt", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    if sys.argv[1] == "--phase":
        asyncio.run(run_phase(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
    else:
        write(sys.argv[1])
