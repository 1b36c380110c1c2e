"""What a large backlog costs: ``python bench/backlog.py [--quick] [--messages N …]``.

A queue of 100-byte messages that nobody consumes, of one million and of ten: memory of the broker beyond its start, bytes on disk
against bytes of bodies, time until it serves again after kill -9, and what the rest of its work still does beside it: messages a
second through another queue, and through the same one, against those of an empty broker in the same run, in turns.
Published by ready-made frames (``_frames.py``), so that the broker is the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median

from _frames import BODY, MESSAGES, Load
from _rig import QUICK_RESULTS, RESULTS, Rows, check_client, machine, save
from _servers import Postroad, Server, started

SIZES = (1_000_000, 10_000_000)
QUICK_SIZES = (200_000,)
PASSING_FRAMES, QUICK_PASSING_FRAMES = 2_000, 500
TURNS = 5
REST_S = 6.0
"""After a burst: what was only on its way is given back."""
PREFETCH = 16_000


def fill(server: Server, messages: int) -> None:
    load = Load(server.port, "backlog", source=None)
    try:
        load.run(-(-messages // MESSAGES))
    finally:
        load.close()


def passing(server: Server, queue: str, frames: int) -> float:
    """Messages a second, published, delivered and acked on a queue; with a backlog in it what is delivered is older."""
    load = Load(server.port, queue, source=queue, prefetch=PREFETCH)
    try:
        load.run(frames // 10)
        begun = time.monotonic()
        load.run(frames)
        return frames * MESSAGES / (time.monotonic() - begun)
    finally:
        load.close()


def disk_bytes(server: Server) -> int:
    """What its files take, spares included."""
    return sum(path.stat().st_blocks * 512 for path in (server.folder / "data").rglob("*") if path.is_file())


def measure(rows: Rows, messages: int, frames: int, turns: int) -> None:
    label = {"messages": messages, "bytes": len(BODY)}
    with started(Postroad()) as empty, started(Postroad()) as server:
        before, disk_before = server.rss_mib(), disk_bytes(server)
        fill(server, messages)
        time.sleep(REST_S)
        rows.add("waiting: memory beyond the start", "MiB", server.rss_mib() - before, **label)
        rows.add("waiting: memory of the whole process", "MiB", server.rss_mib(), **label)
        bodies = messages * len(BODY)
        rows.add("waiting: disk to bodies", "ratio", (disk_bytes(server) - disk_before) / bodies, **label)
        for name, queue in (("another queue", "other"), ("the same queue", "backlog")):
            shares = []
            for each in (empty, server):
                passing(each, queue, frames // 4)  # warm
            for _ in range(turns):
                alone = passing(empty, queue, frames)
                shares.append(passing(server, queue, frames) / alone)
            rows.add(f"waiting: speed of {name} to that of an empty broker", "ratio", median(shares), **label)
        server.kill()
        rows.add("waiting: ready after kill -9", "s", server.start(), **label)
        rows.add("waiting: memory of the whole process after restart", "MiB", server.rss_mib(), **label)


def main() -> int:
    parser = argparse.ArgumentParser(description="A backlog of one and of ten million messages.")
    parser.add_argument("--quick", action="store_true", help="200,000 messages, one run")
    parser.add_argument("--messages", type=int, nargs="+")
    parser.add_argument("--runs", type=int, help="default: 3; with --quick 1")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    check_client()
    quick = options.quick
    runs = options.runs or (1 if quick else 3)
    about = machine() | {"runs": runs}
    rows = Rows()
    for _ in range(runs):
        for messages in options.messages or (QUICK_SIZES if quick else SIZES):
            frames = QUICK_PASSING_FRAMES if quick else PASSING_FRAMES
            measure(rows, messages, frames, 1 if quick else TURNS)
    for row in rows.summaries():
        print(json.dumps(row, ensure_ascii=False), flush=True)
    save(options.out or (QUICK_RESULTS if quick else RESULTS), "backlog.py", about, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
