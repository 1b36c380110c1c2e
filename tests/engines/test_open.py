"""An engine is chosen by URL; a missing client library is said so, with what brings it."""

from __future__ import annotations

import sys

import pytest
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import InvalidRequest, Unsupported


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("redis://localhost", "redis", "postroad[redis]"),
        ("amqp://localhost", "aiormq", "postroad[rabbitmq]"),
        ("kafka://localhost", "confluent_kafka", "postroad[kafka]"),
        ("sqs://eu-central-1", "aiobotocore", "postroad[sqs]"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, url: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Unsupported) as refused:
        open_engine(url, data="")
    assert extra in refused.value.message


def test_an_unknown_scheme_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest) as refused:
        open_engine("nats://localhost", data="")
    assert "redis" in refused.value.message
