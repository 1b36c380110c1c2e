"""Postroad frames: a JSON header, optionally with bodies (docs/protocol.md §1.1).

::

     0               4                    4+H                                  end
     ├───────────────┼─────────────────────┼────────────────────────────────────┤
     │ H: u32, big-  │ header: H bytes of  │ bodies, back to back, as they were │
     │ endian        │ UTF-8 JSON, object  │ published; "sizes" in the header   │
     └───────────────┴─────────────────────┴────────────────────────────────────┘

A text frame is the header alone. A broken binary frame is a program's bug and ends the connection; a text frame that
is not JSON was typed by a person and is answered with an error.
"""

from __future__ import annotations

from typing import Any

import orjson
from postroad.broker.errors import InvalidRequest
from postroad.broker.limits import LIMITS

from . import slices
from .opcodes import BROKEN_FRAME, Violation

HEADER_BYTES_MAX = LIMITS.header_bytes_max
"""Not to be configured: clients know it."""

SETTLE_WITHIN = 64
"""Clients write ``op`` first, or nearly so; what comes otherwise is only parsed twice."""

Header = dict[str, Any]
"""A request: users' values in it are slices (``slices.py``)."""


class Unreadable(InvalidRequest):
    """A request that is JSON, but holds something that nobody could write again, such as half of a surrogate pair.

    Attributes:
        request_id: What to answer; None: it cannot be told.
    """

    def __init__(self, message: str, request_id: int | None) -> None:
        super().__init__(message)
        self.request_id = request_id


def decode_binary(data: bytes) -> tuple[Header, memoryview]:
    """Header and bodies; the bodies look into ``data``, nothing is copied.

    Raises:
        Violation: shorter than it says, not a JSON object, or sizes that do not add up.
        Unreadable.
    """
    size = int.from_bytes(data[:4])
    start = 4 + size
    if len(data) < 4 or start > len(data):
        raise Violation(BROKEN_FRAME, "the frame is shorter than its header says")
    if size > HEADER_BYTES_MAX:
        raise Violation(BROKEN_FRAME, f"a frame's header may have {HEADER_BYTES_MAX} bytes")
    view = memoryview(data)
    header = None
    # Where results are, in settles, there is no use in parsing them first; the rest is not searched through.
    if data.find(b'"settle"', 4, min(start, SETTLE_WITHIN)) < 0 or data.find(b'"done":', 4, start) < 0:
        try:
            header = orjson.loads(view[4:start])
        except orjson.JSONDecodeError:
            header = None
    if header is None or (type(header) is dict and not slices.USERS.isdisjoint(header)):
        header = _sliced(data[4:start])
    if type(header) is not dict:
        raise Violation(BROKEN_FRAME, "the frame's header is not a JSON object")
    bodies = view[start:]
    check_sizes(header.get("sizes"), len(bodies))
    return header, bodies


def _sliced(text: bytes) -> Any:
    """Raises: Unreadable, Violation."""
    try:
        text.decode()
        return slices.parse(text)
    except ValueError as error:
        if (request_id := slices.request_id(text)) is not None:
            raise Unreadable(f"The frame's header cannot be read: {error}.", request_id) from None
        raise Violation(BROKEN_FRAME, "the frame's header is not a JSON object") from None


def check_sizes(sizes: object, total: int) -> None:
    """Check that ``sizes`` are byte lengths that add up to ``total``; ``None`` stands for no bodies.

    Raises:
        Violation: they are not.
    """
    if sizes is None:
        if total:
            raise Violation(BROKEN_FRAME, "bytes after the header, but no sizes")
        return
    if type(sizes) is not list:
        raise Violation(BROKEN_FRAME, "sizes must be an array")
    try:
        added = sum(sizes)
        least = min(sizes, default=2)
    except TypeError:
        raise Violation(BROKEN_FRAME, "sizes must be integers") from None
    # Booleans pass for 0 and 1, so only where such small sizes occur is a look at each type worth its time.
    if type(added) is not int or least < 0 or (least < 2 and not all(type(size) is int for size in sizes)):
        raise Violation(BROKEN_FRAME, "sizes must be integers from 0")
    if added != total:
        raise Violation(BROKEN_FRAME, f"sizes add up to {added}, but there are {total} bytes")


def decode_text(text: str) -> Header:
    """The header of a text frame.

    Raises:
        InvalidRequest: not a JSON object. Unreadable.
        Violation: it has ``sizes`` that name bodies, which a text frame cannot carry.
    """
    data = text.encode()
    try:
        header = slices.parse(data)
    except ValueError as error:
        raise Unreadable(f"A text frame must be JSON: {error}.", slices.request_id(data)) from None
    if type(header) is not dict:
        raise InvalidRequest("A text frame must be a JSON object.")
    if "sizes" in header:
        check_sizes(header["sizes"], 0)
    return header


def encode_binary(header: bytes) -> bytes:
    """Length and header; the bodies follow as they are."""
    return len(header).to_bytes(4) + header
