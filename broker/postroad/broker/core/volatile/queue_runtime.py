"""The volatile state of a queue or group: its consumers, and which of its messages they hold."""

from __future__ import annotations

from ..durable.queue import Queue
from .holdings import Holdings
from .room import Room
from .subscription import Subscription


class QueueRuntime:
    """Of one queue or group.

    Attributes:
        consumers: By number, in the order in which they came. One that was cancelled is not among them, though it may hold something.
        room: Those of them that have room for more.
        holdings: What of the queue is leased, and to whom.
        spent: Deliveries counted against the queue's rate since the meter was last set.
        held_until: After a restart nothing is delivered before this time, so that consumers can come back to what they held;
            0: not waiting; None: the first consumer has not come yet.
    """

    __slots__ = ("_rate", "_since", "consumers", "held_until", "holdings", "queue", "room", "spent")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.consumers: dict[int, Subscription] = {}
        self.holdings = Holdings()
        self.room = Room()
        self.held_until: int | None = 0
        self.spent = 0
        self._since = 0
        self._rate = 0

    @property
    def leased(self) -> int:
        """Messages under a lease."""
        return self.holdings.count

    def subscriptions(self) -> list[int]:
        """Consumers, and those that were cancelled but hold something, in the order in which they came."""
        return sorted({*self.consumers, *self.holdings.holders()})

    def note_freed(self, freed: Subscription | None) -> Subscription | None:
        """Consumers whose leases have ended, and ``freed``, may have room again. Returns the only one to be served, None: any may be.

        A consumer that is alone is not noted: its room is no question.
        """
        if len(self.consumers) == 1:
            self.holdings.freed.clear()
            return next(iter(self.consumers.values()))
        if freed is not None:
            self.room.note(freed)
        if self.holdings.freed:
            for number in self.holdings.freed:
                if (subscription := self.consumers.get(number)) is not None:
                    self.room.note(subscription)
            self.holdings.freed.clear()
        return freed

    def note_all(self) -> None:
        for subscription in self.consumers.values():
            self.room.note(subscription)

    def tokens(self, rate: int, at_ms: int) -> int:
        """Deliveries allowed now: ``rate`` a second, at most a second's worth saved up."""
        if rate != self._rate:  # what was earned and spent at another rate says nothing about this one
            since = at_ms - 1000 if self._rate == 0 else at_ms
            self._rate, self._since, self.spent = rate, since, 0
        earned = (at_ms - self._since) * rate // 1000
        if earned - self.spent > rate:
            self._since, self.spent, earned = at_ms - 1000, 0, rate
        return earned - self.spent
