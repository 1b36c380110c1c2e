"""Being alive, noticing which gateways are not, and letting go of what streams need not keep."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

import orjson

from ...errors import Unavailable
from . import scripts
from .link import text

if TYPE_CHECKING:
    from .backend import RedisBackend

log = logging.getLogger("postroad.engine")

BEAT_S = 1.0


class Life:
    """Args:
    patience_ms: A gateway silent for so long is dead, and what it held is handed out again.

    Attributes:
        node: The name under which this gateway holds messages.
    """

    def __init__(self, backend: RedisBackend, patience_ms: int) -> None:
        self.node = secrets.token_hex(8)
        self._backend = backend
        self._patience_ms = patience_ms
        self._steady = 0.0

    async def live(self) -> None:
        while True:
            await asyncio.sleep(min(BEAT_S, self._patience_ms / 4000))
            try:
                await self.beat(again=True)
                await self._trim()
            except Unavailable:
                self._steady = 0.0
            except Exception:
                log.exception("looking after Redis failed")

    async def beat(self, *, again: bool) -> None:
        now = asyncio.get_running_loop().time()
        self._steady = self._steady or now
        # After an outage all gateways look dead: nobody is judged before each had time to say otherwise.
        sweep = "1" if (now - self._steady) * 1000 > self._patience_ms else "0"
        reply = await self._backend.link.run(
            scripts.BEAT, self._backend.prefix, self.node, self._patience_ms, sweep, "again" if again else "first"
        )
        if text(reply[0]) == "gone":
            await self.reborn()
            return
        for node in reply[1]:
            await self._reclaim(text(node))

    async def reborn(self) -> None:
        """Others thought this gateway dead and have its messages: it goes on under another name, holding nothing."""
        log.warning("this gateway was silent too long: what it held was handed to others")
        self.node = secrets.token_hex(8)
        self._steady = 0.0
        for feed in list(self._backend.feeds.values()):
            feed.sink.lost()
        await self.beat(again=False)

    async def _reclaim(self, node: str) -> None:
        for definition in list(self._backend.definitions.values()):
            if definition.kind not in ("queue", "group"):
                continue
            base, _, group = self._backend.places(definition.name)
            more = True
            while more:
                reply = await self._backend.link.run(scripts.RECLAIM, base, group, node)
                more = text(reply[0]) == "more"
                headers = [orjson.loads(raw) for raw in reply[1]]
                if headers:
                    ids = [[header["i"], header["x"], 1] for header in headers]
                    record = {"k": "returned", "q": definition.name, "n": len(ids), "i": ids, "w": ["", 0]}
                    record["at"] = int(text((await self._backend.link.call("TIME"))[0])) * 1000
                    await self._backend.tell([orjson.dumps(record)])
        await self._backend.link.call("SREM", self._backend.prefix + "dead", node)

    async def _trim(self) -> None:
        """Streams let go of what is too old."""
        for definition in list(self._backend.definitions.values()):
            keep = definition.settings.get("retention_ms") if definition.kind == "stream" else None
            if keep is not None:
                now = int(text((await self._backend.link.call("TIME"))[0])) * 1000
                await self._backend.link.run(
                    scripts.OFFSET_AT, self._backend.places(definition.name)[0], now - keep, "trim"
                )
