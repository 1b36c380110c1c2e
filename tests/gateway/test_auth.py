from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.broker.errors import NotAuthenticated
from postroad.gateway.auth.access import Access
from postroad.gateway.auth.keys import kept_secret, read_secret
from postroad.gateway.auth.rights import ANYONE, NOBODY, VERBS, Principal, matches
from postroad.gateway.auth.token import TokenKey
from postroad.gateway.protocol.capability import WatchKeys, capability_of

SECRET = b"k" * 32
NOW = 1_790_000_000
KEY = TokenKey(SECRET, issuer="me", audience="postroad", now=lambda: NOW)
CLAIMS: dict[str, Any] = {
    "sub": "web",
    "exp": NOW + 60,
    "iss": "me",
    "aud": "postroad",
    "rights": {"publish": ["emails", "orders.*"]},
}


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: Any, claims: Any, secret: bytes = SECRET, algorithm: Any = hashlib.sha256) -> str:
    signed = f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(claims))}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), algorithm).digest())}"


GOOD = token({"alg": "HS256", "typ": "JWT"}, CLAIMS)


def test_a_good_token_gives_its_rights_and_nothing_more() -> None:
    principal = KEY.authenticate(GOOD)

    assert principal.subject == "web"
    assert principal.expires_at == NOW + 60
    assert principal.may("publish", "emails")
    assert principal.may("publish", "orders.created")
    assert not principal.may("publish", "orders.created.late")
    assert not principal.may("consume", "emails")
    assert not principal.is_browser


def test_a_token_made_here_is_the_same_as_one_made_elsewhere() -> None:
    assert KEY.authenticate(KEY.sign(CLAIMS)) == KEY.authenticate(GOOD)


HS256 = {"alg": "HS256"}


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c.d", id="four parts"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param("x" * 10_000, id="huge"),
        pytest.param(GOOD[:-1], id="signature cut"),
        pytest.param(GOOD + "A", id="signature longer"),
        pytest.param(GOOD + "=", id="padding"),
        pytest.param(GOOD.rsplit(".", 1)[0] + ".", id="no signature"),
        pytest.param(token({"alg": "none"}, CLAIMS).rsplit(".", 1)[0] + ".", id="alg none"),
        pytest.param(token({"alg": "none"}, CLAIMS), id="alg none, signed"),
        pytest.param(token({"alg": "hs256"}, CLAIMS), id="alg in other case"),
        pytest.param(token({"alg": "HS512"}, CLAIMS, algorithm=hashlib.sha512), id="alg HS512"),
        pytest.param(token({"alg": "RS256"}, CLAIMS), id="alg RS256"),
        pytest.param(token({"alg": ["HS256"]}, CLAIMS), id="alg list"),
        pytest.param(token({}, CLAIMS), id="no alg"),
        pytest.param(token([], CLAIMS), id="header not an object"),
        pytest.param(token(HS256 | {"crit": ["x"]}, CLAIMS), id="crit"),
        pytest.param(token(HS256, CLAIMS, b"o" * 32), id="other key"),
        pytest.param(token(HS256, CLAIMS, b""), id="empty key"),
        pytest.param(token(HS256, []), id="claims not an object"),
        pytest.param(token(HS256, {k: v for k, v in CLAIMS.items() if k != "exp"}), id="no exp"),
        pytest.param(token(HS256, CLAIMS | {"exp": NOW}), id="expired"),
        pytest.param(token(HS256, CLAIMS | {"exp": str(NOW + 60)}), id="exp text"),
        pytest.param(token(HS256, CLAIMS | {"nbf": NOW + 60}), id="not yet"),
        pytest.param(token(HS256, CLAIMS | {"iat": NOW + 60}), id="from the future"),
        pytest.param(token(HS256, CLAIMS | {"iss": "you"}), id="other issuer"),
        pytest.param(token(HS256, CLAIMS | {"aud": ["x"]}), id="other audience"),
        pytest.param(token(HS256, CLAIMS | {"aud": None}), id="no audience"),
        pytest.param(token(HS256, CLAIMS | {"sub": ""}), id="no subject"),
        pytest.param(token(HS256, CLAIMS | {"sub": "a\nb"}), id="subject with a line end"),
        pytest.param(token(HS256, CLAIMS | {"rights": None}), id="no rights"),
        pytest.param(token(HS256, CLAIMS | {"rights": {"publish": "emails"}}), id="rights text"),
        pytest.param(token(HS256, CLAIMS | {"rights": {"publish": ["#"] * 65}}), id="too many patterns"),
        pytest.param(token(HS256, CLAIMS | {"rights": {"publish": ["a..b"]}}), id="pattern with an empty word"),
        pytest.param(token(HS256, CLAIMS | {"rights": {"publish": ["#.a.#"]}}), id="pattern with two #"),
        pytest.param(token(HS256, CLAIMS | {"browser": "yes"}), id="browser text"),
    ],
)
def test_every_bad_token_is_refused_in_the_same_words(bad: str) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        KEY.authenticate(bad)

    assert caught.value.message == "The token is not valid."


