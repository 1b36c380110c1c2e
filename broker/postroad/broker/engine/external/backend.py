"""What an external engine must give: small, in batches, without promises of its own.

``ExternalEngine`` keeps the promises (numbers, leases, attempts, retry, dead letters, watching) and asks a ``Backend`` only to store,
hand over, settle and tell. A backend raises ``Unavailable`` from any call while its server cannot be reached, and gets back to it by
itself; ``is_up`` says how it stands. What it cannot do it says in ``capabilities`` and ``settings``, and then is never asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..engine import Capabilities, Json

KEPT_SETTINGS = frozenset(("lease_ms", "attempts_max", "backoff_ms", "backoff_max_ms", "dead_letter", "expire_ms"))
"""Queue settings that ``ExternalEngine`` keeps by itself, so that every backend has them."""

Tail = Callable[[list[tuple[int, Json]]], None]
"""Takes records that were told, here or by another gateway, with positions that grow."""


@dataclass(slots=True, kw_only=True)
class Definition:
    """Something declared; all gateways of an engine share them.

    Attributes:
        name: Of a queue or stream; ``stream/group``; of a binding, ``pattern target filter``.
        kind: ``queue``, ``stream``, ``group`` or ``binding``.
        settings: As declared; of a binding: ``topic``, ``target``, ``headers``.
        version: Grows with every change: the higher one wins.
    """

    name: str
    kind: str = "queue"
    settings: Json = field(default_factory=dict)
    paused: bool = False
    pause_reason: str | None = None
    dead_letter_of: str | None = None
    version: int = 0


@dataclass(slots=True, kw_only=True)
class Target:
    """A queue or stream that gets messages of a ``Send``: those of ``only``, or all (None)."""

    name: str
    kind: str
    only: list[int] | None = None
    settings: Json


@dataclass(slots=True, kw_only=True)
class Send:
    """One publish frame: all or none of it, in every target.

    Attributes:
        prefix: Message *i* has the id ``f"{prefix}{i}"``.
        headers: The envelope of each message, ready to store beside its body.
        dues: When each may be delivered, milliseconds; None: none is delayed.
        dedup: Each one's ``(key, digest)`` or None; None: none has one.
        topic: The topic it was published to, if it was.
        firsts: Filled in by the backend for the publishes of a completion: as ``Sent.firsts``.
    """

    targets: list[Target]
    prefix: str
    at: int
    headers: list[bytes]
    bodies: list[bytes]
    priorities: list[int | None] | None = None
    keys: list[str | None] | None = None
    dues: list[int] | None = None
    deadlines: list[int] | None = None
    dedup: list[tuple[str, str] | None] | None = None
    dedup_scope: str = ""
    producer: tuple[str, int] | None = None
    topic: str | None = None
    firsts: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Sent:
    """A frame is stored as durably as the engine says.

    Attributes:
        firsts: Sequence of the first message in each target.
        duplicates: Index → id of the message stored earlier.
        replay: The frame was stored before: ``(prefix, duplicates)`` of then.
    """

    firsts: list[int]
    duplicates: dict[int, str] | None = None
    replay: tuple[str, dict[int, str] | None] | None = None


@dataclass(slots=True, eq=False)
class Received:
    """A message handed over, or looked at.

    Attributes:
        tag: The backend's own handle.
        header: The envelope (``envelope.py``).
        attempts: Those counted before.
        more: For a look: ``state``, ``due``, ``reason``, ``dead_letter_of`` and the like.
    """

    tag: Any
    sequence: int
    header: Json
    body: bytes
    attempts: int = 0
    more: Json | None = None


@dataclass(slots=True, kw_only=True)
class Return:
    """Back to the queue with so many attempts, not before ``due`` (0: at once)."""

    message: Received
    attempts: int
    due: int
    reason: str | None


@dataclass(slots=True, kw_only=True)
class Bury:
    """To the dead-letter queue ``target``; ``info`` is kept with it."""

    message: Received
    target: str
    info: Json


@dataclass(slots=True, kw_only=True)
class Verdicts:
    """What is to happen to messages handed over; each is in one list only."""

    acks: list[Received] = field(default_factory=list)
    releases: list[Received] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    dead: list[Bury] = field(default_factory=list)
    completions: list[tuple[Received, list[Send]]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many messages are where; None: the engine cannot tell."""

    ready: int
    delayed: int | None = None
    retrying: int | None = None
    leased: int | None = None
    bytes: int | None = None
    oldest_at: int | None = None
    totals: dict[str, int] | None = None
    committed: int | None = None


