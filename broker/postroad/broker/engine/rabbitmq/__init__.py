"""Postroad on RabbitMQ: ``amqp://user:password@host:port/vhost``; the extra ``postroad[rabbitmq]``.

Mapping::

    queue              durable queue  postroad.q.<name>: classic with priorities, or quorum (``?queue_type=quorum``)
    publish, confirm   persistent, mandatory, publisher confirms, many in flight
    consume, prefetch  one AMQP consumer a queue and gateway, its prefetch the sum of what the consumers here may hold
    release            basic.nack with requeue: back at its place
    retry, delay       published to  postroad.later.<ms>.<name>  (a time to live, then dead-lettered to the queue), and only then acked
    dead               published to the dead-letter queue with its reason, and only then acked
    events             fanout exchange  postroad.events
    definitions        one message in  postroad.definitions: who holds it may change it

RabbitMQ keeps no position that could be looked at without touching: there is no peek, no search, no cancel of single messages.
"""

from .backend import RabbitBackend

__all__ = ["RabbitBackend"]
