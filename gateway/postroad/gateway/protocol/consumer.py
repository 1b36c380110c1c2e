"""A consumer of one connection: the engine's sink for deliveries, and what settles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.broker.engine.engine import ConsumeSpec, DeliveryBatch, Ranges, Subscription
from postroad.broker.errors import PostroadError

from .delivering import binary_delivery, text_delivery
from .errors import error_fields

if TYPE_CHECKING:
    from .session import Session


class Consumer:
    """Passes on what the engine delivers, and stops it while the socket is full.

    What the engine says before the ``ok`` of ``consume`` has left is kept until then.
    """

    __slots__ = ("_early", "_paused", "_session", "number", "queue", "subscription")

    def __init__(self, session: Session, number: int, queue: str) -> None:
        self._session = session
        self._early: list[DeliveryBatch] | None = []
        self._paused = False
        self.number = number
        self.queue = queue
        self.subscription: Subscription | None = None

    async def open(self, spec: ConsumeSpec) -> Subscription:
        self.subscription = subscription = await self._session.context.engine.consume(spec, self)
        return subscription

    def opened(self) -> None:
        """The ``ok`` is on its way: deliver."""
        early, self._early = self._early, None
        for batch in early or ():
            self.deliver(batch)
        if self._session.port.congested:
            self.pause()

    def deliver(self, batch: DeliveryBatch) -> None:
        if self._early is not None:
            self._early.append(batch)
            return
        session = self._session
        if session.is_closed:
            return
        if session.is_binary:
            session.port.send(binary_delivery(self.number, batch), binary=True)
        else:
            session.port.send(text_delivery(self.number, batch), binary=False)
        if session.port.congested:
            self.pause()

    def revoked(self, numbers: Ranges, reason: str) -> None:
        self._session.push(
            {"op": "revoked", "sub": self.number, "numbers": [list(r) for r in numbers], "reason": reason}
        )

    def ended(self, error: PostroadError) -> None:
        self._session.forget(self)
        self._session.push({"op": "end", "sub": self.number, **error_fields(error)})

    def pause(self) -> None:
        if not self._paused and self.subscription is not None:
            self._paused = True
            self.subscription.pause()

    def resume(self) -> None:
        if self._paused and self.subscription is not None:
            self._paused = False
            self.subscription.resume()
