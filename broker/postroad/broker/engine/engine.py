"""The seam between gateways and what stores and delivers messages.

Everything travels in batches, and nothing here is per message on the publish, delivery and settle paths.
Calls that take a ``Done`` never block and never raise for the caller's data: the outcome, a value or a
``PostroadError``, is passed to ``done`` exactly once, on the event loop, after it is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ..errors import PostroadError
from ..settings import QueueSettings

T = TypeVar("T")
Done = Callable[[T | PostroadError], None]
Buffer = bytes | bytearray | memoryview
Ranges = Sequence[tuple[int, int]]
"""Inclusive ranges ``(first, last)``."""

Json = dict[str, Any]
"""A JSON-ready object whose shape docs/protocol.md gives (named there by the type's name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can do: each field is ``native``, ``emulated``, ``gateway-local`` or ``unsupported``.

    From ``length_max`` on they are settings of queues, then of streams, that are refused where they are unsupported.
    """

    delay: str = "unsupported"
    dedup: str = "unsupported"
    producer_sessions: str = "unsupported"
    retry: str = "unsupported"
    dead_letter: str = "unsupported"
    redrive: str = "unsupported"
    peek: str = "unsupported"
    timeline: str = "unsupported"
    live_events: str = "unsupported"
    results: str = "unsupported"
    atomic_ack_publish: str = "unsupported"
    pause: str = "unsupported"
    cancel: str = "unsupported"
    priority: str = "unsupported"
    ordering_key: str = "unsupported"
    order: str = "native"
    expiry: str = "unsupported"
    topics: str = "unsupported"
    streams: str = "unsupported"
    schedules: str = "unsupported"
    search: str = "unsupported"
    edit: str = "unsupported"
    length_max: str = "unsupported"
    bytes_max: str = "unsupported"
    overflow: str = "unsupported"
    concurrency_max: str = "unsupported"
    rate_max: str = "unsupported"
    retention_ms: str = "unsupported"
    retention_count: str = "unsupported"
    retention_bytes: str = "unsupported"
    keep_until_acked: str = "unsupported"
    compaction: str = "unsupported"


@dataclass(slots=True, kw_only=True)
class PublishBatch:
    """Messages for one target. One record: all or none.

    Attributes:
        queue: The target's name: of a queue, a stream or a topic, as ``kind`` says.
        mandatory: A publish to a topic that no binding matches is ``Unroutable``.
        sizes: Length of each body, bytes.
        bodies: The bodies back to back; ``sum(sizes)`` bytes. The engine keeps a reference, so it must not change.
        attributes: Columns and scalars as in docs/protocol.md §4: a subset of ``type``, ``types``,
            ``headers``, ``delay_ms``, ``delays_ms``, ``dedup_key``, ``dedup_keys``, ``priority``, ``priorities``,
            ``key``, ``keys``, ``expire_ms``, ``expires_ms``.
        producer: Producer session and frame number, if the frame is numbered.
        declare: Make the queue with default settings if it does not exist.
        checked: A gateway has held it against the bounds (``limits.py``); an engine does so itself with what was built by hand.
    """

    queue: str
    kind: str = "queue"
    mandatory: bool = False
    sizes: list[int]
    bodies: Buffer
    attributes: Json = field(default_factory=dict)
    producer: tuple[str, int] | None = None
    declare: bool = True
    checked: bool = False


@dataclass(slots=True, kw_only=True)
class Confirm:
    """A publish is durable.

    Attributes:
        position: Journal position of the record.
        id_prefix: Message *i* has the id ``f"{id_prefix}{i}"``.
        count: Messages in the frame.
        routed: Targets that got some of them: for a topic any number, else 1.
        duplicates: Index → id of the message stored earlier, for dedup keys seen before.
        replayed: The frame was stored before; this is its first confirm again.
    """

    position: int
    id_prefix: str
    count: int
    routed: int = 1
    duplicates: dict[int, str] | None = None
    replayed: bool = False


@dataclass(slots=True, kw_only=True)
class Run:
    """Consecutive messages out of one record.

    Attributes:
        sequence: Place of the first in its queue.
        count: How many.
        id_prefix: Ids are ``f"{id_prefix}{index + k}"``.
        index: Index of the first in its record.
        published_at: Milliseconds since the epoch.
    """

    sequence: int
    count: int
    id_prefix: str
    index: int
    published_at: int


@dataclass(slots=True, kw_only=True)
class DeliveryBatch:
    """Messages handed to one consumer; delivery numbers count up from ``number``.

    Attributes:
        sizes: Length of each body, bytes, in order.
        bodies: Buffers whose concatenation is all bodies in order.
        attributes: As in ``PublishBatch.attributes`` (``type``/``types``, ``headers``, ``key``/``keys``,
            ``priority``/``priorities``), ``attempt``/``attempts`` and ``topic``/``topics``; absent when unused.
    """

    number: int
    runs: list[Run]
    sizes: list[int]
    bodies: list[Buffer]
    attributes: Json


@dataclass(slots=True, kw_only=True)
class Nack:
    """Deliveries ``first`` … ``last`` were not done. ``delay_ms`` None: the queue's backoff."""

    first: int
    last: int
    delay_ms: int | None = None
    reason: str | None = None
    dead: bool = False


@dataclass(slots=True, kw_only=True)
class Progress:
    number: int
    percent: int | None = None
    note: str | None = None


LEVELS = ("debug", "info", "warn", "error")


@dataclass(slots=True, kw_only=True)
class LogLine:
    """A handler said something. ``level``: one of ``LEVELS``."""

    number: int
    text: str
    level: str = "info"


@dataclass(slots=True, kw_only=True)
class Completion:
    """Ack with results and further publishes, all in one record, or none of it if a lease was lost.

    Attributes:
        result: JSON, stored and shown byte for byte; None: none.
        others: Further deliveries that are acked with it: ``(number, result)``.
    """

    number: int
    result: bytes | None = None
    others: Sequence[tuple[int, bytes | None]] = ()
    publishes: list[PublishBatch] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class SettleBatch:
    """What a consumer says of its deliveries (docs/protocol.md §5, settle). ``checked``: as in ``PublishBatch``."""

    acks: Ranges = ()
    nacks: Sequence[Nack] = ()
    releases: Ranges = ()
    extends: Ranges = ()
    lease_ms: int | None = None
    begun: int | None = None
    progress: Sequence[Progress] = ()
    log: Sequence[LogLine] = ()
    completions: Sequence[Completion] = ()
    checked: bool = False


@dataclass(slots=True, kw_only=True)
class Settled:
    """Outcome of a ``SettleBatch``: what is in neither list was carried out."""

    position: int
    lost: list[tuple[int, int]] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ConsumeSpec:
    """A consumer on a queue.

    Attributes:
        queue: Name of the queue; of a stream with ``group``.
        group: Consumer group of the stream ``queue``; made, with ``start``, if it does not exist and ``declare`` is on.
        start: Where a new group begins: as ``ReadSpec.start``, without ``last``.
        consumer: Name shown in timelines.
        client: Who is behind it, shown to operators.
        lease_ms: Another lease than the queue's.
        resume: Token of the subscription to go on with, after a reconnect.
        held: ``(number, count, sequence)`` of deliveries still being worked on.
        begun: Highest delivery number begun, with ``resume``.
        reports_begun: It tells what has begun before the handler runs. So what it has not told, but for the next one, counts no
            attempt when it is lost; and the last ``begun`` counts, be it lower than one before.
    """

    queue: str
    consumer: str
    client: str = ""
    prefetch: int = 20
    lease_ms: int | None = None
    declare: bool = True
    resume: str | None = None
    held: Sequence[tuple[int, int, int]] = ()
    begun: int = 0
    reports_begun: bool = False
    group: str | None = None
    start: str | tuple[str, int] = "latest"


class ConsumerSink(Protocol):
    """Where a subscription delivers to. Called on the loop; must not block or raise."""

    def deliver(self, batch: DeliveryBatch) -> None: ...

    def revoked(self, numbers: Ranges, reason: str) -> None:
        """These leases ended by an operator's decision."""
        ...

    def ended(self, error: PostroadError) -> None:
        """The subscription is over by the engine's decision."""
        ...


@dataclass(slots=True, kw_only=True)
class ReadSpec:
    """A reader of a stream, without a group: it sees every message, and settles nothing.

    Attributes:
        start: ``earliest``, ``latest``, ``("offset", n)``, ``("at", milliseconds)`` or ``("last", n)``.
    """

    stream: str
    start: str | tuple[str, int] = "latest"


class ReadSink(Protocol):
    """Where a reader delivers to. Called on the loop; must not block or raise."""

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        """Messages by offset (``runs``; ``number`` is 0). ``trimmed``: those before this offset were no longer kept."""
        ...

    def ended(self, error: PostroadError) -> None: ...


class Reader(Protocol):
    """A live reader."""

    position: int
    offset: int
    """Of the first message that it will deliver."""

    def pause(self) -> None:
        """Deliver nothing for now: the socket is full. Nothing is lost: the reader is a place in the log."""
        ...

    def resume(self) -> None: ...

    def cancel(self) -> None: ...


class Subscription(Protocol):
    """A live consumer."""

    token: str
    """Names it for ``ConsumeSpec.resume``."""
    lease_ms: int
    position: int
    lost: list[tuple[int, int]]
    """Of ``held``: what could not be leased again."""

    def prefetch(self, count: int) -> None: ...

    def pause(self) -> None:
        """Deliver nothing for now: the socket is full. Leases run on."""
        ...

    def resume(self) -> None: ...

    def settle(self, batch: SettleBatch, done: Done[Settled]) -> None: ...

    def cancel(self) -> None:
        """End it: unbegun deliveries return free, begun ones stay leased until settled or expired (``settle`` still works)."""
        ...

    def detach(self) -> None:
        """The connection is lost: hold the leases 500 ms for a resume, then return what is left."""
        ...


@dataclass(slots=True, kw_only=True)
class WatchSpec:
    """What to follow: a queue's events and stats (``queue`` None: all queues), or one message.

    Attributes:
        message: Message id; then ``queue``, ``from_position`` and ``last`` are unused.
        from_position: Resume after this position.
        last: Start with the last n events.
    """

    queue: str | None = None
    message: str | None = None
    from_position: int | None = None
    last: int = 0


class WatchSink(Protocol):
    """Where a watch reports to. Called on the loop; must not block or raise."""

    def events(self, events: Sequence[Json], trimmed: int | None) -> None: ...

    def state(self, state: Json) -> None:
        """A ``state`` frame's content without op and sub: latest value, may be conflated by the receiver."""
        ...

    def ended(self, error: PostroadError) -> None: ...


class Watch(Protocol):
    position: int
    snapshot: Json
    """Content of the ``ok`` reply: ``queue``, ``queues`` or ``message``."""

    def pause(self) -> None:
        """Tell no more of what was before, for now: the socket is full. What happens live goes on coming."""
        ...

    def resume(self) -> None: ...

    def cancel(self) -> None: ...


class Engine(Protocol):
    """An engine: embedded or on top of another broker. All methods run on one event loop."""

    name: str
    capabilities: Capabilities
    reasons: Mapping[str, str]
    """Capability → why it is unsupported, in a sentence for people; for those that are."""
    durability: str
    store: str
    epoch: int
    on_failure: Callable[[], None] | None
    """Called once, at once, when the engine can never serve again: the process must end before it does anything else."""

    @property
    def position(self) -> int:
        """The last durable position."""
        ...

    @property
    def healthy(self) -> bool:
        """False while the engine does not serve."""
        ...

    @property
    def unready(self) -> str | None:
        """Why a publish or a settle cannot be taken now, a sentence for people (for ``/readyz``); None: both can."""
        ...

    async def start(self) -> None:
        """Open, recover and begin to serve.

        Raises:
            Corrupt: the store is damaged; says where.
            Unavailable: the store is held by another broker, or cannot be reached.
        """
        ...

    async def close(self, drain_ms: int = 0) -> None:
        """Stop deliveries, take settles for ``drain_ms``, sync, close. Idempotent."""
        ...

    def session_opened(self, session: str) -> int:
        """A producer session has a connection; returns its highest confirmed frame, 0 if none."""
        ...

    def session_closed(self, session: str) -> None: ...

    async def declare(
        self,
        queue: str,
        settings: Mapping[str, object],
        *,
        update: bool = False,
        kind: str = "queue",
        group: str | None = None,
        start: str | tuple[str, int] = "latest",
    ) -> Json:
        """Declare a queue, a stream (``kind``), or a consumer ``group`` of the stream ``queue``.

        Returns ``{"created": bool, "position": int}``.

        Raises:
            InvalidName, InvalidRequest, Conflict, StorageFull.
        """
        ...

    async def delete(self, queue: str) -> Json: ...

    def settings_of(self, queue: str) -> QueueSettings | None: ...

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None: ...

    async def consume(self, spec: ConsumeSpec, sink: ConsumerSink) -> Subscription: ...

    async def read(self, spec: ReadSpec, sink: ReadSink) -> Reader:
        """Raises: QueueNotFound: no such stream. Unsupported."""
        ...

    async def watch(self, spec: WatchSpec, sink: WatchSink) -> Watch: ...

    async def query(self, what: str, args: Mapping[str, Any]) -> Json:
        """Answer a ``query`` of docs/protocol.md §6 (``position`` included).

        Raises:
            QueueNotFound, MessageNotFound, Gone, InvalidRequest, Unsupported.
        """
        ...

    async def operate(self, do: str, args: Mapping[str, Any]) -> Json:
        """Carry out an ``operate`` of docs/protocol.md §6 (``position`` included).

        Raises:
            QueueNotFound, MessageNotFound, InvalidRequest, InvalidState, Unsupported, StorageFull.
        """
        ...
