"""Effects: what the engine must do because of a command, once the records of that command are durable."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import PostroadError


@dataclass(slots=True)
class Deliver:
    """Hand messages ``sequence`` … to a subscription under the delivery numbers ``number`` …

    Attributes:
        pieces: Where they are: ``(position, index, count, sequence)`` for each publish record they are of.
        attempts: Number of this attempt for each message, or None if all are first ones.
        at: When they were granted, milliseconds.
        consumer: The subscription's name for people.
    """

    subscription: int
    log: int
    number: int
    sequence: int
    count: int
    pieces: list[tuple[int, int, int, int]]
    attempts: list[int] | None
    at: int
    consumer: str


@dataclass(slots=True)
class Revoke:
    """These leases were ended by an operator, a reset or retention; ``reason`` says by which."""

    subscription: int
    numbers: list[tuple[int, int]]
    reason: str


@dataclass(slots=True)
class End:
    """The subscription is over; ``error`` says why, None if the consumer asked for it."""

    subscription: int
    error: PostroadError | None


@dataclass(slots=True)
class Returned:
    """Messages came back from a lease without a counted attempt. Not durable."""

    log: int
    first: int
    last: int


@dataclass(slots=True)
class Progressed:
    """A handler reported progress. Not durable."""

    log: int
    sequence: int
    percent: int | None
    note: str | None


Effect = Deliver | Revoke | End | Returned | Progressed
