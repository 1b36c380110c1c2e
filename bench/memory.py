"""What exceptional messages cost in memory: ``python bench/memory.py [--scale 0.1] [--only NAME …]``.

For each row one process fills a store through the engine's seam and says what it holds beyond an empty start; another one opens that
store again and says the same, and the most it held meanwhile (its own peak, beyond the peak of an empty start). MiB of resident set.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _turns import Broker, Consumer, run_on_loop
from postroad.broker.engine.engine import Nack
from stalls import DAY_MS, dead_letters, spread

FORTNIGHT_MS = 14 * DAY_MS
FRAME = 1000
Fill = Callable[[Broker], Awaitable[None]]


async def nothing(broker: Broker) -> None:
    await broker.publish("q", [16])


async def delayed(broker: Broker) -> None:
    await broker.fill("q", broker.n(1_000_000), more=lambda first, n: {"delay_ms": FORTNIGHT_MS})


async def delayed_alternating(broker: Broker) -> None:
    """Every second message waits, for a time of its own; the others are acked."""
    count = broker.n(2_000_000)

    def attributes(first: int, n: int) -> dict[str, Any]:
        delays = spread(first, n, count, FORTNIGHT_MS)
        return {"delays_ms": [delay if k % 2 else 0 for k, delay in enumerate(delays)]}

    consumer = await broker.consume("q", prefetch=10_000)
    for first in range(0, count, 4000):
        step = min(4000, count - first)
        await broker.fill("q", step, more=lambda at, n, first=first: attributes(first + at, n))
        await consumer.got(step // 2)
        await broker.settle(consumer, acks=consumer.take())


async def retrying(broker: Broker, *, alternating: bool = False) -> None:
    """A million messages failed once, in runs or every second one, and wait for their next attempt."""
    count = broker.n(1_000_000) * (2 if alternating else 1)
    await broker.engine.declare("q", {"lease_ms": 12 * 3_600_000})
    consumer = await broker.consume("q", prefetch=10_000)
    for first in range(0, count, 4000):
        step = min(4000, count - first)
        await broker.fill("q", step)
        await consumer.got(step)
        await fail(broker, consumer, first, count, alternating)


async def fail(broker: Broker, consumer: Consumer, first: int, count: int, alternating: bool) -> None:
    held = consumer.take()
    if not alternating:
        await broker.settle(consumer, nacks=[Nack(first=a, last=b, delay_ms=FORTNIGHT_MS // 2) for a, b in held])
        return
    numbers = [number for a, b in held for number in range(a, b + 1)]
    delays = spread(first, len(numbers), count, FORTNIGHT_MS // 2 - 60_000)
    for at in range(0, len(numbers), 500):
        part = list(zip(numbers, delays, strict=True))[at : at + 500]
        await broker.settle(
            consumer,
            acks=[(number, number) for number, _ in part[1::2]],
            nacks=[Nack(first=number, last=number, delay_ms=delay, reason="Error: try again") for number, delay in part[::2]],
        )  # fmt: skip


async def retrying_alternating(broker: Broker) -> None:
    await retrying(broker, alternating=True)


async def dead(broker: Broker) -> None:
    await dead_letters(broker, broker.n(1_000_000))


ROWS: dict[str, Fill] = {
    "nothing": nothing,
    "1 M delayed, contiguous": delayed,
    "1 M delayed, every second one, over 14 days": delayed_alternating,
    "1 M retrying, contiguous": retrying,
    "1 M retrying, every second one, over 7 days": retrying_alternating,
    "1 M dead letters, each failed alone": dead,
}


def resident_mib(field: str = "VmRSS") -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def settle_heap() -> None:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))


async def filled(name: str, folder: Path, scale: float) -> dict[str, float]:
    broker = Broker(folder, scale)
    await broker.start()
    await ROWS[name](broker)
    await asyncio.sleep(3)  # a snapshot may be on its way
    settle_heap()
    running = resident_mib()
    await broker.engine.close()
    return {"running": running}


async def opened(folder: Path) -> dict[str, float]:
    broker = Broker(folder)
    await broker.start()
    await asyncio.sleep(1)
    peak = resident_mib("VmHWM")
    settle_heap()
    after = resident_mib()
    await broker.engine.close()
    return {"restarted": after, "peak": peak}


def child(name: str, step: str, folder: str, scale: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", name, step, folder, "--scale", str(scale)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description="What exceptional messages cost in memory.")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, step, folder = options.child
        path = Path(folder)
        print(json.dumps(run_on_loop(filled(name, path, options.scale) if step == "fill" else opened(path))))
        return 0
    chosen = [
        name for name in ROWS if name == "nothing" or not options.only or any(part in name for part in options.only)
    ]
    empty: dict[str, float] = {}
    rows = []
    print(f"{'MiB beyond an empty start':48} {'running':>9} {'restarted':>9} {'peak':>9}")
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="postroad-memory-") as folder:
            path = f"{folder}/data"
            found = child(name, "fill", path, options.scale) | child(name, "open", path, options.scale)
        if name == "nothing":
            empty = found
            print(f"{'(an empty start is)':48} {found['running']:9.1f} {found['restarted']:9.1f} {found['peak']:9.1f}")
            continue
        beyond = {field: round(value - empty[field], 1) for field, value in found.items()}
        rows.append({"row": name, "scale": options.scale, **beyond})
        print(f"{name:48} {beyond['running']:9} {beyond['restarted']:9} {beyond['peak']:9}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
