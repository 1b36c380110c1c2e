"""An engine from a URL."""

from __future__ import annotations

from typing import cast

from ..clock import Clock
from ..errors import InvalidRequest
from ..journal import JournalOptions, RealFiles
from ..journal.options import Durability
from .embedded import EmbeddedEngine
from .engine import Engine


def open_engine(url: str = "embedded:", *, data: str, durability: str = "sync", clock: Clock | None = None) -> Engine:
    """Make the engine that ``url`` names; ``start`` opens it.

    Args:
        url: ``embedded:``.
        data: Folder of the embedded engine's journal; made if it does not exist.
        durability: ``sync``, ``os`` or ``memory``: what a confirm promises.
        clock: Another clock than the system's, for tests.

    Raises:
        InvalidRequest: unknown scheme or durability.
    """
    if url.split(":", 1)[0] != "embedded":
        raise InvalidRequest(
            f"There is no engine for {url.split(':', 1)[0][:20]!a}; there is: embedded.", field="engine"
        )
    if durability not in ("sync", "os", "memory"):
        raise InvalidRequest("durability must be sync, os or memory.", field="durability")
    options = JournalOptions(durability=cast(Durability, durability))  # checked just above
    return cast(Engine, EmbeddedEngine(RealFiles(data), options, clock=clock))
