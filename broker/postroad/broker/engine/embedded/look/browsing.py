"""The messages of a queue by state, page by page; and finding some among them.

A page costs what is on it, not what waits: members are taken in order out of the runs of each state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from ....core.durable.queue import Queue
from ....core.durable.runs import Range
from ....core.format.codec import decode
from ....core.format.record import Move
from ....core.machine import Machine
from ....core.rules.dead_letters import dead_letter_name
from ....errors import InvalidRequest, PostroadError
from ....journal import Journal
from ...arguments import integer_of, shown_body
from ...engine import Json
from ..write.bodies import Bodies
from .progress import ProgressBoard
from .search import Search, search_of
from .slices import Slices

BROWSE_MAX = 200
SEARCH_MAX = 10_000
"""Messages looked through in one query; ``next`` says where to go on."""

SEARCH_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of bodies looked through in one query."""

BROWSE_BODY_BYTES = 64 * 1024
STATES = ("ready", "parked", "delayed", "leased", "dead")


class Browsing:
    def __init__(self, machine: Machine, journal: Journal, bodies: Bodies, progress: ProgressBoard) -> None:
        self._machine = machine
        self._journal = journal
        self._bodies = bodies
        self._progress = progress

    async def browse(self, name: str, args: Mapping[str, Any]) -> Json:
        """Messages of a queue by state, in order of sequence, after ``after``.

        Raises:
            QueueNotFound, InvalidRequest.
        """
        queue = self._machine.queue(name)
        wanted = args.get("state") or "ready"
        if wanted not in STATES:
            raise InvalidRequest(f"state must be one of {', '.join(STATES)}.", field="state")
        after, limit = integer_of(args, "after", -1), min(integer_of(args, "limit", 50), BROWSE_MAX)
        if wanted == "dead" and queue.dead_letter_of is None:
            dead = self._machine.state.queues.get(queue.settings.dead_letter or dead_letter_name(queue.name))
            if dead is None or queue.settings.dead_letter is None:
                return {"messages": [], "next": None}
            queue = dead
        matching = search_of(args)
        if matching is not None:
            return await self._search(queue, wanted, after, limit, matching)
        sequences = self._members(queue, wanted, after, limit + 1)
        slices, messages = Slices(), []
        for sequence in sequences[:limit]:
            if self._is_here(queue, sequence):
                messages.append(self.row(queue, sequence))
            if slices.is_over():
                await slices.give_way()
        return {"messages": messages, "next": sequences[limit - 1] if len(sequences) > limit else None}

    async def _search(self, queue: Queue, wanted: str, after: int, limit: int, matching: Search) -> Json:
        """Look through up to ``SEARCH_MAX`` messages, or ``SEARCH_BYTES_MAX`` of bodies."""
        messages: list[Json] = []
        sequences = self._members(queue, wanted, after, SEARCH_MAX + 1)
        slices, looked, size = Slices(), 0, 0
        for sequence in sequences[:SEARCH_MAX]:
            looked += 1
            if slices.is_over():
                await slices.give_way()
            if not self._is_here(queue, sequence):
                continue
            position, index = queue.log.locate(sequence)
            stored = self._bodies.get(position)
            size += stored.sizes[index]
            if matching.fits(stored, index):
                messages.append(self.row(queue, sequence))
            if len(messages) == limit or size >= SEARCH_BYTES_MAX:
                break
        more = looked < len(sequences)
        return {"messages": messages, "next": sequences[looked - 1] if more and looked else None, "searched": looked}

    def _is_here(self, queue: Queue, sequence: int) -> bool:
        """False for what was settled, or whose queue was deleted, while others had their turn."""
        is_kept = sequence >= queue.log.first and not queue.group.is_settled(sequence)
        return is_kept and self._machine.state.logs.get(queue.number) is queue

    def row(self, queue: Queue, sequence: int) -> Json:
        """A message as a line of a list: where it stands, its body if that is not large."""
        state = self._machine.state
        position, index = queue.log.locate(sequence)
        row: Json = {"id": f"{state.id_prefix(position)}{index}", "queue": queue.name, "sequence": sequence}
        group = queue.group
        try:
            stored = self._bodies.get(position)
        except PostroadError as error:
            return row | {"state": "unreadable", "reason": error.message}
        kind = stored.attribute("type", "types", index) or "json"
        due = group.retrying.due_of(sequence) or group.delayed.due_of(sequence)
        attempts = group.attempts.get(sequence, 0)
        row |= {
            "state": "retrying" if attempts and due else "delayed" if due else "queued",
            "type": kind,
            "size": stored.sizes[index],
            "published_at": stored.at,
            "attempts": attempts,
            "attempts_max": queue.settings.attempts_max,
            "headers": stored.attribute("headers", "headers", index),
            "key": stored.attribute("key", "keys", index),
            "priority": stored.attribute("priority", "priorities", index) or 0,
            "due": due,
            "consumer": None,
        }
        if stored.topic is not None:
            row["topic"] = stored.topic
        if not due:
            row |= self._holder(queue, sequence)
        if (placed := queue.log.placed_at(sequence)) is not None:
            row |= self._placed(sequence, *placed)
        if stored.sizes[index] <= BROWSE_BODY_BYTES:
            row |= shown_body(kind, stored.cut(index, 1))
        return row

    def _holder(self, queue: Queue, sequence: int) -> Json:
        held = self._machine.holder(queue, sequence)
        if held is None:
            return {}
        subscription, lease = held
        latest = self._progress.of(queue.number, sequence)
        return {
            "state": "delivered",
            "consumer": subscription.consumer,
            "granted_at": lease.granted_at,
            "progress": {"at": latest[0], "percent": latest[1], "note": latest[2]} if latest else None,
        }

    def _placed(self, sequence: int, position: int, origin: int) -> Json:
        """Why it is here, from the record at ``position`` that placed it."""
        try:
            record = decode(self._journal.read(position)[0])
        except PostroadError:
            return {}
        if not isinstance(record, Move) or record.why != "dead":
            return {}
        attempts = next((entry[5] for entry in record.entries if entry[0] == sequence), 0)
        return {
            "state": "dead",
            "reason": record.reason,
            "attempts": attempts,
            "dead_at": record.at,
            "dead_letter_of": self._machine.state.names.get(origin),
            "last_consumer": record.consumer,
        }

    def _members(self, queue: Queue, wanted: str, after: int, limit: int) -> list[int]:
        """Sequences of the first ``limit`` messages in this state, after ``after``."""
        found: list[int] = []
        for first, last in self._runs(queue, wanted, after + 1):
            found.extend(range(first, min(last, first + limit - len(found) - 1) + 1))
            if len(found) >= limit:
                break
        return found

    def _runs(self, queue: Queue, wanted: str, start: int) -> Iterator[Range]:
        """The runs of messages in this state from ``start`` on, in order."""
        group = queue.group
        match wanted:
            case "leased":
                return self._machine.runtime_of(queue).holdings.starting(start)
            case "parked":
                return group.order.parked.starting(start)
            case "delayed":
                return merge(group.delayed.starting(start), group.retrying.starting(start))
            case "dead":
                return group.waiting_starting(start)
            case _:
                return merge(*(runs.starting(start) for runs in group.ready.values()))
