"""Making, removing and cutting topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ...errors import QueueNotFound

if TYPE_CHECKING:
    from .link import Link

RECORD_BYTES_MAX = 33_554_432
"""A publish frame is one record."""

ADMIN_S = 3.0


class Topics:
    """Args:
    replication: Replicas of each topic; -1: as the server is set.
    more: Settings of every topic.
    """

    def __init__(self, admin: AdminClient, link: Link) -> None:
        self.replication = -1
        self.more: dict[str, str] = {}
        self._admin = admin
        self._link = link

    async def make(self, name: str, **config: str) -> None:
        """Make a topic, unless there is one of that name.

        Raises:
            Unavailable.
        """
        settings = {"max.message.bytes": str(RECORD_BYTES_MAX), "message.timestamp.type": "CreateTime"} | self.more
        settings |= {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, 1, self.replication, config=settings)

        def create() -> None:
            try:
                self._admin.create_topics([topic], request_timeout=ADMIN_S)[name].result(ADMIN_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

        await self._link.call(create)
        await self._link.until_there(name)

    async def remove(self, name: str) -> None:
        try:
            await self._link.call(
                lambda: self._admin.delete_topics([name], request_timeout=ADMIN_S)[name].result(ADMIN_S)
            )
        except QueueNotFound:
            return

    async def cut(self, name: str, before: int) -> None:
        """Let go of the records before an offset."""
        where = TopicPartition(name, 0, before)
        await self._link.call(
            lambda: self._admin.delete_records([where], request_timeout=ADMIN_S)[where].result(ADMIN_S)
        )
