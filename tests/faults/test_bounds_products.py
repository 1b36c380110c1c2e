"""A small request that names much, or holds many items, is refused by a count, before any of it is built."""

from __future__ import annotations

import pytest
from engine_rig import Rig
from postroad.broker.errors import InvalidRequest, LimitExceeded
from postroad.broker.limits import Limits
from postroad.gateway.protocol import slices
from postroad.gateway.protocol.consuming import settle_batch
from postroad.gateway.protocol.publishing import publish_batch

LIMITS = Limits()


def test_what_is_done_names_a_bounded_number_of_deliveries() -> None:
    request = slices.parse(b'{"done": [%s]}' % b",".join([b'{"numbers": [[1, 16384]]}'] * 300))

    with pytest.raises(LimitExceeded) as refused:
        settle_batch(request, LIMITS, LIMITS.body_bytes_max)

    assert refused.value.details["limit"] == "settle_items_max"


@pytest.mark.parametrize("item", [b"{}", b"1", b'{"body": 1}'])
def test_items_beyond_the_bound_are_counted_and_not_read(item: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"queue": "a", "messages": [%s]}' % b",".join([item] * (slices.ITEMS_MAX + 1))
    read: list[object] = []
    monkeypatch.setattr(slices, "_object", _counted(slices._object, read))

    request = slices.parse(text)
    with pytest.raises(LimitExceeded) as refused:
        publish_batch(request, b"", LIMITS, LIMITS.body_bytes_max)

    assert refused.value.details["limit"] == "messages_max"
    assert len(read) == 1  # the request itself


def _counted(call, seen):  # type: ignore[no-untyped-def]
    def counted(*args):  # type: ignore[no-untyped-def]
        seen.append(args)
        return call(*args)

    return counted


async def test_headers_of_an_edited_or_scheduled_message_are_an_object() -> None:
    rig = await Rig(limits=LIMITS).start()
    message = {"body": 1, "headers": [{"a": "b"}]}

    with pytest.raises(InvalidRequest) as refused:
        await rig.engine.operate("schedule", {"schedule": "s", "queue": "q", "every_ms": 1000, "message": message})

    assert refused.value.details["field"] == "headers"
    await rig.engine.close()
