"""Finding messages by text in the body, by header or by ordering key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import InvalidRequest
from ..write.bodies import Stored

TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Search:
    """What a message must have; None: anything. ``text`` is looked for in the bytes of the body, as it is."""

    text: bytes | None
    headers: tuple[tuple[str, str], ...]
    key: str | None

    def fits(self, stored: Stored, index: int) -> bool:
        if self.key is not None and stored.attribute("key", "keys", index) != self.key:
            return False
        if self.headers:
            present = stored.attribute("headers", "headers", index) or {}
            if not all(present.get(name) == value for name, value in self.headers):
                return False
        return self.text is None or self.text in bytes(stored.cut(index, 1))


def search_of(args: Mapping[str, Any]) -> Search | None:
    """The search in a ``messages`` query: ``text``, ``headers`` and ``key``; None if there is none.

    Raises:
        InvalidRequest.
    """
    text, headers, key = args.get("text"), args.get("headers"), args.get("key")
    if text is None and headers is None and key is None:
        return None
    if text is not None and (not isinstance(text, str) or not 0 < len(text) <= TEXT_MAX):
        raise InvalidRequest(f"text must be a string of 1 to {TEXT_MAX} characters.", field="text")
    if headers is not None and not (isinstance(headers, dict) and all(isinstance(v, str) for v in headers.values())):
        raise InvalidRequest("headers must be an object of strings.", field="headers")
    if key is not None and not isinstance(key, str):
        raise InvalidRequest("key must be a string.", field="key")
    return Search(text.encode() if text else None, tuple((headers or {}).items()), key)
