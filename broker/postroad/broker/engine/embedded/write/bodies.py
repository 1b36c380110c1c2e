"""Bodies live in the journal; a bounded cache keeps what was published or read last, so that a consumer who keeps up costs no read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from ....core.format.codec import decode
from ....core.format.record import Publish
from ....errors import Corrupt
from ....journal import Journal
from ...engine import Buffer

CACHE_BYTES = 6 * 1024 * 1024
ENTRY_OVERHEAD = 512

COLUMN_BYTES = 64
HEADERS_BYTES = 320
"""About what an entry of a column takes beside its text; of the column of headers, a dictionary with its strings."""

READ_BYTES = 64 * 1024
"""How much is read at once: a backlog of single messages costs a read for hundreds of them."""

PUBLISH = b'{"k":"publish",'


class Stored:
    """One publish record with its bodies.

    Attributes:
        prefix: Of the ids.
        at: When it was published, milliseconds.
        topic: The topic it was published to, if it was one.
        header_bytes: Of the record without its bodies: headers, keys and all that is told of each message.
    """

    __slots__ = ("_offsets", "_view", "at", "attributes", "bodies", "header_bytes", "prefix", "sizes", "topic")

    def __init__(
        self, prefix: str, at: int, sizes: list[int], attributes: dict[str, Any], bodies: Buffer, topic: str | None,
        header_bytes: int,
    ) -> None:  # fmt: skip
        self.header_bytes = header_bytes
        self.topic = topic
        self.prefix = prefix
        self.at = at
        self.sizes = sizes
        self.attributes = attributes
        self.bodies = bodies
        self._offsets: list[int] | None = None
        self._view = memoryview(b"")

    @property
    def cost(self) -> int:
        """About the memory it takes, bytes."""
        each = 8
        for name, value in self.attributes.items():
            if isinstance(value, list):
                each += HEADERS_BYTES if name == "headers" else COLUMN_BYTES
        return len(self.bodies) + self.header_bytes + each * len(self.sizes) + ENTRY_OVERHEAD

    def cut(self, index: int, count: int) -> Buffer:
        """The bodies of messages ``index`` … back to back, without copying."""
        if count == len(self.sizes):
            return self.bodies
        if self._offsets is None:
            self._offsets = list(accumulate(self.sizes, initial=0))
            self._view = memoryview(self.bodies)
        return self._view[self._offsets[index] : self._offsets[index + count]]

    def attribute(self, scalar: str, column: str, index: int) -> Any:
        value = self.attributes.get(column)
        return value[index] if isinstance(value, list) else self.attributes.get(scalar)


class Bodies:
    """Publish records by position; at most ``cache_bytes`` of them in memory. ``prefix_of``: of the ids of a position."""

    def __init__(self, journal: Journal, prefix_of: Callable[[int], str], cache_bytes: int = CACHE_BYTES) -> None:
        self._journal = journal
        self._prefix_of = prefix_of
        self._cache: OrderedDict[int, Stored] = OrderedDict()
        self._cache_bytes = self._room = cache_bytes

    @property
    def used(self) -> int:
        """About the memory it takes, bytes."""
        return self._cache_bytes - self._room

    def put(self, position: int, stored: Stored) -> None:
        self._cache[position] = stored
        self._room -= stored.cost
        while self._room < 0 and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._room += oldest.cost

    def get(self, position: int) -> Stored:
        """The record at ``position``.

        Raises:
            Gone: it is no longer in the journal.
            Corrupt: it is damaged, or not a publish.
        """
        stored = self._cache.get(position)
        if stored is None:
            stored = self._fetch(position)
        return stored

    def _fetch(self, position: int) -> Stored:
        """Read the record, and take along what lies behind it: a backlog is drained in order."""
        try:
            run = self._journal.read_run(position, READ_BYTES)
        except OSError as error:
            raise Corrupt(f"The record at position {position} cannot be read.", position=position) from error
        wanted = self._stored(position, run[0])
        for row in reversed(run[1:]):
            if row[1].startswith(PUBLISH) and row[0] not in self._cache:
                self.put(row[0], self._stored(row[0], row))
        self.put(position, wanted)
        return wanted

    def _stored(self, position: int, row: tuple[int, bytes, memoryview]) -> Stored:
        _, header, bodies = row
        record = decode(header)
        if not isinstance(record, Publish):
            raise Corrupt(f"The record at position {position} is no publish.", position=position)
        return Stored(
            self._prefix_of(position), record.at, record.sizes, record.attributes, bodies, record.topic, len(header)
        )
