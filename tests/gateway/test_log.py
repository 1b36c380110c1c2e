from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from postroad.gateway.log import set_up


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], _ = handlers, root.setLevel(level)


def logged(form: str, text: str, **fields: object) -> str:
    stream = io.StringIO()
    set_up("info", form, stream)
    logging.getLogger("postroad.test").info(text, extra=fields)
    return stream.getvalue()


def test_a_line_is_one_json_object_with_its_facts() -> None:
    line = json.loads(logged("json", "connection_closed", code=1002, reason="why"))

    assert line["event"] == "connection_closed"
    assert (line["level"], line["code"], line["reason"]) == ("info", 1002, "why")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_peer_cannot_forge_a_line_or_colour_the_terminal(form: str) -> None:
    out = logged(form, "refused", reason="a\nevent=forged\r\x1b[31m\u2028")

    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert "\u2028" not in out


def test_a_long_field_is_cut() -> None:
    assert len(json.loads(logged("json", "x", reason="y" * 10_000))["reason"]) == 256


def test_auto_is_json_where_there_is_no_terminal() -> None:
    assert logged("auto", "x").startswith("{")
