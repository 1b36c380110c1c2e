"""Postroad and its peers on the same work: ``python bench/end_to_end.py [--quick] [--only NAME …] [--systems TEXT …]``.

Every system does each benchmark in turn, run by run, so that a busy neighbour meets all of them. All have one Node producer
and one Node consumer, each a process of its own that uses the system's public client in its best way (bench/node/postroad.mjs,
bench/peers/). What is missing is installed; what cannot be is named with its reason. ``--quick`` is Postroad alone, a tenth of
the work. Writes its rows to ``bench/results.json`` (``--quick``: ``.build/bench.json``). See README.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _rig import (
    PATIENCE_S,
    QUICK_RESULTS,
    RESULTS,
    Rows,
    check_client,
    finish,
    machine,
    program,
    queue_name,
    save,
)  # fmt: skip
from _servers import Server
from _systems import POSTROAD, SERVERS, SYSTEMS, System, install

RUNS, QUICK_RUNS = 5, 1
SECONDS, QUICK_SECONDS = 3.0, 0.6
"""About how long the fast part of one run takes."""
BACKLOG, QUICK_BACKLOG = 1_000_000, 200_000
BACKLOG_S = 30
"""A system that takes a backlog more slowly than that gets a smaller one; the row says how many."""


@dataclass
class Stage:
    """The servers; only the one whose turn it is runs."""

    seconds: float
    backlog: int
    servers: dict[str, Server] = field(default_factory=dict)

    @contextmanager
    def turn(self, system: System) -> Iterator[Server]:
        server = self.servers.get(system.server)
        if server is None:
            server = self.servers[system.server] = SERVERS[system.server]()
            server.start()
        server.resume()
        try:
            yield server
        finally:
            server.pause()

    def count(self, system: System, share: float = 1.0) -> int:
        """How many messages keep this system busy for about ``seconds × share``."""
        return max(1_000, int(system.rate * self.seconds * share) // 1_000 * 1_000)

    def close(self) -> None:
        for server in self.servers.values():
            server.remove()


Bench = Callable[[Stage, System, Rows], None]


def throughput(name: str, size: int, share: float, mode: str = "pump") -> Bench:
    """From the first publish to the last ack; CPU of each process for a message."""

    def run(stage: Stage, system: System, rows: Rows) -> None:
        count = stage.count(system, share)
        common: dict[str, Any] = {"system": system, "bytes": size, "queue": queue_name()}
        with (
            stage.turn(system) as server,
            program(server, "consume.mjs", "plain", count, **common) as consumer,
            program(server, "produce.mjs", mode, count, **common) as producer,
        ):
            cpu = server.cpu_seconds()
            producer.tell("go")
            produced = producer.wait_for("done", PATIENCE_S)
            consumed = consumer.wait_for("done", PATIENCE_S)
            cpu = server.cpu_seconds() - cpu
            finish(producer, "end")
            finish(consumer)
        seconds = (consumed["endedUs"] - produced["startedUs"]) / 1e6
        rows.add(name, "messages/s", count / seconds, system=system, messages=count, bytes=size)
        for who, used in (("broker", cpu), ("producer", produced["cpu"]), ("consumer", consumed["cpu"])):
            rows.add(
                f"{name}: CPU of the {who}", "µs/message", used / count * 1e6, system=system, messages=count, bytes=size
            )

    return run


def draining(stage: Stage, system: System, rows: Rows) -> None:
    """A backlog and nobody who publishes: from the first handler to the last ack."""
    count = stage.count(system, 0.7)
    common: dict[str, Any] = {"system": system, "queue": queue_name()}
    with stage.turn(system) as server:
        with program(server, "produce.mjs", "pump", count, **common) as producer:
            producer.tell("go")
            producer.wait_for("done", PATIENCE_S)
            finish(producer, "end")
        with program(server, "consume.mjs", "plain", count, **common) as consumer:
            drained = consumer.wait_for("done", PATIENCE_S)
            finish(consumer)
    seconds = (drained["endedUs"] - drained["startedUs"]) / 1e6
    rows.add("draining a backlog", "messages/s", count / seconds, system=system, messages=count, bytes=100)


def awaited(name: str, mode: str, count_of: Callable[[Stage, System], int]) -> Bench:
    """Publishes that wait for their confirm; nobody consumes."""

    def run(stage: Stage, system: System, rows: Rows) -> None:
        count = count_of(stage, system)
        with (
            stage.turn(system) as server,
            program(server, "produce.mjs", mode, count, system=system, queue=queue_name()) as producer,
        ):
            cpu = server.cpu_seconds()
            producer.tell("go")
            done = producer.wait_for("done", PATIENCE_S)
            cpu = server.cpu_seconds() - cpu
            finish(producer)
        settings: dict[str, Any] = {"system": system, "messages": count, "bytes": 100}
        rows.add(name, "publishes/s", count / (done["endedUs"] - done["startedUs"]) * 1e6, **settings)
        for share in ("p50", "p99"):
            rows.add(f"{name}: {share}", "ms", done[share] / 1000, **settings)
        rows.add(f"{name}: CPU of the broker", "µs/message", cpu / count * 1e6, **settings)

    return run


def latency(rate: int) -> Bench:
    """Publish → handler at a steady pace."""

    def run(stage: Stage, system: System, rows: Rows) -> None:
        count = int(rate * max(2.0, stage.seconds * 1.5))
        common: dict[str, Any] = {"system": system, "queue": queue_name(), "rate": rate}
        with (
            stage.turn(system) as server,
            program(server, "consume.mjs", "latency", count, **common) as consumer,
            program(server, "produce.mjs", "paced", count, **common) as producer,
        ):
            producer.tell("go")
            found = consumer.wait_for("done", PATIENCE_S)
            producer.wait_for("done", PATIENCE_S)
            finish(producer, "end")
            finish(consumer)
        for share in ("p50", "p99"):
            rows.add(
                f"latency at {rate}/s: {share}", "ms", found[share] / 1000, system=system, messages=count, bytes=100
            )

    return run


def backlog(name: str, mode: str, share: float = 1.0) -> Bench:
    """Messages that nobody consumes: memory for each, restart with them after kill -9."""

    def run(stage: Stage, system: System, rows: Rows) -> None:
        count = min(round(stage.backlog * share), system.rate * BACKLOG_S)
        settings: dict[str, Any] = {"system": system, "messages": count, "bytes": 100}
        server = SERVERS[system.server]()
        try:
            server.start()
            before = server.rss_mib()
            with program(server, "produce.mjs", mode, count, system=system) as producer:
                producer.tell("go")
                producer.wait_for("done", PATIENCE_S)
                finish(producer, "end")
            after = server.rss_mib()
            server.kill()
            ready_s = server.start()
            restarted = server.rss_mib()
        finally:
            server.remove()
        rows.add(f"{name}: memory", "MiB", after, **settings)
        rows.add(f"{name}: memory for each", "bytes/message", (after - before) * 2**20 / count, **settings)
        rows.add(f"{name}: ready after kill -9", "s", ready_s, **settings)
        rows.add(
            f"{name}: memory for each after restart",
            "bytes/message",
            max(0.0, restarted - before) * 2**20 / count,
            **settings,
        )

    return run


def _loops(stage: Stage, system: System) -> int:
    return round(min(system.rate / 4, 50_000) * stage.seconds)


def _singles(stage: Stage, system: System) -> int:
    return round(1_000 * stage.seconds)


BENCHES: dict[str, Bench] = {
    "throughput": throughput("end to end, 100 B", 100, 1.0),
    "large": throughput("end to end, 1 KB", 1_000, 0.35),
    "draining": draining,
    "concurrent": awaited("awaited publishes, 64 at a time", "concurrent", _loops),
    "sequential": awaited("awaited publishes, one at a time", "sequential", _singles),
    "slow": latency(200),
    "quick": latency(5_000),
    "backlog": backlog("backlog", "pump"),
    "promises": throughput("end to end, 100 B, a promise each", 100, 1.0, "promise"),
    "frames": backlog("backlog, a frame for each", "frames", 0.2),
}
ONLY_POSTROAD = {"promises", "frames"}
ONCE = {"backlog", "frames"}
"""Memory does not vary from run to run, nor with when a file is synced."""


def contestants(name: str, systems: list[System]) -> list[System]:
    if name in ONLY_POSTROAD:
        return [POSTROAD] if POSTROAD in systems else []
    if name == "backlog":
        return [system for system in systems if not system.name.endswith(" always")]
    return systems


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description="Postroad and its peers, from producer to consumer.")
    parser.add_argument("--quick", action="store_true", help="Postroad alone, little work, one run")
    parser.add_argument(
        "--only", nargs="+", choices=BENCHES, default=list(BENCHES), metavar="NAME", help=", ".join(BENCHES)
    )
    parser.add_argument(
        "--systems", nargs="+", metavar="TEXT", help="those whose name has one of these words; default: all"
    )
    parser.add_argument("--runs", type=int, help=f"of each system; default: {RUNS}; with --quick {QUICK_RUNS}")
    parser.add_argument("--seconds", type=float, help=f"about, a run; default: {SECONDS}; with --quick {QUICK_SECONDS}")
    parser.add_argument("--backlog", type=int, help=f"messages; default: {BACKLOG:,}; with --quick {QUICK_BACKLOG:,}")
    parser.add_argument("--out", type=Path, help="default: results.json beside this; with --quick .build/bench.json")
    options = parser.parse_args()
    check_client()
    quick = options.quick
    words = options.systems or (["Postroad"] if quick else [""])
    systems = [system for system in SYSTEMS if any(word.lower() in system.name.lower() for word in words)]
    missing = install({system.program for system in systems})
    for program_name, reason in missing.items():
        print(f"LEFT OUT: {program_name}: {reason}", flush=True)
    systems = [system for system in systems if system.program not in missing]
    stage = Stage(
        seconds=options.seconds or (QUICK_SECONDS if quick else SECONDS),
        backlog=options.backlog or (QUICK_BACKLOG if quick else BACKLOG),
    )
    runs = options.runs or (QUICK_RUNS if quick else RUNS)
    failed: dict[str, str] = {}
    about = machine() | {"left_out": missing, "failed": failed, "runs": runs}
    out = options.out or (QUICK_RESULTS if quick else RESULTS)
    results = Rows()
    try:
        for name in options.only:
            rows = Rows()
            for _ in range(1 if name in ONCE else runs):
                for system in contestants(name, systems):
                    if problem := measure(BENCHES[name], stage, system, rows):
                        failed[f"{system.name}, {name}"] = problem
            for row in rows.summaries():
                print(json.dumps(row, ensure_ascii=False), flush=True)
            results.take(rows)
    finally:
        about["versions"] = {name: server.version() for name, server in stage.servers.items()}
        stage.close()
        save(out, "end_to_end.py", about, results)
    print(json.dumps(about, ensure_ascii=False))
    return 0


def measure(bench: Bench, stage: Stage, system: System, rows: Rows) -> str:
    """One run; one that fails is told and leaves the others their turn. Returns the reason."""
    try:
        bench(stage, system, rows)
    except RuntimeError as problem:
        print(f"FAILED: {system.name}: {problem}", flush=True)
        if (server := stage.servers.pop(system.server, None)) is not None:
            server.remove()
        return str(problem).partition("\n")[0]
    return ""


if __name__ == "__main__":
    sys.exit(main())
