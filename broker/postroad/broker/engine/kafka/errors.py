"""Kafka's errors, as what callers are told."""

from __future__ import annotations

import logging

from confluent_kafka import KafkaError

from ...errors import Internal, LimitExceeded, PostroadError, QueueNotFound, Unavailable

log = logging.getLogger("postroad.engine")

UNKNOWN = frozenset(
    (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_ID)
)  # fmt: skip
"""There is no such topic, or not yet."""

AWAY = frozenset(
    (KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, KafkaError.LEADER_NOT_AVAILABLE,
     KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.REQUEST_TIMED_OUT, KafkaError.BROKER_NOT_AVAILABLE,
     KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.NETWORK_EXCEPTION)
)  # fmt: skip
"""It may be possible in a moment."""

_TOO_LARGE = frozenset((KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE))


def is_outage(error: KafkaError) -> bool:
    """Whether Kafka cannot serve at all now. Codes below 0 are librdkafka's own: timeouts, lost connections."""
    code = error.code()
    if code in UNKNOWN or code in _TOO_LARGE or code == KafkaError._PURGE_QUEUE:
        return False
    return bool(error.retriable()) or code < 0 or code in AWAY


def told(error: KafkaError) -> PostroadError:
    if error.code() in UNKNOWN:
        return QueueNotFound("It was deleted.")
    if error.code() in _TOO_LARGE:
        return LimitExceeded("Kafka takes no records as large as this.", limit="max.message.bytes")
    if error.code() == KafkaError._PURGE_QUEUE:
        return Unavailable("The broker is stopping.")
    if is_outage(error):
        return Unavailable("Kafka cannot be reached now.")
    log.error("Kafka refused: %s", error)
    return Internal("Kafka refused it.")
