"""Streams, groups and topics against their model: a quick run always, a long one with ``POSTROAD_LONG=1``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from stream_machine import StreamMachine

LONG = bool(os.environ.get("POSTROAD_LONG"))

StreamMachine.TestCase.settings = settings(
    max_examples=2000 if LONG else 200,
    stateful_step_count=100 if LONG else 50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStreamMachine = StreamMachine.TestCase
