"""The ``operate`` operations of docs/protocol.md §6."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...core import command as c
from ...core.ids import parse_id
from ...core.machine import Machine
from ...core.queue import Queue
from ...errors import InvalidRequest, InvalidState, MessageNotFound, PostroadError
from ..engine import Json
from .history import History
from .queries import text_of

CHUNK = 1000
"""Messages moved in one command: a large redrive gives way to others between chunks."""

Run = Callable[[object], Awaitable[Any]]


class Operations:
    def __init__(self, machine: Machine, history: History, run: Run) -> None:
        self._machine = machine
        self._history = history
        self._run = run

    async def carry_out(self, do: str, args: Mapping[str, Any]) -> Json:
        """Raises: InvalidRequest, InvalidState, QueueNotFound, MessageNotFound, StorageFull."""
        if do == "cancel":
            return await self._cancel(text_of(args, "message"))
        if do not in ("redrive", "discard", "purge", "pause", "resume"):
            raise InvalidRequest(f'There is no operation "{do[:40]}".', field="do")
        queue = self._machine.queue(text_of(args, "queue"))
        if do == "redrive":
            return {"count": await self._redrive(queue, args)}
        if do == "discard":
            sequences = self._sequences(queue, args.get("messages"))
            return {"count": await self._run(c.Discard(queue=queue.name, sequences=sequences))}
        if do == "purge":
            return {"count": await self._run(c.Purge(queue=queue.name))}
        reason = args.get("reason")
        if reason is not None and (not isinstance(reason, str) or len(reason) > 200):
            raise InvalidRequest("reason must be a string of at most 200 characters.", field="reason")
        await self._run(c.SetPaused(queue=queue.name, paused=do == "pause", reason=reason))
        return {"paused": do == "pause"}

    async def _redrive(self, queue: Queue, args: Mapping[str, Any]) -> int:
        if args.get("messages") is not None:
            sequences = self._sequences(queue, args["messages"])
            return int(await self._run(c.Redrive(queue=queue.name, sequences=sequences)))
        limit = args.get("limit")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise InvalidRequest("limit must be an integer ≥ 1.", field="limit")
        count = 0
        while limit is None or count < limit:
            step = CHUNK if limit is None else min(CHUNK, limit - count)
            moved = await self._run(c.Redrive(queue=queue.name, limit=step))
            count += moved
            if moved < step:
                break
        return count

    async def _cancel(self, message: str) -> Json:
        log, sequence = self._place(message)
        queue = self._machine.state.logs.get(log)
        if queue is None or queue.group.is_settled(sequence):
            raise InvalidState("The message is settled already.", message_id=message[:64])
        await self._run(c.CancelMessage(queue=queue.name, sequence=sequence))
        return {"state": "cancelled"}

    def _sequences(self, queue: Queue, messages: object) -> list[int]:
        """Sequences in ``queue`` of these ids; ids of messages that are elsewhere are passed over."""
        if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
            raise InvalidRequest("messages must be an array of message ids.", field="messages")
        sequences = []
        for message in messages:
            try:
                log, sequence = self._place(message)
            except MessageNotFound:
                continue
            if log == queue.number:
                sequences.append(sequence)
        return sequences

    def _place(self, message: str) -> tuple[int, int]:
        """Where a message is now.

        Raises:
            MessageNotFound.
        """
        _, position, index = parse_id(message)
        placed = self._machine.state.placements.get((position, index))
        if placed is not None:
            return placed
        try:
            position, index, publish = self._history.find(message)
        except MessageNotFound:
            raise
        except PostroadError as error:
            raise MessageNotFound(error.message, message_id=message[:64]) from error
        log, first = publish.targets[0]
        return log, first + index
