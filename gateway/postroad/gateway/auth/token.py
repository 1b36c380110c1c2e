"""Tokens: JWT signed with HS256 (RFC 7519, RFC 8725), and nothing else.

The algorithm is ours, not the token's: a header that names another one is refused before anything else is looked at, and
claims are read only after the signature was found good. ``exp`` is required; ``iss`` and ``aud`` are when configured.

::

    {"sub": "web", "exp": 1790000000, "browser": true,
     "rights": {"publish": ["emails", "orders.*"], "peek": ["#"]}}
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import orjson
from postroad.broker.errors import NotAuthenticated

from .rights import VERBS, Principal, Verb

SECRET_BYTES_MIN = 32
CLOCK_SKEW_S = 30
TOKEN_LENGTH_MAX = 8192
GRANTS_MAX = 64
PATTERN_LENGTH_MAX = 200


class TokenKey:
    """Checks tokens, and makes them for tests and the command line.

    Args:
        secret: At least 32 bytes.
        issuer, audience: Required claims; ``None``: not looked at.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"a token secret needs at least {SECRET_BYTES_MIN} bytes")
        self._secret = secret
        self._issuer = issuer
        self._audience = audience
        self._now = now

    def authenticate(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises:
            NotAuthenticated: always with the same text, whatever is wrong with it.
        """
        claims = self._verified(token)
        principal = None if claims is None else self._principal(claims)
        if principal is None:
            raise NotAuthenticated("The token is not valid.")
        return principal

    def sign(self, claims: dict[str, Any]) -> str:
        signed = f"{_encode(orjson.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_encode(orjson.dumps(claims))}"
        return f"{signed}.{_encode(self._signature(signed))}"

    def _verified(self, token: str) -> dict[str, Any] | None:
        if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
            return None
        signed, _, signature = token.rpartition(".")
        head, dot, body = signed.partition(".")
        try:
            header = orjson.loads(_decode(head))
            given = _decode(signature)
        except ValueError:
            return None
        if not dot or type(header) is not dict or header.get("alg") != "HS256" or "crit" in header:
            return None
        if not hmac.compare_digest(self._signature(signed), given):
            return None
        try:
            claims = orjson.loads(_decode(body))
        except ValueError:
            return None
        return claims if type(claims) is dict else None

    def _principal(self, claims: dict[str, Any]) -> Principal | None:
        now = self._now()
        expires_at = claims.get("exp")
        if not isinstance(expires_at, int | float) or expires_at <= now:
            return None
        for name in ("nbf", "iat"):
            moment = claims.get(name, 0)
            if not isinstance(moment, int | float) or moment > now + CLOCK_SKEW_S:
                return None
        if self._issuer is not None and claims.get("iss") != self._issuer:
            return None
        if self._audience is not None:
            audience = claims.get("aud")
            if self._audience not in (audience if type(audience) is list else [audience]):
                return None
        grants = _grants(claims.get("rights"))
        subject = claims.get("sub")
        if grants is None or type(subject) is not str or not 0 < len(subject) <= 200 or not subject.isprintable():
            return None
        is_browser = claims.get("browser", False)
        if type(is_browser) is not bool:
            return None
        return Principal(subject=subject, grants=grants, expires_at=float(expires_at), is_browser=is_browser)

    def _signature(self, signed: str) -> bytes:
        return hmac.digest(self._secret, signed.encode(), "sha256")


def _grants(rights: object) -> dict[Verb, tuple[str, ...]] | None:
    if type(rights) is not dict:
        return None
    grants: dict[Verb, tuple[str, ...]] = {}
    for verb in VERBS:
        patterns = rights.get(verb, [])
        if type(patterns) is not list or len(patterns) > GRANTS_MAX:
            return None
        if not all(_is_pattern(pattern) for pattern in patterns):
            return None
        if patterns:
            grants[verb] = tuple(patterns)
    return grants


def _is_pattern(pattern: object) -> bool:
    return (
        type(pattern) is str
        and 0 < len(pattern) <= PATTERN_LENGTH_MAX
        and pattern.count("#") <= 1
        and all(pattern.split("."))
    )


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if not set(text) <= _ALPHABET:
        raise ValueError("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