@dataclass(slots=True, kw_only=True)
class Extent:
    """A stream's offsets: ``earliest`` … ``next`` - 1."""

    earliest: int
    next: int
    oldest_at: int | None = None


@dataclass(slots=True, kw_only=True)
class Moved:
    """A message that was redriven: out of ``sequence`` of the dead-letter queue, to ``target``."""

    header: Json
    target: str
    sequence: int


class Feed(Protocol):
    """Messages of one queue or group for this gateway."""

    def want(self, capacity: int) -> None:
        """How many messages all consumers here may hold together; may change at any time. 0: none."""
        ...

    async def take(self, most: int) -> list[Received]:
        """Up to ``most`` messages that are there now, in order; exclusively ours until settled or ``lost``."""
        ...

    async def settle(self, verdicts: Verdicts, *, again: bool) -> list[Received]:
        """Carry out; returns those that were no longer ours, of which nothing was carried out.

        Args:
            again: The same was tried before with unknown outcome: what is gone counts as done.
        """
        ...

    async def close(self) -> None: ...


class FeedSink(Protocol):
    def wake(self) -> None:
        """There may be something to take."""
        ...

    def lost(self) -> None:
        """All that was taken has gone back to the engine."""
        ...


class Backend(Protocol):
    """See the module.

    Attributes:
        durability: What a confirm means: ``sync``, ``os`` or ``memory``.
        store: Names the data set.
        flights: How many ``send`` calls may be under way at once; their order is kept.
        flight_messages: About how many messages one of them has at most.
        progress: Grows while one ``send`` is confirmed bit by bit, so that a long one is not taken for one that hangs.
        settings: Queue settings other than their default that it can keep; others are refused when declared.
        stream_settings: The same of streams.
        reasons: Capability → why it is unsupported, in a sentence for people.
    """

    name: str
    capabilities: Capabilities
    durability: str
    store: str
    is_up: bool
    flights: int
    flight_messages: int
    progress: int
    settings: frozenset[str]
    stream_settings: frozenset[str]
    reasons: Mapping[str, str]

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        """Connect. ``tail`` first gets what is still known of the past; ``up`` is called after each reconnect.

        Raises:
            Unavailable: the server cannot be reached.
        """
        ...

    async def close(self) -> None: ...

    async def load(self) -> list[Definition]: ...

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        """Keep a definition and make what it needs; ``new``: unless there is one of that name. Returns what is kept."""
        ...

    async def erase(self, definition: Definition) -> None:
        """Remove it with everything in it."""
        ...

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]: ...

    async def tell(self, records: Sequence[bytes]) -> None:
        """Tell all gateways, this one too."""
        ...

    def feed(self, definition: Definition, sink: FeedSink) -> Feed: ...

    async def counts(self, definition: Definition) -> Counts: ...

    async def purge(self, definition: Definition) -> int: ...

    # Asked for only with the capability in brackets.

    async def redrive(self, definition: Definition, sequences: list[int] | None, most: int) -> list[Moved]:
        """[redrive] Move dead messages back to where they came from, attempts from 0."""
        ...

    async def browse(self, definition: Definition, state: str, after: int, limit: int) -> list[Received]:
        """[peek] Messages in order of sequence, untouched; ``limit`` + 1 of them if there are more."""
        ...

    async def fetch(self, definition: Definition, sequence: int) -> Received | None:
        """[peek] One message."""
        ...

    async def remove(self, definition: Definition, sequences: list[int]) -> list[int]:
        """[cancel] Remove messages wherever they stand; returns those that were there."""
        ...

    async def extent(self, definition: Definition) -> Extent:
        """[streams]"""
        ...

    async def read(self, definition: Definition, offset: int, limit: int) -> list[Received]:
        """[streams]"""
        ...

    async def offset_at(self, definition: Definition, at_ms: int) -> int:
        """[streams] Offset of the first message published at that time or later."""
        ...

    async def start_group(self, definition: Definition, offset: int) -> None:
        """[streams] Set where a group goes on; what it held is forgotten."""
        ...
