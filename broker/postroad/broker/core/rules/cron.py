"""When a schedule fires: a cron expression in a time zone, or every so many milliseconds.

The next time is worked out when a schedule is declared or has fired, and is journaled: replaying never needs a calendar, and a new version of
the zone rules cannot change what has happened.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from ...errors import InvalidRequest

EVERY_MS_MIN = 1000

LATEST_MS = 250_000_000_000_000
"""In the year 9892: calendars end a little later, and a wall clock may say anything."""


def check_schedule(cron: object, every_ms: object, zone: object) -> None:
    """Raises: InvalidRequest: not exactly one of ``cron`` and ``every_ms``, or one that never fires, or an unknown zone."""
    if (cron is None) == (every_ms is None):
        raise InvalidRequest("A schedule needs either cron or every_ms.", field="cron")
    if every_ms is not None and (type(every_ms) is not int or not EVERY_MS_MIN <= every_ms <= 366 * 86_400_000):
        raise InvalidRequest(f"every_ms must be an integer from {EVERY_MS_MIN:,} to one year.", field="every_ms")
    if not isinstance(zone, str) or (cron is not None and not isinstance(cron, str)):
        raise InvalidRequest("cron and zone must be strings.", field="cron")
    _zone(zone)
    if isinstance(cron, str):
        next_time(cron, None, zone, 0)


def next_time(cron: str | None, every_ms: int | None, zone: str, after_ms: int) -> int:
    """The first time after ``after_ms``, milliseconds.

    Raises:
        InvalidRequest: the expression is wrong, or never fires.
    """
    if every_ms is not None:
        return (after_ms // every_ms + 1) * every_ms
    assert cron is not None
    start = datetime.fromtimestamp(after_ms / 1000, UTC).astimezone(_zone(zone))
    try:
        return int(next(CronSim(cron, start)).timestamp() * 1000)
    except (CronSimError, StopIteration) as error:
        raise InvalidRequest(f"{cron[:100]!a} is no cron expression that ever fires: {error}", field="cron") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise InvalidRequest(f"There is no time zone {name[:50]!a}.", field="zone") from error
