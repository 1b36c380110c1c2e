"""What a session needs of the connection under it."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from postroad.broker.engine.engine import Buffer


class Port(Protocol):
    """A connection as the session sees it. Nothing here blocks or raises."""

    @property
    def congested(self) -> bool:
        """Too many bytes wait for the peer: deliver nothing, conflate what is only the latest state."""
        ...

    def send(self, parts: Sequence[Buffer], *, binary: bool) -> None:
        """Send one frame made of these parts; they must not change afterwards."""
        ...

    def send_frame(self, frame: bytes) -> None:
        """Send a whole WebSocket frame, header included, as it is: other connections may get the same object."""
        ...

    def close(self, code: int, reason: str) -> None: ...

    def throttle(self) -> None:
        """The session's ``is_busy`` changed: read or stop reading accordingly."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this to its end, also after the connection is gone."""
        ...
