"""What the benchmarks share: a fresh broker, node programs beside it, and rows of results."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/crash"))

from live_broker import LiveBroker, NodeProgram, check_client_is_built

QUEUE = "bench"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 300.0


@dataclass
class Row:
    """One measured thing; ``values`` has one entry a run."""

    bench: str
    unit: str
    settings: dict[str, Any] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        row = asdict(self)
        values = row.pop("values")
        rounded = {
            "median": statistics.median(values), "min": min(values), "max": max(values),
        }  # fmt: skip
        return row | {name: _rounded(value) for name, value in rounded.items()} | {"runs": len(values)}


class Rows:
    """Collects values by name, in the order in which names first come."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def add(self, bench: str, unit: str, value: float, **settings: Any) -> None:
        self._rows.setdefault(bench, Row(bench, unit, settings)).values.append(value)

    def summaries(self) -> list[dict[str, Any]]:
        return [row.summary() for row in self._rows.values()]


@contextmanager
def fresh_broker() -> Iterator[LiveBroker]:
    """A broker on an empty folder, gone afterwards with all it stored."""
    check_client_is_built()
    folder = Path(tempfile.mkdtemp(prefix="postroad-bench-"))
    broker = LiveBroker(folder / "data", folder / "broker.log")
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def program(broker: LiveBroker, script: str, mode: str, count: int, node_options: str = "") -> Iterator[NodeProgram]:
    """A program of ``bench/node``, ready."""
    path = Path(__file__).parent / "node" / script
    log = broker.log.with_suffix(".node")
    node = NodeProgram(path, broker.url, QUEUE, mode, count, log=log, options=node_options.split())
    try:
        node.wait_for("ready", PATIENCE_S)
        yield node
    finally:
        node.kill()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def rss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def machine() -> dict[str, Any]:
    """Where and what was measured."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    return {
        "commit": _said_by("git", "rev-parse", "--short", "HEAD"), "cpu": model, "cpus": os.cpu_count(),
        "kernel": platform.release(), "python": platform.python_version(), "node": _said_by("node", "--version"),
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def _said_by(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _rounded(value: float) -> float:
    return round(value) if abs(value) >= 1000 else float(f"{value:.3g}")
