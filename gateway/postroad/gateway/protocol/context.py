"""What all sessions of a server share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from postroad.broker.engine.engine import Engine
from postroad.broker.limits import Limits

from ..auth.rights import ANYONE, Principal
from .capability import WatchKeys
from .shared_frames import SharedFrames
from .watcher import EncodeOnce

BROWSER_BODY_BYTES_MAX = 65_536


@dataclass(slots=True, kw_only=True)
class SessionContext:
    """Attributes:
    engine: What stores and delivers.
    watch_keys: Makes and checks watch capabilities.
    authenticate: Token → caller, raises ``NotAuthenticated``; ``None``: no token is asked for.
    report: Called with the request's id for a failure that is a bug of ours; logs it.
    connections: Counts the open connections.
    """

    engine: Engine
    watch_keys: WatchKeys
    authenticate: Callable[[str], Principal] | None = None
    limits: Limits = field(default_factory=Limits)
    version: str = "0"
    report: Callable[[str, BaseException], None] = lambda request_id, error: None
    connections: Callable[[], int] = lambda: 0
    now: Callable[[], float] = time.time
    started_at: float = field(default_factory=time.time)
    encode_once: EncodeOnce = field(default_factory=EncodeOnce)
    frames: SharedFrames = field(default_factory=SharedFrames)

    @property
    def default_principal(self) -> Principal | None:
        """The caller that shows no token; ``None`` where one must."""
        return ANYONE if self.authenticate is None else None

    def body_bytes_max(self, principal: Principal) -> int:
        limit = self.limits.body_bytes_max
        return min(limit, BROWSER_BODY_BYTES_MAX) if principal.is_browser else limit

    def able(self) -> dict[str, Any]:
        """What the engine can do, and why not."""
        able = self.engine.capabilities
        return {
            "capabilities": {item.name: getattr(able, item.name) for item in fields(able)},
            "reasons": dict(self.engine.reasons),
        }

    def welcome(self, principal: Principal) -> dict[str, Any]:
        """The fields of ``welcome`` that are the same for every session."""
        engine = self.engine
        limits = {item.name: getattr(self.limits, item.name) for item in fields(self.limits)}
        limits["body_bytes_max"] = self.body_bytes_max(principal)
        return {
            "server": {"name": "postroad", "version": self.version},
            "protocol": 1,
            "store": engine.store,
            "epoch": engine.epoch,
            "engine": engine.name,
            "durability": engine.durability,
            **self.able(),
            "limits": limits,
            "now": int(self.now() * 1000),
        }
