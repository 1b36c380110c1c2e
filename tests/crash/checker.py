"""Judges the history of a crash run: what the clients did and saw, against what the broker promises.

A row has ``e`` (event), ``t`` (monotonic milliseconds, one clock for all processes), ``k`` (the key in the body, unique per
publish) and what belongs to the event:

    invoke, confirm, failed                      a publish, by key
    arrive                                       a delivery's frame reached a client: queue, id, number, attempt, ordering key (o)
    begin, ack, ack_ok, ack_no, nack, nack_ok …  its handler began; settled; the answer came

A queue and its dead-letter queue are one *place*: what is settled in either is settled there. A group of a stream is a place too,
and what was published to a topic is in several, under one id.

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
TOPICS = {"crash.topic": ("crash.fan-a", "crash.fan-b", "crash.log/members")}
"""Topic → places of what is bound to it."""
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
    acked = {(_place(row), row["k"]) for row in kinds["ack"]}
    arrived = {(_place(row), row["k"]) for row in kinds["arrive"]}
    anywhere = {key for _, key in acked}
    fanned = [(place, key) for key in confirmed for place in TOPICS.get(invoked.get(key, {}).get("q", ""), ())]
    counts = {
        "invoked": len(invoked), "confirmed": len(confirmed), "delivered": len(kinds["arrive"]),
        "acked": len(kinds["ack_ok"]), "settles_unknown": len(kinds["ack_no"]) + len(kinds["nack_no"]),
        "publishes_unknown": len(kinds["failed"]), "dead": len({row["k"] for row in kinds["arrive"] if _is_dead(row)}),
        "duplicates": sum(count - 1 for count in Counter((_place(row), row["k"]) for row in kinds["ack"]).values()),
        "keyed": sum(1 for row in kinds["arrive"] if row.get("o")), "fanned_out": len(fanned),
        "redelivered": sum(count - 1 for count in first_times.values()), "remaining": remaining,
    }  # fmt: skip
    return Verdict(
        counts,
        {
            "lost": sorted({*(confirmed - anywhere), *(key for place, key in fanned if (place, key) not in acked)}),
            "fan_out_incomplete": [f"{key} {place}" for place, key in fanned if (place, key) not in arrived],
            "never_published": sorted({row["k"] for row in kinds["arrive"]} - invoked.keys()),
            "redelivered_after_ack": list(_after_ack(kinds["ack_ok"], kinds["arrive"])),
            "stored_twice": list(_stored_twice(kinds["arrive"] + kinds["confirm"])),
            "out_of_order": list(_out_of_order(kinds["begin"])),
            "key_out_of_order": list(_key_out_of_order(kinds["arrive"])),
            "key_twice_at_once": list(_key_twice_at_once(rows)),
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


def _place(row: Row) -> str:
    """Where a row happened; a dead-letter queue is part of what it belongs to."""
    name = str(row["q"]).removesuffix(".dead")
    return "crash.log/members" if name == "crash.log.members" else name


def _after_ack(acked: Iterable[Row], arrived: Iterable[Row]) -> Iterator[str]:
    """After an ack was confirmed, no delivery of that message starts in that place."""
    acked_at: dict[tuple[str, str], float] = {}
    for row in acked:
        acked_at.setdefault((_place(row), row["id"]), row["t"])
    return (row["k"] for row in arrived if row["t"] > acked_at.get((_place(row), row["id"]), float("inf")))


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


def _key_out_of_order(arrived: Iterable[Row]) -> Iterator[str]:
    """Of one producer's messages with one ordering key, none arrives for the first time after a later one did."""
    seen: set[tuple[str, str]] = set()
    last: dict[tuple[str, str, str], int] = defaultdict(lambda: -1)
    for row in arrived:
        place, key = _place(row), row.get("o")
        if key is None or (place, row["k"]) in seen:
            continue
        seen.add((place, row["k"]))
        producer, number = row["k"].split("-")
        if int(number) < last[place, key, producer]:
            yield row["k"]
        last[place, key, producer] = int(number)


def _key_twice_at_once(rows: Iterable[Row]) -> Iterator[str]:
    """While a message of a key is out and no client has sent its ack, no other message of that key arrives there."""
    out: dict[tuple[str, str], set[str]] = defaultdict(set)
    done: set[tuple[str, str]] = set()
    keys: dict[tuple[str, str], str] = {}
    for row in rows:
        if row["e"] == "arrive" and row.get("o") is not None and not _is_dead(row):
            place = _place(row)
            keys[place, row["k"]] = row["o"]
            others = out[place, row["o"]] - {row["k"]}
            if others and (place, row["k"]) not in done:
                yield row["k"]
            if (place, row["k"]) not in done:
                out[place, row["o"]].add(row["k"])
        elif row["e"] == "ack" and (key := keys.get((_place(row), row["k"]))) is not None:
            done.add((_place(row), row["k"]))
            out[_place(row), key].discard(row["k"])


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
    exhausted: set[tuple[str, str]] = set()
    given_up_by: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row["e"] == "nack_ok" and row["a"] >= ATTEMPTS_MAX.get(row["q"], ATTEMPTS_MAX_DEFAULT):
            exhausted.add((_place(row), row["k"]))
        if row["e"] == "ack_ok":
            given_up_by[_place(row), row["k"]].add(row["q"])
    for message in exhausted:
        if not any(name.endswith(".dead") for name in given_up_by[message]):
            yield message[1]
    for message, queues in given_up_by.items():
        if len(queues) > 1:
            yield message[1]
