"""One encoded frame for all readers that are at the same place of a stream."""

from __future__ import annotations

from postroad.broker.engine.engine import DeliveryBatch

from .delivering import binary_messages, text_messages
from .opcodes import BINARY, TEXT
from .parser import header


class SharedFrames:
    """WebSocket frames of the batch that was encoded last: readers at one place get the same object in a row.

    They differ in the number of the subscription and in the format, so there are few of them.
    """

    __slots__ = ("_batch", "_frames")

    def __init__(self) -> None:
        self._batch: DeliveryBatch | None = None
        self._frames: dict[tuple[int, int | None, bool], bytes] = {}

    def of(self, sub: int, batch: DeliveryBatch, trimmed: int | None, *, binary: bool) -> bytes:
        """The whole frame, WebSocket header included."""
        if batch is not self._batch:
            self._batch = batch
            self._frames.clear()
        key = (sub, trimmed, binary)
        frame = self._frames.get(key)
        if frame is None:
            parts = (binary_messages if binary else text_messages)(sub, batch, trimmed)
            head = header(BINARY if binary else TEXT, sum(map(len, parts)))
            frame = self._frames[key] = b"".join((head, *parts))
        return frame
