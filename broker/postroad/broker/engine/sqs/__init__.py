"""Postroad on Amazon SQS: ``sqs://eu-central-1``, or ``sqs://127.0.0.1:9324/?region=…&scheme=http``; the extra ``postroad[sqs]``.

Mapping::

    queue              standard queue  <prefix><name>, a dot of the name written as ``D``
    ordering key       FIFO queue  <prefix><name>.fifo, made when the first message with a key comes; group = key
    publish, confirm   SendMessageBatch, many in flight
    envelope           message attribute ``postroad``; a body that is no text goes into the attribute ``postroad-body``
    consume, prefetch  long polls for as many as the consumers here may still hold
    held               visibility timeout, prolonged as long as this gateway lives (``hands.py``)
    ack                DeleteMessageBatch
    release            ChangeMessageVisibilityBatch to 0
    retry, delay       sent again with its attempts and ``DelaySeconds``, and only then deleted; with a key: made visible later, at its place
    dead               sent to the dead-letter queue with its reason, and only then deleted
    definitions        tags of the queues (``tags.py``); a tag of the queue  <prefix>DEFINITIONS  grows with every change

SQS has no fan-out: events and timelines are the gateway's own. It keeps no position that could be looked at without touching: there is no
peek, no search, no cancel of single messages. Credentials come from the environment that AWS's own tools use, and from nowhere else.
"""

from .backend import SqsBackend

__all__ = ["SqsBackend"]
