"""Delays: a queue for each length of time, whose messages move on to their queue when the time is over.

Lengths are rounded up to two digits, so there are few such queues; one that nobody used for a while is removed by RabbitMQ itself. A longer
delay than ``HOP_MS`` takes several such waits, and is handed out only when it is over: ``postroad-due`` says when.
"""

from __future__ import annotations

import time

from aiormq.abc import AbstractChannel

HOP_MS = 86_400_000
REFRESH_S = 30


def rounded(ms: int) -> int:
    """``ms`` rounded up to two digits, 10 at least, a day at most."""
    ms = max(ms, 10)
    unit: int = 10 ** (len(str(ms)) - 2)
    return min(-(-ms // unit) * unit, HOP_MS)


class Later:
    """The delay queues that this gateway made lately."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._made: dict[str, float] = {}

    def forget(self) -> None:
        """The server is another one, perhaps."""
        self._made.clear()

    async def queue(self, channel: AbstractChannel, target: str, name: str, ms: int) -> str:
        """Name of the queue whose messages come to ``target`` after about ``ms``."""
        length = rounded(ms)
        later = f"{self._prefix}later.{length}.{name}"
        now = time.monotonic()
        if now - self._made.get(later, -REFRESH_S) < REFRESH_S:
            return later
        await channel.queue_declare(
            later,
            durable=True,
            arguments={
                "x-message-ttl": length,
                "x-expires": 2 * length + 4 * REFRESH_S * 1000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": target,
            },
        )
        self._made[later] = now
        return later
