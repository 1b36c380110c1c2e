"""Looking at a queue or group as its log has it here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import islice

from ..external import Counts, Received
from .group import GroupLog
from .log import Log
from .machine import Entry, Machine
from .record import INDEX_BITS


async def counts_of(queue: Log) -> Counts:
    machine = await queue.caught_up()
    retrying = machine.retrying
    counts = Counts(
        ready=machine.free, delayed=len(machine.waiting) - retrying, retrying=retrying, leased=machine.leased
    )
    oldest = next((entry for entry in machine.entries.values() if entry.owner is None), None)
    if isinstance(queue, GroupLog):
        low, high = await queue.stream.bounds()
        counts.ready += max(high - max(machine.next, low), 0)
        counts.committed = min(min(machine.entries, default=machine.next), machine.next)
    elif oldest is not None:
        counts.oldest_at = queue.header(oldest)["t"]
    return counts


def _in_state(machine: Machine, state: str) -> Iterable[Entry]:
    match state:
        case "leased":
            return (entry for entry in machine.entries.values() if entry.owner is not None)
        case "delayed":
            return machine.waiting.values()
    return (entry for entry in machine.entries.values() if entry.owner is None and not entry.due)


async def browse(queue: Log, state: str, after: int, limit: int) -> list[Received]:
    machine = await queue.caught_up()
    chosen = sorted((entry for entry in _in_state(machine, state) if entry.sequence > after), key=lambda e: e.sequence)
    chosen = chosen[: limit + 1]
    if isinstance(queue, GroupLog) and state == "ready" and len(chosen) <= limit:
        _, high = await queue.stream.bounds()
        fresh = range(max(machine.next, after + 1), high)
        chosen += [Entry(sequence) for sequence in islice(fresh, limit + 1 - len(chosen))]
    shown = {entry.sequence: _more(entry) for entry in chosen}
    rows = await queue.received(chosen)
    for row in rows:
        row.more = shown[row.sequence]
        dead = row.header.get("z")
        if dead is not None:
            row.more |= {
                "reason": dead["reason"],
                "attempts": dead["attempts"],
                "dead_at": dead["at"],
                "dead_letter_of": dead["of"],
                "last_consumer": dead.get("consumer"),
            }
            if row.more["state"] == "queued":
                row.more["state"] = "dead"
    return rows


def _more(entry: Entry) -> dict[str, object]:
    if entry.owner is not None:
        return {"state": "delivered"}
    if entry.due:
        return {"state": "retrying" if entry.attempts else "delayed", "due": entry.due}
    return {"state": "queued"}


async def fetch(queue: Log, sequence: int) -> Received | None:
    machine = await queue.caught_up()
    entry = machine.entries.get(sequence)
    if entry is None or sequence >> INDEX_BITS >= queue.applied:
        return None
    with contextlib.suppress(IndexError):
        return (await queue.received([entry]))[0]
    return None


def dead_of(machine: Machine, sequences: list[int] | None) -> Iterable[Entry]:
    """Dead messages that nobody holds: those of ``sequences``, or all."""
    if sequences is None:
        return (entry for entry in list(machine.entries.values()) if entry.owner is None)
    found = (machine.entries.get(sequence) for sequence in sequences)
    return (entry for entry in found if entry is not None and entry.owner is None)
