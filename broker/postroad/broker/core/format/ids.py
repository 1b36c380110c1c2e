"""Message ids: opaque text of (epoch, journal position, index in its record).

``3-t1-0`` is epoch 3, position 1045 in base 36, index 0. Positions never change, so no index from ids to messages is
needed. The epoch tells ids of this store from those of an older or restored copy of it.
"""

from __future__ import annotations

from functools import lru_cache

from ...errors import MessageNotFound

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@lru_cache(256)  # called for each record when it is stored, confirmed and delivered
def id_prefix(epoch: int, position: int) -> str:
    """The prefix of all ids of one record; the id of message *i* is ``f"{prefix}{i}"``."""
    text = ""
    while position:
        position, digit = divmod(position, 36)
        text = _DIGITS[digit] + text
    return f"{epoch}-{text}-"


def parse_id(text: str) -> tuple[int, int, int]:
    """``(epoch, position, index)``.

    Raises:
        MessageNotFound: not an id of ours.
    """
    parts = text.split("-") if len(text) <= 64 and text.isascii() else []
    if len(parts) == 3 and parts[0].isdecimal() and parts[1].isalnum() and parts[2].isdecimal():
        return int(parts[0]), int(parts[1], 36), int(parts[2])
    raise MessageNotFound(f"There is no message {text[:64]!a}.")
