"""Where the time goes: ``python bench/_profile.py [throughput|promise|frames|fanout] [count]``.

The broker runs under cProfile (its loop thread; the numbers are shares, as the profiler itself slows calls down), the Node
programs under ``--cpu-prof``. Prints the functions with the most time of their own. ``fanout`` publishes single events to
1,000 readers for ``count`` seconds.
"""

from __future__ import annotations

import json
import pstats
import sys
from collections import Counter
from pathlib import Path

from _rig import PATIENCE_S, program
from _servers import Postroad
from _systems import POSTROAD
from fanout import crowd, postroad_publish

SHOWN = 25
LISTENERS = 1_000
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


class Profiled(Postroad):
    """Writes its profile when it is terminated."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", PROFILED, *super().command()[3:], str(self.folder / "broker.prof")]


def main() -> None:
    mode = sys.argv[1] if len(sys.argv) > 1 else "throughput"
    broker = Profiled()
    try:
        broker.start()
        if mode == "fanout":
            count = fan_out(broker, float(sys.argv[2]) if len(sys.argv) > 2 else 3.0)
        else:
            count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
            end_to_end(broker, "pump" if mode == "throughput" else mode, count)
        broker.terminate()
        print(f"── broker, {count} messages, µs a message by function")
        python_costs(broker.folder / "broker.prof", count)
        for path in sorted(broker.folder.glob("*.cpuprofile")):
            node_costs(path)
    finally:
        broker.remove()


def fan_out(broker: Postroad, seconds: float) -> int:
    """Returns the number of deliveries."""
    with crowd(POSTROAD, broker, LISTENERS) as people:
        people.flood(lambda: postroad_publish(1), 1, 3, seconds)
        return people.received


def end_to_end(broker: Postroad, mode: str, count: int) -> None:
    options = f"--cpu-prof --cpu-prof-dir={broker.folder}"
    with (
        program(broker, "consume.mjs", "plain", count, node_options=options) as consumer,
        program(broker, "produce.mjs", mode, count, node_options=options) as producer,
    ):
        producer.tell("go")
        for node in (producer, consumer):
            node.wait_for("done", PATIENCE_S)
            node.tell("end")
            node.wait(PATIENCE_S)


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
