"""Grants of the core → batches for a consumer's socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....core.format.effect import Deliver
from ...engine import Buffer, DeliveryBatch, Run
from .bodies import Bodies, Stored

BATCH_BYTES = 112 * 1024
"""Bodies of one batch, softly: larger frames cost more than they save (memory is mapped and unmapped for each)."""

BATCH_RUNS = 1024

_SCALARS = (("type", "types"), ("attempt", "attempts"), ("priority", "priorities"), ("topic", "topics"))
"""What is the same for all messages of a batch is told once."""

_COLUMNS = {"type": "types", "headers": "headers", "key": "keys", "priority": "priorities"}


def batches(grants: list[Deliver], bodies: Bodies) -> Iterator[DeliveryBatch]:
    """Join consecutive grants of one subscription into batches of bounded size.

    Raises:
        Gone, Corrupt: a body cannot be read.
    """
    builder: _Builder | None = None
    for grant in grants:
        number = grant.number
        for position, index, count, sequence in grant.pieces:
            stored = bodies.get(position)
            while count:
                if builder is not None and (builder.is_full or builder.next_number != number):
                    yield builder.batch()
                    builder = None
                if builder is None:
                    builder = _Builder(number)
                taken = builder.fitting(stored, index, count)
                attempts = None
                if grant.attempts is not None:
                    offset = number - grant.number
                    attempts = grant.attempts[offset : offset + taken]
                builder.add(stored, sequence, index, taken, attempts)
                number, sequence, index, count = number + taken, sequence + taken, index + taken, count - taken
    if builder is not None:
        yield builder.batch()


def still_held(grant: Deliver, held: list[tuple[int, int]]) -> Iterator[Deliver]:
    """The grant without deliveries whose lease has ended since: ``held`` has what is left of its numbers."""
    if held == [(grant.number, grant.number + grant.count - 1)]:
        yield grant
        return
    for part in by_record(grant):
        last = part.number + part.count - 1
        (position, index, _, sequence) = part.pieces[0]
        for a, b in held:
            a, b = max(a, part.number), min(b, last)
            if a <= b:
                skip, count = a - part.number, b - a + 1
                attempts = part.attempts[skip : skip + count] if part.attempts is not None else None
                piece = (position, index + skip, count, sequence + skip)
                yield Deliver(
                    part.subscription, part.log, a, sequence + skip, count, [piece], attempts, part.at, part.consumer
                )


def by_record(grant: Deliver) -> Iterator[Deliver]:
    """The grant in parts of one publish record each."""
    for piece in grant.pieces:
        _, _, count, sequence = piece
        offset = sequence - grant.sequence
        attempts = grant.attempts[offset : offset + count] if grant.attempts is not None else None
        yield Deliver(
            grant.subscription,
            grant.log,
            grant.number + offset,
            sequence,
            count,
            [piece],
            attempts,
            grant.at,
            grant.consumer,
        )


class _Builder:
    def __init__(self, number: int) -> None:
        self.number = self.next_number = number
        self.size = 0
        self.runs: list[Run] = []
        self.sizes: list[int] = []
        self.bodies: list[Buffer] = []
        self.columns: dict[str, list[Any]] = {}

    @property
    def is_full(self) -> bool:
        return self.size >= BATCH_BYTES or len(self.runs) >= BATCH_RUNS

    def fitting(self, stored: Stored, index: int, count: int) -> int:
        """How many of these messages go into this batch: at least one."""
        room = BATCH_BYTES - self.size
        if len(stored.bodies) <= room:
            return count
        taken = 0
        for size in stored.sizes[index : index + count]:
            room -= size
            if room < 0 and taken:
                break
            taken += 1
        return taken

    def add(self, stored: Stored, sequence: int, index: int, count: int, attempts: list[int] | None) -> None:
        whole = count == len(stored.sizes)
        sizes = stored.sizes if whole else stored.sizes[index : index + count]
        body = stored.cut(index, count)
        before = len(self.sizes)
        self.runs.append(
            Run(sequence=sequence, count=count, id_prefix=stored.prefix, index=index, published_at=stored.at)
        )
        self.sizes.extend(sizes)
        self.bodies.append(body)
        self.size += len(body)
        self.next_number += count
        if attempts is not None:
            self._column("attempts", before, attempts)
        if stored.attributes:
            for scalar, column in _COLUMNS.items():
                value = stored.attributes.get(column)
                if isinstance(value, list):
                    self._column(column, before, value[index : index + count])
                elif (value := stored.attributes.get(scalar)) is not None:
                    self._column(column, before, [value] * count)
        if stored.topic is not None:
            self._column("topics", before, [stored.topic] * count)
        for values in self.columns.values():
            if len(values) < self.next_number - self.number:
                values.extend([None] * count)

    def _column(self, name: str, before: int, values: list[Any]) -> None:
        self.columns.setdefault(name, [None] * before).extend(values)

    def batch(self) -> DeliveryBatch:
        attributes: dict[str, Any] = dict(self.columns)
        if "attempts" in attributes:
            attributes["attempts"] = [attempt or 1 for attempt in attributes["attempts"]]
        if "types" in attributes:
            attributes["types"] = [kind or "json" for kind in attributes["types"]]
        for scalar, column in _SCALARS:
            values = attributes.get(column)
            if values is not None and values.count(values[0]) == len(values):
                del attributes[column]
                if values[0] is not None:
                    attributes[scalar] = values[0]
        return DeliveryBatch(
            number=self.number, runs=self.runs, sizes=self.sizes, bodies=self.bodies, attributes=attributes
        )