@given(st.text(max_size=60) | st.builds(lambda a, b, c: f"{b64(a)}.{b64(b)}.{b64(c)}", *[st.binary(max_size=20)] * 3))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        KEY.authenticate(text)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        TokenKey(b"short")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("emails", "emails", True),
        ("emails", "emails.dead", False),
        ("emails", "email", False),
        ("orders.*", "orders.created", True),
        ("orders.*", "orders", False),
        ("orders.*", "orders.a.b", False),
        ("*", "orders", True),
        ("*", "orders.a", False),
        ("orders.#", "orders", True),
        ("orders.#", "orders.a.b", True),
        ("#.dead", "emails.dead", True),
        ("#.dead", "emails", False),
        ("*.dead", "a.dead", True),
        ("a.#.z", "a.z", True),
        ("a.#.z", "a.b.c.z", True),
        ("#", "anything.at.all", True),
        ("e*", "emails", False),
        (".*", "emails", False),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


def test_nobody_may_nothing_and_anyone_everything() -> None:
    assert not any(NOBODY.may(verb, "a") for verb in VERBS)
    assert all(ANYONE.may(verb, "a") and ANYONE.may_all(verb) for verb in VERBS)
    assert not Principal(subject="x", grants={"peek": ("*",)}).may_all("peek")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:7070", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("[::1]:7070", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("evil.example:80@127.0.0.1", False),
        ("127.0.0.1:x", False),
        ("127.0.0.1/evil", False),
        ("", False),
        (None, False),
    ],
)
def test_hosts_on_loopback(host: str | None, allowed: bool) -> None:
    assert Access("127.0.0.1").allows_host(host) is allowed


def test_loopback_names_are_not_served_elsewhere() -> None:
    access = Access("192.0.2.1", ["queue.example"])

    assert access.allows_host("queue.example")
    assert access.allows_host("192.0.2.1:7070")
    assert not access.allows_host("localhost")
    assert not access.allows_origin("http://localhost:3000", "queue.example")


def test_a_secret_is_made_once_and_is_the_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "watch.key"

    first, second = kept_secret(file), kept_secret(file)

    assert first == second
    assert len(first) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["watch.key"]


def test_a_secret_file_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"x" * 31 + b"\n")

    with pytest.raises(ValueError, match="32 bytes"):
        read_secret(tmp_path / "short", 32)


def test_a_capability_fits_its_message_only() -> None:
    keys = WatchKeys(SECRET)
    capability = capability_of(keys.key("3-t1-"), 7)

    assert keys.fits("3-t1-7", capability)
    assert not keys.fits("3-t1-8", capability)
    assert not keys.fits("3-t2-7", capability)
    assert not keys.fits("nonsense", capability)
    assert not keys.fits("3-t1-७", capability)
    assert not WatchKeys(b"o" * 32).fits("3-t1-7", capability)


def test_a_capability_is_what_the_protocol_says() -> None:
    digest = hashlib.sha256(b"pV3abc:4").digest()[:16]

    assert capability_of("pV3abc", 4) == urlsafe_b64encode(digest).rstrip(b"=").decode()
