"""Postroad's broker: a durable message queue, embedded or on top of another one.

Public names are those listed in ``__all__``; nothing else is API.
"""

from .clock import Clock, SystemClock
from .engine.engine import (
    Capabilities,
    Completion,
    Confirm,
    ConsumerSink,
    ConsumeSpec,
    DeliveryBatch,
    Engine,
    Nack,
    Progress,
    PublishBatch,
    Run,
    SettleBatch,
    Settled,
    Subscription,
    Watch,
    WatchSink,
    WatchSpec,
)  # fmt: skip
from .engine.open import open_engine
from .errors import PostroadError
from .limits import Limits
from .settings import QueueSettings

__all__ = [
    "Capabilities",
    "Clock",
    "Completion",
    "Confirm",
    "ConsumeSpec",
    "ConsumerSink",
    "DeliveryBatch",
    "Engine",
    "Limits",
    "Nack",
    "PostroadError",
    "Progress",
    "PublishBatch",
    "QueueSettings",
    "Run",
    "SettleBatch",
    "Settled",
    "Subscription",
    "SystemClock",
    "Watch",
    "WatchSink",
    "WatchSpec",
    "open_engine",
]
