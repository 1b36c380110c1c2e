"""What everybody else feels while the broker does something large: ``python bench/stalls.py [--scale 0.1] [--only NAME …]``.

For each row a broker of its own, in a process of its own, on real files, is brought to the state that the row names. Then a trickle
publishes one message every 5 ms, first beside nothing (the control) and then beside what the row does. Printed are the latency of
the trickle (median, p99.9, maximum) and the processor time of the loop's thread in its one worst turn, each for row and control.

Before and after: run it with the interpreter of either checkout, ``PATH/.venv/bin/python bench/stalls.py --json FILE``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _turns import Broker, Consumer, run_on_loop

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
Row = Callable[[Broker], Awaitable[None]]

ROWS: dict[str, Row] = {}


def row(name: str) -> Callable[[Row], Row]:
    def note(function: Row) -> Row:
        ROWS[name] = function
        return function

    return note


@row("nothing")
async def nothing(broker: Broker) -> None:
    async with broker.measured():
        await asyncio.sleep(3)


@row("retention_bytes, 1 M kept")
async def retention_bytes(broker: Broker) -> None:
    kept = broker.n(1_000_000)
    await broker.engine.declare("s", {"retention_bytes": kept * 16, "retention_ms": None}, kind="stream")
    await broker.fill("s", kept, batch=1, kind="stream")
    async with broker.measured():
        for _ in range(100):
            await broker.publish("s", [16], "stream")


@row("drop_oldest, 1 M waiting")
async def drop_oldest(broker: Broker) -> None:
    waiting = broker.n(1_000_000)
    await broker.engine.declare("q", {"length_max": waiting, "overflow": "drop_oldest"})
    await broker.fill("q", waiting)
    async with broker.measured():
        for _ in range(100):
            await broker.publish("q", [16])


@row("one leased message past its expiry")
async def leased_past_expiry(broker: Broker) -> None:
    await broker.engine.declare("q", {"lease_ms": 12 * HOUR_MS})
    await broker.publish("q", [16], expire_ms=60_000)
    await broker.fill("q", broker.n(200_000), more=lambda first, count: {"priorities": alternating(count)})
    holder = await broker.consume("q", prefetch=1)
    await holder.got(1)
    other = await broker.consume("q", prefetch=10)
    await other.got(10)
    broker.clock.jump(61_000)
    async with broker.measured():
        for _ in range(60):
            numbers = other.take()
            await broker.settle(other, acks=numbers)
            await other.got(10)


@row("page of 200 of 100,000 delayed")
async def delayed_page(broker: Broker) -> None:
    count = broker.n(100_000)
    await broker.fill("q", count, more=lambda first, n: {"delays_ms": spread(first, n, count, DAY_MS)})
    async with broker.measured():
        for after in (-1, count // 2, count - 300):
            await broker.engine.query("messages", {"queue": "q", "state": "delayed", "after": after, "limit": 200})


@row("purge of 400,000 of two alternating priorities")
async def purge_alternating(broker: Broker) -> None:
    await broker.fill("q", broker.n(400_000), more=lambda first, count: {"priorities": alternating(count)})
    async with broker.measured():
        await broker.engine.operate("purge", {"queue": "q"})


@row("dedup window full, 1,000 keys/s")
async def dedup(broker: Broker) -> None:
    keys = broker.n(1_000_000)
    step = 299_000 * 1000 // keys

    def keyed(first: int, count: int) -> dict[str, Any]:
        return {"dedup_keys": [f"customer-{first + k:012}" for k in range(count)]}

    await broker.fill("q", keys, more=keyed, each=lambda first: broker.clock.jump(step))
    async with broker.measured():
        for turn in range(500):
            await broker.publish("q", [16] * 10, dedup_keys=[f"new-{turn:06}-{k}" for k in range(10)])
            await asyncio.sleep(0.01)


async def dead_letters(broker: Broker, count: int, queue: str = "q") -> None:
    """That many dead letters, each failed alone, with its own reason."""
    await broker.engine.declare(queue, {"attempts_max": 1})
    consumer = await broker.consume(queue, prefetch=10_000)
    left = count
    while left:
        step = min(left, 5000)
        await broker.fill(queue, step)
        await consumer.got(step)
        await nack_each(broker, consumer)
        left -= step
    consumer.subscription.cancel()


async def nack_each(broker: Broker, consumer: Consumer) -> None:
    from postroad.broker.engine.engine import Nack

    numbers = [number for first, last in consumer.take() for number in range(first, last + 1)]
    for at in range(0, len(numbers), 500):
        part = numbers[at : at + 500]
        await broker.settle(
            consumer,
            nacks=[Nack(first=n, last=n, dead=True, reason=f"Error: order {n} was refused by the bank") for n in part],
        )


@row("purge of 400,000 dead letters")
async def purge_dead(broker: Broker) -> None:
    await dead_letters(broker, broker.n(400_000))
    async with broker.measured():
        await broker.engine.operate("purge", {"queue": "q.dead"})


@row("delete of an empty queue beside 200,000 dead letters")
async def delete_beside_dead(broker: Broker) -> None:
    await dead_letters(broker, broker.n(200_000))
    await broker.engine.declare("empty", {})
    async with broker.measured():
        await broker.engine.delete("empty")


async def snapshot(broker: Broker) -> None:
    """Publish single messages until the broker has written another snapshot."""

    async def newest() -> int:
        kept = (await broker.engine.query("overview", {}))["journal"]["snapshots"]
        return int(kept[-1]) if kept else 0

    before = await newest()
    await broker.fill("filler", 48_000, batch=1)
    if await newest() != before:
        await broker.fill("filler", 48_000, batch=1)
        before = await newest()
    async with broker.measured():
        until = time.monotonic() + 60
        while await newest() == before and time.monotonic() < until:
            await broker.fill("filler", 500, batch=1)
            await asyncio.sleep(0.2)
        assert await newest() != before, "no snapshot was taken"


@row("snapshot, 1 M dead letters")
async def snapshot_dead(broker: Broker) -> None:
    await dead_letters(broker, broker.n(1_000_000))
    await snapshot(broker)


@row("snapshot, 1 M delayed")
async def snapshot_delayed(broker: Broker) -> None:
    count = broker.n(1_000_000)
    await broker.fill("q", count, more=lambda first, n: {"delays_ms": spread(first, n, count, 14 * DAY_MS)})
    await snapshot(broker)


@row("snapshot, 1 M dedup keys")
async def snapshot_dedup(broker: Broker) -> None:
    await broker.fill(
        "q",
        broker.n(1_000_000),
        more=lambda first, count: {"dedup_keys": [f"customer-{first + k:012}" for k in range(count)]},
    )
    await snapshot(broker)


@row("snapshot, 500 producer sessions")
async def snapshot_producers(broker: Broker) -> None:
    for session in range(broker.n(500)):
        name = f"session-{session:06}"
        broker.engine.session_opened(name)
        frames = iter(range(1, 1025))
        await broker.fill("q", 1024, batch=1, more=lambda first, count: {"producer": (name, next(frames))})  # noqa: B023
    await snapshot(broker)


@row("300,000 delayed due at once")
async def due_at_once(broker: Broker) -> None:
    count = broker.n(300_000)
    at = broker.clock.now_ms() + HOUR_MS

    def one_by_one(first: int, n: int) -> dict[str, Any]:  # no two neighbours are due together
        left = at - broker.clock.now_ms()
        return {"delays_ms": [left + (first + k) * 7 % 1000 for k in range(n)]}

    await broker.fill("q", count, more=one_by_one)
    async with broker.measured():
        broker.clock.jump(2 * HOUR_MS)
        until = time.monotonic() + 60
        while (await broker.stats("q"))["delayed"] and time.monotonic() < until:
            await asyncio.sleep(0.05)


@row("first read of old segments after a restart")
async def first_read(broker: Broker) -> None:
    count = broker.n(1_000_000)
    await broker.fill("q", count, batch=1, size=100)
    for _ in range(2):
        await broker.restart()
    async with broker.measured():
        for after in range(0, count, max(count // 8, 1)):
            await broker.engine.query("messages", {"queue": "q", "after": after, "limit": 10})


@row("overview of 20,000 queues")
async def overview(broker: Broker) -> None:
    for number in range(broker.n(20_000)):
        broker.send(f"queue-{number:06}", [16], lambda reply: None)
        if number % 500 == 499:
            await broker.publish("trickle", [16])
    async with broker.measured():
        for _ in range(5):
            await broker.engine.query("overview", {})
            await asyncio.sleep(0.1)


@row("watch of all of 20,000 queues, all of them moving")
async def watch_all(broker: Broker) -> None:
    from postroad.broker.engine.engine import WatchSpec

    class Silent:
        def events(self, events: Any, trimmed: Any) -> None: ...
        def state(self, state: Any) -> None: ...
        def ended(self, error: Any) -> None: ...

    count = broker.n(20_000)
    for number in range(count):
        broker.send(f"queue-{number:06}", [16], lambda reply: None)
        if number % 500 == 499:
            await broker.publish("trickle", [16])
    async with broker.measured():
        await broker.engine.watch(WatchSpec(), Silent())
        for number in range(count):
            broker.send(f"queue-{number:06}", [16], lambda reply: None)
            if number % 20 == 19:
                await asyncio.sleep(0.001)


@row("last 50 events of an idle queue")
async def idle_events(broker: Broker) -> None:
    await broker.publish("idle", [16])
    await broker.fill("busy", broker.n(400_000), batch=1)
    async with broker.measured():
        for _ in range(3):
            await broker.engine.query("events", {"queue": "idle", "last": 50})


@row("replay of 400,000")
async def replay(broker: Broker) -> None:
    await broker.engine.declare("s", {}, kind="stream")
    await broker.fill("s", broker.n(400_000), batch=100, kind="stream")
    async with broker.measured():
        await broker.engine.operate("replay", {"stream": "s", "queue": "q"})


@row("resume of 8,000 idle consumers")
async def resume(broker: Broker) -> None:
    consumers = [await broker.consume(f"queue-{k % 100}", prefetch=20) for k in range(broker.n(8000))]
    async with broker.measured():
        for consumer in consumers:
            consumer.subscription.detach()
        resumed = [
            broker.consume(f"queue-{k % 100}", prefetch=20, resume=consumer.subscription.token)
            for k, consumer in enumerate(consumers)
        ]
        await asyncio.gather(*resumed)


@row("8,000 scattered keyed acks")
async def keyed_acks(broker: Broker) -> None:
    held = broker.n(16_000)
    await broker.fill(
        "q", 4 * held, more=lambda first, count: {"keys": [f"key-{(first + k) % (2 * held)}" for k in range(count)]}
    )
    consumer = await broker.consume("q", prefetch=held)
    await consumer.got(held)
    numbers = [number for first, last in consumer.take() for number in range(first, last + 1)]
    async with broker.measured():
        await broker.settle(consumer, acks=[(number, number) for number in numbers[::2]])


@row("consume with prefetch 16,384 over alternating priorities")
async def alternating_prefetch(broker: Broker) -> None:
    await broker.fill("q", broker.n(100_000), more=lambda first, count: {"priorities": alternating(count)})
    async with broker.measured():
        consumer = await broker.consume("q", prefetch=broker.n(16_384))
        await consumer.got(broker.n(16_384))


def alternating(count: int) -> list[int]:
    return [k % 2 for k in range(count)]


def spread(first: int, count: int, of: int, over_ms: int) -> list[int]:
    return [60_000 + (first + k) * over_ms // of for k in range(count)]


async def carry_out(name: str, scale: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="postroad-stalls-") as folder:
        broker = Broker(Path(folder) / "data", scale)
        await broker.start()
        await ROWS[name](broker)
        await broker.engine.close()
    assert broker.felt is not None and broker.control is not None
    return {"row": name, "scale": scale, **broker.felt.row(), "control": broker.control.row()}


def main() -> int:
    parser = argparse.ArgumentParser(description="What everybody else feels while the broker does something large.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the sizes in the rows' names")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows whose name contains one of these")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_on_loop(carry_out(options.child, options.scale))))
        return 0
    chosen = [name for name in ROWS if not options.only or any(part in name for part in options.only)]
    rows, failed = [], 0
    print(f"{'':58} {'trickle ms':>24}   {'loop thread':>18}   {'control':>24}")
    print(
        f"{'':58} {'p50':>6} {'p99.9':>8} {'max':>8}   {'worst turn':>10} {'CPU/s':>7}   {'p99.9':>7} {'max':>7} {'turn':>8}"
    )
    for name in chosen:
        command = [sys.executable, __file__, "--child", name, "--scale", str(options.scale)]
        child = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if child.returncode:
            failed += 1
            print(f"{name:58} failed", flush=True)
            continue
        rows.append(found := json.loads(child.stdout.splitlines()[-1]))
        beside = found["control"]
        print(
            f"{name:58} {found['p50_ms']:6} {found['p999_ms']:8} {found['max_ms']:8}   {found['turn_cpu_ms']:10} "
            f"{found['cpu_ms_per_s']:7}   {beside['p999_ms']:7} {beside['max_ms']:7} {beside['turn_cpu_ms']:8}",
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
