"""What a feed has in its hands: hidden from others for ``visibility_s``, prolonged as long as this gateway lives and reaches SQS.

SQS takes a delete with an old receipt for success without deleting, so it cannot be asked whether a message is still ours: the time of the
last prolongation decides. What was not prolonged in time is out of our hands, whatever SQS would say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence

from ...errors import PostroadError
from .message import Hand

log = logging.getLogger("postroad.engine")

Hide = Callable[[Sequence[Hand], Sequence[int]], Awaitable[list[Hand]]]


class Hands:
    """Args:
    hide: Makes messages visible in so many seconds; returns those that are no longer ours.
    lost: Called when all that was held has to be given up.
    """

    def __init__(self, name: str, visibility_s: int, hide: Hide, lost: Callable[[], None]) -> None:
        self._visibility_s = visibility_s
        self._hide = hide
        self._lost = lost
        self._held: dict[Hand, None] = {}
        self._by_id: dict[str, Hand] = {}
        self._leaving: set[Hand] = set()
        self._prolonging = asyncio.Lock()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"postroad sqs hands {name}")

    def __len__(self) -> int:
        return len(self._held)

    def add(self, hand: Hand) -> bool:
        """Take it; False: it is here already, handed over once more as SQS may do, and what was said last of it counts."""
        same = self._by_id.get(hand.id)
        if same is not None and same not in self._leaving and self.has(same):
            same.receipt, same.until = hand.receipt, hand.until
            return False
        self._held[hand] = None
        self._by_id[hand.id] = hand
        return True

    def drop(self, hands: Iterable[Hand]) -> None:
        for hand in hands:
            self._held.pop(hand, None)
            if self._by_id.get(hand.id) is hand:
                del self._by_id[hand.id]

    def clear(self) -> None:
        self._held.clear()
        self._by_id.clear()

    def has(self, hand: Hand) -> bool:
        return hand in self._held and hand.until > asyncio.get_running_loop().time()

    @contextlib.asynccontextmanager
    async def leaving(self, hands: Collection[Hand]) -> AsyncIterator[None]:
        """Meanwhile these are not prolonged: that must not come after what they are hidden for at last."""
        self._leaving.update(hands)
        try:
            async with self._prolonging:
                pass
            yield
        finally:
            self._leaving.difference_update(hands)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._visibility_s / 10)
            try:
                async with self._prolonging:
                    await self._prolong()
            except PostroadError:
                pass  # it cannot be reached: tried again soon, as long as there is time
            except Exception:
                log.exception("prolonging failed")
            now = asyncio.get_running_loop().time()
            if any(hand.until <= now for hand in self._held):
                self._lost()

    async def _prolong(self) -> None:
        began = asyncio.get_running_loop().time()
        nearly = began + self._visibility_s * 2 / 3
        wanted = [hand for hand in self._held if began < hand.until < nearly and hand not in self._leaving]
        if not wanted:
            return
        gone = await self._hide(wanted, [self._visibility_s] * len(wanted))
        for hand in wanted:
            hand.until = began + self._visibility_s
        self.drop(gone)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
