"""Long polls of one queue: as many as its messages keep busy, for as much as there is room for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import PostroadError
from ..engine import Json

if TYPE_CHECKING:
    from .backend import SqsBackend

log = logging.getLogger("postroad.engine")

RECEIVE_MAX = 10
POLLS_MAX = 8
PATIENCE_S = 8.0
REST_S = 0.5
SYSTEM_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp"]


@dataclass(slots=True, eq=False)
class Leg:
    """The standard or the FIFO queue.

    Attributes:
        asked: How many messages the polls under way may bring.
        allowed: How many polls it is worth: one more after each full one, one after one that brought nothing.
    """

    fifo: bool
    asked: int = 0
    allowed: int = 1
    polls: set[asyncio.Task[None]] = field(default_factory=set)


class Polls:
    """Args:
    room: How many messages there is room for.
    arrived: Takes messages as SQS gives them, until when they are ours, and whether they are of the FIFO queue.
    """

    def __init__(
        self, backend: SqsBackend, name: str, room: Callable[[], int], arrived: Callable[[list[Json], float, bool], None]
    ) -> None:  # fmt: skip
        self._backend = backend
        self._name = name
        self._room = room
        self._arrived = arrived
        self._legs = [Leg(fifo=False), Leg(fifo=True)]
        self._closed = False

    def fill(self) -> None:
        """Start the polls that there is room for."""
        if self._closed or not self._backend.is_up:
            return
        for leg in self._legs:
            if leg.fifo and self._name not in self._backend.queues.ordered:
                continue
            while len(leg.polls) < leg.allowed and (free := self._room() - leg.asked) > 0:
                count = min(free, RECEIVE_MAX)
                leg.asked += count
                task = asyncio.get_running_loop().create_task(
                    self._poll(leg, count), name=f"postroad sqs poll {self._name}"
                )
                leg.polls.add(task)

    async def _poll(self, leg: Leg, count: int) -> None:
        rows: list[Json] = []
        is_first = len(leg.polls) == 1
        address = self._backend.address
        rest = 0.0
        try:
            url = await self._backend.queues.url(self._name, fifo=leg.fifo)
            rows = await receive(self._backend, url, count, address.wait_s if is_first else 1, address.first_s)
            if rows:
                self._arrived(rows, asyncio.get_running_loop().time() + address.first_s, leg.fifo)
        except PostroadError:
            rest = REST_S  # it is back when ``fill`` is called again; of a queue that was deleted the backend hears
        except Exception:
            log.exception("polling %s failed", self._name)
            rest = REST_S
        finally:
            task = asyncio.current_task()
            assert task is not None
            leg.polls.discard(task)
            leg.asked -= count
        leg.allowed = min(leg.allowed + 1, POLLS_MAX) if len(rows) == count == RECEIVE_MAX else leg.allowed
        if not rows:
            leg.allowed = 1
        if rest:
            asyncio.get_running_loop().call_later(rest, self.fill)
        else:
            self.fill()

    async def close(self) -> None:
        self._closed = True
        polls = [task for leg in self._legs for task in leg.polls]
        for task in polls:
            task.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


async def receive(backend: SqsBackend, url: str, count: int, wait_s: int, hidden_s: int) -> list[Json]:
    """Take messages from a queue of SQS, hidden from others for a while. Raises: Unavailable, QueueNotFound."""
    answer = await backend.link.call(
        "receive_message", patience_s=wait_s + PATIENCE_S, QueueUrl=url, MaxNumberOfMessages=count, WaitTimeSeconds=wait_s,
        VisibilityTimeout=hidden_s, AttributeNames=SYSTEM_ATTRIBUTES, MessageAttributeNames=["All"],
    )  # fmt: skip
    rows: list[Json] = answer.get("Messages") or []
    return rows
