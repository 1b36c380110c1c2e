"""Names of ours as names that SQS takes: ``A-Z a-z 0-9 - _``, 80 characters at most, ``.fifo`` included.

Ours have no upper case, so a dot becomes ``D``: no two names meet, none gets longer, and each can be read back.
"""

from __future__ import annotations

import re

from ...errors import InvalidName, InvalidRequest

LENGTH_MAX = 80
FIFO = ".fifo"
DEFINITIONS = "DEFINITIONS"
"""No name of ours: those have a ``D`` at most."""

_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,40}\Z")
_OURS = re.compile(r"[a-z0-9_D-]+\Z")


def checked_prefix(prefix: str) -> str:
    """Raises: InvalidRequest."""
    if not _PREFIX.match(prefix):
        raise InvalidRequest("prefix may have up to 40 of A-Z, a-z, 0-9, '_' and '-'.", field="engine")
    return prefix


def sqs_name(prefix: str, name: str, *, fifo: bool = False) -> str:
    return prefix + name.replace(".", "D") + (FIFO if fifo else "")


def name_of(prefix: str, sqs: str) -> tuple[str, bool] | None:
    """Our name of a queue, and whether it is the FIFO one; None: it is not ours."""
    fifo = sqs.endswith(FIFO)
    rest = sqs.removesuffix(FIFO)
    if not rest.startswith(prefix):
        return None
    rest = rest[len(prefix) :]
    return (rest.replace("D", "."), fifo) if _OURS.match(rest) else None


def check_length(prefix: str, name: str) -> None:
    """Raises: InvalidName: too long for a FIFO queue of that name."""
    most = LENGTH_MAX - len(prefix) - len(FIFO)
    if len(name) > most:
        raise InvalidName(
            f'SQS has room for names of {most} characters with the prefix "{prefix}", dead-letter queues included; "{name}" has {len(name)}.',
            limit=most,
        )
