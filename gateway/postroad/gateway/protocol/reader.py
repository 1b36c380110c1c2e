"""A reader of one connection: the engine's sink for a stream's messages (docs/protocol.md §5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.broker.engine.engine import DeliveryBatch, Reader, ReadSpec
from postroad.broker.errors import PostroadError

from .errors import error_fields

if TYPE_CHECKING:
    from .session import Session


class StreamReader:
    """Passes on what the engine reads, and stops it while the socket is full: a reader is a place in the log."""

    __slots__ = ("_early", "_paused", "_session", "number", "reader")

    def __init__(self, session: Session, number: int) -> None:
        self._session = session
        self._early: list[tuple[DeliveryBatch, int | None]] | None = []
        self._paused = False
        self.number = number
        self.reader: Reader | None = None

    async def open(self, spec: ReadSpec) -> Reader:
        self.reader = reader = await self._session.context.engine.read(spec, self)
        return reader

    def opened(self) -> None:
        """The ``ok`` is on its way: deliver."""
        early, self._early = self._early, None
        for batch, trimmed in early or ():
            self.messages(batch, trimmed)
        if self._session.port.congested:
            self.pause()

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        if self._early is not None:
            self._early.append((batch, trimmed))
            return
        session = self._session
        session.port.send_frame(
            session.context.frames.of(self.number, batch, trimmed, binary=session.is_binary is True)
        )
        if session.port.congested:
            self.pause()

    def ended(self, error: PostroadError) -> None:
        self._session.forget(self)
        self._session.push({"op": "end", "sub": self.number, **error_fields(error)})

    def pause(self) -> None:
        if not self._paused and self.reader is not None:
            self._paused = True
            self.reader.pause()

    def resume(self) -> None:
        if self._paused and self.reader is not None:
            self._paused = False
            self.reader.resume()
