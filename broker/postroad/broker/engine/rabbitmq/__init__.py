"""Postroad on RabbitMQ: ``amqp://user:password@host:port/vhost``; the extra ``postroad[rabbitmq]``.

Mapping::

    queue              durable queue  postroad.q.<name>: classic with priorities, or quorum (``?queue_type=quorum``)
    publish, confirm   persistent, mandatory, publisher confirms, many in flight
    consume, prefetch  one AMQP consumer a queue and gateway, its prefetch the sum of what the consumers here may hold
    release            basic.nack with requeue: back at its place
    retry, delay       published to  postroad.later.<ms>.<name>  (a time to live, then dead-lettered to the queue), and only then acked
    dead               published to the dead-letter queue with its reason, and only then acked
    events             fanout exchange  postroad.events
    stream             stream queue  postroad.s.<name>, from offset 1 on: the first message is a mark
    group              copies in  postroad.q.<stream>/<group>.<generation>; how far, in one message of  postroad.cursor.<stream>/<group>
    definitions        one message in  postroad.definitions: who holds it may change it

RabbitMQ keeps no position that could be looked at without touching: there is no peek, no search, no cancel of single messages. To get a message
and requeue it is no peek: it marks it as redelivered, counts as a delivery of quorum queues, and hides it from consumers meanwhile. To note a
cancelled message and drop it when it comes would not be one either: RabbitMQ would count it until then, and a gateway that starts later would
have to know all such notes.
"""

from .backend import RabbitBackend

__all__ = ["RabbitBackend"]
