"""Numbers of queues, groups and streams as docs/protocol.md §6 gives them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..engine import Json
from .backend import Backend, Definition
from .chronicle import Chronicle
from .registry import GROUP_SEPARATOR, Registry
from .source import Source

WINDOW = 5
"""Seconds that rates are measured over."""


class Stats:
    def __init__(
        self, backend: Backend, registry: Registry, chronicle: Chronicle, sources: dict[str, Source], now: Callable[[], int]
    ) -> None:  # fmt: skip
        self._backend = backend
        self._registry = registry
        self._chronicle = chronicle
        self._sources = sources
        self._now = now
        self._is_sampling = False
        self._samples: dict[str, deque[tuple[int, int, int]]] = {}

    def sample(self) -> list[str]:
        """Once a second; returns the queues whose rates moved."""
        moved, now = [], self._now()
        for name, totals in self._chronicle.totals.items():
            row = (now, totals.get("published", 0), totals.get("acked", 0))
            samples = self._samples.get(name)
            if samples is None:
                samples = self._samples[name] = deque(maxlen=WINDOW + 1)
                if self._is_sampling:  # it began within the last second
                    samples.append((now - 1000, 0, 0))
            if samples and samples[0][1:] == row[1:] and samples[-1][1:] == row[1:]:
                samples.clear()
            elif samples:
                moved.append(name)
            samples.append(row)
        self._is_sampling = True
        for name in [name for name in self._samples if name not in self._chronicle.totals]:
            del self._samples[name]
        return moved

    def _rates(self, name: str) -> tuple[float, float]:
        samples = self._samples.get(name)
        if not samples:
            return 0.0, 0.0
        at, published, acked = samples[0]
        totals, passed = self._chronicle.totals.get(name, {}), max(self._now() - at, 1000) / 1000
        return (
            round((totals.get("published", 0) - published) / passed, 1),
            round((totals.get("acked", 0) - acked) / passed, 1),
        )

    async def of(self, definition: Definition) -> Json:
        name = definition.name
        counts = await self._backend.counts(definition)
        source = self._sources.get(name)
        totals = counts.totals if counts.totals is not None else self._chronicle.totals.get(name, {})
        published, acked = self._rates(name)
        stats: Json = {
            "name": name,
            "kind": "group" if definition.kind == "group" else "queue",
            "ready": counts.ready,
            "parked": None,
            "delayed": counts.delayed,
            "retrying": counts.retrying,
            "leased": counts.leased if counts.leased is not None else source.leased if source else 0,
            "consumers": len(source.consumers) if source else 0,
            "paused": definition.paused,
            "published_total": totals.get("published", 0),
            "acked_total": totals.get("acked", 0),
            "dead_total": totals.get("dead", 0),
            "retried_total": totals.get("retried", 0),
            "rate_published": published,
            "rate_acked": acked,
            "oldest_ms": None if counts.oldest_at is None else max(self._now() - counts.oldest_at, 0),
            "bytes": counts.bytes,
        }
        if definition.pause_reason:
            stats["pause_reason"] = definition.pause_reason
        if definition.dead_letter_of:
            stats["dead_letter_of"] = definition.dead_letter_of
        if definition.kind == "group":
            stats |= {
                "committed": counts.committed,
                "lag": counts.ready + (stats["leased"] or 0),
                "trimmed_total": None,
            }
        return stats

    async def of_stream(self, definition: Definition) -> Json:
        extent = await self._backend.extent(definition)
        prefix = definition.name + GROUP_SEPARATOR
        groups = [group for group in self._registry.names("group") if group.name.startswith(prefix)]
        return {
            "name": definition.name,
            "kind": "stream",
            "earliest": extent.earliest,
            "next": extent.next,
            "messages": extent.next - extent.earliest,
            "bytes": None,
            "published_total": extent.next,
            "trimmed_total": extent.earliest,
            "oldest_ms": None if extent.oldest_at is None else max(self._now() - extent.oldest_at, 0),
            "settings": definition.settings,
            "groups": [await self.of(group) for group in groups],
        }

    def consumers(self, name: str) -> list[Json]:
        """Those of this gateway."""
        source = self._sources.get(name)
        return [
            {
                "consumer": subscription.consumer,
                "subscription": subscription.token,
                "client": subscription.client,
                "prefetch": subscription.most,
                "leased": len(subscription.leases),
                "oldest_lease_ms": subscription.oldest_lease_ms(self._now()),
                "connected_at": subscription.connected_at,
            }
            for subscription in (source.consumers if source else ())
        ]
