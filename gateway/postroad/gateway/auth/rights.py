"""What a caller may do: verbs on name patterns, nothing by default.

A pattern is a name whose words, between dots, may be ``*`` (any one word) or ``#`` (any words, also none).
There are no regular expressions and nothing from the client is ever put into a pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, get_args

from postroad.broker.errors import NotAllowed

Verb = Literal["publish", "consume", "peek", "manage", "redrive"]
VERBS: tuple[Verb, ...] = get_args(Verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is calling.

    Attributes:
        subject: Name shown to operators and in logs.
        grants: Verb → patterns of names it may be used on.
        expires_at: Seconds since the epoch; ``None``: never.
        is_browser: Smaller bodies are accepted from it.
    """

    subject: str
    grants: Mapping[Verb, tuple[str, ...]] = field(default_factory=dict)
    expires_at: float | None = None
    is_browser: bool = False

    def may(self, verb: Verb, name: str) -> bool:
        return self.may_all(verb) or any(matches(pattern, name) for pattern in self.grants.get(verb, ()))

    def may_all(self, verb: Verb) -> bool:
        """Whether the verb is allowed on every name."""
        return "#" in self.grants.get(verb, ())

    def need(self, verb: Verb, name: str) -> None:
        """Raises: NotAllowed: the right is missing."""
        if not self.may(verb, name):
            raise NotAllowed(f"This needs the right to {verb} on {name[:75]!a}.")


ANYONE = Principal(subject="anyone", grants=dict.fromkeys(VERBS, ("#",)))
"""The caller where no authentication is configured: loopback only."""

NOBODY = Principal(subject="nobody")
"""The caller before it has shown a token."""


@lru_cache(4096)
def matches(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern."""
    return _fits(tuple(pattern.split(".")), tuple(name.split(".")))


def _fits(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_fits(pattern[1:], words[start:]) for start in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _fits(pattern[1:], words[1:])
