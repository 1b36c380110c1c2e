"""One event to many WebSockets: readers of a Postroad stream against a plain Node ``ws`` broadcast: ``python bench/fanout.py [--quick]``.

120-byte events. Measured are deliveries a second with one event in a publish and with ten, publish → arrival at 20 events a
second, and what an idle connection costs the server. The listeners are plain sockets in this one process (``_sockets.py``);
the row of its CPU says what they cost, so that one sees who was the bottleneck. Postroad stores and syncs each event before it
delivers it; the ``ws`` server stores nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _rig import QUICK_RESULTS, RESULTS, Rows, machine, save
from _servers import Postroad, Server, program_path
from _sockets import Crowd, body, request
from _sockets import frame as ws_frame
from _systems import PEERS, POSTROAD, System, install

RATE = 20
WINDOW = {1: 2, 10: 8}
"""Publishes on their way, by events a publish: single ones are to leave singly, others may be packed further."""

PACK = 10
BROADCAST = System(
    name="Node ws broadcast", durability="nothing stored", program="broadcast", server="broadcast", rate=0
)


class Broadcast(Server):
    """``bench/peers/broadcast.mjs``."""

    def command(self) -> list[str]:
        return [program_path("node"), str(PEERS / "broadcast.mjs"), str(self.port)]

    def is_ready(self) -> bool:
        return bool(self._send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"))

    def version(self) -> str:
        return "ws " + str(json.loads((PEERS / "node_modules/ws/package.json").read_text())["version"])


def postroad_publish(pack: int) -> bytes:
    return request({"op": "publish", "stream": "bench"}, *(body() for _ in range(pack)))


def broadcast_publish(pack: int) -> bytes:
    return ws_frame(b",".join(body() for _ in range(pack)))


HELLO = request({"op": "hello", "id": 0, "format": "binary"})
READ = request({"op": "read", "id": 1, "sub": 1, "stream": "bench"})
DECLARE = request({"op": "declare", "id": 2, "stream": "bench"})
CONTESTANTS: dict[str, tuple[System, type[Server], Callable[[int], bytes]]] = {
    "postroad": (POSTROAD, Postroad, postroad_publish),
    "ws": (BROADCAST, Broadcast, broadcast_publish),
}


@contextmanager
def crowd(system: System, server: Server, count: int, *, reading: bool = True) -> Iterator[Crowd]:
    """``count`` listeners that hear what is published."""
    people = Crowd(server.port)
    try:
        people.grow(count)
        if system is POSTROAD:
            people.publish(HELLO + DECLARE)
            people.say(HELLO, b'"welcome"')
            if reading:
                people.say(READ, b'"offset"')
        yield people
    finally:
        people.close()


def flood(rows: Rows, kind: str, pack: int, listeners: int, seconds: float) -> None:
    system, make_server, publish = CONTESTANTS[kind]
    server = make_server()
    try:
        server.start()
        with crowd(system, server, listeners) as people:
            people.flood(lambda: publish(pack), pack, WINDOW[pack], 0.3)  # warm
            cpu, own, before, frames = (
                server.cpu_seconds(),
                time.process_time(),
                people.received,
                people.frames_of_first,
            )
            rate = people.flood(lambda: publish(pack), pack, WINDOW[pack], seconds)
            cpu, own = server.cpu_seconds() - cpu, time.process_time() - own
            deliveries = people.received - before
            frames = people.frames_of_first - frames
    finally:
        server.remove()
    name = f"fan-out, {'single events' if pack == 1 else f'{pack} events a publish'}"
    rows.add(name, "deliveries/s", rate, system=system, listeners=listeners, bytes=120)
    rows.add(
        f"{name}: CPU of the server",
        "µs/delivery",
        cpu / deliveries * 1e6,
        system=system,
        listeners=listeners,
        bytes=120,
    )
    rows.add(
        f"{name}: CPU of the listeners",
        "µs/delivery",
        own / deliveries * 1e6,
        system=system,
        listeners=listeners,
        bytes=120,
    )
    if kind == "ws":  # it sends what it is told as it is
        frames = deliveries // listeners // pack
    if frames:
        rows.add(
            f"{name}: frames",
            "frames/s",
            rate * frames * listeners / deliveries,
            system=system,
            listeners=listeners,
            bytes=120,
        )
        rows.add(
            f"{name}: events a frame",
            "events",
            deliveries / listeners / frames,
            system=system,
            listeners=listeners,
            bytes=120,
        )


def pace(rows: Rows, kind: str, listeners: int, seconds: float) -> None:
    system, make_server, publish = CONTESTANTS[kind]
    server = make_server()
    try:
        server.start()
        with crowd(system, server, listeners) as people:
            people.pace(lambda: publish(1), RATE, 0.5)
            people.pace(lambda: publish(1), RATE, seconds)
            found = sorted(people.latencies_us)
    finally:
        server.remove()
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = found[int(len(found) * share)] / 1000
        rows.add(f"fan-out at {RATE} events/s: {name}", "ms", value, system=system, listeners=listeners, bytes=120)


def idle(rows: Rows, kind: str, connections: int) -> None:
    """Resident memory of the server for a connection that is open and says nothing."""
    system, make_server, _ = CONTESTANTS[kind]
    server = make_server()
    try:
        server.start()
        with crowd(system, server, 10):
            before = server.rss_mib()
            with crowd(system, server, connections, reading=False):
                used = server.rss_mib() - before
            rows.add(
                "idle connection", "KiB/connection", used * 1024 / connections, system=system, connections=connections
            )
        if system is POSTROAD:
            server.remove()
            server = make_server()
            server.start()
            with crowd(system, server, 10):
                before = server.rss_mib()
                with crowd(system, server, connections):
                    used = server.rss_mib() - before
                rows.add(
                    "idle reader of a stream",
                    "KiB/connection",
                    used * 1024 / connections,
                    system=system,
                    connections=connections,
                )
    finally:
        server.remove()


def main() -> int:
    parser = argparse.ArgumentParser(description="One event to many WebSockets.")
    parser.add_argument("--quick", action="store_true", help="Postroad alone, one run")
    parser.add_argument("--runs", type=int, help="default: 5; with --quick 1")
    parser.add_argument("--seconds", type=float, help="a run; default: 3; with --quick 1")
    parser.add_argument("--listeners", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=5_000, help="idle ones")
    parser.add_argument(
        "--only", nargs="+", choices=("single", "packed", "pace", "idle"), default=("single", "packed", "pace", "idle")
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    runs = options.runs or (1 if options.quick else 5)
    seconds = options.seconds or (1.0 if options.quick else 3.0)
    kinds = ["postroad"] if options.quick else list(CONTESTANTS)
    left_out = {} if options.quick else install({"broadcast"})
    if left_out:
        kinds.remove("ws")
    about = machine() | {"left_out": left_out, "runs": runs, "versions": {}}
    rows = Rows()
    for _ in range(runs):
        for kind in kinds:
            if "single" in options.only:
                flood(rows, kind, 1, options.listeners, seconds)
            if "packed" in options.only:
                flood(rows, kind, PACK, options.listeners, seconds)
            if "pace" in options.only:
                pace(rows, kind, options.listeners, seconds)
    for kind in kinds:
        if "idle" in options.only:
            idle(rows, kind, options.connections)
        server = CONTESTANTS[kind][1]()
        about["versions"][kind] = server.version()
        server.remove()
    for row in rows.summaries():
        print(json.dumps(row, ensure_ascii=False), flush=True)
    print(json.dumps(about))
    save(options.out or (QUICK_RESULTS if options.quick else RESULTS), "fanout.py", about, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
