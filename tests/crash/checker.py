"""Judges the history of a crash run: what the clients did and saw, against what the broker promises.

A row has ``e`` (event), ``t`` (monotonic milliseconds, one clock for all processes), ``k`` (the key in the body, unique per
publish) and what belongs to the event:

    invoke, confirm, failed                      a publish, by key
    arrive                                       a delivery's frame reached a client: queue, id, number, attempt
    begin, ack, ack_ok, ack_no, nack, nack_ok …  its handler began; settled; the answer came

A settle that got no certain answer is *unknown*, never failed: its message may come again or not, and is not lost, because
its handler had done its work.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ATTEMPTS_MAX = {"crash.poison": 3}
ATTEMPTS_MAX_DEFAULT = 5
CLOCK_GRAIN_MS = 2.0
EXAMPLES = 5


@dataclass
class Verdict:
    """Attributes:
    counts: What happened.
    broken: Promise → keys or ids for which it did not hold.
    """

    counts: dict[str, int]
    broken: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not any(self.broken.values())

    def summary(self) -> dict[str, Any]:
        examples = {name: found[:EXAMPLES] for name, found in self.broken.items() if found}
        return self.counts | {name: len(found) for name, found in self.broken.items()} | {"examples": examples}


def read(folder: Path) -> list[Row]:
    """All rows of all clients, in order of time."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.jsonl")):
        rows += (json.loads(line) | {"c": path.stem} for line in path.read_text().splitlines())
    rows.sort(key=lambda row: float(row["t"]))
    return rows


def check(rows: list[Row], remaining: int = 0) -> Verdict:
    """Args:
    remaining: How many messages the broker still has, after everything was to be drained.
    """
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[row["e"]].append(row)
    invoked = {row["k"]: row for row in reversed(kinds["invoke"])}
    confirmed = {row["k"] for row in kinds["confirm"]}
    first_times = Counter((row["q"], row["id"]) for row in kinds["arrive"])
    counts = {
        "invoked": len(invoked), "confirmed": len(confirmed), "delivered": len(kinds["arrive"]),
        "acked": len(kinds["ack_ok"]), "settles_unknown": len(kinds["ack_no"]) + len(kinds["nack_no"]),
        "publishes_unknown": len(kinds["failed"]), "dead": len({row["k"] for row in kinds["arrive"] if _is_dead(row)}),
        "duplicates": sum(count - 1 for count in Counter(row["k"] for row in kinds["ack"]).values()),
        "redelivered": sum(count - 1 for count in first_times.values()), "remaining": remaining,
    }  # fmt: skip
    return Verdict(
        counts,
        {
            "lost": sorted(confirmed - {row["k"] for row in kinds["ack"]}),
            "never_published": sorted({row["k"] for row in kinds["arrive"]} - invoked.keys()),
            "redelivered_after_ack": list(_after_ack(kinds["ack_ok"], kinds["arrive"])),
            "stored_twice": list(_stored_twice(kinds["arrive"] + kinds["confirm"])),
            "out_of_order": list(_out_of_order(kinds["begin"])),
            "too_early": [
                row["k"]
                for row in kinds["arrive"]
                if row["k"] in invoked and row["t"] + CLOCK_GRAIN_MS < invoked[row["k"]]["t"] + invoked[row["k"]]["d"]
            ],
            "nack_forgotten": list(_nack_forgotten(kinds["nack_ok"], kinds["arrive"])),
            "attempts_over_max": [
                row["k"] for row in kinds["arrive"] if row["a"] > ATTEMPTS_MAX.get(row["q"], ATTEMPTS_MAX_DEFAULT)
            ],
            "not_dead_lettered_once": list(_not_dead_once(rows)),
            "publish_failed": [row["k"] for row in kinds["failed"]],
            "remaining_messages": ["?"] * remaining,
        },
    )


def _is_dead(row: Row) -> bool:
    return str(row["q"]).endswith(".dead")


def _after_ack(acked: Iterable[Row], arrived: Iterable[Row]) -> Iterator[str]:
    """After an ack was confirmed, no delivery of that message starts, in no queue."""
    acked_at: dict[str, float] = {}
    for row in acked:
        acked_at.setdefault(row["id"], row["t"])
    return (row["k"] for row in arrived if row["t"] > acked_at.get(row["id"], float("inf")))


def _stored_twice(rows: Iterable[Row]) -> Iterator[str]:
    """A publish, however often its frame was sent, is one message with one id."""
    ids: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if "id" in row:
            ids[row["k"]].add(row["id"])
    return (key for key, found in ids.items() if len(found) > 1)


def _out_of_order(begun: Iterable[Row]) -> Iterator[str]:
    """``crash.order`` has one consumer, one message at a time, and nothing is refused: each producer's come in order."""
    seen: set[str] = set()
    last: dict[str, int] = defaultdict(lambda: -1)
    for row in begun:
        if row["q"] != "crash.order" or row["k"] in seen:
            continue
        seen.add(row["k"])
        producer, number = row["k"].split("-")
        if int(number) < last[producer]:
            yield row["k"]
        last[producer] = int(number)


def _nack_forgotten(nacked: Iterable[Row], arrived: Iterable[Row]) -> Iterator[str]:
    """A confirmed nack counts its attempt for good: later deliveries in that queue have a higher one."""
    nacks: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in nacked:
        nacks[row["q"], row["id"]].append(row)
    for row in arrived:
        for nack in nacks.get((row["q"], row["id"]), ()):
            if row["t"] > nack["t"] and row["a"] <= nack["a"]:
                yield row["k"]


def _not_dead_once(rows: Iterable[Row]) -> Iterator[str]:
    """A message whose last allowed attempt was refused, or that was given up, is acked once out of a dead-letter queue.

    And none is acked both there and in its own queue.
    """
    exhausted: set[str] = set()
    given_up_by: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["e"] == "nack_ok" and row["a"] >= ATTEMPTS_MAX.get(row["q"], ATTEMPTS_MAX_DEFAULT):
            exhausted.add(row["k"])
        if row["e"] == "ack_ok":
            given_up_by[row["k"]].add(row["q"])
    for key in exhausted:
        if not any(name.endswith(".dead") for name in given_up_by[key]):
            yield key
    for key, queues in given_up_by.items():
        if len(queues) > 1:
            yield key
