"""Messages of a FIFO queue: one of each key at a time goes to consumers, in order; attempts are remembered where SQS cannot write them down.

SQS hands over several messages of a group together and then holds the group back until they are settled. So those behind the first wait
here; when the first goes back to SQS they go back too, after it, and SQS brings them again in order.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from ..external import Received

REMEMBERED_MAX = 100_000


class Keys:
    """Which keys are with a consumer, and what waits behind."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[Received, deque[Received]]] = {}

    def may_go(self, message: Received) -> bool:
        """Whether a consumer may have it now; if not, it waits here."""
        key = key_of(message)
        if key is None:
            return True
        if key in self._first:
            self._first[key][1].append(message)
            return False
        self._first[key] = message, deque()
        return True

    def settled(self, message: Received) -> list[Received]:
        """A consumer is done with it, one way or another; returns what waited behind, in order."""
        key = key_of(message)
        if key is None or key not in self._first or self._first[key][0] is not message:
            return []
        return list(self._first.pop(key)[1])

    def clear(self) -> None:
        self._first.clear()

    def everything(self) -> list[Received]:
        """All that waits."""
        return [message for _, behind in self._first.values() for message in behind]


def key_of(message: Received) -> str | None:
    key = message.header.get("k") if message.tag.fifo else None
    return key if isinstance(key, str) else None


class Attempts:
    """How many attempts messages of a FIFO queue have had.

    A message that keeps its place cannot carry its attempts with it. This gateway remembers those that it counted; what SQS counted beyond
    that was handed out by others, and each such time counts as an attempt.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def of(self, message: Received) -> int:
        count: int = message.tag.count
        known = self._known.get(message.tag.id)
        if known is None:
            return max(count - 1, 0)
        then, attempts = known
        return attempts + max(count - then - 1, 0)

    def note(self, message: Received, attempts: int) -> None:
        """It goes back to SQS with so many."""
        self._known[message.tag.id] = (message.tag.count, attempts)
        self._known.move_to_end(message.tag.id)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def forget(self, message: Received) -> None:
        self._known.pop(message.tag.id, None)
