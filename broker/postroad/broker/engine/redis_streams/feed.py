"""Messages of one queue or group, taken and settled by scripts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ..engine import Json
from ..external import FeedSink, Received, Verdicts
from . import scripts
from .link import Argument, text

if TYPE_CHECKING:
    from .backend import RedisBackend

DUE_SLACK_S = 0.002


class RedisFeed:
    """See ``external.Feed``. A message's tag is ``priority:number`` as in ``scripts.py``."""

    def __init__(self, backend: RedisBackend, name: str, sink: FeedSink) -> None:
        self._backend = backend
        self.name = name
        self.base, self.group_base, self.group = backend.places(name)
        self.sink = sink
        self._timer: asyncio.TimerHandle | None = None
        self._held: set[str] = set()
        self._is_unsure = False

    def want(self, capacity: int) -> None: ...

    async def take(self, most: int) -> list[Received]:
        if self._is_unsure:
            await self._return_orphans()
        node = self._backend.node
        now = int(time.time() * 1000)
        self._is_unsure = True
        flat = await self._backend.link.run(scripts.TAKE, self.base, self.group_base, self.group, node, most, now)
        self._is_unsure = False
        if node != self._backend.node:
            return []  # we were thought dead meanwhile: these are taken back with all that was ours
        if flat[0]:
            self._look_again(int(flat[0]) / 1000)
        loads = orjson.loads
        taken = [
            Received(text(flat[at]), int(flat[at][2:]) - 1, loads(flat[at + 1]), flat[at + 2], int(flat[at + 3]))
            for at in range(1, len(flat), 4)
        ]
        self._held.update([message.tag for message in taken])
        return taken

    async def _return_orphans(self) -> None:
        """The answer to a take was lost: what it gave is ours, but nobody here has it."""
        node, link = self._backend.node, self._backend.link
        mine = [text(tag) for tag in await link.run(scripts.MINE, self.base, self.group, node)]
        orphans = [Received(tag, 0, {}, b"") for tag in mine if tag not in self._held]
        if orphans:
            await self.settle(Verdicts(releases=orphans), again=True)

    def _look_again(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = max(due - time.time(), 0) + DUE_SLACK_S
        self._timer = asyncio.get_running_loop().call_later(wait, self.sink.wake)

    async def settle(self, verdicts: Verdicts, *, again: bool) -> list[Received]:
        meta: Json = {
            "P": self._backend.prefix, "B": self.base, "G": self.group_base, "g": self.group, "me": self._backend.node, "again": again,
            "acks": [message.tag for message in verdicts.acks],
            "releases": [message.tag for message in verdicts.releases],
            "returns": [[back.message.tag, back.attempts, back.due] for back in verdicts.returns],
            "dead": [], "completions": [], "keys": {},
        }  # fmt: skip
        args: list[Argument] = []
        for bury in verdicts.dead:
            info = bury.info | {"pid": bury.message.tag}
            meta["dead"].append([bury.message.tag, self._backend.places(bury.target)[0], orjson.dumps(info).decode()])
        for message, sends in verdicts.completions:
            meta["completions"].append([message.tag, [self._backend.frames.meta(send, args) for send in sends]])
        settled = [*verdicts.acks, *(b.message for b in verdicts.dead), *(m for m, _ in verdicts.completions)]
        if self.group == "q":
            meta["keys"] = {message.tag: message.header["k"] for message in settled if "k" in message.header}
        if any(self._backend.is_dead_letter(self.name) for _ in settled[:1]):
            meta["infos"] = True
        reply = await self._backend.link.run(scripts.SETTLE, orjson.dumps(meta), *args)
        everything = _tagged(verdicts)
        if text(reply[0]) == "gone":
            self._held.clear()
            await self._backend.reborn()
            return [] if again else list(everything.values())
        self._backend.frames.check(reply, [send for _, sends in verdicts.completions for send in sends])
        self._held.difference_update(everything)
        for (_, sends), stored in zip(verdicts.completions, reply[2], strict=True):
            for send, firsts in zip(sends, orjson.loads(stored) or (), strict=False):
                send.firsts = firsts or []
        return [everything[text(tag)] for tag in reply[1]]

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._backend.feeds.pop(self.name, None)


def _tagged(verdicts: Verdicts) -> dict[str, Received]:
    messages = [*verdicts.acks, *verdicts.releases]
    messages += [item.message for item in verdicts.returns]
    messages += [item.message for item in verdicts.dead]
    messages += [message for message, _ in verdicts.completions]
    return {message.tag: message for message in messages}


def rows_of(rows: Sequence[Any]) -> list[Received]:
    """Messages looked at, as ``BROWSE`` gives them, in order of sequence."""
    found = []
    for tag, header, body, state, attempts, due, raw in rows:
        more: Json = {"state": {"leased": "delivered", "delayed": "delayed"}.get(text(state), "queued")}
        if due:
            more |= {"due": int(float(due)), "state": "retrying" if int(attempts) else "delayed"}
        if raw:
            info = orjson.loads(raw)
            more |= {
                "reason": info["reason"],
                "attempts": info["attempts"],
                "dead_at": info["at"],
                "dead_letter_of": info["of"],
                "last_consumer": info.get("consumer"),
            }
            if more["state"] == "queued":
                more["state"] = "dead"
        found.append(
            Received(text(tag), int(text(tag)[2:]) - 1, orjson.loads(header), body, int(attempts), more)
        )  # fmt: skip
    return sorted(found, key=lambda message: message.sequence)
