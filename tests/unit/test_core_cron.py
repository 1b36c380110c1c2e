"""Next times of schedules, also where a zone's clock is put forward or back."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from postroad.broker.core.rules.cron import check_schedule, next_time
from postroad.broker.errors import InvalidRequest

BERLIN = "Europe/Berlin"


def ms(text: str) -> int:
    """An ISO time with its offset, as milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def times(cron: str, zone: str, after: str, count: int) -> list[str]:
    """The next times, as the zone's wall clock shows them."""
    found, at = [], ms(after)
    for _ in range(count):
        at = next_time(cron, None, zone, at)
        found.append(datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        pytest.param("*/15 * * * *", "UTC", "2026-01-01T00:07+00:00",
                     ["2026-01-01T00:15+00:00", "2026-01-01T00:30+00:00"], id="every quarter of an hour"),
        pytest.param("0 9 * * 1-5", "UTC", "2026-01-02T09:00+00:00",
                     ["2026-01-05T09:00+00:00"], id="not the very time it is after, and not at the weekend"),
        pytest.param("0 0 29 2 *", "UTC", "2026-01-01T00:00+00:00", ["2028-02-29T00:00+00:00"], id="a leap day"),
        pytest.param("0 0 L * *", "UTC", "2026-02-01T00:00+00:00", ["2026-02-28T00:00+00:00"], id="last of the month"),
        pytest.param("0 9 * * *", "America/New_York", "2026-07-01T12:00+00:00",
                     ["2026-07-01T09:00-04:00", "2026-07-02T09:00-04:00"], id="nine o'clock there"),
        pytest.param("0 9 * * *", BERLIN, "2026-03-28T12:00+01:00",
                     ["2026-03-29T09:00+02:00", "2026-03-30T09:00+02:00"], id="nine stays nine when summer begins"),
        pytest.param("30 2 * * *", BERLIN, "2026-03-28T12:00+01:00",
                     ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"], id="a time that is skipped comes right after"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-24T12:00+02:00",
                     ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"], id="a time that comes twice fires once"),
        pytest.param("0 * * * *", BERLIN, "2026-10-25T01:30+02:00",
                     ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"],
                     id="every hour means the repeated one too"),
        pytest.param("0 * * * *", BERLIN, "2026-03-29T01:30+01:00",
                     ["2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"], id="every hour skips the one there is not"),
    ],
)  # fmt: skip
def test_the_next_times_are_those_of_the_zone(cron: str, zone: str, after: str, expected: list[str]) -> None:
    assert times(cron, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("every", "after", "expected"), [(1000, 0, 1000), (1000, 1000, 2000), (60_000, 59_999, 60_000)]
)
def test_every_so_often_is_counted_from_round_times(every: int, after: int, expected: int) -> None:
    assert next_time(None, every, "UTC", after) == expected


@pytest.mark.parametrize(
    ("cron", "every", "zone"),
    [
        pytest.param(None, None, "UTC", id="neither"),
        pytest.param("* * * * *", 1000, "UTC", id="both"),
        pytest.param("* * * *", None, "UTC", id="four fields"),
        pytest.param("61 * * * *", None, "UTC", id="no such minute"),
        pytest.param("0 0 30 2 *", None, "UTC", id="a day that never comes"),
        pytest.param("* * * * *", None, "Europe/Atlantis", id="no such zone"),
        pytest.param("* * * * *", None, "../etc/passwd", id="a path"),
        pytest.param("* * * * *", None, 1, id="zone is no string"),
        pytest.param(5, None, "UTC", id="cron is no string"),
        pytest.param(None, 999, "UTC", id="too often"),
        pytest.param(None, True, "UTC", id="a boolean"),
        pytest.param(None, 367 * 86_400_000, "UTC", id="too seldom"),
    ],
)
def test_what_never_fires_is_refused(cron: object, every: object, zone: object) -> None:
    with pytest.raises(InvalidRequest):
        check_schedule(cron, every, zone)
