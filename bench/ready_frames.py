"""The broker alone: ready-made frames from a client that costs next to nothing: ``python bench/ready_frames.py [--quick]``.

100-byte messages, 960 a frame, synced before they are confirmed, delivered and acked by ranges: all of the broker's work, and
no JSON of the messages. It says how far the clients are from being the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from _frames import MESSAGES, Load
from _rig import QUICK_RESULTS, RESULTS, Rows, fresh_broker, machine, save

RATE = 3_000_000


def measure(rows: Rows, name: str, seconds: float, *, consume: bool) -> None:
    frames = max(64, int(RATE * seconds) // MESSAGES)
    with fresh_broker() as server:
        load = Load(server.port, "bench", source="bench" if consume else None)
        try:
            load.run(frames // 4)  # warm
            cpu, own, started = server.cpu_seconds(), time.process_time(), time.monotonic()
            load.run(frames)
            took = time.monotonic() - started
            cpu, own = server.cpu_seconds() - cpu, time.process_time() - own
        finally:
            load.close()
    count = frames * MESSAGES
    rows.add(name, "messages/s", count / took, messages=count, bytes=100)
    rows.add(f"{name}: CPU of the broker", "µs/message", cpu / count * 1e6, messages=count, bytes=100)
    rows.add(f"{name}: CPU of the client", "µs/message", own / count * 1e6, messages=count, bytes=100)


def main() -> int:
    parser = argparse.ArgumentParser(description="The broker alone, with ready-made frames.")
    parser.add_argument("--quick", action="store_true", help="one short run")
    parser.add_argument("--runs", type=int, help="default: 5; with --quick 1")
    parser.add_argument("--seconds", type=float, help="about, a run; default: 3; with --quick 1")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    runs, seconds = options.runs or (1 if options.quick else 5), options.seconds or (1.0 if options.quick else 3.0)
    about = machine() | {"runs": runs}
    rows = Rows()
    for _ in range(runs):
        measure(rows, "ready frames, published and confirmed", seconds, consume=False)
        measure(rows, "ready frames, published, delivered and acked", seconds, consume=True)
    for row in rows.summaries():
        print(json.dumps(row, ensure_ascii=False), flush=True)
    save(options.out or (QUICK_RESULTS if options.quick else RESULTS), "ready_frames.py", about, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
