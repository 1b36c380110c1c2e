"""Postroad on top of another broker.

``ExternalEngine`` is the shared layer: it implements ``engine.Engine`` on a small ``Backend`` (``backend.py``), one for each other broker.
No store of ours stands beside that broker, so gateways are stateless: run as many as you like on one.

What the layer does for every backend:

- **Envelope** (``envelope.py``): id, time, attributes and deadline travel beside the body, which is never parsed.
- **Numbers and leases** (``consumer.py``): delivery numbers, prefetch, begun, resume, lease deadlines. The engine only knows that a message is
  this gateway's. A lease that runs out counts an attempt; a settle that comes after its number ended finds nothing and loses.
- **Failing** (``source.py``): the core's retry function decides the delay; the last attempt goes to the dead-letter queue, with its reason.
- **Batches**: publishes (``sender.py``) and settles (``source.py``) that arrive while a call to the engine is under way go with the next one.
- **Records** (``chronicle.py``): what was done is told through the engine to every gateway. Events, watches, timelines, producer sessions and
  wake-ups come from there, from a bounded memory of the last records, on every gateway the same.
- **Definitions** (``registry.py``): kept by the engine, copied here.

What a backend cannot do it calls ``unsupported``, with a reason (``able.py``), and the layer refuses it with ``Unsupported`` before anything is stored.
"""

from .able import capabilities_of, reasons_of
from .backend import (
    KEPT_SETTINGS,
    Backend,
    Bury,
    Counts,
    Definition,
    Extent,
    Feed,
    FeedSink,
    Moved,
    Received,
    Return,
    Send,
    Sent,
    Tail,
    Target,
    Verdicts,
)  # fmt: skip
from .engine import ExternalEngine

__all__ = [
    "KEPT_SETTINGS",
    "Backend",
    "Bury",
    "Counts",
    "Definition",
    "Extent",
    "ExternalEngine",
    "Feed",
    "FeedSink",
    "Moved",
    "Received",
    "Return",
    "Send",
    "Sent",
    "Tail",
    "Target",
    "Verdicts",
    "capabilities_of",
    "reasons_of",
]
