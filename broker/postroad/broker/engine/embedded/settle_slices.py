"""A large settle in slices, so that no frame holds up the loop for long.

A frame may name thousands of ranges, and a range thousands of messages that are looked at one by one. Such a frame is carried out in
parts of about ``SLICE_ITEMS``, each in a turn of its own, and answered when all are durable. A frame with publishes stays one, since
nothing of it may be done if they are refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ...core.durable.runs import Runs, gaps
from ...errors import PostroadError
from ..engine import Done, Nack, Ranges, SettleBatch, Settled

SLICE_ITEMS = 1_000


def slices(batch: SettleBatch, last: int, *, one_by_one: bool) -> list[SettleBatch]:
    """The batch in parts, in order; a small one is the only part.

    Args:
        last: The highest delivery number there was: what is above is named only to be told as lost.
        one_by_one: Each message of an ack is looked at, since it has an ordering key or a lease of its own.
    """
    if not _is_large(batch, last, one_by_one) or any(done.publishes for done in batch.completions):
        return [batch]
    done = batch.completions
    batch = replace(
        batch, acks=_once(batch.acks), releases=_once(batch.releases), extends=_once(batch.extends),
        nacks=_nacked_once(batch.nacks),
    )  # fmt: skip
    parts = [replace(batch, acks=(), nacks=(), releases=(), extends=(), completions=())]
    parts += [SettleBatch(acks=acks) for acks in _cut(batch.acks, last if one_by_one else 0)]
    parts += [SettleBatch(completions=done[at : at + SLICE_ITEMS]) for at in range(0, len(done), SLICE_ITEMS)]
    for nack in batch.nacks:
        for ranges in _cut([(nack.first, nack.last)], last):
            part = [replace(nack, first=first, last=end) for first, end in ranges]
            if parts[-1].nacks and len(parts[-1].nacks) + len(part) <= SLICE_ITEMS and _span(parts[-1]) < SLICE_ITEMS:
                parts[-1].nacks = [*parts[-1].nacks, *part]
            else:
                parts.append(SettleBatch(nacks=part))
    parts += [SettleBatch(releases=releases) for releases in _cut(batch.releases, last if one_by_one else 0)]
    parts += [
        SettleBatch(extends=extends, lease_ms=batch.lease_ms)
        for extends in _cut(batch.extends, last if one_by_one else 0)
    ]
    return parts


def _once(ranges: Ranges) -> Ranges:
    """The same numbers, each in one range only: a frame may name one thousands of times."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _nacked_once(nacks: Sequence[Nack]) -> list[Nack]:
    """Each number only with the first nack that names it."""
    seen = Runs()
    found: list[Nack] = []
    for nack in nacks:
        for first, last in gaps(nack.first, nack.last, seen.within(nack.first, nack.last)):
            seen.add(first, last)
            found.append(replace(nack, first=first, last=last))
    return found


def _is_large(batch: SettleBatch, last: int, one_by_one: bool) -> bool:
    if len(batch.acks) + len(batch.nacks) + len(batch.releases) + len(batch.extends) > SLICE_ITEMS:
        return True
    if sum(1 + len(done.others) for done in batch.completions) > SLICE_ITEMS or (
        batch.nacks and _span(batch, last) > SLICE_ITEMS
    ):
        return True
    if not one_by_one:
        return False
    return any(_count(ranges, last) > SLICE_ITEMS for ranges in (batch.acks, batch.releases, batch.extends))


def _span(batch: SettleBatch, last: int = 1 << 53) -> int:
    return _count([(nack.first, nack.last) for nack in batch.nacks], last)


def _count(ranges: Ranges, last: int) -> int:
    return sum(max(min(end, last) - first + 1, 0) for first, end in ranges)


def _cut(ranges: Ranges, last: int) -> Iterator[Ranges]:
    """The ranges in groups of about ``SLICE_ITEMS``: of numbers up to ``last``, of ranges above it."""
    group: list[tuple[int, int]] = []
    size = 0
    for first, end in ranges:
        while first <= end:
            until = min(end, first + SLICE_ITEMS - size - 1) if first <= last else end
            group.append((first, until))
            size += until - first + 1 if first <= last else 1
            first = until + 1
            if size >= SLICE_ITEMS:
                yield group
                group, size = [], 0
    if group:
        yield group


class Answers:
    """Joins the answers to the parts of a batch to one: of all of them, or the first refusal."""

    def __init__(self, count: int, done: Done[Settled]) -> None:
        self._left = count
        self._done = done
        self._error: PostroadError | None = None
        self._lost: list[tuple[int, int]] = []
        self._settled: list[tuple[int, int]] = []

    def take(self, answer: Settled | PostroadError) -> None:
        self._left -= 1
        if isinstance(answer, PostroadError):
            self._error = self._error or answer
        else:
            self._lost += answer.lost
            self._settled += answer.settled
        if self._left:
            return
        if self._error is not None:
            self._done(self._error)
        else:
            assert isinstance(answer, Settled), "without an error the last answer is one"
            self._done(Settled(position=answer.position, lost=self._lost, settled=self._settled))


class Turns:
    """What one subscription has still to do, a part a turn; what comes meanwhile waits behind.

    Args:
        soon: Calls back in another turn of the loop.
    """

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def is_idle(self) -> bool:
        return not self._waiting

    def do(self, parts: Sequence[Callable[[], None]]) -> None:
        """The first at once, if nothing waits."""
        is_idle = not self._waiting
        self._waiting.extend(parts)
        if is_idle and parts:
            self._next()

    def _next(self) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
            if self._waiting:
                self._soon(self._next)
