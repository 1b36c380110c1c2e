"""The client of SQS: one call, its failures as ours, and a lost server that is waited for.

aiobotocore would try a failed call again by itself, for longer than a publisher waits: it is told not to. A connection that the server had
closed meanwhile is tried once more at once. What is refused is logged by its code alone, since messages may name what nobody should read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import get_session  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from ...errors import Internal, LimitExceeded, PostroadError, QueueNotFound, Unavailable
from ..engine import Json
from .address import Address

log = logging.getLogger("postroad.engine")
for chatty in ("botocore", "aiobotocore"):
    logging.getLogger(chatty).setLevel(logging.WARNING)  # below that they log bodies and signatures

ANSWER_S = 2.0
RETRY_S = 0.25
CONNECTIONS_MAX = 1000
LOST = (HTTPClientError, OSError, TimeoutError)
_UNSET = (NoCredentialsError, PartialCredentialsError, NoRegionError, ProfileNotFound)

_GONE = ("NonExistentQueue", "QueueDoesNotExist")
_TOO_LARGE = ("BatchRequestTooLong", "InvalidMessageContents", "MessageTooLong")
_BUSY = ("Throttl", "TooManyRequests", "OverLimit", "Unavailable", "InternalError", "InternalFailure", "Timeout", "QueueDeletedRecently")  # fmt: skip


class Link:
    """Args:
    up: Called when the server is back.
    """

    def __init__(self, address: Address, up: Callable[[], None]) -> None:
        self.is_up = False
        self.back = asyncio.Event()
        self.region = address.region or ""
        self._address = address
        self._up = up
        self._stack = contextlib.AsyncExitStack()
        self._client: Any = None
        self._returning: asyncio.Task[None] | None = None
        self._closed = False

    async def open(self) -> None:
        """Raises: Unavailable."""
        config = AioConfig(
            max_pool_connections=CONNECTIONS_MAX, connect_timeout=ANSWER_S, read_timeout=self._address.wait_s + 10,
            retries={"total_max_attempts": 1}, parameter_validation=False,
        )  # fmt: skip
        try:
            self._client = await self._stack.enter_async_context(
                get_session().create_client(
                    "sqs", region_name=self._address.region, endpoint_url=self._address.endpoint, config=config
                )
            )
            self.region = self._client.meta.region_name
            await self._probe()
        except (BotoCoreError, ClientError, *LOST, ValueError) as error:
            await self.close()
            raise Unavailable(f"SQS cannot be reached: {_told(error)}.") from error
        self._set_up()

    async def close(self) -> None:
        self._closed = True
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.gather(self._returning, return_exceptions=True)
        await self._stack.aclose()

    async def _probe(self) -> None:
        async with asyncio.timeout(ANSWER_S * 2):
            await self._client.list_queues(QueueNamePrefix=self._address.prefix, MaxResults=1)

    async def call(self, operation: str, *, patience_s: float = ANSWER_S, **parameters: Any) -> Json:
        """Call SQS.

        Raises:
            Unavailable: it cannot be reached, or has no time for us; what was asked may have been done. QueueNotFound. LimitExceeded.
        """
        if not self.is_up or self._closed:
            raise Unavailable("SQS cannot be reached now.")
        do = getattr(self._client, operation)
        try:
            async with asyncio.timeout(patience_s):
                try:
                    answer: Json = await do(**parameters)
                except ConnectionClosedError:
                    answer = await do(**parameters)
                return answer
        except (ClientError, BotoCoreError, *LOST) as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> PostroadError:
        if isinstance(error, PostroadError):
            return error
        if isinstance(error, LOST):
            self.down()
            return Unavailable("SQS cannot be reached now.")
        if isinstance(error, ClientError):
            return refused(_code(error), sender=_status(error) < 500)
        log.error("SQS failed: %s", _told(error))
        return Unavailable("SQS cannot be used now.")

    def _set_up(self) -> None:
        self.is_up = True
        self.back.set()

    def down(self) -> None:
        self.is_up = False
        self.back.clear()
        if self._returning is None and not self._closed:
            log.warning("SQS cannot be reached")
            self._returning = asyncio.get_running_loop().create_task(self._return(), name="postroad sqs return")

    async def _return(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                await self._probe()
                break
            except (BotoCoreError, ClientError, *LOST):
                continue
        self._returning = None
        self._set_up()
        log.warning("SQS is back")
        self._up()


def refused(code: str, *, sender: bool) -> PostroadError:
    """What SQS said to a call, or to one entry of a batch, as an error of ours."""
    if any(part in code for part in _GONE):
        return QueueNotFound("It was deleted.")
    if any(part in code for part in _TOO_LARGE):
        return LimitExceeded("The message is larger than this SQS takes.", limit="body")
    if "QueueDeletedRecently" in code:
        return Unavailable("SQS gives a deleted queue's name free only after a minute.")
    if not sender or any(part in code for part in _BUSY):
        return Unavailable("SQS has no time for us now.")
    if "Denied" in code or "Token" in code or "Signature" in code or "Credential" in code:
        log.error("SQS refused us: %s", code)
        return Unavailable("SQS does not let this gateway in.")
    log.error("SQS refused: %s", code)
    return Internal("SQS refused a command.")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))


def _told(error: Exception) -> str:
    """Safe to show: a code, or a class."""
    if isinstance(error, ClientError):
        return f"it answered {_code(error)}"
    if isinstance(error, _UNSET):
        return str(error)
    return type(error).__name__
