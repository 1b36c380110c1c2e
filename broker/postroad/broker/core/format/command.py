"""Commands: what callers ask of the core, one dataclass each. ``Machine.handle`` returns the reply that each docstring names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...settings import FOREVER

Range = tuple[int, int]

STEP_ITEMS = 1000
"""Messages that one command acts on at most, beside those that its own frame names."""


@dataclass(slots=True, kw_only=True)
class PublishMessages:
    """Reply: ``Published``.

    Attributes:
        queue: Name of the target, of this ``kind``: ``queue``, ``stream`` or ``topic``.
        mandatory: A publish to a topic that goes nowhere is refused.
        digests: Of each body, where dedup keys are used.
        schedule: The schedule that fires, and when it fires next.
    """

    queue: str
    kind: str = "queue"
    mandatory: bool = False
    sizes: list[int]
    attributes: dict[str, Any] = field(default_factory=dict)
    producer: tuple[str, int] | None = None
    declare: bool = True
    digests: list[int] | None = None
    schedule: tuple[str, int] | None = None


@dataclass(slots=True, kw_only=True)
class Published:
    """``routed``: number of targets. ``keep``: indexes of the frame's messages that were stored, None if all; the others are ``duplicates``."""

    position: int
    count: int
    routed: int = 1
    keep: list[int] | None = None
    duplicates: dict[int, tuple[int, int]] | None = None
    replayed: bool = False


@dataclass(slots=True, kw_only=True)
class Consume:
    """Reply: ``Consuming``. ``secret``: makes the token of a new subscription one that nobody can guess."""

    queue: str
    consumer: str
    client: str = ""
    prefetch: int = 20
    lease_ms: int | None = None
    declare: bool = True
    secret: str = ""
    resume: str | None = None
    held: Sequence[tuple[int, int, int]] = ()
    begun: int = 0
    reports_begun: bool = False


@dataclass(slots=True, kw_only=True)
class Consuming:
    """``first``: numbers below it were given to a connection of before."""

    subscription: int
    first: int
    token: str
    lease_ms: int
    lost: list[Range]


@dataclass(slots=True, kw_only=True)
class SetPrefetch:
    subscription: int
    prefetch: int


@dataclass(slots=True, kw_only=True)
class Stall:
    """The consumer's socket is full (``stalled``), or has room again."""

    subscription: int
    stalled: bool


@dataclass(slots=True, kw_only=True)
class NackRange:
    first: int
    last: int
    delay_ms: int | None = None
    reason: str | None = None
    dead: bool = False


@dataclass(slots=True, kw_only=True)
class Complete:
    """Ack with results and further publishes, of one delivery or several: ``others`` are ``(number, result)``; a result is JSON as it was sent.

    Reply part: none of it if one of the leases is lost; those that are not stay.
    """

    number: int
    result: bytes | None = None
    others: Sequence[tuple[int, bytes | None]] = ()
    publishes: list[PublishMessages] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class SettleDeliveries:
    """Reply: ``SettleReply``."""

    subscription: int
    acks: Sequence[Range] = ()
    nacks: Sequence[NackRange] = ()
    releases: Sequence[Range] = ()
    extends: Sequence[Range] = ()
    lease_ms: int | None = None
    begun: int | None = None
    progress: Sequence[tuple[int, int | None, str | None]] = ()
    completions: Sequence[Complete] = ()


@dataclass(slots=True, kw_only=True)
class SettleReply:
    """``published``: for each publish of the completions, in order: what was stored, or None if its lease was lost."""

    lost: list[Range]
    settled: list[Range]
    published: list[Published | None] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class CancelConsumer:
    subscription: int


@dataclass(slots=True, kw_only=True)
class Detach:
    """The consumer's connection is lost."""

    subscription: int


@dataclass(slots=True, kw_only=True)
class Declare:
    """Reply: True if the queue was made now."""

    queue: str
    settings: Mapping[str, object] = field(default_factory=dict)
    update: bool = False


@dataclass(slots=True, kw_only=True)
class DeclareStream:
    """Reply: True if the stream was made now."""

    stream: str
    settings: Mapping[str, object] = field(default_factory=dict)
    update: bool = False


