"""Patterns over dotted topics: ``*`` is exactly one word, ``#`` any number of words, also none (tests/vectors/patterns.json)."""

from __future__ import annotations

import re

from ....errors import InvalidName

PATTERN_LENGTH_MAX = 200
HASHES_MAX = 8
"""Each ``#`` multiplies the ways a topic can match; no real pattern needs many."""

_WORD = re.compile(r"(?:[a-z0-9_-]+|\*|#)\Z")


def check_pattern(text: object) -> str:
    """Raises: InvalidName: not words of ``a-z 0-9 _ -``, ``*`` or ``#`` between dots, 1 to 200 characters."""
    if not isinstance(text, str) or not 0 < len(text) <= PATTERN_LENGTH_MAX:
        raise InvalidName(f"A pattern must be a string of 1 to {PATTERN_LENGTH_MAX} characters.")
    words = text.split(".")
    if not all(_WORD.match(word) for word in words) or words.count("#") > HASHES_MAX:
        raise InvalidName(f"{text!a} is no pattern: words of a-z 0-9 _ -, '*' or '#' between dots.")
    return text


def matches(pattern: str, topic: str) -> bool:
    """Whether ``topic`` matches ``pattern``: in time proportional to the product of their words."""
    reached = {0}
    words = topic.split(".")
    wanted = pattern.split(".")
    for word in wanted:
        if word == "#":
            first = min(reached)
            reached = set(range(first, len(words) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(words) and (word == "*" or word == words[at])}
        if not reached:
            return False
    return len(words) in reached
