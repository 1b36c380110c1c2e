"""The queues of SQS that ours are kept in: a standard one each, and a FIFO one beside it for messages with an ordering key."""

from __future__ import annotations

import asyncio
import contextlib

from ...errors import Internal, QueueNotFound, Unavailable
from ..engine import Json
from .link import Link
from .message import MESSAGE_MAX
from .names import DEFINITIONS, check_length, name_of, sqs_name

RETENTION_S = 14 * 24 * 3600
"""The longest that SQS keeps a message."""

PATIENCE_S = 8.0
TRIES = 4
PAGE = 1000
_ATTRIBUTES = {"MessageRetentionPeriod": str(RETENTION_S), "MaximumMessageSize": str(MESSAGE_MAX)}
_FIFO = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}


class Queues:
    """Attributes:
    ordered: Names of ours that have a FIFO queue.
    """

    def __init__(self, link: Link, prefix: str) -> None:
        self.ordered: set[str] = set()
        self._link = link
        self._prefix = prefix
        self._urls: dict[str, str] = {}
        self._making = asyncio.Lock()

    async def control(self, operation: str, **parameters: object) -> Json:
        """A call that nobody waits for by the millisecond: one that SQS has no time for is tried again."""
        for left in reversed(range(TRIES)):
            try:
                return await self._link.call(operation, patience_s=PATIENCE_S, **parameters)
            except Unavailable:
                if not left or not self._link.is_up:
                    raise
            await asyncio.sleep(0.2 * (TRIES - left))
        raise AssertionError("unreachable")

    async def listed(self) -> dict[str, str]:
        """Our names with the URL of the standard queue of each; notes the FIFO ones."""
        urls: dict[str, str] = {}
        more: Json = {}
        while True:
            page = await self.control("list_queues", QueueNamePrefix=self._prefix, MaxResults=PAGE, **more)
            for url in page.get("QueueUrls") or ():
                urls[url.rsplit("/", 1)[-1]] = url
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        self._urls.update(urls)
        found: dict[str, str] = {}
        for sqs, url in urls.items():
            if sqs == self._prefix + DEFINITIONS or (ours := name_of(self._prefix, sqs)) is None:
                continue
            if ours[1]:
                self.ordered.add(ours[0])
            else:
                found[ours[0]] = url
        return found

    async def url(self, name: str, *, fifo: bool = False) -> str:
        """Raises: QueueNotFound."""
        sqs = sqs_name(self._prefix, name, fifo=fifo)
        if sqs not in self._urls:
            try:
                self._urls[sqs] = (await self.control("get_queue_url", QueueName=sqs))["QueueUrl"]
            except QueueNotFound:
                raise QueueNotFound(f'There is no queue named "{name}".', queue=name) from None
        return self._urls[sqs]

    async def make(self, name: str, tags: dict[str, str]) -> str:
        """The standard queue of ours with that name; one that is there stays as it is.

        Raises:
            InvalidName: it is too long for SQS.
        """
        check_length(self._prefix, name)
        return await self._create(sqs_name(self._prefix, name), _ATTRIBUTES, tags)

    async def make_ordered(self, name: str) -> bool:
        """The FIFO queue beside it; returns whether it was not known before."""
        async with self._making:
            if name in self.ordered:
                return False
            await self._create(sqs_name(self._prefix, name, fifo=True), {**_ATTRIBUTES, **_FIFO}, {})
            self.ordered.add(name)
            return True

    async def make_marker(self) -> str:
        return await self._create(self._prefix + DEFINITIONS, {}, {})

    async def _create(self, sqs: str, attributes: dict[str, str], tags: dict[str, str]) -> str:
        if sqs not in self._urls:
            try:
                self._urls[sqs] = (await self.control("get_queue_url", QueueName=sqs))["QueueUrl"]
            except QueueNotFound:
                self._urls[sqs] = await self._new(sqs, attributes, tags)
        return self._urls[sqs]

    async def _new(self, sqs: str, attributes: dict[str, str], tags: dict[str, str]) -> str:
        try:
            made = await self.control("create_queue", QueueName=sqs, Attributes=attributes, tags=tags)
        except Internal:
            # Some servers know fewer attributes; those that matter stay.
            fewer = {name: value for name, value in attributes.items() if name in ("FifoQueue",)}
            made = await self.control("create_queue", QueueName=sqs, Attributes=fewer, tags=tags)
        url: str = made["QueueUrl"]
        return url

    async def remove(self, name: str) -> None:
        for fifo in (False, True):
            sqs = sqs_name(self._prefix, name, fifo=fifo)
            if fifo and name not in self.ordered:
                continue
            with contextlib.suppress(QueueNotFound):
                await self.control("delete_queue", QueueUrl=await self.url(name, fifo=fifo))
            self._urls.pop(sqs, None)
        self.ordered.discard(name)

    def forget(self, name: str) -> None:
        """Another gateway deleted it."""
        for fifo in (False, True):
            self._urls.pop(sqs_name(self._prefix, name, fifo=fifo), None)
        self.ordered.discard(name)

    async def urls(self, name: str) -> list[tuple[str, bool]]:
        """Of all queues of SQS behind a queue of ours, with whether it is the FIFO one. Raises: QueueNotFound."""
        found = [(await self.url(name), False)]
        if name in self.ordered:
            found.append((await self.url(name, fifo=True), True))
        return found

    async def depth(self, name: str) -> tuple[int, int]:
        """About how many messages are visible and delayed. Raises: QueueNotFound."""
        ready = delayed = 0
        for url, _ in await self.urls(name):
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
            found = await self._link.call("get_queue_attributes", QueueUrl=url, AttributeNames=names)
            counts = found.get("Attributes") or {}
            ready += int(counts.get(names[0], 0))
            delayed += int(counts.get(names[1], 0))
        return ready, delayed
