"""The ``operate`` operations of docs/protocol.md §6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ...checks import checked_start
from ...errors import InvalidRequest, InvalidState, QueueNotFound
from ...limits import LIMITS
from ...names import queue_name
from ...settings import FOREVER
from ..arguments import text_of
from ..bounds import check_operation
from ..engine import Json
from .able import refusal
from .backend import Backend, Definition, Received, Send, Target
from .envelope import ranges_of, split_id
from .queries import Queries
from .records import publish_record
from .registry import GROUP_SEPARATOR, Registry
from .source import Source

CHUNK = 500
Tell = Callable[[Json], None]


class Operations:
    def __init__(
        self, backend: Backend, registry: Registry, queries: Queries, sources: dict[str, Source], tell: Tell,
        prefix: Callable[[], str], now: Callable[[], int],
    ) -> None:  # fmt: skip
        self._backend = backend
        self._registry = registry
        self._queries = queries
        self._sources = sources
        self._tell = tell
        self._prefix = prefix
        self._now = now

    async def carry_out(self, do: str, args: Mapping[str, Any]) -> Json:
        """Raises: InvalidRequest, LimitExceeded, InvalidState, QueueNotFound, MessageNotFound, Unsupported, Unavailable."""
        check_operation(args, LIMITS)
        match do:
            case "stop":
                raise InvalidState("No such operation goes on: this engine carries each out in one go.")
            case "cancel":
                self._queries.able("cancel")
                return await self._cancel(text_of(args, "message"))
            case "bind" | "unbind":
                self._queries.able("topics")
                return await self._bind(do, args)
            case "reset":
                self._queries.able("streams")
                return await self._reset(args)
            case "replay":
                self._queries.able("streams")
                return await self._replay(args)
            case "purge":
                return await self._purge(await self._need(args))
            case "pause" | "resume":
                self._queries.able("pause")
                return await self._pause(await self._need(args), do == "pause", args.get("reason"))
            case "redrive":
                self._queries.able("redrive")
                return {"count": await self._redrive(await self._need(args), args)}
            case "discard":
                self._queries.able("cancel")
                return await self._discard(await self._need(args), args.get("messages"))
            case "edit":
                raise refusal(self._backend, "edit", field="do")
            case "schedule" | "schedule_delete" | "schedule_pause" | "schedule_resume" | "schedule_run":
                raise refusal(self._backend, "schedules", field="do")
        raise InvalidRequest(f'There is no operation "{do[:40]}".', field="do")

    async def _need(self, args: Mapping[str, Any]) -> Definition:
        return await self._registry.need(text_of(args, "queue"), "queue", "group")

    async def _bind(self, do: str, args: Mapping[str, Any]) -> Json:
        target = text_of(args, "stream" if "stream" in args else "queue")
        changed = await self._registry.bind(args.get("topic"), target, args.get("headers"), on=do == "bind")
        if changed:
            kind = "bound" if do == "bind" else "unbound"
            self._tell({"k": kind, "q": target, "pattern": args.get("topic"), "reload": True})
        return {"changed": changed}

    async def _pause(self, definition: Definition, paused: bool, reason: object) -> Json:
        if definition.paused != paused or definition.pause_reason != reason:
            changed = await self._registry.change(definition, paused=paused, pause_reason=reason)
            self._tell(
                {"k": "paused" if paused else "resumed", "q": definition.name, "reason": reason, "def": shown(changed)}
            )
        return {"paused": paused}

    async def _purge(self, definition: Definition) -> Json:
        count = await self._backend.purge(definition)
        if count:
            self._tell({"k": "purged", "q": definition.name, "n": count})
        return {"count": count}

    # Single messages

    async def _cancel(self, message: str) -> Json:
        story, prefix, index = self._queries.need_story(message)
        done = 0
        for placement in story.placements:
            if placement.is_over or placement.sequence is None or placement.at != placement.queue:
                continue
            definition = self._registry.find(placement.queue, "queue")
            if definition is not None and await self._backend.remove(definition, [placement.sequence]):
                self._tell({"k": "cancelled", "q": placement.queue, "n": 1, "i": [[prefix, index, 1]]})
                done += 1
        if not done:
            raise InvalidState("The message is settled already.", message_id=message[:64])
        return {"state": "cancelled"}

    async def _dead_sequences(self, definition: Definition, messages: object) -> dict[int, str]:
        """Where the named dead messages stand in their dead-letter queue: sequence → id."""
        if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
            raise InvalidRequest("messages must be an array of message ids.", field="messages")
        self._queries.able("peek")
        wanted, found, after = {message for message in messages if split_id(message)}, {}, -1
        while wanted:
            rows = await self._backend.browse(definition, "ready", after, CHUNK)
            for row in rows[:CHUNK]:
                id = f"{row.header['i']}{row.header['x']}"
                if id in wanted:
                    wanted.discard(id)
                    found[row.sequence] = id
            if len(rows) <= CHUNK:
                break
            after = rows[CHUNK - 1].sequence
        return found

    async def _discard(self, definition: Definition, messages: object) -> Json:
        found = await self._dead_sequences(definition, messages)
        removed = await self._backend.remove(definition, list(found)) if found else []
        if removed:
            ids = [[*(split_id(found[sequence]) or ("", 0)), 1] for sequence in removed]
            self._tell({"k": "purged", "q": definition.name, "n": len(removed), "i": ids})
        return {"count": len(removed)}

    async def _redrive(self, definition: Definition, args: Mapping[str, Any]) -> int:
        limit = args.get("limit")
        if args.get("messages") is not None:
            chosen = list(await self._dead_sequences(definition, args["messages"]))
            return await self._redrive_some(definition, chosen, len(chosen)) if chosen else 0
        count = 0
        while limit is None or count < limit:
            step = CHUNK if limit is None else min(CHUNK, limit - count)
            moved = await self._redrive_some(definition, None, step)
            count += moved
            if moved < step:
                break
        return count

    async def _redrive_some(self, definition: Definition, sequences: list[int] | None, most: int) -> int:
        moved = await self._backend.redrive(definition, sequences, most)
        by_target: dict[str, list[Received]] = {}
        for item in moved:
            by_target.setdefault(item.target, []).append(Received(None, item.sequence, item.header, b""))
        for target, messages in by_target.items():
            record = {"k": "redriven", "q": target, "from": definition.name, "n": len(messages)}
            self._tell({**record, "i": ranges_of(messages), "sq": [message.sequence for message in messages]})
        return len(moved)

    # Streams

    async def _reset(self, args: Mapping[str, Any]) -> Json:
        stream = await self._registry.need(text_of(args, "stream"), "stream")
        name = f"{stream.name}{GROUP_SEPARATOR}{text_of(args, 'group')}"
        group = await self._registry.need(name, "group")
        offset = await self.offset_of(stream, checked_start(args.get("to"), "to"))
        await self._backend.start_group(group, offset)
        self._tell({"k": "reset", "q": name, "offset": offset})
        return {"offset": offset}

    async def offset_of(self, stream: Definition, start: str | tuple[str, int]) -> int:
        """A starting point as an offset that the stream has, or its end."""
        extent = await self._backend.extent(stream)
        if start == "earliest":
            return extent.earliest
        if isinstance(start, str):
            return extent.next
        kind, value = start
        if kind == "at":
            value = await self._backend.offset_at(stream, value)
        elif kind == "last":
            value = extent.next - value
        return min(max(value, extent.earliest), extent.next)

    async def _replay(self, args: Mapping[str, Any]) -> Json:
        stream = await self._registry.need(text_of(args, "stream"), "stream")
        first, last = args.get("first", 0), args.get("last")
        last = FOREVER if last is None else last
        if type(first) is not int or type(last) is not int or first < 0:
            raise InvalidRequest("first and last must be offsets.", field="first")
        name = queue_name(text_of(args, "queue"))
        extent = await self._backend.extent(stream)
        first, last = max(first, extent.earliest), min(last, extent.next - 1)
        if args.get("dry_run") is True:
            return {"count": max(last - first + 1, 0), "first": first, "last": last}
        queue = self._registry.find(name, "queue")
        if queue is None:
            raise QueueNotFound(f'There is no queue named "{name}".', queue=name)
        count = 0
        while first <= last:
            messages = await self._backend.read(stream, first, min(CHUNK, last - first + 1))
            if not messages:
                break
            await self._copy(queue, messages)
            count += len(messages)
            first = messages[-1].sequence + 1
        return {"count": count}

    async def _copy(self, queue: Definition, messages: list[Received]) -> None:
        """New messages with the bodies and headers of these."""
        prefix, now = self._prefix(), self._now()
        headers = [
            {name: value for name, value in message.header.items() if name in ("y", "h", "k")}
            | {"i": prefix, "x": index, "t": now}
            for index, message in enumerate(messages)
        ]
        send = Send(
            targets=[Target(name=queue.name, kind="queue", settings=queue.settings)], prefix=prefix, at=now,
            headers=[orjson.dumps(header) for header in headers], bodies=[message.body for message in messages],
        )  # fmt: skip
        if any(header.get("k") for header in headers):
            send.keys = [header.get("k") for header in headers]
        (sent,) = await self._backend.send([send])
        if isinstance(sent, Exception):
            raise sent
        self._tell(publish_record(send, sent.firsts, None))


def shown(definition: Definition) -> Json:
    """A definition as records carry it."""
    return {name: getattr(definition, name) for name in definition.__dataclass_fields__}
