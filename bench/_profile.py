"""Where the time of ``throughput`` goes: ``python bench/_profile.py [count] [send|promise|frames]``.

The broker runs under cProfile (its loop thread; the numbers are shares, as the profiler itself slows calls down), the Node
programs under ``--cpu-prof``. Prints the functions with the most time of their own.
"""

from __future__ import annotations

import json
import pstats
import sys
import tempfile
from collections import Counter
from pathlib import Path

from _rig import PATIENCE_S, fresh_broker, program

SHOWN = 25
PROFILED = """
import cProfile, sys
from postroad.gateway.main import main
profile, stats = cProfile.Profile(), sys.argv.pop()
try:
    profile.runcall(main)
except SystemExit:
    pass
finally:
    profile.dump_stats(stats)
"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    mode = sys.argv[2] if len(sys.argv) > 2 else "send"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stats = folder / "broker.prof"
        with fresh_broker() as broker:
            broker.terminate()
            broker.command = [sys.executable, "-c", PROFILED]
            broker.start(str(stats))
            options = f"--cpu-prof --cpu-prof-dir={folder}"
            with (
                program(broker, "consume.mjs", "plain", count, options) as consumer,
                program(broker, "produce.mjs", mode, count, options) as producer,
            ):
                producer.tell("go")
                for node in (producer, consumer):
                    node.wait_for("done", PATIENCE_S)
                    node.wait(PATIENCE_S)
            broker.terminate()
        print(f"── broker, {count} messages, µs a message by function")
        python_costs(stats, count)
        for path in sorted(folder.glob("*.cpuprofile")):
            node_costs(path)


def python_costs(path: Path, count: int) -> None:
    rows = [
        (own, calls, f"{Path(file).name}:{line} {function}")
        for (file, line, function), (_, calls, own, _, _) in pstats.Stats(str(path)).stats.items()  # type: ignore[attr-defined]
    ]
    for own, calls, where in sorted(rows, reverse=True)[:SHOWN]:
        print(f"{own / count * 1e6:8.3f}  {calls:>9} calls  {where}")


def node_costs(path: Path) -> None:
    profile = json.loads(path.read_text())
    nodes = {node["id"]: node["callFrame"] for node in profile["nodes"]}
    own: Counter[str] = Counter()
    for sample, delta in zip(profile["samples"], profile["timeDeltas"], strict=True):
        frame = nodes[sample]
        own[f"{Path(frame['url']).name}:{frame['lineNumber'] + 1} {frame['functionName'] or '(anonymous)'}"] += delta
    busy = sum(time for where, time in own.items() if "(idle)" not in where)
    script = "producer" if any(where.startswith("produce.mjs") for where in own) else "consumer"
    print(f"── {script}, % of {busy / 1e6:.1f} s busy")
    for where, time in own.most_common(SHOWN):
        print(f"{time / busy * 100:6.1f}  {where}")


if __name__ == "__main__":
    main()
