"""What becomes of messages in hand: verdicts as sends, deletes and changes of visibility, ten at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from ...errors import PostroadError, Unavailable
from ..engine import Json
from ..external import Bury, Received, Return, Verdicts
from .address import VISIBILITY_MAX_S
from .batches import Outgoing, delay_s
from .message import Hand

if TYPE_CHECKING:
    from .backend import SqsBackend
    from .hands import Hands
    from .keyed import Attempts

HIDE_MAX_S = VISIBILITY_MAX_S - 600
"""A little less than SQS allows, which counts from when the message was handed out."""

OLD_MS = 7 * 24 * 3_600_000
"""SQS keeps a message 14 days; one that waits longer than this is sent anew."""


class Settling:
    def __init__(self, backend: SqsBackend, name: str, hands: Hands, attempts: Attempts) -> None:
        self._backend = backend
        self._name = name
        self._hands = hands
        self._attempts = attempts

    async def settle(self, verdicts: Verdicts, *, again: bool) -> list[Received]:
        """See ``external.Feed``."""
        if not self._backend.is_up:
            raise Unavailable("SQS cannot be reached now.")
        lost: list[Received] = []

        def ours(message: Received) -> bool:
            if self._hands.has(message.tag):
                return True
            self._hands.drop([message.tag])
            lost.append(message)
            return False

        acks = [message for message in verdicts.acks if ours(message)]
        releases = [message for message in verdicts.releases if ours(message)]
        returns = [back for back in verdicts.returns if ours(back.message)]
        dead = [bury for bury in verdicts.dead if ours(bury.message)]
        moving = [back for back in returns if not back.message.tag.fifo]
        staying = [back for back in returns if back.message.tag.fifo]
        deletes = [*acks, *(back.message for back in moving), *(bury.message for bury in dead)]
        hides = [(message, 0) for message in releases] + [(back.message, _seconds(back.due)) for back in staying]
        settled = [*deletes, *(message for message, _ in hides)]
        async with self._hands.leaving([message.tag for message in settled]):
            await self._move(moving, dead)
            gone = await self._carry_out(deletes, hides)
            self._hands.drop(message.tag for message in settled)
        for message in [*acks, *(bury.message for bury in dead)]:
            self._attempts.forget(message)
        for message in releases:
            self._note(message, message.attempts)
        for back in staying:
            self._note(back.message, back.attempts)
        if not again:
            lost += [message for message in settled if message.tag in gone]
        return lost

    def _note(self, message: Received, attempts: int) -> None:
        if message.tag.fifo:
            self._attempts.note(message, attempts)

    async def _carry_out(self, deletes: list[Received], hides: list[tuple[Received, int]]) -> set[Hand]:
        """Returns what was no longer ours."""
        doing = []
        for fifo in (False, True):
            hands = [message.tag for message in deletes if message.tag.fifo == fifo]
            if hands:
                doing.append(self._delete(hands, fifo))
            hidden = [(message.tag, seconds) for message, seconds in hides if message.tag.fifo == fifo]
            if hidden:
                doing.append(self._hide(hidden, fifo))
        outcomes = await asyncio.gather(*doing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return {hand for outcome in outcomes if not isinstance(outcome, BaseException) for hand in outcome}

    async def _delete(self, hands: list[Hand], fifo: bool) -> list[Hand]:
        return await self._backend.batches.delete(await self._backend.queues.url(self._name, fifo=fifo), hands)

    async def hide(self, hidden: list[tuple[Hand, int]]) -> list[Hand]:
        """Make visible in so many seconds; returns what was no longer ours."""
        gone = []
        for fifo in (False, True):
            if some := [(hand, seconds) for hand, seconds in hidden if hand.fifo == fifo]:
                gone += await self._hide(some, fifo)
        return gone

    async def _hide(self, hidden: list[tuple[Hand, int]], fifo: bool) -> list[Hand]:
        url = await self._backend.queues.url(self._name, fifo=fifo)
        return await self._backend.batches.hide(url, [hand for hand, _ in hidden], [seconds for _, seconds in hidden])

    async def _move(self, returns: Iterable[Return], dead: Iterable[Bury]) -> None:
        """Send again, to this queue or a dead-letter queue; what is tried again is not sent twice.

        Raises:
            Unavailable, QueueNotFound, LimitExceeded: some may have been sent.
        """
        going: dict[str, list[tuple[Hand, Outgoing]]] = {}
        for back in returns:
            if not back.message.tag.is_moved:
                message = self._copy(back.message, back.attempts, back.due)
                going.setdefault(self._name, []).append((back.message.tag, message))
        for bury in dead:
            if not bury.message.tag.is_moved:
                kept: Json = {"dead": bury.info}
                message = self._backend.outgoing(orjson.dumps(bury.message.header), bury.message.body, kept)
                going.setdefault(bury.target, []).append((bury.message.tag, message))
        await asyncio.gather(
            *(self._backend.store_all(name, [message for _, message in rows]) for name, rows in going.items())
        )
        failed: PostroadError | None = None
        for rows in going.values():
            for hand, message in rows:
                hand.is_moved = message.error is None
                failed = failed or message.error
        if failed is not None:
            raise failed

    def _copy(self, message: Received, attempts: int, due: int) -> Outgoing:
        kept: Json = {"a": attempts, "d": due}
        if "dead" in message.tag.kept:
            kept["dead"] = message.tag.kept["dead"]
        copy = self._backend.outgoing(orjson.dumps(message.header), message.body, kept)
        if due:
            copy.entry["DelaySeconds"] = delay_s(due - time.time() * 1000)
        return copy

    async def not_yet(self, messages: list[Received]) -> None:
        """They came long before their time: SQS is to keep them until then, or for as long as it does."""
        now = time.time() * 1000
        hides, old = [], []
        for message in messages:
            due = message.tag.kept.get("d") or message.header.get("d", 0)
            if now - message.tag.sent_at > OLD_MS:
                old.append(Return(message=message, attempts=message.attempts, due=due, reason=None))
            else:
                hides.append((message, min(int((due - now) // 1000), HIDE_MAX_S)))
        async with self._hands.leaving([message.tag for message in messages]):
            with contextlib.suppress(PostroadError):  # else they come again, early once more
                await self._move(old, [])
                await self._carry_out([back.message for back in old], hides)
            self._hands.drop(message.tag for message in messages)


def _seconds(due: int) -> int:
    """Until a time, rounded up: what stays hidden at its place is never early."""
    return min(max(-int(-(due - time.time() * 1000) // 1000), 0), HIDE_MAX_S) if due else 0
