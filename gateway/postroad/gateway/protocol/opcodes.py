"""WebSocket opcodes (RFC 6455 §5.2) and close codes (docs/protocol.md §1.3), one list each."""

from __future__ import annotations

from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
BROKEN_FRAME: Final = 1002
INVALID_UTF8: Final = 1007
NOT_AUTHENTICATED: Final = 1008
TOO_LARGE: Final = 1009
INTERNAL_ERROR: Final = 1011
RESTARTING: Final = 1012
TOO_SLOW: Final = 1013


class Violation(Exception):
    """The peer broke the WebSocket or the Postroad framing: the connection ends.

    Args:
        code: WebSocket close code.
        reason: Text for people, at most 123 bytes of ASCII.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
