"""Finding messages by text in the body, by header or by ordering key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....attributes import check_headers
from ....checks import checked_text
from ....limits import LIMITS
from ...bounds import SEARCH_BYTES_MAX
from ..write.bodies import Stored


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
    if text is not None:
        checked_text(text, "text", SEARCH_BYTES_MAX, 1)
    if headers is not None:
        check_headers(headers, "headers", LIMITS)
    if key is not None:
        checked_text(key, "key", SEARCH_BYTES_MAX)
    return Search(text.encode() if text else None, tuple((headers or {}).items()), key)
