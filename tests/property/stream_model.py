"""Naive streams, groups, queues and topics, in plain lists and dicts, beside the core and believing nothing.

Like ``model.py`` it is fed every record and effect in order; each must be something that may happen now. A queue is a log with one
box, a stream a log with one box a group; a box knows the state of each offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from postroad.broker.core.format.effect import Deliver, Effect, Returned, Revoke
from postroad.broker.core.format.record import (
    Bind,
    Compact,
    Define,
    DefineGroup,
    DefineStream,
    Move,
    Publish,
    Record,
    Reset,
    Return,
    Settle,
    Trim,
    Undefine,
)

OPEN = ("ready", "retrying", "leased")


@dataclass
class Log:
    """Attributes:
    keys: Ordering key of each message. frames: First offset of each frame. gone: Offsets that were let go from the middle.
    at, expires, tombs, places: When each was published, when it expires (0: never), whether it is a tombstone, and where it is.
    """

    name: str
    settings: dict[str, Any]
    keys: list[str | None] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    first: int = 0
    gone: set[int] = field(default_factory=set)
    at: list[int] = field(default_factory=list)
    expires: list[int] = field(default_factory=list)
    tombs: list[bool] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_compacted(self) -> bool:
        return bool(self.settings.get("compaction"))

    def kept(self) -> list[int]:
        return [offset for offset in range(self.first, len(self.keys)) if offset not in self.gone]

    def superseded(self, offset: int, before: int = 2**62) -> bool:
        """Another of its key came after it, ``before`` that time."""
        key = self.keys[offset]
        later = range(offset + 1, len(self.keys))
        return key is not None and any(self.keys[o] == key and self.at[o] < before for o in later)

    def must_be_kept(self) -> int:
        """The first offset of the oldest frame that retention by count must keep."""
        count = self.settings.get("retention_count")
        frames = [first for first in self.frames if first >= self.first]
        while count is not None and len(frames) > 1 and len(self.keys) - frames[1] >= count:
            frames.pop(0)
        return frames[0] if frames else self.first


@dataclass
class Box:
    name: str
    log: Log
    settings: dict[str, Any]
    is_dead_letter: bool = False
    state: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    holder: dict[str, int] = field(default_factory=dict)
    redriven: set[int] = field(default_factory=set)
    lost: dict[str, int] = field(default_factory=lambda: {"trimmed": 0, "compacted": 0})

    def open(self) -> list[int]:
        return [offset for offset in sorted(self.state) if self.state[offset] in OPEN]

    def may_go(self, offset: int) -> bool:
        """Ready, and its key is its own: it holds it, or nobody does and it is the first that is ready."""
        key = self.log.keys[offset]
        if self.state[offset] != "ready" or key is None:
            return self.state[offset] == "ready"
        if key in self.holder:
            return self.holder[key] == offset
        return not any(self.log.keys[o] == key and self.state[o] == "ready" for o in self.state if o < offset)

    def close(self, offset: int, state: str) -> None:
        self.state[offset] = state
        self.attempts.pop(offset, None)
        key = self.log.keys[offset]
        if key is not None and self.holder.get(key) == offset:
            del self.holder[key]


class StreamModel:
    def __init__(self) -> None:
        self.logs: dict[int, Log] = {}
        self.boxes: dict[int, Box] = {}
        self.bindings: dict[tuple[Any, ...], None] = {}
        self.prefetch: dict[int, int] = {}
        self.leases: dict[tuple[int, int], tuple[int, int, int]] = {}
        """(subscription, number) → (box, offset, deadline)."""
        self.at = 0
        self.position = 0
        self.next_prefetch = 0
        self.is_dead_wanted = False
        self.untold: set[tuple[int, int]] = set()
        """Leases that a record has ended: their holders are to be told within the same command."""

    def done(self) -> None:
        """The command is over."""
        assert not self.untold, "a holder was not told"

    def _end_lease(self, log: int, offset: int) -> None:
        lease = self._lease_of(log, offset)
        del self.leases[lease]
        self.untold.add(lease)

    def restarted(self) -> None:
        self.prefetch.clear()
        self.leases.clear()
        for box in self.boxes.values():
            box.holder = {}
            for offset, state in box.state.items():
                box.state[offset] = "ready" if state == "leased" else state
                if state == "retrying" and (key := box.log.keys[offset]) is not None:
                    box.holder[key] = offset

    def passed(self, at: int) -> None:
        self.at = at
        for box in self.boxes.values():
            for offset, state in box.state.items():
                if state == "retrying" and box.due[offset] <= at:
                    box.state[offset] = "ready"

    def saw(self, step: Record | Effect, at: int) -> None:
        self.passed(at)
        self.position += isinstance(step, Record)
        handler = getattr(self, f"_{type(step).__name__.lower()}", None)
        if handler is not None:
            handler(step)

    def routes(self, topic: str, headers: list[dict[str, str]]) -> dict[int, list[int]]:
        """Log → indexes of the messages that bindings copy there."""
        found: dict[int, set[int]] = {}
        for log, pattern, wanted, is_any in self.bindings:
            if re.fullmatch(_as_regex(pattern), f".{topic}") is None:
                continue
            for index, given in enumerate(headers):
                hits = [given.get(name) == value for name, value in wanted]
                if not wanted or (any(hits) if is_any else all(hits)):
                    found.setdefault(log, set()).add(index)
        return {log: sorted(indexes) for log, indexes in found.items()}

    # Records

    def _define(self, record: Define) -> None:
        log = self.logs.setdefault(record.log, Log(record.name, {}))
        self.boxes.setdefault(
            record.log,
            Box(
                record.name,
                log,
                record.settings,
                record.dead_letter_of is not None and record.settings["dead_letter"] is None,
            ),
        )

    def _definestream(self, record: DefineStream) -> None:
        self.logs.setdefault(record.log, Log(record.name, {})).settings = record.settings

    def _definegroup(self, record: DefineGroup) -> None:
        log = self.logs[record.log]
        assert log.first <= record.start <= len(log.keys)
        box = self.boxes[record.group] = Box(f"{log.name}/{record.name}", log, record.settings)
        self._start(box, record.start)

    def _start(self, box: Box, start: int) -> None:
        box.state = {
            offset: "before" if offset < start or offset in box.log.gone else "ready"
            for offset in range(len(box.log.keys))
        }
        box.attempts, box.due, box.holder, box.redriven = {}, {}, {}, set()

    def _undefine(self, record: Undefine) -> None:
        del self.boxes[record.log]
        self.leases = {key: lease for key, lease in self.leases.items() if lease[0] != record.log}

    def _bind(self, record: Bind) -> None:
        binding = (record.log, record.pattern, tuple(map(tuple, record.headers)), record.any_header)
        assert (binding in self.bindings) != record.on
        if record.on:
            self.bindings[binding] = None
        else:
            del self.bindings[binding]

    def _publish(self, record: Publish) -> None:
        position = self.position
        count = len(record.sizes)
        keys = record.attributes.get("keys") or [None] * count
        given = {log: list(range(count)) if only is None else only for log, _, only in record.targets}
        if record.topic is not None:
            headers = record.attributes.get("headers") or [{}] * count
            assert given == self.routes(record.topic, headers), "fan-out"
        for number, first, _ in record.targets:
            log = self.logs[number]
            assert first == len(log.keys), "offsets are dense"
            before: int | None = None
            for index in given[number]:
                if before is None or index != before + 1:
                    log.frames.append(len(log.keys))
                before = index
                expire = (record.attributes.get("expires_ms") or [None] * count)[index]
                log.expires.append(self.at + expire if expire else 0)
                headers = (record.attributes.get("headers") or [None] * count)[index] or {}
                log.tombs.append("postroad-tombstone" in headers and not record.sizes[index])
                log.places.append((position, index))
                self._append(log, keys[index])

    def _append(self, log: Log, key: str | None) -> None:
        log.at.append(self.at)
        for box in self.boxes.values():
            if box.log is log:
                box.state[len(log.keys)] = "ready"
        log.keys.append(key)

    def _settle(self, record: Settle) -> None:
        box = self.boxes[record.log]
        for first, last, _ in record.runs:
            for offset in range(first, last + 1):
                wanted = ("ready", "retrying") if record.how in ("purged", "redriven", "expired") else ("leased",)
                assert record.how != "expired" or 0 < box.log.expires[offset] <= self.at
                assert box.state[offset] in wanted, f"{offset} was {record.how} while {box.state[offset]}"
                if box.state[offset] == "leased":
                    del self.leases[self._lease_of(record.log, offset)]
                box.close(offset, record.how)

    def _return(self, record: Return) -> None:
        box = self.boxes[record.log]
        for offset, attempts, due, *_ in record.entries:
            lease = self._lease_of(record.log, offset)
            assert attempts == box.attempts.get(offset, 0) + 1
            assert attempts < box.settings["attempts_max"] or box.is_dead_letter
            assert record.reason != "lease expired" or self.leases[lease][2] <= self.at
            del self.leases[lease]
            box.attempts[offset], box.due[offset] = attempts, due
            box.state[offset] = "retrying" if due else "ready"

    def _move(self, record: Move) -> None:
        box = self.boxes[record.log]
        source = self.boxes[record.origin].log if record.origin in self.boxes else self.logs[record.origin]
        assert len({entry[0] for entry in record.entries}) == len(record.entries), "one place, one message"
        for offset, _, _, _, former, attempts, _ in record.entries:
            if record.why == "dead":
                assert self.boxes[record.origin].state[former] == "leased"
                assert attempts == self.boxes[record.origin].attempts.get(former, 0) + 1
                assert attempts >= self.boxes[record.origin].settings["attempts_max"] or self.is_dead_wanted
            if box.log.settings:  # a stream's group: the message is there already
                assert record.why == "redriven" and offset in box.log.kept()
                assert box.state[offset] not in OPEN, "what is open cannot be opened"
                assert box.log.keys[offset] == source.keys[former]
                box.state[offset] = "ready"
                box.redriven.add(offset)
                continue
            assert offset == len(box.log.keys)
            box.log.expires.append(0)
            box.log.tombs.append(False)
            box.log.places.append((0, 0))
            self._append(box.log, source.keys[former])

    def _trim(self, record: Trim) -> None:
        log = self.logs[record.log]
        assert record.first == log.must_be_kept() > log.first
        log.first = record.first
        for number, box in self.boxes.items():
            if box.log is log:
                for offset in range(record.first):
                    if box.state[offset] in OPEN:
                        if box.state[offset] == "leased":
                            self._end_lease(number, offset)
                        box.lost["trimmed"] += 1
                        box.close(offset, "trimmed")

    def _compact(self, record: Compact) -> None:
        log = self.logs[record.log]
        offsets = [offset for first, last in record.runs for offset in range(first, last + 1)]
        over = []
        for offset in offsets:
            assert offset in log.kept(), "gone twice"
            if record.how == "trimmed":
                assert log.keys[offset] is None, "what has a key is not trimmed"
            elif not log.superseded(offset):
                assert log.tombs[offset] and log.at[offset] + log.settings["tombstone_ms"] <= self.at, "the newest went"
                over.append(log.keys[offset])
        assert sorted(over) == sorted(record.keys)
        log.gone.update(offsets)
        if record.how == "trimmed":
            left = sum(log.keys[offset] is None for offset in log.kept())
            assert left >= log.settings["retention_count"], "more than need be went"
        for box in self.boxes.values():
            for offset in offsets if box.log is log else ():
                assert box.state[offset] != "leased", "somebody holds it"
                if box.state[offset] in OPEN:
                    box.lost[record.how] += 1
                    box.close(offset, record.how)

    def _reset(self, record: Reset) -> None:
        for offset, state in self.boxes[record.log].state.items():
            if state == "leased":
                self._end_lease(record.log, offset)
        self._start(self.boxes[record.log], record.start)

    # Effects

    def _deliver(self, grant: Deliver) -> None:
        box = self.boxes[grant.log]
        prefetch = self.prefetch.setdefault(grant.subscription, self.next_prefetch)
        for k in range(grant.count):
            offset = grant.sequence + k
            assert box.state[offset] == "ready", f"{box.name} {offset} was delivered while {box.state[offset]}"
            has_expired = 0 < box.log.expires[offset] <= self.at and offset not in box.redriven
            assert not has_expired, f"{box.name} {offset} was delivered after it had expired"
            assert box.may_go(offset), f"{box.name} {offset} overtook another of its key"
            better = [o for o in box.state if o < offset and box.may_go(o) and box.due.get(o, 0) < self.at]
            assert not better, f"{offset} overtook {better}"
            assert (grant.attempts[k] if grant.attempts else 1) == box.attempts.get(offset, 0) + 1
            assert not any(lease[:2] == (grant.log, offset) for lease in self.leases.values()), "two leases"
            box.state[offset] = "leased"
            if (key := box.log.keys[offset]) is not None:
                box.holder[key] = offset
            deadline = self.at + box.settings["lease_ms"]
            self.leases[grant.subscription, grant.number + k] = (grant.log, offset, deadline)
        assert sum(1 for id, _ in self.leases if id == grant.subscription) <= prefetch

    def _returned(self, effect: Returned) -> None:
        for offset in range(effect.first, effect.last + 1):
            del self.leases[self._lease_of(effect.log, offset)]
            self.boxes[effect.log].state[offset] = "ready"

    def _revoke(self, effect: Revoke) -> None:
        for first, last in effect.numbers:
            for number in range(first, last + 1):
                assert (effect.subscription, number) in self.untold, "it was told of what it still holds"
                self.untold.remove((effect.subscription, number))

    def _lease_of(self, log: int, offset: int) -> tuple[int, int]:
        (found,) = [key for key, lease in self.leases.items() if lease[:2] == (log, offset)]
        return found


def _as_regex(pattern: str) -> str:
    """For a topic with a dot before each word."""
    words = {"*": r"\.[^.]+", "#": r"(\.[^.]+)*"}
    return "".join(words.get(word) or rf"\.{re.escape(word)}" for word in pattern.split("."))
