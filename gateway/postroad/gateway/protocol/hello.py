"""The ``hello`` request (docs/protocol.md §2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postroad.broker.checks import invalid

from .fields import string

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
TOKEN_LENGTH_MAX = 8192
NAME_BYTES_MAX = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Attributes:
    client_name: Name for consumers that have none of their own.
    client: Name and version, shown to operators.
    is_binary: The format of the server's frames; ``None``: as the client's first frame.
    token: Who is calling; never logged.
    session: Producer session.
    """

    client_name: str | None
    client: str
    is_binary: bool | None
    token: str | None
    session: str | None


def parse_hello(request: Mapping[str, Any]) -> Hello:
    """Raises: InvalidRequest: a field has a wrong type or value."""
    client = request.get("client")
    if client is not None and type(client) is not dict:
        raise invalid("client", "an object")
    name = string(client, "name", NAME_BYTES_MAX, "client.") if client else None
    version = string(client, "version", NAME_BYTES_MAX, "client.") if client else None
    if any(part is not None and not part.isprintable() for part in (name, version)):
        raise invalid("client", "printable text")
    wanted = request.get("format")
    if wanted not in (None, "text", "binary"):
        raise invalid("format", '"text" or "binary"')
    session = request.get("session")
    if session is not None and (type(session) is not str or not _SESSION.match(session)):
        raise invalid("session", "1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    return Hello(
        client_name=name or None,
        client=" ".join(part for part in (name, version) if part),
        is_binary=None if wanted is None else wanted == "binary",
        token=string(request, "token", TOKEN_LENGTH_MAX),
        session=session,
    )
