"""Looking without touching: the ``query`` operations of docs/protocol.md §6."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from ....core.durable.schedule import Schedule
from ....core.durable.stream import Stream
from ....core.durable.topic.bindings import Binding
from ....core.machine import Machine
from ....core.rules.dead_letters import dead_letter_name
from ....core.rules.declare import offset_of
from ....core.rules.schedules import last_error, next_at
from ....errors import InvalidRequest, QueueNotFound
from ....settings import FOREVER
from ...arguments import integer_of, shown_body, text_of
from ...engine import Json
from ...message_logs import MessageLogs
from ..write.bodies import Bodies
from .browsing import Browsing
from .history import History
from .memory import Memory
from .message_json import message_json
from .progress import ProgressBoard
from .slices import in_slices
from .stats import Stats


class Queries:
    """What is large is answered in slices: a part of the answer is a few turns of the loop older than another."""

    def __init__(
        self,
        machine: Machine,
        browsing: Browsing,
        memory: Memory,
        bodies: Bodies,
        stats: Stats,
        history: History,
        progress: ProgressBoard,
        logs: MessageLogs,
    ) -> None:
        self._machine = machine
        self._logs = logs
        self._progress = progress
        self._browsing = browsing
        self._memory = memory
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
                    "queues": await self.queues(),
                    "streams": await self.streams(),
                    "memory": await self._memory.parts(),
                    "uptime_ms": int((time.monotonic() - self._started_at) * 1000),
                }
            case "queues":
                return {"queues": await self.queues()}
            case "streams":
                return {"streams": await self.streams()}
            case "stream":
                return {"stream": self._stats.of_stream(self._stream(text_of(args, "stream")), self._machine.now)}
            case "offset":
                return {"offset": self.offset_at(text_of(args, "stream"), args.get("at"))}
            case "schedules":
                return {"schedules": await self.schedules()}
            case "bindings":
                return {"bindings": await self.bindings()}
            case "queue":
                return await self.queue(text_of(args, "queue"))
            case "messages":
                return await self._browsing.browse(text_of(args, "queue"), args)
            case "message":
                return {
                    "message": await self.message(text_of(args, "message"), last, body=args.get("body", True) is True)
                }
            case "logs":
                position, index, _ = self._history.find(text_of(args, "message"))
                return {"logs": self._logs.of(f"{self._machine.state.id_prefix(position)}{index}")}
            case "events":
                return await self._events(args, last)
        raise InvalidRequest(f"There is no query {what[:40]!a}.", field="what")

    async def _events(self, args: Mapping[str, Any], last: int) -> Json:
        queue = args.get("queue")
        if queue is not None and (queue := text_of(args, "queue")) not in self._machine.state.streams:
            self._machine.queue(queue)
        events, looked_from = await self._history.last_events(queue, integer_of(args, "last", 100), last)
        return {"events": events} if looked_from is None else {"events": events, "looked_from": looked_from}

    async def numbers(self, name: str | None) -> Json:
        """Stats of a queue, group or stream, or of all (``name`` None), as a watch shows them.

        Raises:
            QueueNotFound.
        """
        if name is None:
            return {"queues": await self.queues(), "streams": await self.streams()}
        stats = self._stats.of_name(name, self._machine.now)
        if stats is None:
            raise QueueNotFound(f'There is no queue named "{name[:75]}".', queue=name[:75])
        return {"stream" if stats["kind"] == "stream" else "queue": stats}

    async def queues(self) -> list[Json]:
        """Stats of all queues; groups are with their streams."""
        queues = self._machine.state.queues

        def stats_of(name: str) -> Json | None:
            queue = queues.get(name)
            return self._stats.of(queue, self._machine.now) if queue is not None and queue.stream is None else None

        return await in_slices(sorted(queues), stats_of)

    async def streams(self) -> list[Json]:
        streams = self._machine.state.streams

        def stats_of(name: str) -> Json | None:
            stream = streams.get(name)
            return self._stats.of_stream(stream, self._machine.now) if stream is not None else None

        return await in_slices(sorted(streams), stats_of)

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

    async def schedules(self) -> list[Json]:
        schedules = [schedule for _, schedule in sorted(self._machine.state.schedules.items())]
        return await in_slices(schedules, lambda schedule: schedule_json(self._machine, schedule))

    async def bindings(self) -> list[Json]:
        state = self._machine.state

        def shown(binding: Binding) -> Json | None:
            if binding.target not in state.stream_logs and binding.target not in state.logs:
                return None  # deleted while others were shown
            return {
                "topic": binding.pattern,
                "stream" if binding.target in state.stream_logs else "queue": state.names[binding.target],
                "headers": {"match": "any" if binding.any_header else "all", "values": dict(binding.headers)}
                if binding.headers
                else None,
            }

        return await in_slices(list(state.bindings.all), shown)

    async def queue(self, name: str) -> Json:
        """Raises: QueueNotFound."""
        queue = self._machine.queue(name)
        settings = queue.settings.to_json()
        if settings["dead_letter"] == "":
            settings["dead_letter"] = dead_letter_name(queue.name)
        return {
            "queue": self._stats.of(queue, self._machine.now),
            "settings": settings,
            "consumers": await in_slices(
                self._stats.consumers(queue), partial(self._stats.of_consumer, self._machine.now)
            ),
        }

    async def message(self, id: str, last: int, *, body: bool = True) -> Json:
        """One message with its timeline.

        Raises:
            MessageNotFound, Gone.
        """
        position, index, publish = self._history.find(id)
        _, stories = self._history.begin(id)
        await self._history.follow(stories, position, last)
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
        if (held := self._machine.holder(queue, story.sequence)) is not None:
            subscription, lease = held
            attempt = queue.group.attempts.get(story.sequence, 0) + 1
            story.granted(lease.granted_at, subscription.consumer, attempt)
            if (latest := self._progress.of(story.log, story.sequence)) is not None:
                story.progressed(*latest)


def schedule_json(machine: Machine, schedule: Schedule) -> Json:
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "every_ms": schedule.every_ms,
        "zone": schedule.zone,
        schedule.kind: schedule.target,
        "paused": schedule.paused,
        "next_at": None if schedule.paused else next_at(machine, schedule),
        "last_at": schedule.last_at or None,
        "fired": schedule.fired,
        "last_error": last_error(machine, schedule),
        **shown_body(schedule.attributes.get("type", "json"), schedule.body),
    }
