"""The connections to Redis: scripts are run, failures become ours, and a lost server is waited for.

redis-py would run a failed command again by itself, which is wrong for a publish: it is told not to. Blocking reads have a connection of their
own without a time limit, because the client's default (5 s) would cut them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ...errors import Internal, PostroadError, QueueNotFound, StorageFull, Unavailable

log = logging.getLogger("postroad.engine")

ANSWER_S = 2.0
RETRY_S = 0.25

Argument = str | bytes | int


class Link:
    """Args:
    url: As redis-py takes it.
    up: Called when the server is back.
    """

    def __init__(self, url: str, up: Callable[[], None]) -> None:
        self.is_up = False
        self._up = up
        never = Retry(NoBackoff(), 0)
        self.client: Redis = Redis.from_url(
            url, protocol=2, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, retry=never, max_connections=64
        )
        self.blocking: Redis = Redis.from_url(
            url, protocol=2, socket_timeout=None, socket_connect_timeout=ANSWER_S, retry=never
        )
        self._digests: dict[str, str] = {}
        self._returning: asyncio.Task[None] | None = None
        self._closed = False

    async def open(self) -> None:
        """Raises: Unavailable."""
        try:
            await self.client.ping()
        except (RedisError, OSError) as error:
            await self.close()
            raise Unavailable(f"Redis cannot be reached: {error}") from error
        self.is_up = True

    async def close(self) -> None:
        self._closed = True
        if self._returning is not None:
            self._returning.cancel()
        await self.client.aclose()
        await self.blocking.aclose()

    async def run(self, script: str, *args: Argument) -> Any:
        """Run a script.

        Raises:
            Unavailable: the server cannot be reached; what the script does may have been done. StorageFull: it has no memory left.
        """
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            try:
                return await self.client.evalsha(digest, 0, *args)
            except NoScriptError:
                await self.client.script_load(script)
                return await self.client.evalsha(digest, 0, *args)
        except Exception as error:
            raise self.failure(error) from error

    async def call(self, *command: Argument) -> Any:
        """Run one command; raises as ``run``."""
        try:
            return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        except Exception as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> PostroadError:
        if isinstance(error, PostroadError):
            return error
        if isinstance(error, RedisConnectionError | RedisTimeoutError | OSError):
            self.down()
            return Unavailable("Redis cannot be reached now.")
        text = str(error)
        if isinstance(error, ReadOnlyError) or "READONLY" in text or "MASTERDOWN" in text:
            return Unavailable("This Redis takes no writes now.")
        if isinstance(error, ResponseError) and ("OOM" in text or "MISCONF" in text):
            return StorageFull("Redis takes no more writes.")
        if "NOGROUP" in text:
            return QueueNotFound("It was deleted.")
        log.error("Redis refused: %s", text)
        return Internal("Redis refused a command.")

    def down(self) -> None:
        self.is_up = False
        if self._returning is None and not self._closed:
            log.warning("Redis cannot be reached")
            self._returning = asyncio.get_running_loop().create_task(self._return(), name="postroad redis return")

    async def _return(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                await self.client.ping()
                break
            except (RedisError, OSError):
                continue
        self._returning = None
        self.is_up = True
        log.warning("Redis is back")
        self._up()


def numbered(flat: Sequence[Any]) -> dict[str, str]:
    """A flat reply of names and values."""
    return {text(flat[at]): text(flat[at + 1]) for at in range(0, len(flat), 2)}


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
