"""The facts that are journaled: the vocabulary of the journal.

A record says what has happened, completely: applying it never needs a clock, a random number or a decision.
``tag`` is its name in the journal, and that of the method of ``State`` that applies it.
``codec.py`` turns records into the JSON headers of journal records and back.
Records are written once and never changed afterwards (not frozen only because making a frozen one costs twice as much).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

Range = tuple[int, int]

PLACES_MAX = 20


@dataclass(slots=True)
class Boot:
    """The broker started. Leases of before are gone; ids from here on carry ``epoch``.

    Attributes:
        ahead_ms: Not 0: the clock was so far past the last record that nothing is deleted for its age, until ``Trust``.
        held_until: When that is over at the latest, if the clock stays as it is.
    """

    tag: ClassVar[str] = "boot"

    at: int
    epoch: int
    ahead_ms: int = 0
    held_until: int = 0


@dataclass(slots=True)
class Trust:
    """The clock of the last start is taken to be right: what has an age may go."""

    tag: ClassVar[str] = "trust"

    at: int


@dataclass(slots=True)
class Define:
    """A queue exists with these settings, from now on. ``log`` is its number, never used again for another."""

    tag: ClassVar[str] = "define"

    at: int
    name: str
    log: int
    settings: dict[str, Any]
    dead_letter_of: str | None = None


@dataclass(slots=True)
class DefineStream:
    """A stream exists with these settings, from now on."""

    tag: ClassVar[str] = "stream"

    at: int
    name: str
    log: int
    settings: dict[str, Any]


@dataclass(slots=True)
class DefineGroup:
    """A consumer group of the stream ``log`` exists, with the number ``group``; ``start``: offset of its first message."""

    tag: ClassVar[str] = "group"

    at: int
    log: int
    group: int
    name: str
    settings: dict[str, Any]
    start: int


@dataclass(slots=True)
class Reset:
    """A group goes on from offset ``start``; all its leases and attempts are gone."""

    tag: ClassVar[str] = "reset"

    at: int
    log: int
    start: int


@dataclass(slots=True)
class Trim:
    """A stream drops everything before offset ``first``."""

    tag: ClassVar[str] = "trim"

    at: int
    log: int
    first: int


@dataclass(slots=True)
class Compact:
    """Messages in the middle of a stream with compaction are gone.

    Attributes:
        how: ``compacted``: another of their key came after them, or their key was removed by a tombstone. ``trimmed``: they have no key,
            and retention does not keep them.
        runs: ``(first, last)`` by offset.
        keys: What tombstones among them removed: the key is not known any more.
    """

    tag: ClassVar[str] = "compact"

    at: int
    log: int
    how: str
    runs: list[Range]
    keys: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Bind:
    """Messages published to topics that match are copied to ``log`` (``on``), or no longer."""

    tag: ClassVar[str] = "bind"

    at: int
    log: int
    pattern: str
    on: bool
    headers: list[tuple[str, str]] = field(default_factory=list)
    any_header: bool = False


@dataclass(slots=True)
class Undefine:
    """A queue, stream or group, and all in it, is gone."""

    tag: ClassVar[str] = "undefine"

    at: int
    name: str
    log: int


@dataclass(slots=True)
class Pause:
    """A queue delivers nothing (``paused``), or does again."""

    tag: ClassVar[str] = "pause"

    at: int
    log: int
    paused: bool
    reason: str | None = None


@dataclass(slots=True)
class Publish:
    """Messages were published.

    Attributes:
        targets: ``(log, sequence of the first message, indexes)`` for each target; indexes None: all messages of the record.
        topic: The topic published to, if it was one.
        schedule: The schedule that fired, and when it fires next.
        sizes: Bytes of each body; the bodies follow the header in the journal.
        attributes: Columns and scalars as in docs/protocol.md §4.
        producer: Producer session and frame number.
        digests: With dedup keys: a digest of each body, to tell a repetition from a conflict.
        duplicates: Index in the *frame* → (position, index) of the message stored before; those have the size 0 here and
            are in no target.
    """

    tag: ClassVar[str] = "publish"

    at: int
    targets: list[tuple[int, int, list[int] | None]]
    sizes: list[int]
    attributes: dict[str, Any] = field(default_factory=dict)
    producer: tuple[str, int] | None = None
    digests: list[int] | None = None
    duplicates: dict[int, tuple[int, int]] | None = None
    topic: str | None = None
    schedule: tuple[str, int] | None = None

    def stored(self) -> Sequence[int]:
        """Indexes of the messages that are in this record: all but the duplicates."""
        count, duplicates = len(self.sizes), self.duplicates
        return range(count) if not duplicates else [index for index in range(count) if index not in duplicates]

    def attribute(self, scalar: str, column: str, index: int) -> Any:
        """An attribute of message ``index``: its entry in the column, if there is one, else the scalar."""
        value = self.attributes.get(column)
        return value[index] if isinstance(value, list) else self.attributes.get(scalar)

    def sequences_of(self, index: int) -> list[tuple[int, int]]:
        """``(log, sequence)`` of message ``index`` in each target that has it."""
        return [
            (log, first + (index if indexes is None else indexes.index(index)))
            for log, first, indexes in self.targets
            if indexes is None or index in indexes
        ]


@dataclass(slots=True)
class Settle:
    """Messages are done with, for ever.

    Attributes:
        how: ``acked``, ``dead`` (a ``Move`` beside it says where to), ``dropped``, ``purged``, ``expired``, ``cancelled``,
            ``redriven``.
        runs: ``(first, last, granted_at)`` by sequence; ``granted_at`` is 0 if nobody held it.
        places: ``(position, index, count)`` of the first messages named by ``runs``, at most ``PLACES_MAX`` such pieces: the log
            forgets where a settled message was, and events want to name it.
        results: Sequence → result: JSON as the user sent it.
    """

    tag: ClassVar[str] = "settle"

    at: int
    log: int
    how: str
    runs: list[tuple[int, int, int]]
    consumer: str | None = None
    reason: str | None = None
    places: list[tuple[int, int, int]] = field(default_factory=list)
    results: dict[int, bytes] | None = None


@dataclass(slots=True)
class Return:
    """Deliveries came back, with an attempt counted.

    Attributes:
        entries: ``(sequence, attempts so far, due, priority, granted_at, position, index)``; due 0: ready at once.
    """

    tag: ClassVar[str] = "return"

    at: int
    log: int
    entries: list[tuple[int, int, int, int, int, int, int]]
    reason: str
    consumer: str | None = None


@dataclass(slots=True)
class Move:
    """Messages stored before are now (also) in another log: dead-lettered or redriven. No body is copied.

    Attributes:
        entries: ``(sequence in the new log, position, index, size, sequence in the old log, attempts, granted_at)``;
            ``granted_at`` is that of the delivery that ended here, 0 if there was none.
        priorities: Of each entry; None: all 0.
    """

    tag: ClassVar[str] = "place"

    at: int
    log: int
    why: str
    origin: int
    entries: list[tuple[int, int, int, int, int, int, int]]
    reason: str | None = None
    consumer: str | None = None
    priorities: list[int] | None = None


@dataclass(slots=True)
class DefineSchedule:
    """A schedule exists like this, from now on. ``body``: hexadecimal; ``every_ms`` or ``cron``."""

    tag: ClassVar[str] = "schedule"

    at: int
    name: str
    cron: str | None
    every_ms: int | None
    zone: str
    kind: str
    target: str
    attributes: dict[str, Any]
    body: str
    paused: bool
    next_at: int
    last_at: int
    fired: int
    last_error: dict[str, Any] | None = None


@dataclass(slots=True)
class RefuseSchedule:
    """A firing was refused: nothing was published, and the schedule fires next at ``next_at``. ``target``: what it publishes to."""

    tag: ClassVar[str] = "refuse"

    at: int
    name: str
    target: str
    next_at: int
    code: str
    message: str


@dataclass(slots=True)
class UndefineSchedule:
    tag: ClassVar[str] = "unschedule"

    at: int
    name: str


@dataclass(slots=True)
class Forget:
    """Producer sessions have ended."""

    tag: ClassVar[str] = "forget"

    at: int
    sessions: list[str]


Record = (
    Boot
    | Trust
    | Define
    | DefineStream
    | DefineGroup
    | DefineSchedule
    | RefuseSchedule
    | Undefine
    | UndefineSchedule
    | Pause
    | Publish
    | Settle
    | Return
    | Move
    | Trim
    | Compact
    | Reset
    | Bind
    | Forget
)

RECORDS: tuple[type[Record], ...] = get_args(Record)
"""All kinds of records; ``tag`` names each in the journal."""
