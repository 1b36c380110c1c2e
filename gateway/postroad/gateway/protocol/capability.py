"""Watch capabilities (docs/protocol.md §4.3): the right to follow one message's state."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import blake2b, sha256


class WatchKeys:
    """Makes and checks capabilities.

    Args:
        secret: At least 32 random bytes, kept over restarts so that capabilities handed out stay good.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        assert len(secret) >= 32
        self._secret = secret

    def derived(self) -> bytes:
        """A secret for another purpose, which tells nothing of this one."""
        return hmac.digest(self._secret, b"derived", "sha256")

    def key(self, id_prefix: str) -> str:
        """The ``watch_key`` of a publish frame, told to its producer only."""
        # BLAKE2 takes a key by itself, and a quarter of the time of an HMAC: every confirm has one of these.
        digest = blake2b(id_prefix.encode(), key=self._secret[:64], digest_size=18).digest()
        return urlsafe_b64encode(digest)[:22].decode()

    def fits(self, message_id: str, capability: str) -> bool:
        """Whether ``capability`` is the one of that message, in constant time."""
        prefix, dash, index = message_id.rpartition("-")
        if not dash or not index.isdecimal() or not index.isascii():
            return False
        wanted = capability_of(self.key(prefix + dash), int(index))
        return hmac.compare_digest(wanted.encode(), capability.encode())


def capability_of(watch_key: str, index: int) -> str:
    """The capability of message ``index`` of a frame, as clients compute it."""
    return urlsafe_b64encode(sha256(f"{watch_key}:{index}".encode()).digest()[:16]).rstrip(b"=").decode()
