"""How Postroad's speed changes with the shape of the load: ``python bench/shapes.py [--quick] [--only NAME …]``.

Curves over the number of queues, of connections, of consumers and the size of bodies, and the paths of features: messages delivered a second and
the broker's CPU for each of them, which neighbours hardly change. One Node producer, one Node consumer process, default settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _rig import PATIENCE_S, QUICK_RESULTS, RESULTS, Rows, fresh_broker, machine, program, save
from _servers import Server

COUNT = 300_000
QUEUES: tuple[int, ...] = (1, 10, 100, 1_000)
CONNECTIONS: tuple[int, ...] = (1, 10, 100, 1_000)
CONSUMERS: tuple[int, ...] = (1, 4, 16, 64)
BODIES: tuple[int, ...] = (10, 100, 1_000, 10_000, 100_000, 1_048_576)
BODY_VOLUME = 150_000_000
"""Bytes of one run at most."""
FEATURES = {
    "plain": "plain", "headers": "a header each", "result": "a result each", "key": "ordering key (1,000 keys)", "priority": "ten priorities",
    "delay": "100 ms delay", "retry": "each fails once, retried after 100 ms", "dedup": "dedup key each", "topic": "topic to 3 queues", "stream": "stream with 3 groups",
}  # fmt: skip
RELATIVE_COST = {
    "result": 4,
    "retry": 4,
    "key": 3,
    "delay": 2,
    "dedup": 4,
    "topic": 2,
    "stream": 2,
    "headers": 2,
}
"""About how much more than a plain one such a message costs; sizes the work, nothing else."""


def cases(scale: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Group, label within it, and the task."""
    count = COUNT // scale
    few = slice(None, None, 3 if scale > 1 else 1)
    for queues in QUEUES[few]:
        work = count * (1 if queues < 100 else 3)  # so that each of many comes to its pace
        yield "queues", str(queues), {"queues": queues, "count": work}
    for connections in CONNECTIONS[few]:
        yield "connections", str(connections), {"connections": connections, "count": count}
    for consumers in CONSUMERS[few]:
        yield "consumers of one queue", str(consumers), {"consumers": consumers, "count": count}
    for size in BODIES[few]:
        yield "body bytes", str(size), {"bytes": size, "count": max(20, min(count, BODY_VOLUME // scale // size))}
    for shape, label in FEATURES.items():
        yield "features", label, {"shape": shape, "count": count // RELATIVE_COST.get(shape, 1)}


def measure(server: Server, rows: Rows, group: str, label: str, task: dict[str, Any]) -> None:
    task = {"shape": "plain", **task}
    count = task.pop("count")
    with (
        program(server, "shape.mjs", "", count, role="consume", **task) as consumer,
        program(server, "shape.mjs", "", count, role="produce", **task) as producer,
    ):
        cpu = server.cpu_seconds()
        producer.tell("go")
        produced = producer.wait_for("done", PATIENCE_S)
        consumed = consumer.wait_for("done", PATIENCE_S)
        cpu = server.cpu_seconds() - cpu
    seconds = (consumed["endedUs"] - produced["startedUs"]) / 1e6
    settings: dict[str, Any] = {"case": label, "messages": count, "bytes": task.get("bytes", 100)}
    rows.add(f"shapes, {group}", "messages/s", consumed["expected"] / seconds, **settings)
    rows.add(f"shapes, {group}: CPU of the broker", "µs/message", cpu / consumed["expected"] * 1e6, **settings)


def main() -> int:
    parser = argparse.ArgumentParser(description="Curves and feature paths of Postroad.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, fewer points, one run")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="groups or cases with one of these words")
    parser.add_argument("--runs", type=int, help="default: 5; with --quick 1")
    parser.add_argument("--scale", type=int, help="divides the work; default: 1; with --quick 10")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    runs = options.runs or (1 if options.quick else 5)
    about = machine() | {"runs": runs}
    rows = Rows()
    failed: dict[str, str] = {}
    for _ in range(runs):
        for group, label, task in cases(options.scale or (10 if options.quick else 1)):
            if options.only and not any(word in f"{group} {label}" for word in options.only):
                continue
            try:
                with fresh_broker() as server:
                    measure(server, rows, group, label, task)
            except RuntimeError as problem:
                failed[f"{group} {label}"] = str(problem).partition("\n")[0]
                print(f"FAILED: {group} {label}: {problem}", flush=True)
    for row in rows.summaries():
        print(json.dumps(row, ensure_ascii=False), flush=True)
    save(options.out or (QUICK_RESULTS if options.quick else RESULTS), "shapes.py", about | {"failed": failed}, rows)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
