"""What the benchmarks share: programs of Node beside a server, rows of results, and the file that all write to."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _servers import Postroad, Server, said_by, started
from _systems import POSTROAD, System

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/crash"))

from live_broker import NodeProgram, check_client_is_built

PATIENCE_S = 600.0
check_client = check_client_is_built
RESULTS = Path(__file__).with_name("results.json")
QUICK_RESULTS = ROOT / ".build/bench.json"


@dataclass
class Row:
    """One measured thing of one system; ``values`` has one entry a run."""

    bench: str
    system: str
    durability: str
    unit: str
    settings: dict[str, Any] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        row = asdict(self)
        values = row.pop("values")
        numbers = {"median": statistics.median(values), "min": min(values), "max": max(values)}
        return row | {name: _rounded(value) for name, value in numbers.items()} | {"runs": len(values)}


class Rows:
    """Collects values by bench, system and settings, in the order in which these first come."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def add(self, bench: str, unit: str, value: float, *, system: System = POSTROAD, **settings: Any) -> None:
        key = json.dumps([bench, system.name, settings])
        row = self._rows.setdefault(key, Row(bench, system.name, system.durability, unit, settings))
        row.values.append(value)

    def take(self, others: Rows) -> None:
        self._rows |= others._rows

    def summaries(self) -> list[dict[str, Any]]:
        return [row.summary() for row in self._rows.values()]


@contextmanager
def fresh_broker() -> Iterator[Server]:
    """A Postroad broker on an empty folder, gone afterwards with all it stored."""
    check_client()
    with started(Postroad()) as broker:
        yield broker


@contextmanager
def program(
    server: Server,
    script: str,
    mode: str,
    count: int,
    *,
    system: System = POSTROAD,
    node_options: str = "",
    **more: Any,
) -> Iterator[NodeProgram]:
    """A program of ``bench/node``, ready. ``more`` is part of its task, see ``common.mjs``."""
    task = {
        "system": system.program, "variant": system.variant, "url": server.url, "queue": "bench", "mode": mode, "count": count,
        "bytes": 100, **more,
    }  # fmt: skip
    path = Path(__file__).parent / "node" / script
    node = NodeProgram(path, json.dumps(task), log=server.folder / "node.log", options=node_options.split())
    try:
        node.wait_for("ready", PATIENCE_S)
        yield node
    finally:
        node.kill()


def queue_name() -> str:
    """One that was never used."""
    return f"bench-{uuid.uuid4().hex[:12]}"


def finish(node: NodeProgram, word: str = "remove") -> None:
    """Let a program that is done take its queue away and end."""
    node.tell(word)
    node.wait_for("removed", PATIENCE_S)


def machine() -> dict[str, Any]:
    """Where and when it was measured."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    return {
        "commit": said_by("git", "rev-parse", "--short", "HEAD"), "at": time.strftime("%Y-%m-%d"), "cpu": model,
        "cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(),
        "node": said_by("node", "--version"), "load_before": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def save(out: Path, script: str, about: dict[str, Any], rows: Rows) -> None:
    """Put rows into the file in the place of earlier ones of the same bench and system; what was not measured now stays."""
    kept = json.loads(out.read_text()) if out.exists() else {}
    fresh = [{"script": script, "commit": about["commit"], **row} for row in rows.summaries()]
    names = {(row["bench"], row["system"]) for row in fresh}
    results = [row for row in kept.get("results", []) if "script" in row and (row["bench"], row["system"]) not in names]
    results = sorted([*results, *fresh], key=lambda row: row["script"])
    scripts = kept.get("scripts", {}) | {script: about}
    out.parent.mkdir(exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in results)
    head = json.dumps(scripts, indent=1, ensure_ascii=False)
    out.write_text(f'{{"scripts": {head},\n"results": [\n{lines}\n]}}\n')


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _rounded(value: float) -> float:
    return round(value) if abs(value) >= 1000 else float(f"{value:.3g}")
