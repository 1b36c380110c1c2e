"""The worst that can happen to a broker: no chance to say goodbye."""

from __future__ import annotations

import os
import signal

from services import Services, eventually


def kill_broker(services: Services, but_not: int | None = None) -> int:
    """kill -9, as soon as there is a process other than ``but_not``; returns its id. It is started again by itself."""
    found: int = eventually(
        lambda: services.processes("broker")[0]["pid"], lambda pid: pid not in (None, but_not), "the broker's process"
    )
    os.kill(found, signal.SIGKILL)
    return found
