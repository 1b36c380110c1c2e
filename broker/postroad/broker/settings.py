"""Queue settings as users declare them (docs/protocol.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from .errors import InvalidRequest
from .limits import INTEGER_MAX
from .names import queue_name

DAY_MS = 86_400_000
OVERFLOWS = ("reject", "drop_oldest", "dead_letter")
FOREVER = 2**53
"""Later than every time, and more than every number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """How a queue behaves; ranges and defaults are those of docs/protocol.md §3.

    Attributes:
        lease_ms: How long a delivery is exclusive before it is taken back.
        attempts_max: Counted attempts before a message is dead.
        backoff_ms: Delay before the second attempt; it doubles with each further one.
        backoff_max_ms: The longest such delay.
        dead_letter: Where exhausted messages go; ``""`` means ``<queue>.dead``, ``None`` drops them.
        expire_ms: Messages not delivered within this time expire; ``None``: never.
        concurrency_max: Most messages leased at once, over all consumers; ``None``: as prefetch allows.
        rate_max: Most deliveries a second, over all consumers; ``None``: no limit.
        length_max: Most messages ready, delayed and leased; ``None``: no limit.
        bytes_max: Most bytes of those; ``None``: no limit.
        overflow: What a publish beyond these does: ``reject`` (it is refused), ``drop_oldest`` or ``dead_letter`` (the oldest that
            nobody holds make room).
    """

    lease_ms: int = 30_000
    attempts_max: int = 5
    backoff_ms: int = 1_000
    backoff_max_ms: int = 600_000
    dead_letter: str | None = ""
    expire_ms: int | None = None
    concurrency_max: int | None = None
    rate_max: int | None = None
    length_max: int | None = None
    bytes_max: int | None = None
    overflow: str = "reject"

    def changed(self, given: Mapping[str, object]) -> QueueSettings:
        """These settings with the named ones replaced.

        Raises:
            InvalidRequest: an unknown setting, a wrong type or a value out of range; ``field`` names it.
        """
        return replace(self, **{name: _checked(name, value) for name, value in given.items()})  # type: ignore[arg-type]  # each value was checked against its field just now

    def to_json(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How long a stream keeps its messages; whichever bound comes first, in whole batches.

    Attributes:
        retention_ms: Age, milliseconds; ``None``: for ever.
        retention_bytes: Body bytes; ``None``: any.
        retention_count: Messages; ``None``: any.
        keep_until_acked: Never let go of what a group has not settled.
        compaction: Keep the newest message of each ordering key, for ever, and let go of the older ones; the limits above then apply to
            messages without a key only.
        tombstone_ms: With compaction: how long the tombstone of a key is kept before it goes, and the key with it.
    """

    retention_ms: int | None = 7 * DAY_MS
    retention_bytes: int | None = None
    retention_count: int | None = None
    keep_until_acked: bool = False
    compaction: bool = False
    tombstone_ms: int = DAY_MS

    def changed(self, given: Mapping[str, object]) -> StreamSettings:
        """These settings with the named ones replaced.

        Raises:
            InvalidRequest: an unknown setting, a wrong type or a value out of range; ``field`` names it.
        """
        return replace(self, **{name: _checked_stream(name, value) for name, value in given.items()})  # type: ignore[arg-type]  # as above

    def to_json(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _checked_stream(name: str, value: object) -> object:
    field = f"settings.{name}"
    if name in ("keep_until_acked", "compaction"):
        if not isinstance(value, bool):
            raise InvalidRequest(f"{name} must be true or false.", field=field)
        return value
    if name == "tombstone_ms":
        if type(value) is not int or not 0 <= value <= INTEGER_MAX:
            raise InvalidRequest(f"tombstone_ms must be an integer from 0 to {INTEGER_MAX:,}.", field=field)
        return value
    if name not in ("retention_ms", "retention_bytes", "retention_count"):
        raise InvalidRequest(f"There is no stream setting {name[:75]!a}.", field=field)
    if value is not None and (type(value) is not int or not 1 <= value <= INTEGER_MAX):
        raise InvalidRequest(f"{name} must be an integer from 1 to {INTEGER_MAX:,}, or null.", field=field)
    return value


_RANGES: dict[str, tuple[int, int, bool]] = {
    "lease_ms": (100, DAY_MS // 2, False),
    "attempts_max": (1, 1000, False),
    "backoff_ms": (0, DAY_MS, False),
    "backoff_max_ms": (0, DAY_MS, False),
    "expire_ms": (1, INTEGER_MAX, True),
    "concurrency_max": (1, 1_000_000, True),
    "rate_max": (1, 10_000_000, True),
    "length_max": (1, INTEGER_MAX, True),
    "bytes_max": (1, INTEGER_MAX, True),
}


def _checked(name: str, value: object) -> object:
    field = f"settings.{name}"
    if name == "dead_letter":
        return value if value is None or value == "" else queue_name(value)
    if name == "overflow":
        if value not in OVERFLOWS:
            raise InvalidRequest(f"overflow must be one of {', '.join(OVERFLOWS)}.", field=field)
        return value
    if name not in _RANGES:
        raise InvalidRequest(f"There is no queue setting {name[:75]!a}.", field=field)
    low, high, optional = _RANGES[name]
    if value is None and optional:
        return None
    if type(value) is not int or not low <= value <= high:
        raise InvalidRequest(f"{name} must be an integer from {low:,} to {high:,}.", field=field)
    return value
