"""Users' JSON: what is taken for JSON, how deep it is, and what parsing would change."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from postroad.broker.errors import InvalidRequest
from postroad.broker.users_json import depth_of, is_json, stays_when_parsed, stored_body

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@settings(max_examples=200, deadline=None)
@given(VALUES, st.booleans())
def test_depth_is_that_of_the_value_whatever_its_strings_hold(value: Any, ascii: bool) -> None:
    try:
        text = json.dumps(value, ensure_ascii=ascii).encode()
    except UnicodeEncodeError:
        return

    assert depth_of(text) == _depth(value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=12) | st.text('[]{}",:1e-\\u0dnultr ', max_size=12).map(str.encode))
def test_what_orjson_reads_is_json_and_the_rest_only_where_numbers_are_large(text: bytes) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        assert not is_json(text) or "infinity" in str(error)
    else:
        assert is_json(text)


@pytest.mark.parametrize(
    "text", [b"1e400", b"1" * 5000, b"[" * 512 + b"]" * 512, b'{"a":1,"a":2}', b" [1 , 2]\n", b'"\\ud83d\\ude00"']
)
def test_what_parsers_would_change_is_json_all_the_same(text: bytes) -> None:
    assert is_json(text)
    assert not stays_when_parsed(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"NaN", b"Infinity", b"{", b"1 2", b"1],[2", b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\udc00"', b"01", b"[1,]",
     b"'a'", b"\xef\xbb\xbf1", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_json_is_told(text: bytes) -> None:
    assert not is_json(text)


@pytest.mark.parametrize(
    ("body", "kind", "stored"),
    [
        (Raw(b'{"b": 1, "a": 1e400}'), "json", b'{"b": 1, "a": 1e400}'),
        ({"b": 2**70, "é": [1.0, None]}, "json", '{"b":1180591620717411303424,"é":[1.0,null]}'.encode()),
        (Raw(b'"a\\u00e9"'), "text", "aé".encode()),
        ("aé", "text", "aé".encode()),
        (Raw(b'"AAEC"'), "bytes", b"\x00\x01\x02"),
        ("AAEC", "bytes", b"\x00\x01\x02"),
    ],
)
def test_a_body_inside_json_is_stored_by_its_type(body: object, kind: str, stored: bytes) -> None:
    assert stored_body(body, kind, "body") == stored


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (float("nan"), "json"), (float("inf"), "json"), (b"x", "json"), ({1, 2}, "json"), ("\ud800", "json"), ("\ud800", "text"),
        (Raw(b"1"), "text"), (5, "text"), (Raw(b'"A"'), "bytes"), ("A$==", "bytes"), (None, "bytes"), ("é", "bytes"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_its_type_is_refused(body: object, kind: str) -> None:
    with pytest.raises(InvalidRequest):
        stored_body(body, kind, "messages[0].body")
