"""A message of ours as SQS takes it, and back.

SQS takes only text that XML may contain, so another body goes into a binary attribute; so that other programs can read what is text, text stays
the body. Message attributes::

    postroad         the envelope (``external/envelope.py``)
    postroad-kept    JSON: ``a`` attempts, ``d`` not before (ms), ``dead`` why it is dead; absent on what was just published
    postroad-body    the body, if it is no text; of type String: there is none
    postroad-zbody   the body, deflated because it is large

A message that somebody else sent has no envelope, and gets one from SQS's own id and time.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from ...errors import LimitExceeded
from ..engine import Json
from ..external import Received
from ..external.envelope import split_id

MESSAGE_MAX = 1024 * 1024
"""What SQS takes; older queues and other servers take 256 KiB, and say so."""

DEFLATE_FROM = 128 * 1024
INFLATED_MAX = 64 * 1024 * 1024
ATTRIBUTES_SIZE = 64
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile(b"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(slots=True, eq=False)
class Hand:
    """A message of SQS in this gateway's hands: the tag of a ``Received``.

    Attributes:
        until: When it becomes visible to others (the loop's clock); what is said of it later is not said of ours any more.
        count: How often SQS has handed it out.
        is_moved: It was sent again or to the dead-letter queue; only deleting is left.
    """

    id: str
    receipt: str
    until: float
    fifo: bool
    count: int
    sent_at: int
    kept: Json
    is_moved: bool = False


def entry(envelope: bytes, body: bytes, kept: Json | None = None) -> tuple[Json, int]:
    """A message for ``SendMessageBatch``, and its size.

    Raises:
        LimitExceeded: larger than SQS takes.
    """
    attributes: Json = {"postroad": _attribute(envelope)}
    size = len(envelope) + ATTRIBUTES_SIZE
    if kept:
        raw = orjson.dumps(kept)
        attributes["postroad-kept"] = _attribute(raw)
        size += len(raw) + ATTRIBUTES_SIZE
    text = None
    if len(body) >= DEFLATE_FROM and len(deflated := zlib.compress(body, 1)) < len(body) * 0.9:
        attributes["postroad-zbody"] = {"DataType": "Binary", "BinaryValue": deflated}
        size += len(deflated)
    elif not body:
        attributes["postroad-body"] = {"DataType": "String", "StringValue": "empty"}
    else:
        text = as_text(body)
        size += len(body)
        if text is None:
            attributes["postroad-body"] = {"DataType": "Binary", "BinaryValue": body}
    if size > MESSAGE_MAX:
        raise LimitExceeded(f"SQS takes messages of {MESSAGE_MAX} bytes at most.", limit="body", value=MESSAGE_MAX)
    return {"MessageBody": "-" if text is None else text, "MessageAttributes": attributes}, size


def as_text(raw: bytes) -> str | None:
    """Text that SQS takes as it is; None: it would not."""
    if raw.isascii():
        return None if _CONTROL.search(raw) else raw.decode()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if _NOT_XML.search(text) else text


def _attribute(raw: bytes) -> Json:
    text = as_text(raw)
    return {"DataType": "Binary", "BinaryValue": raw} if text is None else {"DataType": "String", "StringValue": text}


def received(raw: Json, until: float, *, fifo: bool) -> Received:
    """What SQS handed over. What looks like ours and is not is taken as it is, as from another program."""
    attributes, system = raw.get("MessageAttributes") or {}, raw.get("Attributes") or {}
    hand = Hand(
        id=raw["MessageId"], receipt=raw["ReceiptHandle"], until=until, fifo=fifo,
        count=int(system.get("ApproximateReceiveCount", 1)), sent_at=int(system.get("SentTimestamp", 0)), kept={},
    )  # fmt: skip
    try:
        hand.kept = _kept(attributes)
        header, body = _header(attributes), _body(raw, attributes)
    except (ValueError, KeyError, TypeError, zlib.error):
        hand.kept, header = {}, None
        body = str(raw.get("Body", "")).encode()
    return Received(hand, 0, header or _foreign(hand, body), body, hand.kept.get("a", 0))


def _kept(attributes: Json) -> Json:
    """Raises: ValueError."""
    raw = _value(attributes, "postroad-kept")
    kept = {} if raw is None else orjson.loads(raw)
    is_ours = isinstance(kept, dict) and isinstance(kept.get("dead", {}), dict)
    if not is_ours or any(type(kept.get(name, 0)) is not int for name in ("a", "d")):
        raise ValueError("not ours")
    return kept


def _header(attributes: Json) -> Json | None:
    """The envelope; None: there is none. Raises: ValueError, KeyError."""
    raw = _value(attributes, "postroad")
    if raw is None:
        return None
    header: Json = orjson.loads(raw)
    is_ours = isinstance(header, dict) and split_id(f"{header['i']}{header['x']}") is not None
    if not is_ours or any(type(header.get(name, 0)) is not int for name in ("x", "t", "e", "d")) or "t" not in header:
        raise ValueError("not ours")
    return header


def _value(attributes: Json, name: str) -> bytes | None:
    found: Any = attributes.get(name)
    if found is None:
        return None
    text = found.get("StringValue")
    return text.encode() if text is not None else bytes(found.get("BinaryValue") or b"")


def _body(raw: Json, attributes: Json) -> bytes:
    found = attributes.get("postroad-body")
    if found is not None:
        return b"" if found["DataType"] == "String" else bytes(found["BinaryValue"])
    found = attributes.get("postroad-zbody")
    if found is not None:
        return zlib.decompressobj().decompress(bytes(found["BinaryValue"]), INFLATED_MAX)
    text: str = raw["Body"]
    return text.encode()


def _foreign(hand: Hand, body: bytes) -> Json:
    digits = re.sub("[^0-9a-z]", "", hand.id.lower()) or "0"
    header: Json = {"i": f"{digits[:8]:0<8}-{digits[8:] or '0'}-", "x": 0, "t": hand.sent_at}
    try:
        orjson.loads(body)
    except ValueError:
        header["y"] = "text"
    return header
