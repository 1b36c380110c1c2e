"""The capability matrix of docs/engines.md, from what the engines say of themselves: ``python bench/engines.py --matrix`` prints it."""

from __future__ import annotations

from dataclasses import fields

from postroad.broker.engine.embedded.engine import CAPABILITIES
from postroad.broker.engine.engine import Capabilities
from postroad.broker.engine.rabbitmq import RabbitBackend
from postroad.broker.engine.redis_streams import RedisBackend


def engines() -> dict[str, Capabilities]:
    return {
        "embedded": CAPABILITIES,
        "redis": RedisBackend("redis://").capabilities,
        "rabbitmq": RabbitBackend("amqp://").capabilities,
        "rabbitmq, quorum": RabbitBackend("amqp://?queue_type=quorum").capabilities,
    }


def matrix() -> str:
    """A Markdown table."""
    columns = engines()
    rows = [["capability", *columns], ["---"] * (len(columns) + 1)]
    rows += [[item.name, *(getattr(able, item.name) for able in columns.values())] for item in fields(Capabilities)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
