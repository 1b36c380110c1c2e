"""RFC 6455 frames, server role: bytes in, whole messages and control frames out.

::

      0               1               2               3
     ┌─┬─┬─┬─┬───────┬─┬─────────────┬───────────────────────────────┐
     │F│R│R│R│opcode │M│ length (7)  │ length (16 or 64, if 126/127) │
     ├─┴─┴─┴─┴───────┴─┴─────────────┴───────────────────────────────┤
     │ masking key (4), always present from a client                 │
     ├───────────────────────────────────────────────────────────────┤
     │ payload, masked                                               │
     └───────────────────────────────────────────────────────────────┘

No extension is ever negotiated, so a reserved bit is a violation. A message may come in any number of fragments:
they are joined as they arrive, so only its total size matters, and that is bounded.
"""

from __future__ import annotations

from struct import Struct

from . import opcodes
from .opcodes import BINARY, CLOSE, CONTINUATION, PONG, TEXT, Violation

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without a compiled wheel
    from websockets.utils import apply_mask

Event = tuple[int, bytes]
"""An opcode (``TEXT``, ``BINARY``, ``CLOSE``, ``PING`` or ``PONG``) and the whole payload."""

_U16 = Struct("!H").unpack_from
_U64 = Struct("!Q").unpack_from


class Parser:
    """Cuts a connection's bytes into messages. It owns memory only while a frame or a message is incomplete.

    Args:
        message_bytes_max: Largest message, all fragments together, bytes; more is a violation with code 1009.
    """

    __slots__ = ("_message", "_message_bytes_max", "_message_opcode", "_need", "_tail", "violation")

    def __init__(self, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._tail = bytearray()
        self._need = 2
        self._message: bytearray | None = None
        self._message_opcode = 0
        self.violation: Violation | None = None
        """Set when the peer broke the protocol: what was returned by then is valid, nothing after it is looked at."""

    def feed(self, data: memoryview) -> list[Event]:
        """Take the next bytes; ``data`` may be reused when this returns."""
        if self.violation is not None:
            return []
        events: list[Event] = []
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return events
            data = memoryview(self._tail)
        try:
            used = self._cut(data, events)
        except Violation as violation:
            self.violation = violation
            self._tail = bytearray()
            self._message = None
            return events
        # A new object each time: the old one cannot shrink while ``data`` looks at it.
        self._tail = bytearray(data[used:]) if used < len(data) else bytearray()
        return events

    def _cut(self, data: memoryview, events: list[Event]) -> int:
        position, end = 0, len(data)
        self._need = 2
        while end - position >= 2:
            first, second = data[position], data[position + 1]
            opcode = first & 0x0F
            if first & 0x70:
                raise Violation(opcodes.BROKEN_FRAME, "a reserved bit is set")
            if not second & 0x80:
                raise Violation(opcodes.BROKEN_FRAME, "a client's frames must be masked")
            length = second & 0x7F
            start = position + 6
            if length > 125:
                wide = 2 if length == 126 else 8
                start += wide
                if opcode >= CLOSE:
                    raise Violation(opcodes.BROKEN_FRAME, "a control frame is longer than 125 bytes")
                if end < start:
                    self._need = start - position
                    break
                length = _U16(data, position + 2)[0] if wide == 2 else _U64(data, position + 2)[0]
                if length < (126 if wide == 2 else 65_536):
                    raise Violation(opcodes.BROKEN_FRAME, "a length is not in its shortest form")
            if opcode < CLOSE:
                held = 0 if self._message is None else len(self._message)
                if held + length > self._message_bytes_max:
                    raise Violation(opcodes.TOO_LARGE, f"a frame may have {self._message_bytes_max} bytes")
            stop = start + length
            if stop > end:
                self._check(first, opcode)
                self._need = stop - position
                break
            payload = apply_mask(data[start:stop], bytes(data[start - 4 : start]))
            position = stop
            if first == 0x80 | BINARY and self._message is None:
                events.append((BINARY, payload))
            else:
                self._check(first, opcode)
                self._take(first, opcode, payload, events)
        return position

    def _check(self, first: int, opcode: int) -> None:
        """Refuse what can be refused before the payload is there."""
        if opcode >= CLOSE:
            if opcode > PONG:
                raise Violation(opcodes.BROKEN_FRAME, "unknown opcode")
            if not first & 0x80:
                raise Violation(opcodes.BROKEN_FRAME, "a control frame must not be fragmented")
        elif opcode > BINARY:
            raise Violation(opcodes.BROKEN_FRAME, "unknown opcode")
        elif opcode == CONTINUATION and self._message is None:
            raise Violation(opcodes.BROKEN_FRAME, "a continuation without a beginning")
        elif opcode != CONTINUATION and self._message is not None:
            raise Violation(opcodes.BROKEN_FRAME, "a new message before the last one ended")

    def _take(self, first: int, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode >= CLOSE:
            events.append((opcode, payload))
            return
        final = first & 0x80
        if opcode == CONTINUATION:
            assert self._message is not None
            self._message += payload
            if final:
                events.append((self._message_opcode, bytes(self._message)))
                self._message = None
        elif final:
            events.append((opcode, payload))
        else:
            self._message, self._message_opcode = bytearray(payload), opcode


def header(opcode: int, length: int) -> bytes:
    """The head of an unmasked, unfragmented frame."""
    if length < 126:
        return bytes((0x80 | opcode, length))
    if length < 65_536:
        return bytes((0x80 | opcode, 126)) + length.to_bytes(2)
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8)


def close_payload(code: int, reason: str) -> bytes:
    return code.to_bytes(2) + reason.encode("ascii", "replace")[:123]


def parse_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a close frame; 1005 if it has none (RFC 6455 §7.1.5).

    Raises:
        Violation: the payload is one byte, the code may not be sent, or the reason is not UTF-8.
    """
    if not payload:
        return 1005, ""
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not (1000 <= code <= 1014 or 3000 <= code <= 4999) or code in (1004, 1005, 1006):
        raise Violation(opcodes.BROKEN_FRAME, "invalid close frame")
    return code, text(payload[2:])


def text(payload: bytes) -> str:
    """Raises: Violation: not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation(opcodes.INVALID_UTF8, "text is not UTF-8") from None


__all__ = ["TEXT", "Event", "Parser", "close_payload", "header", "parse_close", "text"]