@dataclass(slots=True, kw_only=True)
class DeclareGroup:
    """Reply: True if the group was made now. ``start``: as in ``Reset``; only a new group heeds it."""

    stream: str
    group: str
    settings: Mapping[str, object] = field(default_factory=dict)
    update: bool = False
    start: str | tuple[str, int] = "latest"


@dataclass(slots=True, kw_only=True)
class ResetGroup:
    """Reply: the offset it goes on from. ``start``: ``earliest``, ``latest``, ``("offset", n)`` or ``("at", milliseconds)``."""

    queue: str
    start: str | tuple[str, int]


@dataclass(slots=True, kw_only=True)
class BindTopic:
    """Reply: True if something changed. ``headers`` as in docs/protocol.md."""

    pattern: str
    target: str
    headers: object = None
    on: bool = True


@dataclass(slots=True, kw_only=True)
class Stepped:
    """What one step of a long operation came to.

    Attributes:
        count: Messages that were moved or settled.
        seen: Messages that were looked at.
        next: Where the next step begins; None: there is nothing left.
        left: Messages that stayed only because their queue has no room.
        full: Numbers of these queues.
    """

    count: int
    seen: int
    next: int | None
    left: int = 0
    full: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Replay:
    """Copy the next messages of a range of a stream to a queue, by reference. Reply: ``Stepped``."""

    stream: str
    first: int
    last: int
    queue: str
    limit: int = STEP_ITEMS


@dataclass(slots=True, kw_only=True)
class Delete:
    """Delete a queue, a stream, or a group ``<stream>/<group>``."""

    queue: str


@dataclass(slots=True, kw_only=True)
class Redrive:
    """Send the next dead messages back. Reply: ``Stepped``.

    Attributes:
        sequences: These, at most ``STEP_ITEMS``; None: what waits from ``first`` on, before ``until``.
        limit: So many at most.
        full: Numbers of queues that had no room in an earlier step. They get nothing more, so that nothing overtakes what stayed.
    """

    queue: str
    sequences: list[int] | None = None
    first: int = 0
    until: int = FOREVER
    limit: int = STEP_ITEMS
    full: Sequence[int] = ()


@dataclass(slots=True, kw_only=True)
class Discard:
    """Settle these, at most ``STEP_ITEMS``. Reply: how many."""

    queue: str
    sequences: list[int]


@dataclass(slots=True, kw_only=True)
class Purge:
    """Settle the next of what waits from ``first`` on, before ``until``. Reply: ``Stepped``."""

    queue: str
    first: int = 0
    until: int = FOREVER
    limit: int = STEP_ITEMS


@dataclass(slots=True, kw_only=True)
class CancelMessage:
    queue: str
    sequence: int


@dataclass(slots=True, kw_only=True)
class RedriveEdited:
    """Settle one dead message, and publish ``publish`` to where it came from, in one record. Reply: ``Published``."""

    queue: str
    sequence: int
    publish: PublishMessages


@dataclass(slots=True, kw_only=True)
class DeclareSchedule:
    """Reply: when it fires next, milliseconds. ``publish`` says where to, with one size; ``body`` is the body."""

    name: str
    publish: PublishMessages
    body: bytes
    cron: str | None = None
    every_ms: int | None = None
    zone: str = "UTC"
    paused: bool = False


@dataclass(slots=True, kw_only=True)
class ChangeSchedule:
    """``do``: ``delete``, ``pause``, ``resume`` or ``run``."""

    name: str
    do: str


@dataclass(slots=True, kw_only=True)
class SetPaused:
    queue: str
    paused: bool
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class SessionOpened:
    """Reply: highest frame stored in it."""

    session: str


@dataclass(slots=True, kw_only=True)
class SessionClosed:
    session: str


@dataclass(slots=True, kw_only=True)
class Start:
    """The broker starts, in a new epoch.

    Attributes:
        skew_ms: As in ``SetSkew``.
        ahead_max_ms: How far past the last record this start may be before it is not believed; None: as far as it likes.
    """

    epoch: int
    skew_ms: int = 0
    ahead_max_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class SetSkew:
    """The wall clock is ``skew_ms`` ahead of the time of commands; less than 0: behind."""

    skew_ms: int


@dataclass(slots=True, kw_only=True)
class ConfirmClock:
    """The clock is right: what has an age may go. Reply: True if something was held."""


@dataclass(slots=True, kw_only=True)
class Tick:
    """Time has passed."""
