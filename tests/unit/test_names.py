"""Names and settings: tables of what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from postroad.broker.core.format.ids import id_prefix, parse_id
from postroad.broker.errors import InvalidName, InvalidRequest, MessageNotFound
from postroad.broker.names import consumer_name, queue_name, topic_name
from postroad.broker.settings import QueueSettings


@pytest.mark.parametrize("name", ["a", "0", "-", "_", "a.b", "orders.created.eu-1", "a" * 75, "sign_ups"])
def test_a_good_name_is_taken_as_it_is(name: str) -> None:
    assert queue_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", ".a", "a.", "a..b", "A", "a b", "a/b", "ä", "a\n", "a\0", "*", "#", "a" * 76, None, 7, b"a", ["a"]],
)
def test_a_bad_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidName):
        queue_name(name)


def test_topics_may_be_longer() -> None:
    assert topic_name("a" * 200)
    with pytest.raises(InvalidName):
        topic_name("a" * 201)


@pytest.mark.parametrize(("name", "good"), [("mailer-1", True), ("Möwe 7", True), ("", False), ("a\n", False),
                                            ("a" * 75, True), ("a" * 76, False), (None, False)])  # fmt: skip
def test_consumer_names_are_printable(name: Any, good: bool) -> None:
    if good:
        assert consumer_name(name) == name
    else:
        with pytest.raises(InvalidName):
            consumer_name(name)


RANGES = [
    ("lease_ms", 100, 43_200_000, False), ("attempts_max", 1, 1000, False), ("backoff_ms", 0, 86_400_000, False),
    ("backoff_max_ms", 0, 86_400_000, False), ("expire_ms", 1, 2**53 - 1, True), ("length_max", 1, 2**53 - 1, True),
    ("bytes_max", 1, 2**53 - 1, True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "low", "high", "optional"), RANGES, ids=[row[0] for row in RANGES])
def test_a_setting_takes_its_range_and_nothing_else(name: str, low: int, high: int, optional: bool) -> None:
    for value in (low, high):
        assert getattr(QueueSettings().changed({name: value}), name) == value
    for bad in (low - 1, high + 1, True, 1.0, "1", *(() if optional else (None,))):
        with pytest.raises(InvalidRequest) as refused:
            QueueSettings().changed({name: bad})
        assert refused.value.details["field"] == f"settings.{name}"
    if optional:
        assert getattr(QueueSettings().changed({name: None}), name) is None


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        QueueSettings().changed({"lease": 5})


@pytest.mark.parametrize("value", [None, "", "morgue"])
def test_a_dead_letter_queue_is_a_name_the_default_or_none(value: Any) -> None:
    assert QueueSettings().changed({"dead_letter": value}).dead_letter == value


@pytest.mark.parametrize("value", ["NO", 7, "a..b"])
def test_a_bad_dead_letter_name_is_refused(value: Any) -> None:
    with pytest.raises(InvalidName):
        QueueSettings().changed({"dead_letter": value})


def test_defaults_are_those_of_the_protocol() -> None:
    settings = QueueSettings()

    assert (settings.lease_ms, settings.attempts_max, settings.backoff_ms, settings.backoff_max_ms) == (
        30_000, 5, 1000, 600_000,
    )  # fmt: skip
    assert (settings.dead_letter, settings.expire_ms, settings.length_max, settings.bytes_max) == ("", None, None, None)
    assert QueueSettings(**settings.to_json()) == settings  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [1, 35, 36, 1045, 2**53])
def test_an_id_is_read_back(position: int) -> None:
    assert parse_id(f"{id_prefix(3, position)}8191") == (3, position, 8191)


@pytest.mark.parametrize(
    "text", ["", "-", "--", "1-2", "1-2-3-4", "x-1-1", "1-!-1", "1-1-x", "1-1--1", "١-1-1", "1" * 70]
)
def test_what_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(MessageNotFound):
        parse_id(text)
