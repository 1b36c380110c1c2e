"""The capability matrix of docs/engines.md, from what the engines say of themselves: ``python bench/engines.py --matrix`` prints it."""

from __future__ import annotations

from dataclasses import fields

from postroad.broker.engine.embedded.capabilities import CAPABILITIES
from postroad.broker.engine.engine import Capabilities
from postroad.broker.engine.external import capabilities_of
from postroad.broker.engine.kafka import KafkaBackend
from postroad.broker.engine.rabbitmq import RabbitBackend
from postroad.broker.engine.redis_streams import RedisBackend
from postroad.broker.engine.sqs import SqsBackend


def engines() -> dict[str, Capabilities]:
    return {
        "embedded": CAPABILITIES,
        "redis": capabilities_of(RedisBackend("redis://")),
        "rabbitmq": capabilities_of(RabbitBackend("amqp://")),
        "rabbitmq, quorum": capabilities_of(RabbitBackend("amqp://?queue_type=quorum")),
        "kafka": capabilities_of(KafkaBackend("kafka://")),
        "sqs": capabilities_of(SqsBackend("sqs://")),
    }


def matrix() -> str:
    """A Markdown table."""
    columns = engines()
    rows = [["capability", *columns], ["---"] * (len(columns) + 1)]
    rows += [[item.name, *(getattr(able, item.name) for able in columns.values())] for item in fields(Capabilities)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
