"""Names of queues, streams and groups by number, also of those that were deleted.

What happened to a deleted queue is still in the history, and its dead letters say where they came from, so the last ``FORMER_MAX`` deleted
names are kept. An older one is no longer known: who makes and deletes a queue for each request has no use for a million of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

FORMER_MAX = 4096


class Names(dict[int, str]):
    """Attributes:
    former: Numbers of what was deleted, oldest first.
    """

    def __init__(self, names: Iterable[tuple[int, str]] = (), former: Iterable[int] = ()) -> None:
        super().__init__(names)
        self.former: deque[int] = deque(former)

    def __missing__(self, number: int) -> str:
        """So that an old event can be told whose queue is forgotten."""
        return f"(deleted {number})"

    def deleted(self, number: int) -> None:
        self.former.append(number)
        while len(self.former) > FORMER_MAX:
            self.pop(self.former.popleft(), None)
