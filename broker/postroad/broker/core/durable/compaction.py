"""The index of a stream with compaction: the newest message of each key, and which messages can be dropped.

Compaction keeps the newest message of each key, and drops the older ones in the background. Messages without a key follow the
stream's other retention limits, which say nothing about those with one. A *tombstone* is a message with a key, an empty body and the
header ``postroad-tombstone``: it is the newest of its key like any other, and after a grace time it goes, and the key with it.

Memory: one entry for each key that is live, and one row for each run of messages without a key that one frame brought.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ..format.record import Compact, Publish
from .parts import PartReader, PartWriter
from .runs import Runs

TOMBSTONE = "postroad-tombstone"

Frame = tuple[int, int, int, int]
"""Messages without a key: ``(first, last, bytes, published at)``."""


class Compaction:
    """Attributes:
    newest: Key → offset of its newest message.
    tombstones: Key → when its tombstone was published, for keys whose newest message is one; oldest first.
    superseded: Offsets of messages that another of their key came after.
    frames: What has no key, oldest first. ``count``, ``size``: messages in them, and their bytes.
    """

    __slots__ = ("count", "frames", "newest", "size", "superseded", "tombstones")

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.tombstones: dict[str, int] = {}
        self.superseded = Runs()
        self.frames: deque[Frame] = deque()
        self.count = self.size = 0

    def arrive(self, first: int, record: Publish, only: list[int] | None) -> None:
        """The messages of a record (those with the indexes ``only``) have come, from offset ``first`` on."""
        is_new = True
        for offset, index in enumerate(range(len(record.sizes)) if only is None else only, first):
            key = record.attribute("key", "keys", index)
            if key is None:
                self._unkeyed(offset, record.sizes[index], record.at, is_new)
                is_new = False
                continue
            is_new = True
            former = self.newest.get(key)
            if former is not None:
                self.superseded.add(former, former)
            self.newest[key] = offset
            self.tombstones.pop(key, None)
            if not record.sizes[index] and TOMBSTONE in (record.attribute("headers", "headers", index) or ()):
                self.tombstones[key] = record.at

    def _unkeyed(self, offset: int, size: int, at: int, is_new: bool) -> None:
        self.count += 1
        self.size += size
        if is_new:
            self.frames.append((offset, offset, size, at))
        else:
            first, _, before, _ = self.frames[-1]
            self.frames[-1] = (first, offset, before + size, at)

    def take_out(self, record: Compact) -> None:
        for key in record.keys:
            del self.newest[key]
            self.tombstones.pop(key, None)
        for first, last in record.runs:
            self.superseded.remove(first, last)
        if record.how == "trimmed":
            self._drop_frames(Runs(record.runs))

    def _drop_frames(self, gone: Runs) -> None:
        """Drop these frames, which are the oldest but for those that somebody holds."""
        held: list[Frame] = []
        while gone and self.frames:
            frame = self.frames.popleft()
            first, last, size, _ = frame
            if first in gone:
                gone.remove(first, last)
                self.count -= last - first + 1
                self.size -= size
            else:
                held.append(frame)
        self.frames.extendleft(reversed(held))

    def _keep(self, frames: Iterable[Frame]) -> None:
        self.frames = deque(frames)
        self.count = sum(last - first + 1 for first, last, _, _ in self.frames)
        self.size = sum(size for _, _, size, _ in self.frames)

    def over(self, before: int) -> Iterator[tuple[str, int]]:
        """``(key, offset)`` of tombstones published before that time, oldest first."""
        for key, at in self.tombstones.items():
            if at > before:
                return
            yield key, self.newest[key]

    def excess(self, before: int, count_max: int | None, bytes_max: int | None) -> Iterator[Frame]:
        """Frames that are older, or more, than is to be kept, oldest first; of bytes, the newest frame is always kept."""
        count, size = self.count, self.size
        for number, frame in enumerate(self.frames, 1):
            first, last, bytes_, at = frame
            is_too_many = count_max is not None and count - (last - first + 1) >= count_max
            is_too_much = bytes_max is not None and size > bytes_max and number < len(self.frames)
            if at >= before and not is_too_many and not is_too_much:
                return
            yield frame
            count, size = count - (last - first + 1), size - bytes_

    def to_json(self, parts: PartWriter) -> dict[str, Any]:
        return {
            "newest": list(self.newest.items()),
            "tombstones": list(self.tombstones.items()),
            "superseded": parts.put(self.superseded.to_array()),
            "frames": list(self.frames),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], parts: PartReader | None) -> Compaction:
        """``parts`` None: from a snapshot of version 1."""
        compaction = cls()
        compaction.newest = dict(data["newest"])
        compaction.tombstones = dict(data["tombstones"])
        superseded = data["superseded"]
        compaction.superseded = Runs.from_flat(*parts.views("Q", superseded)) if parts else Runs.from_flat(superseded)
        compaction._keep((first, last, size, at) for first, last, size, at in data["frames"])
        return compaction
