"""Synced records a second: ``python bench/journal.py [directory]``.

A record carries a batch of 1, 100 or 1000 messages of 100 bytes, as a publish frame does. *alone*: each append waits
for its sync. *piled*: a window of 64 appends is kept in flight, so they share syncs. Also: what append and flush cost
the caller, and what a start costs for a million small records.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from postroad.broker.journal import Journal, JournalOptions, RealFiles

BODY_BYTES = 100
SECONDS = 2.0
HEADER = b'{"op":"publish","log":1,"first":1,"at":1700000000000,"sizes":100}'


class Run:
    """A journal whose durable position can be waited for."""

    def __init__(self, directory: Path) -> None:
        self.changed = threading.Semaphore(0)
        self.journal = Journal(RealFiles(directory), JournalOptions(), post=self._post)
        self.recovered = self.journal.open()

    def _post(self, callback: Callable[[], None]) -> None:
        callback()
        self.changed.release()

    def wait(self, position: int) -> None:
        while self.journal.durable_position < position:
            self.changed.acquire(timeout=1)


def commits(directory: Path, messages: int, window: int) -> tuple[float, dict[str, object]]:
    run = Run(directory)
    run.journal.begin()
    body = b"x" * (BODY_BYTES * messages)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        position = run.journal.append([(HEADER, body)])
        run.journal.flush()
        run.wait(position - window + 1)
        done += 1
        if done % 256 == 0:
            while not run.journal.has_room(len(body)):
                time.sleep(0.001)
    run.wait(position)
    rate = done / (time.perf_counter() - started)
    stats = run.journal.stats()
    run.journal.close()
    shutil.rmtree(directory)
    return rate, stats


def caller_cost(directory: Path) -> float:
    """Microseconds for append + flush of one record while the disk is busy."""
    run = Run(directory)
    run.journal.begin()
    body = b"x" * BODY_BYTES
    best = 1e9
    for _ in range(50):
        started = time.perf_counter()
        for _ in range(1000):
            run.journal.append([(HEADER, body)])
            run.journal.flush()
        best = min(best, (time.perf_counter() - started) / 1000)
        run.wait(run.journal.position)
    run.journal.close()
    shutil.rmtree(directory)
    return best * 1e6


def start_cost(directory: Path, records: int) -> tuple[float, float]:
    """Seconds for ``open`` and for walking all records."""
    run = Run(directory)
    run.journal.begin()
    body = b"x" * BODY_BYTES
    for at in range(records // 20):
        run.journal.append([(HEADER, body)] * 20)
        run.journal.flush()
        if at % 500 == 0:
            run.wait(run.journal.position)
    run.journal.close()
    started = time.perf_counter()
    run = Run(directory)
    opened = time.perf_counter() - started
    started = time.perf_counter()
    assert sum(1 for _ in run.journal.records()) == records // 20 * 20
    walked = time.perf_counter() - started
    run.journal.close()
    shutil.rmtree(directory)
    return opened, walked


def main() -> None:
    base = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else "."))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    print(
        f"commit {commit.stdout.strip()}, Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.release()}"
    )
    print(f"{JournalOptions()}, body {BODY_BYTES} B")
    try:
        for messages in (1, 100, 1000):
            for name, window in (("alone", 1), ("piled", 64)):
                rate, stats = commits(base / "run", messages, window)
                print(
                    f"x{messages:<5}{name:<6}{rate:>9,.0f} records/s {rate * messages:>12,.0f} messages/s   "
                    f"sync p50 {stats['sync_p50_ms']:.3f} p99 {stats['sync_p99_ms']:.3f} ms, {stats['syncs']} syncs"
                )
        print(f"append + flush: {caller_cost(base / 'run'):.2f} µs")
        opened, walked = start_cost(base / "run", 1_000_000)
        print(f"a million records: open {opened:.2f} s, walk {walked:.2f} s")
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
