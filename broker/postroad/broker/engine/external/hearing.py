"""What a gateway does when it hears what was done, by itself or by another gateway: definitions, wake-ups, revoked leases, deletions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ...errors import QueueNotFound
from ..engine import Json
from .backend import Definition
from .chronicle import Kept
from .readers import ExternalReader
from .registry import GROUP_SEPARATOR, Registry
from .source import Source
from .watching import Watching

WAKING = frozenset(("published", "retrying", "returned", "redriven", "acked", "expired", "dead", "cancelled", "purged", "reset", "resumed"))  # fmt: skip


class Hearing:
    """Attributes:
    readers: The open ones, and some that are over.
    """

    def __init__(
        self, node: str, registry: Registry, sources: dict[str, Source], watching: Watching,
        spawn: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:  # fmt: skip
        self.readers: list[ExternalReader] = []
        self.sources = sources
        self._node = node
        self._registry = registry
        self._watching = watching
        self._spawn = spawn

    def opened(self, reader: ExternalReader) -> None:
        self.readers = [*(reader for reader in self.readers if not reader.is_over), reader]

    def saw(self, records: list[Kept]) -> None:
        for _, record in records:
            kind, name = record["k"], record["q"]
            if "def" in record:
                self._registry.put(Definition(**record["def"]))
            if record.get("reload") and record["w"][0] != self._node:
                self._spawn(self._registry.refresh())
            if kind == "deleted":
                self.deleted(name)
            elif kind in ("cancelled", "reset"):
                self._revoke(record)
            if kind in ("paused", "resumed") and name in self.sources:
                self.sources[name].changed()
            if kind in WAKING:
                for waking in (name, record.get("to"), *record.get("queues", ())):
                    self._wake(waking)
        self._watching.saw(records)

    def _wake(self, name: str | None) -> None:
        if name is None:
            return
        source = self.sources.get(name)
        if source is not None:
            source.wake()
        elif self._registry.find(name, "stream"):
            for other, source in self.sources.items():
                if other.startswith(name + GROUP_SEPARATOR):
                    source.wake()
            for reader in self.readers:
                if reader.name == name:
                    reader.wake()

    def _revoke(self, record: Json) -> None:
        source = self.sources.get(record["q"])
        for subscription in source.everyone() if source else ():
            if record["k"] == "reset":
                subscription.revoke(None, "reset")
                continue
            ids = {(prefix, first) for prefix, first, _ in record["i"]}
            held = [m for m in subscription.leases.values() if (m.header["i"], m.header["x"]) in ids]
            if held:
                subscription.revoke(held, "cancelled")
                source.wake() if source else None

    def deleted(self, name: str) -> None:
        self._registry.drop(name)
        gone = QueueNotFound(f'"{name}" was deleted.', queue=name)
        for other in [o for o in self.sources if o == name or o.startswith(name + GROUP_SEPARATOR)]:
            self._spawn(self.sources.pop(other).close(gone))
        for reader in [reader for reader in self.readers if reader.name == name]:
            self.readers.remove(reader)
            reader.end(gone)
