"""Pings for all connections of a server: one timer for all of them, as a timer each costs an idle connection half a kilobyte."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .websocket import WebSocketConnection

PING_S = 20.0
"""Each connection is asked once in this time; one that is silent from one time to the next is dropped."""

SLOTS = 20
"""The connections take turns, so that they do not all answer at once."""


class KeepAlive:
    """Runs while there are connections."""

    def __init__(self) -> None:
        self._slots: list[set[WebSocketConnection]] = [set() for _ in range(SLOTS)]
        self._slot = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: WebSocketConnection) -> None:
        self._slots[connection.session.number % SLOTS].add(connection)
        if self._timer is None:
            self._timer = self._in_a_while()

    def discard(self, connection: WebSocketConnection) -> None:
        self._slots[connection.session.number % SLOTS].discard(connection)

    def _in_a_while(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(PING_S / SLOTS, self._turn)

    def _turn(self) -> None:
        self._timer = self._in_a_while() if any(self._slots) else None
        self._slot = (self._slot + 1) % SLOTS
        for connection in list(self._slots[self._slot]):
            connection.ping()
