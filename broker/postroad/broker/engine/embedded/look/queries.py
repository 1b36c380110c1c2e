"""Looking without touching: the ``query`` operations of docs/protocol.md §6."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from ....core.durable.delayed import Delayed
from ....core.durable.queue import Queue
from ....core.durable.runs import Runs
from ....core.durable.stream import Stream
from ....core.format.codec import decode
from ....core.format.record import Move
from ....core.machine import Machine
from ....core.rules.dead_letters import dead_letter_name
from ....core.rules.declare import offset_of
from ....errors import InvalidRequest, PostroadError, QueueNotFound
from ....journal import Journal
from ....settings import FOREVER
from ...arguments import integer_of, shown_body, text_of
from ...engine import Json
from ...message_logs import MessageLogs
from ..write.bodies import Bodies
from .history import History
from .progress import ProgressBoard
from .search import Search, search_of
from .stats import Stats
from .watching import message_json

BROWSE_MAX = 200
SEARCH_MAX = 10_000
"""Messages looked through in one query; ``next`` says where to go on."""

SEARCH_STEP = 200
BROWSE_BODY_BYTES = 64 * 1024
STATES = ("ready", "parked", "delayed", "leased", "dead")


class Queries:
    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        bodies: Bodies,
        stats: Stats,
        history: History,
        progress: ProgressBoard,
        logs: MessageLogs,
    ) -> None:
        self._machine = machine
        self._logs = logs
        self._progress = progress
        self._journal = journal
        self._bodies = bodies
        self._stats = stats
        self._history = history
        self._started_at = time.monotonic()

    async def answer(self, what: str, args: Mapping[str, Any], last: int) -> Json:
        """Answer a query as of now; what is read from the journal, up to position ``last``.

        Raises:
            InvalidRequest, QueueNotFound, MessageNotFound, Gone.
        """
        match what:
            case "overview":
                return {
                    "queues": self.queues(),
                    "streams": self.streams(),
                    "uptime_ms": int((time.monotonic() - self._started_at) * 1000),
                }
            case "queues":
                return {"queues": self.queues()}
            case "streams":
                return {"streams": self.streams()}
            case "stream":
                return {"stream": self._stats.of_stream(self._stream(text_of(args, "stream")), self._machine.now)}
            case "offset":
                return {"offset": self.offset_at(text_of(args, "stream"), args.get("at"))}
            case "schedules":
                return {"schedules": self.schedules()}
            case "bindings":
                return {"bindings": self.bindings()}
            case "queue":
                return self.queue(text_of(args, "queue"))
            case "messages":
                return await self.browse(text_of(args, "queue"), args)
            case "message":
                return {
                    "message": await self.message(text_of(args, "message"), last, body=args.get("body", True) is True)
                }
            case "logs":
                position, index, _ = self._history.find(text_of(args, "message"))
                return {"logs": self._logs.of(f"{self._machine.state.id_prefix(position)}{index}")}
            case "events":
                queue = args.get("queue")
                if queue is not None:
                    self._machine.queue(text_of(args, "queue"))
                return {"events": await self._history.last_events(queue, integer_of(args, "last", 100), last)}
        raise InvalidRequest(f"There is no query {what[:40]!a}.", field="what")

    def numbers(self, name: str | None) -> Json:
        """Stats of a queue, group or stream, or of all (``name`` None), as a watch shows them."""
        if name is None:
            return {"queues": self.queues(), "streams": self.streams()}
        stats = self._stats.of_name(name, self._machine.now)
        assert stats is not None, "the caller has looked"
        return {"stream" if stats["kind"] == "stream" else "queue": stats}

    def queues(self) -> list[Json]:
        """Stats of all queues; groups are with their streams."""
        queues = self._machine.state.queues
        return [
            self._stats.of(queues[name], self._machine.now) for name in sorted(queues) if queues[name].stream is None
        ]

    def streams(self) -> list[Json]:
        streams = self._machine.state.streams
        return [self._stats.of_stream(streams[name], self._machine.now) for name in sorted(streams)]

    def _stream(self, name: str) -> Stream:
        """Raises: QueueNotFound."""
        stream = self._machine.state.streams.get(name)
        if stream is None:
            raise QueueNotFound(f'There is no stream named "{name[:75]}".', stream=name[:75])
        return stream

    def offset_at(self, name: str, at: object) -> int:
        """Offset of a stream's first message that was published at this time or later; of the next one, if there is none.

        Raises:
            QueueNotFound, InvalidRequest.
        """
        if type(at) is not int or not 0 <= at <= FOREVER:
            raise InvalidRequest("at must be a time in milliseconds.", field="at")
        return offset_of(self._stream(name), ("at", at))

    def schedules(self) -> list[Json]:
        return [
            {
                "name": schedule.name,
                "cron": schedule.cron,
                "every_ms": schedule.every_ms,
                "zone": schedule.zone,
                schedule.kind: schedule.target,
                "paused": schedule.paused,
                "next_at": None if schedule.paused else schedule.next_at,
                "last_at": schedule.last_at or None,
                "fired": schedule.fired,
                "last_error": schedule.last_error,
                **shown_body(schedule.attributes.get("type", "json"), schedule.body),
            }
            for _, schedule in sorted(self._machine.state.schedules.items())
        ]

    def bindings(self) -> list[Json]:
        state = self._machine.state
        return [
            {
                "topic": binding.pattern,
                "stream" if binding.target in state.stream_logs else "queue": state.names[binding.target],
                "headers": {"match": "any" if binding.any_header else "all", "values": dict(binding.headers)}
                if binding.headers
                else None,
            }
            for binding in state.bindings.all
        ]

    def queue(self, name: str) -> Json:
        """Raises: QueueNotFound."""
        queue = self._machine.queue(name)
        settings = queue.settings.to_json()
        if settings["dead_letter"] == "":
            settings["dead_letter"] = dead_letter_name(queue.name)
        return {
            "queue": self._stats.of(queue, self._machine.now),
            "settings": settings,
            "consumers": self._stats.consumers(queue, self._machine.now),
        }

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
        members = self._members(queue, wanted)
        matching = search_of(args)
        if matching is None:
            sequences = members.after(after, limit + 1)
            messages = [self.row(queue, sequence) for sequence in sequences[:limit]]
            return {"messages": messages, "next": sequences[limit - 1] if len(sequences) > limit else None}
        return await self._search(queue, members, after, limit, matching)

    async def _search(self, queue: Queue, members: Runs, after: int, limit: int, matching: Search) -> Json:
        """Look through up to ``SEARCH_MAX`` messages, giving way to others now and then."""
        messages: list[Json] = []
        sequences = members.after(after, SEARCH_MAX + 1)
        looked = 0
        for sequence in sequences[:SEARCH_MAX]:
            looked += 1
            if looked % SEARCH_STEP == 0:
                await asyncio.sleep(0)
            if sequence < queue.log.first or queue.group.is_settled(sequence):
                continue
            position, index = queue.log.locate(sequence)
            stored = self._bodies.get(position)
            if matching.fits(stored, index):
                messages.append(self.row(queue, sequence))
                if len(messages) == limit:
                    break
        more = looked < len(sequences)
        return {"messages": messages, "next": sequences[looked - 1] if more and looked else None, "searched": looked}

    async def message(self, id: str, last: int, *, body: bool = True) -> Json:
        """One message with its timeline.

        Raises:
            MessageNotFound, Gone.
        """
        position, index, publish = self._history.find(id)
        stories = await self._history.stories(id, last)
        for story in stories:
            self.add_lease(story)
        found = message_json(id, publish, index, stories, self._machine)
        if body:
            stored = self._bodies.get(position)
            found["headers"] = stored.attribute("headers", "headers", index)
            found["key"] = stored.attribute("key", "keys", index)
            found |= shown_body(found["type"], stored.cut(index, 1))
        return found

    def add_lease(self, story: Any) -> None:
        """Leases are not in the journal: add who holds the message now."""
        queue = self._machine.state.logs.get(story.log)
        if queue is None or story.is_over:
            return
        if queue.group.is_settled(story.sequence):
            return
        for subscription in self._machine.subscriptions.values():
            if subscription.queue is queue and (held := subscription.leases.find_sequence(story.sequence)):
                attempt = queue.group.attempts.get(story.sequence, 0) + 1
                story.granted(held.granted_at, subscription.consumer, attempt)
                if (latest := self._progress.of(story.log, story.sequence)) is not None:
                    story.progressed(*latest)
                return

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
        for subscription in self._machine.subscriptions.values():
            if subscription.queue is queue and (held := subscription.leases.find_sequence(sequence)):
                latest = self._progress.of(queue.number, sequence)
                progress = {"at": latest[0], "percent": latest[1], "note": latest[2]} if latest else None
                return {
                    "state": "delivered",
                    "consumer": subscription.consumer,
                    "granted_at": held.granted_at,
                    "progress": progress,
                }
        return {}

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

    def _members(self, queue: Queue, wanted: str) -> Runs:
        group = queue.group
        members = Runs()
        if wanted == "leased":
            for subscription in self._machine.subscriptions.values():
                if subscription.queue is queue:
                    for held in subscription.leases:
                        members.add(held.sequence, held.sequence + held.count - 1)
            return members
        sources: list[Runs | Delayed] = [*group.ready.values()] if wanted not in ("delayed", "parked") else []
        if wanted in ("parked", "dead"):
            sources.append(group.order.parked)
        if wanted in ("delayed", "dead"):
            sources += [group.delayed, group.retrying]
        for runs in sources:
            for first, last in runs.starting(0):
                members.add(first, last)
        return members
