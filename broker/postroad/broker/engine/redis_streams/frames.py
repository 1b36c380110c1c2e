"""Publish frames on their way into Redis: what its scripts want to know of them, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from ...errors import Conflict, OutcomeUnknown, PostroadError, QueueFull, QueueNotFound
from ..engine import Json
from ..external import Send, Sent
from . import scripts
from .link import Argument, Link, text


class Frames:
    """Args:
    link: The connection there is now.
    place: Where the keys of a queue or stream begin.
    """

    def __init__(self, prefix: str, link: Callable[[], Link], place: Callable[[str], str]) -> None:
        self._prefix = prefix
        self._link = link
        self._place = place

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        groups = _alike(sends)
        if len(groups) == 1:
            return await self._send_group(groups[0])
        results = [await self._send_group(group) for group in groups]
        return [result for group in results for result in group]

    def meta(self, send: Send, args: list[Argument]) -> Json:
        """What the scripts want to know of a frame; its envelopes and bodies are put on ``args``."""
        at = len(args)
        for header, body in zip(send.headers, send.bodies, strict=True):
            args.append(header)
            args.append(body)
        targets = []
        for target in send.targets:
            row: Json = {"name": target.name, "b": self._place(target.name), "kind": target.kind}
            for name, value in (("only", target.only), ("max", target.settings.get("length_max")), ("keep", target.settings.get("retention_count"))):  # fmt: skip
                if value is not None:
                    row[name] = value
            targets.append(row)
        meta: Json = {
            "P": self._prefix,
            "at": at,
            "count": len(send.headers),
            "prefix": send.prefix,
            "targets": targets,
        }
        for name, values in (("prios", send.priorities), ("keys", send.keys), ("dues", send.dues)):
            if values is not None:
                meta[name] = values
        if send.dedup is not None:
            meta |= {"dedup": send.dedup, "scope": send.dedup_scope}
        if send.producer is not None:
            meta["session"], meta["frame"] = send.producer
        return meta

    async def _send_group(self, group: list[Send]) -> list[Sent | Exception]:
        """Frames that can be stored as one: they differ only in their messages."""
        first = group[0]
        args: list[Argument] = []
        meta = self.meta(first, args)
        for send in group[1:]:
            meta["count"] += len(send.headers)
            for header, body in zip(send.headers, send.bodies, strict=True):
                args.append(header)
                args.append(body)
        try:
            reply = await self._link().run(scripts.SEND, orjson.dumps(meta), *args)
            replay = self.check(reply, group)
        except PostroadError as error:
            return [error] * len(group)
        if replay is not None:
            return [replay]
        results: list[Sent | Exception] = []
        before = 0
        for send in group:
            results.append(Sent(firsts=[first + before for first in reply[1]]))
            before += len(send.headers)
        if reply[2]:
            assert len(group) == 1
            results = [Sent(firsts=list(reply[1]), duplicates=_duplicates([text(item) for item in reply[2]]))]
        return results

    def check(self, reply: Any, sends: Sequence[Send]) -> Sent | None:
        """Raises: what a script refused with."""
        match text(reply[0]):
            case "replay":
                prefix, duplicates = orjson.loads(reply[1])
                return Sent(firsts=[], replay=(prefix, _duplicates(list(duplicates)) or None))
            case "unknown":
                raise OutcomeUnknown("The frame is older than what is remembered of its session.")
            case "conflict":
                id = text(reply[1])
                raise Conflict("The dedup key was used before with another body.", message_id=id)
            case "missing":
                name = text(reply[1])
                raise QueueNotFound(f'There is no queue named "{name}".', queue=name)
            case "full":
                name = text(reply[1])
                raise QueueFull(f'"{name}" is full.', queue=name)
        return None


def _alike(sends: Sequence[Send]) -> list[list[Send]]:
    """Plain frames to the same queue go together; all others alone."""
    groups: list[list[Send]] = []
    for send in sends:
        if groups and _is_plain(send) and _is_plain(groups[-1][0]) and send.targets[0].name == groups[-1][0].targets[0].name:  # fmt: skip
            groups[-1].append(send)
        else:
            groups.append([send])
    return groups


def _is_plain(send: Send) -> bool:
    extras = (send.priorities, send.keys, send.dues, send.dedup, send.producer, send.targets[0].only)
    return len(send.targets) == 1 and all(extra is None for extra in extras) and not send.targets[0].settings.get("length_max")  # fmt: skip


def _duplicates(flat: list[Any]) -> dict[int, str]:
    return {int(flat[at]): str(flat[at + 1]) for at in range(0, len(flat), 2)}
