"""How long the machines beside naive models run: shortly, or with ``POSTROAD_LONG=1`` at length."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = bool(os.environ.get("POSTROAD_LONG"))

MACHINE = settings(
    max_examples=1000 if LONG else 50,
    stateful_step_count=80 if LONG else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
