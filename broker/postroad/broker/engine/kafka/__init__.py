"""Postroad on Apache Kafka: ``kafka://host:port``; the extra ``postroad[kafka]``.

Consumer groups share partitions, not messages, and know offsets, not leases. So they are not used. Instead each queue has a log that all
gateways read, and what the log says is what the queue is (``machine.py``)::

    queue              topic  postroad.queue.<name>.<random>: publish frames, one record each, and commands: take, settle, purge …
    stream             topic  postroad.stream.<name>.<random>: one record a message, offsets are Kafka's own
    group              topic  postroad.group.<stream>.<group>.<random>: commands on the stream's messages
    definitions        topic  postroad.definitions, compacted
    events             topic  postroad.events
    who is alive       topic  postroad.gateways

Every topic has one partition: order, and with it every decision, is that of Kafka. A gateway that wants messages writes "take 100" and is given
those that are first when its record's turn comes: two gateways never get the same one, and a settle that comes too late finds nothing, on every
gateway alike. Delays, attempts, priorities, ordering keys and dedup keys are part of that; nothing is published again for a retry.

Records before the oldest message that is left are deleted.
"""

from .backend import KafkaBackend

__all__ = ["KafkaBackend"]
