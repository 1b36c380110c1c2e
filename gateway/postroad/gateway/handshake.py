"""The WebSocket opening handshake (RFC 6455 §4.2): an upgrade request in, an answer out. No sockets.

Everything that can refuse a caller without spending more than a parsed header is done here, before the 101.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha1

from .auth.access import Access

SUBPROTOCOL = "postroad.v1"
PATH = "/ws"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PHRASES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 426: "Upgrade Required"}
_PHRASES |= {503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """Method, path without query, and the headers by lower-case name; repeated ones joined as HTTP says."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)


class Refused(Exception):
    """The upgrade is refused with this HTTP status."""

    def __init__(self, status: int, text: str, *headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers

    def response(self) -> bytes:
        body = self.text.encode() + b"\n"
        lines = [
            f"HTTP/1.1 {self.status} {_PHRASES[self.status]}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(body)}",
            "connection: close",
            *self.headers,
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def parse_upgrade(data: bytes) -> UpgradeRequest:
    """The request as the HTTP server re-serialises it: already valid HTTP, names in lower case."""
    head, *lines = data.decode("latin-1").split("\r\n")
    method, target, _ = head.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return UpgradeRequest(method, target.partition("?")[0], headers)


def check_upgrade(request: UpgradeRequest, access: Access) -> None:
    """Raises: Refused: not a WebSocket handshake for us, or from a page that may not."""
    headers = request.headers
    host = headers.get("host")
    if not access.allows_host(host):
        raise Refused(403, "This host name is not served here; see --host-name.")
    if not access.allows_origin(headers.get("origin"), host):
        raise Refused(403, "Pages of this origin may not connect; see --origin.")
    if request.path != PATH:
        raise Refused(404, f"The WebSocket is at {PATH}.")
    if request.method != "GET":
        raise Refused(400, "A WebSocket handshake is a GET.")
    if headers.get("sec-websocket-version") != "13":
        raise Refused(426, "Only WebSocket version 13 is spoken.", "sec-websocket-version: 13", "upgrade: websocket")
    try:
        nonce = b64decode(headers.get("sec-websocket-key", ""), validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16:
        raise Refused(400, "Sec-WebSocket-Key must be 16 bytes of base64.")
    offered = headers.get("sec-websocket-protocol")
    if offered is not None and SUBPROTOCOL not in _tokens(offered):
        raise Refused(400, f"Only the subprotocol {SUBPROTOCOL} is spoken.")


def accept(request: UpgradeRequest) -> bytes:
    """The 101 for a checked request."""
    key = request.headers["sec-websocket-key"].encode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-accept: " + b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode(),
    ]
    if "sec-websocket-protocol" in request.headers:
        lines.append(f"sec-websocket-protocol: {SUBPROTOCOL}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def bearer_token(request: UpgradeRequest) -> str | None:
    """The token of an ``Authorization: Bearer`` header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _tokens(header: str) -> list[str]:
    return [token.strip() for token in header.split(",")]
