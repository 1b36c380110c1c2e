"""Rules for names (docs/protocol.md §1.4)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

from .errors import InvalidName

QueueName = NewType("QueueName", str)

NAME_LENGTH_MAX = 75
TOPIC_LENGTH_MAX = 200

_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*\Z")


def queue_name(text: object) -> QueueName:
    """Check the name of a queue or stream.

    Raises:
        InvalidName: not 1 to 75 characters of ``a-z 0-9 . _ -``, or an empty word between dots.
    """
    return QueueName(_checked(text, NAME_LENGTH_MAX))


def topic_name(text: object) -> str:
    """Check the name of a topic: as a queue's, up to 200 characters.

    Raises:
        InvalidName: see ``queue_name``.
    """
    return _checked(text, TOPIC_LENGTH_MAX)


def _checked(text: object, length_max: int) -> str:
    if not isinstance(text, str):
        raise InvalidName("A name must be a string.")
    if not 0 < len(text) <= length_max:
        raise InvalidName(f"A name must have 1 to {length_max} characters; this one has {len(text)}.")
    if not _is_well_formed(text):
        raise InvalidName(
            "A name may use a-z, 0-9, '.', '_' and '-', with no empty word between dots; "
            f"{text[:NAME_LENGTH_MAX]!a} does not."
        )
    return text


@lru_cache(4096)
def _is_well_formed(text: str) -> bool:
    return _NAME.match(text) is not None and not text.endswith(".") and ".." not in text


def consumer_name(text: object) -> str:
    """Check a consumer's name: 1 to 75 printable characters.

    Raises:
        InvalidName: anything else.
    """
    if not isinstance(text, str) or not 0 < len(text) <= NAME_LENGTH_MAX or not text.isprintable():
        raise InvalidName("A consumer's name must be 1 to 75 printable characters.")
    return text
