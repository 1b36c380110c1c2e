"""Receipts: opaque tokens that name one delivery over HTTP.

::

     ┌──────────────┬─────────────────────┬────────────────────────┐
     │ HMAC, 16 B   │ number, u64, big-   │ subscription token,    │
     │ of the rest  │ endian              │ UTF-8                  │   all of it base64url
     └──────────────┴─────────────────────┴────────────────────────┘

They are signed so that nobody can settle a delivery by guessing its number.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

RECEIPT_LENGTH_MAX = 400


class Receipts:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, subscription: str, number: int) -> str:
        rest = number.to_bytes(8) + subscription.encode()
        return urlsafe_b64encode(self._sign(rest) + rest).rstrip(b"=").decode()

    def read(self, receipt: str) -> tuple[str, int] | None:
        """Subscription token and delivery number, or ``None`` if it is not one of ours."""
        try:
            data = urlsafe_b64decode(receipt + "=" * (-len(receipt) % 4))
        except ValueError:
            return None
        if len(data) < 25 or not hmac.compare_digest(self._sign(data[16:]), data[:16]):
            return None
        return data[24:].decode(), int.from_bytes(data[16:24])

    def _sign(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, b"receipt:" + data, "sha256")[:16]
