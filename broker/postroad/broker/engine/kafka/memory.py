"""What was published before: frames of producers, dedup keys, messages moved here. Bounded, by time or number."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ..engine import Json

DEDUP_MS = 300_000
FRAMES_KEPT = 1024
SESSIONS_MAX = 10_000
ORIGINS_MAX = 100_000


@dataclass(slots=True, kw_only=True)
class Fate:
    """What becomes of a frame.

    Attributes:
        refused: ``full``, ``conflict`` or ``unknown``: nothing is stored.
        replay: Id prefix and duplicates of the frame when it was stored before.
        duplicates: Index → id of the message with its dedup key.
        conflict: Id of the message that has the dedup key with another body.
        skip: Indexes that are not stored.
    """

    refused: str | None = None
    replay: tuple[str, dict[int, str]] | None = None
    duplicates: dict[int, str] = field(default_factory=dict)
    conflict: str = ""
    skip: set[int] = field(default_factory=set)


class Memory:
    def __init__(self) -> None:
        self._dedup: OrderedDict[tuple[str, str], tuple[str, str, int]] = OrderedDict()
        self._frames: OrderedDict[str, OrderedDict[int, tuple[str, dict[int, str]]]] = OrderedDict()
        self._origins: OrderedDict[tuple[Any, ...], None] = OrderedDict()

    @property
    def keeps_dedup(self) -> bool:
        return bool(self._dedup)

    def knows(self, meta: Json) -> bool:
        """Whether this frame was stored before."""
        return "f" in meta and meta["f"][1] in self._frames.get(meta["f"][0], ())

    def look(self, meta: Json) -> Fate:
        """Decide, and remember: ``meta`` as in ``record.py``."""
        if "f" in meta and (known := self._known(*meta["f"])) is not None:
            return known
        fate = self._dedup_of(meta) if "u" in meta else Fate()
        if not fate.refused:
            if "o" in meta:
                fate.skip |= self._moved(meta["o"])
            if "f" in meta:
                self._note(meta["f"][0], meta["f"][1], meta["i"], fate.duplicates)
        return fate

    def _known(self, session: str, frame: int) -> Fate | None:
        frames = self._frames.get(session)
        if not frames:
            return None
        if frame in frames:
            return Fate(replay=frames[frame])
        return Fate(refused="unknown") if frame <= max(frames) - FRAMES_KEPT else None

    def _note(self, session: str, frame: int, prefix: str, duplicates: dict[int, str]) -> None:
        frames = self._frames.setdefault(session, OrderedDict())
        self._frames.move_to_end(session)
        frames[frame] = (prefix, duplicates)
        if len(frames) > FRAMES_KEPT:
            frames.popitem(last=False)
        if len(self._frames) > SESSIONS_MAX:
            self._frames.popitem(last=False)

    def _dedup_of(self, meta: Json) -> Fate:
        at, scope = meta["t"], meta["s"]
        while self._dedup and next(iter(self._dedup.values()))[2] <= at - DEDUP_MS:
            self._dedup.popitem(last=False)
        fate = Fate()
        fresh: dict[tuple[str, str], tuple[str, str, int]] = {}
        for index, pair in enumerate(meta["u"]):
            if pair is None:
                continue
            name = (scope, pair[0])
            known = fresh.get(name) or self._dedup.get(name)
            if known is None:
                fresh[name] = (pair[1], f"{meta['i']}{meta['h'][index]['x']}", at)
            elif known[0] != pair[1]:
                return Fate(refused="conflict", conflict=known[1])
            else:
                fate.duplicates[index] = known[1]
        fate.skip |= set(fate.duplicates)
        self._dedup.update(fresh)
        return fate

    def _moved(self, origins: list[Any]) -> set[int]:
        """Indexes of what was moved here before."""
        known = set()
        for index, origin in enumerate(map(tuple, origins)):
            if origin in self._origins:
                known.add(index)
            self._origins[origin] = None
        while len(self._origins) > ORIGINS_MAX:
            self._origins.popitem(last=False)
        return known
