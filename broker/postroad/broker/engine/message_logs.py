"""Log lines of messages: what handlers said while they worked.

They are not durable: a restart of the broker forgets them. What is kept is bounded for each message, and over all of them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

from .engine import Json, LogLine

LINES_MAX = 200
"""Lines kept of a message; the oldest go first."""

BYTES_MAX = 64 * 1024
"""Bytes of text kept of a message."""

TOTAL_BYTES_MAX = 32 * 1024 * 1024
"""Over all messages, with ``LINE_BYTES`` for each line; those that were silent longest go first."""

LINE_BYTES = 256


class _Ring:
    __slots__ = ("bytes", "last", "lines")

    def __init__(self) -> None:
        self.lines: deque[tuple[Json, int]] = deque()
        self.bytes = 0
        self.last = 0

    @property
    def cost(self) -> int:
        return self.bytes + LINE_BYTES * len(self.lines)

    def add(self, line: Json) -> None:
        size = len(line["text"].encode())
        self.lines.append((line, size))
        self.bytes += size
        while len(self.lines) > LINES_MAX or (self.bytes > BYTES_MAX and len(self.lines) > 1):
            self.bytes -= self.lines.popleft()[1]


class MessageLogs:
    """The last lines of each message by its id, as the *line* objects of docs/protocol.md §6."""

    def __init__(self) -> None:
        self._rings: OrderedDict[str, _Ring] = OrderedDict()
        self._cost = 0

    @property
    def bytes(self) -> int:
        """About the memory it takes."""
        return self._cost

    def add(self, id: str, lines: Iterable[Json]) -> list[Json]:
        """Keep these lines; returns them with their numbers ``n``, which count up from 1 for each message."""
        ring = self._rings.setdefault(id, _Ring())
        self._rings.move_to_end(id)
        self._cost -= ring.cost
        numbered = []
        for line in lines:
            ring.last += 1
            numbered.append({"n": ring.last, **line})
            ring.add(numbered[-1])
        self._cost += ring.cost
        while self._cost > TOTAL_BYTES_MAX and len(self._rings) > 1:
            self._cost -= self._rings.popitem(last=False)[1].cost
        return numbered[-LINES_MAX:]

    def of(self, id: str) -> list[Json]:
        ring = self._rings.get(id)
        return [line for line, _ in ring.lines] if ring else []

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Let go of messages that have left the history window."""
        for id in [id for id in self._rings if is_gone(id)]:
            self._cost -= self._rings.pop(id).cost


def by_number(lines: Sequence[LogLine]) -> dict[int, list[LogLine]]:
    """Lines by the delivery that they are of."""
    found: dict[int, list[LogLine]] = {}
    for line in lines:
        found.setdefault(line.number, []).append(line)
    return found
