"""Batches of ten: sends, deletes and changes of visibility, many under way at once."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import PostroadError, Unavailable
from ..engine import Json
from .link import Link, refused
from .message import Hand

BATCH_MAX = 10
BATCH_BYTES = 256 * 1024
FLYING_MAX = 64
DELAY_MAX_S = 900
GROUP = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,120}\Z")


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """A message to send: ``entry`` without an id, its size, and what became of it."""

    entry: Json
    size: int
    error: PostroadError | None = None


class Batches:
    """Attributes:
    confirmed: Batches of messages that SQS has taken.
    """

    def __init__(self, link: Link) -> None:
        self.confirmed = 0
        self._link = link
        self._flying = asyncio.Semaphore(FLYING_MAX)
        self._ordered: dict[str, asyncio.Lock] = {}

    async def send(self, url: str, messages: Sequence[Outgoing], *, in_order: bool = False) -> None:
        """Send all; those that were refused have an ``error`` then.

        Args:
            in_order: One batch after the other, and none after one that failed.
        """
        batches = _packed(messages)
        if not in_order:
            await asyncio.gather(*(self._send(url, batch) for batch in batches))
            return
        async with self._ordered.setdefault(url, asyncio.Lock()):
            failed: PostroadError | None = None
            for batch in batches:
                if failed is None:
                    await self._send(url, batch)
                    failed = next((message.error for message in batch if message.error), None)
                else:
                    for message in batch:
                        message.error = failed

    async def _send(self, url: str, batch: list[Outgoing]) -> None:
        entries = [{"Id": str(at), **message.entry} for at, message in enumerate(batch)]
        try:
            async with self._flying:
                answer = await self._link.call("send_message_batch", QueueUrl=url, Entries=entries)
        except PostroadError as error:
            for message in batch:
                message.error = error
            return
        self.confirmed += 1
        stored = {row["Id"] for row in answer.get("Successful") or ()}
        failed = {row["Id"]: row for row in answer.get("Failed") or ()}
        for at, message in enumerate(batch):
            if (row := failed.get(str(at))) is not None:
                message.error = refused(row.get("Code", ""), sender=bool(row.get("SenderFault")))
            elif str(at) not in stored:
                message.error = Unavailable("SQS did not confirm.")

    async def delete(self, url: str, hands: Sequence[Hand]) -> list[Hand]:
        """Delete; returns those that were no longer ours to delete.

        Raises:
            Unavailable: some may have been deleted.
        """
        return await self._each("delete_message_batch", url, hands, [{}] * len(hands))

    async def hide(self, url: str, hands: Sequence[Hand], seconds: Sequence[int]) -> list[Hand]:
        """Make messages visible again in so many seconds from now; returns as ``delete``."""
        return await self._each(
            "change_message_visibility_batch", url, hands, [{"VisibilityTimeout": length} for length in seconds]
        )

    async def _each(self, operation: str, url: str, hands: Sequence[Hand], more: Sequence[Json]) -> list[Hand]:
        lost: list[Hand] = []

        async def some(first: int) -> None:
            part = hands[first : first + BATCH_MAX]
            entries = [
                {"Id": str(at), "ReceiptHandle": hand.receipt, **more[first + at]} for at, hand in enumerate(part)
            ]
            async with self._flying:
                answer = await self._link.call(operation, QueueUrl=url, Entries=entries)
            for row in answer.get("Failed") or ():
                if not row.get("SenderFault", True) or "Throttl" in row.get("Code", ""):
                    raise Unavailable("SQS has no time for us now.")
                lost.append(part[int(row["Id"])])

        await _all(some(first) for first in range(0, len(hands), BATCH_MAX))
        return lost


async def _all(doing: Any) -> None:
    """Wait for all, also when one fails, so that nothing is under way afterwards."""
    for outcome in await asyncio.gather(*doing, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _packed(messages: Sequence[Outgoing]) -> list[list[Outgoing]]:
    batches: list[list[Outgoing]] = []
    size = 0
    for message in messages:
        if not batches or len(batches[-1]) == BATCH_MAX or size + message.size > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(message)
        size += message.size
    return batches


def delay_s(ms: float) -> int:
    """Whole seconds, never too many: who gets it early waits for the rest."""
    return min(max(int(ms // 1000), 0), DELAY_MAX_S)


def ordered(key: str | None, id: str) -> Json:
    """What a FIFO queue wants to know: messages without a key are a group of their own each."""
    if key is None:
        group = f"m:{id}"
    elif GROUP.match(key):
        group = f"k:{key}"
    else:
        group = f"h:{hashlib.sha256(key.encode()).hexdigest()}"
    return {"MessageGroupId": group, "MessageDeduplicationId": id}
