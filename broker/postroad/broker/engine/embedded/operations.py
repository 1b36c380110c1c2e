"""The ``operate`` operations of docs/protocol.md §6."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...checks import checked_start, exceeded
from ...core.durable.queue import Queue
from ...core.durable.stream import GROUP_SEPARATOR
from ...core.format import command as c
from ...core.machine import Machine
from ...errors import InvalidRequest, InvalidState, MessageNotFound, QueueNotFound
from ...names import queue_name, topic_name
from ...settings import FOREVER
from ..arguments import text_of
from ..bounds import check_operation
from ..engine import Json
from .long_operations import LongOperations, Step
from .look.history import History
from .places import Places
from .write.one_message import one_message
from .write.work import Steps, Work

Run = Callable[[object], Awaitable[Any]]
RunPublish = Callable[[object, c.PublishMessages, bytes], Awaitable[c.Published]]


class Operations:
    def __init__(
        self, machine: Machine, history: History, run: Run, publish: RunPublish, step: Step, work: Work
    ) -> None:
        self._machine = machine
        self._history = history
        self._places = Places(machine, history)
        self._run = run
        self._publish = publish
        self._long = LongOperations(machine, self._places, step)
        self._work = work

    async def carry_out(self, do: str, args: Mapping[str, Any]) -> Json:
        """Raises: InvalidRequest, LimitExceeded, InvalidState, QueueNotFound, MessageNotFound, StorageFull."""
        check_operation(args, self._machine.limits)
        if do == "cancel":
            return await self._cancel(text_of(args, "message"))
        if do == "stop":
            self._work.stop(text_of(args, "operation"))
            return {"stopped": True}
        if do in ("schedule", "schedule_delete", "schedule_pause", "schedule_resume", "schedule_run"):
            return await self._schedule(do, args)
        if do == "edit":
            return await self._edit(args)
        if do == "confirm_clock":
            return {"confirmed": await self._run(c.ConfirmClock())}
        if do in ("bind", "unbind", "reset", "replay"):
            return await self._stream_operation(do, args)
        if do not in ("redrive", "discard", "purge", "pause", "resume"):
            raise InvalidRequest(f'There is no operation "{do[:40]}".', field="do")
        queue = self._machine.queue(text_of(args, "queue"))
        if do == "redrive":
            return await self._redrive(queue, args)
        if do == "discard":
            ids = _ids(args.get("messages"))
            return await self._carry_out_long(
                "discard", queue.name, self._long.discard(queue, ids), args, total=len(ids)
            )
        if do == "purge":
            steps = self._long.purge(queue, until=queue.log.next)
            return await self._carry_out_long("purge", queue.name, steps, args, total=queue.group.waiting_count)
        await self._run(c.SetPaused(queue=queue.name, paused=do == "pause", reason=args.get("reason")))
        return {"paused": do == "pause"}

    async def _stream_operation(self, do: str, args: Mapping[str, Any]) -> Json:
        if do in ("bind", "unbind"):
            target = text_of(args, "stream" if "stream" in args else "queue")
            command = c.BindTopic(
                pattern=text_of(args, "topic"), target=target, headers=args.get("headers"), on=do == "bind"
            )
            return {"changed": await self._run(command)}
        stream = text_of(args, "stream")
        if do == "reset":
            name = f"{stream}{GROUP_SEPARATOR}{text_of(args, 'group')}"
            return {"offset": await self._run(c.ResetGroup(queue=name, start=checked_start(args.get("to"), "to")))}
        first, last = args.get("first") or 0, args.get("last")
        last = FOREVER if last is None else last
        queue = queue_name(text_of(args, "queue"))
        found = self._machine.state.streams.get(stream)
        if found is None:
            raise QueueNotFound(f'There is no stream named "{stream[:75]}".', stream=stream[:75])
        first, last = max(first, found.log.first), min(last, found.log.next - 1)
        is_dry = args.get("dry_run") is True
        steps = self._long.count(found, first, last) if is_dry else self._long.replay(found, first, last, queue)
        total = min(max(last - first + 1, 0), found.log.count)
        return await self._carry_out_long("replay", queue, steps, args, total=total, stream=stream)

    async def _carry_out_long(
        self,
        kind: str,
        queue: str,
        steps: Steps,
        args: Mapping[str, Any],
        *,
        total: int | None,
        stream: str | None = None,
    ) -> Json:
        id = queue_name(text_of(args, "operation")) if args.get("operation") is not None else None
        return await self._work.carry_out(kind, queue, steps, total=total, stream=stream, id=id)

    async def _schedule(self, do: str, args: Mapping[str, Any]) -> Json:
        name = queue_name(text_of(args, "schedule"))
        if do != "schedule":
            await self._run(c.ChangeSchedule(name=name, do=do.removeprefix("schedule_")))
            return {}
        kind = next((kind for kind in ("queue", "stream", "topic") if kind in args), None)
        if kind is None:
            raise InvalidRequest("A schedule needs a queue, stream or topic to publish to.", field="queue")
        target = topic_name(args[kind]) if kind == "topic" else queue_name(args[kind])
        limits = self._machine.limits
        body, attributes = one_message(args.get("message"), limits)
        if len(body) > (most := limits.schedule_body_bytes_max):
            raise exceeded(f"A schedule's body may have {most} bytes.", "schedule_body_bytes_max", most)
        publish = c.PublishMessages(queue=target, kind=kind, sizes=[len(body)], attributes=attributes)
        command = c.DeclareSchedule(
            name=name, publish=publish, body=body, cron=args.get("cron"), every_ms=args.get("every_ms"),
            zone=args.get("zone", "UTC"), paused=args.get("paused", False) is True,
        )  # fmt: skip
        return {"next_at": await self._run(command)}

    async def _edit(self, args: Mapping[str, Any]) -> Json:
        """Redrive with another body or headers: a new message, caused by the dead one.

        Headers, key and priority that are not named stay; null takes them away.
        """
        queue = self._machine.queue(text_of(args, "queue"))
        message = text_of(args, "message")
        found = self._places.sequences(queue, [message])
        if not found:
            raise MessageNotFound(f'The message is not in "{queue.name}".', message_id=message[:64])
        given = args.get("with") or {}
        limits = self._machine.limits
        body, attributes = one_message(given, limits)
        if len(body) > limits.body_bytes_max:
            raise exceeded(f"A body may have {limits.body_bytes_max} bytes.", "body_bytes_max", limits.body_bytes_max)
        _, index, dead = self._history.find(message)
        for name, column in (("headers", "headers"), ("key", "keys"), ("priority", "priorities")):
            if name not in given and (kept := dead.attribute(name, column, index)) is not None:
                attributes[name] = kept
        attributes["headers"] = {**(attributes.get("headers") or {}), "postroad-cause": message}
        publish = c.PublishMessages(queue="", sizes=[len(body)], attributes=attributes)
        command = c.RedriveEdited(queue=queue.name, sequence=found[0], publish=publish)
        reply = await self._publish(command, publish, body)
        return {"message": f"{self._machine.state.id_prefix(reply.position)}0"}

    async def _redrive(self, queue: Queue, args: Mapping[str, Any]) -> Json:
        if args.get("messages") is not None:
            ids = _ids(args["messages"])
            steps = self._long.redrive_chosen(queue, ids)
            return await self._carry_out_long("redrive", queue.name, steps, args, total=len(ids))
        limit = args.get("limit")
        total = queue.group.waiting_count if limit is None else min(limit, queue.group.waiting_count)
        steps = self._long.redrive(queue, queue.log.next, FOREVER if limit is None else limit)
        return await self._carry_out_long("redrive", queue.name, steps, args, total=total)

    async def _cancel(self, message: str) -> Json:
        cancelled = 0
        for log, sequence in self._places.of(message):
            queue = self._machine.state.logs.get(log)
            if queue is not None and not queue.group.is_settled(sequence):
                await self._run(c.CancelMessage(queue=queue.name, sequence=sequence))
                cancelled += 1
        if not cancelled:
            raise InvalidState("The message is settled already.", message_id=message[:64])
        return {"state": "cancelled"}


def _ids(messages: object) -> list[str]:
    """Raises: InvalidRequest."""
    if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
        raise InvalidRequest("messages must be an array of message ids.", field="messages")
    return messages
