"""Node producer → broker → Node consumer, with the public client: ``python bench/end_to_end.py [--quick] [--only NAME …]``.

Prints one JSON row for each thing measured, and writes all to ``bench/results.json`` (``--quick``: ``.build/bench.json``). Each run has a fresh broker with its
default settings (durable: a confirm means synced) on a temporary folder. See README.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _rig import PATIENCE_S, ROOT, Rows, cpu_seconds, fresh_broker, machine, program, rss_mib

QUICK = 10
"""How much less work ``--quick`` does."""


def throughput(rows: Rows, name: str, mode: str, count: int) -> None:
    """From the first publish to the last confirmed ack; CPU of each process for a message."""
    with (
        fresh_broker() as broker,
        program(broker, "consume.mjs", "plain", count) as consumer,
        program(broker, "produce.mjs", mode, count) as producer,
    ):
        cpu = cpu_seconds(broker.pid)
        producer.tell("go")
        produced = producer.wait_for("done", PATIENCE_S)
        consumed = consumer.wait_for("done", PATIENCE_S)
        cpu = cpu_seconds(broker.pid) - cpu
    seconds = (consumed["endedUs"] - produced["startedUs"]) / 1e6
    settings = {"messages": count, "bytes": 100}
    rows.add(name, "messages/s", count / seconds, **settings)
    for who, used in (("broker", cpu), ("producer", produced["cpu"]), ("consumer", consumed["cpu"])):
        rows.add(f"{name}, CPU of the {who}", "µs/message", used / count * 1e6, **settings)


def confirms(rows: Rows, name: str, mode: str, count: int) -> None:
    """Publishes that are awaited; nobody consumes."""
    with fresh_broker() as broker, program(broker, "produce.mjs", mode, count) as producer:
        cpu = cpu_seconds(broker.pid)
        producer.tell("go")
        done = producer.wait_for("done", PATIENCE_S)
        cpu = cpu_seconds(broker.pid) - cpu
    settings = {"messages": count, "bytes": 100}
    rows.add(name, "publishes/s", count / (done["endedUs"] - done["startedUs"]) * 1e6, **settings)
    rows.add(f"{name}, p50", "ms", done["p50"] / 1000, **settings)
    rows.add(f"{name}, CPU of the broker", "µs/message", cpu / count * 1e6, **settings)


def latency(rows: Rows, seconds: float) -> None:
    """Publish → handler at 200 messages a second."""
    count = int(200 * seconds)
    with (
        fresh_broker() as broker,
        program(broker, "consume.mjs", "latency", count) as consumer,
        program(broker, "produce.mjs", "paced", count) as producer,
    ):
        producer.tell("go")
        found = consumer.wait_for("done", PATIENCE_S)
    for name in ("p50", "p99"):
        rows.add(f"latency at 200 messages/s, {name}", "ms", found[name] / 1000, messages=count)


def backlog(rows: Rows, name: str, mode: str, count: int) -> None:
    """Memory of messages that nobody consumes; restart with them; draining them."""
    settings = {"messages": count, "bytes": 100}
    with fresh_broker() as broker:
        before = rss_mib(broker.pid)
        with program(broker, "produce.mjs", mode, count) as producer:
            producer.tell("go")
            done = producer.wait_for("done", PATIENCE_S)
        after = rss_mib(broker.pid)
        rows.add("memory at start", "MiB", before)
        rows.add(f"memory, {name}", "MiB", after, **settings)
        rows.add(f"memory for each, {name}", "bytes/message", (after - before) * 2**20 / count, **settings)
        rows.add(f"publishing, {name}", "messages/s", count / (done["endedUs"] - done["startedUs"]) * 1e6, **settings)
        broker.kill()
        rows.add(f"restart after kill -9, {name}", "s", broker.start(), **settings)
        restarted = rss_mib(broker.pid)
        rows.add(f"memory after restart, {name}", "MiB", restarted, **settings)
        rows.add(
            f"memory for each after restart, {name}", "bytes/message", (restarted - before) * 2**20 / count, **settings
        )
        broker.terminate()
        rows.add(f"restart after a clean stop, {name}", "s", broker.start(), **settings)
        cpu = cpu_seconds(broker.pid)
        with program(broker, "consume.mjs", "plain", count) as consumer:
            drained = consumer.wait_for("done", PATIENCE_S)
        cpu = cpu_seconds(broker.pid) - cpu
        rows.add(
            f"draining, {name}", "messages/s", count / (drained["endedUs"] - drained["startedUs"]) * 1e6, **settings
        )
        rows.add(f"draining, {name}, CPU of the broker", "µs/message", cpu / count * 1e6, **settings)
        rows.add(f"memory after draining, {name}", "MiB", rss_mib(broker.pid), **settings)


def benches(scale: int) -> dict[str, Callable[[Rows], None]]:
    """Args:
    scale: Divides the work.
    """
    return {
        "throughput": lambda rows: throughput(rows, "throughput, not awaited", "send", 4_000_000 // scale),
        "awaited": lambda rows: throughput(rows, "throughput, a promise each", "promise", 2_500_000 // scale),
        "sequential": lambda rows: confirms(rows, "sequential publishes", "sequential", 10_000 // scale),
        "concurrent": lambda rows: confirms(rows, "64 concurrent publishes", "concurrent", 300_000 // scale),
        "latency": lambda rows: latency(rows, 20 / scale),
        "backlog": lambda rows: backlog(rows, "backlog in batches", "send", 1_000_000),
        "frames": lambda rows: backlog(rows, "backlog in single frames", "frames", 200_000 // scale),
    }


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    known = benches(1)
    parser = argparse.ArgumentParser(description="Benchmarks from producer to consumer.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one run each")
    parser.add_argument("--only", nargs="+", choices=known, default=list(known))
    parser.add_argument("--runs", type=int, help="default: 3; with --quick 1")
    parser.add_argument("--out", type=Path, help="default: results.json beside this; with --quick .build/bench.json")
    options = parser.parse_args()
    out = options.out or (ROOT / ".build/bench.json" if options.quick else Path(__file__).with_name("results.json"))
    runs = options.runs or (1 if options.quick else 3)
    about = machine() | {"quick": options.quick, "durability": "sync"}
    results: list[dict[str, Any]] = []
    for name in options.only:
        rows = Rows()
        for _ in range(runs):
            benches(QUICK if options.quick else 1)[name](rows)
        for row in rows.summaries():
            results.append(row)
            print(json.dumps(row, ensure_ascii=False), flush=True)
    print(json.dumps(about))
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": about, "results": results}, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
