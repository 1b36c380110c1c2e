"""Compacting a stream: in the background, a bounded record at a time.

What a consumer of a group holds stays until it is settled. With ``keep_until_acked`` what a group has not settled stays as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..durable.compaction import Compaction, Frame
from ..durable.runs import Runs, gaps
from ..durable.stream import Stream
from ..format.command import STEP_ITEMS
from ..format.record import Compact, Range
from .context import Context
from .dispatch import dispatch

LOOK_MS = 1000
"""How often a stream is looked at while something may go."""

RUNS_MAX = 1000
"""Runs of offsets in one record; more go at once, but in further ones."""

TOMBSTONES_MAX = 30

COMPACT_BYTES = 64 * 1024
"""What compacting one stream once may add to the journal: two records of so many runs."""


def compact(ctx: Context, stream: Stream, index: Compaction) -> None:
    """Let go of what is superseded, of tombstones past their grace time, and of unkeyed messages that retention does not keep."""
    settings, now = stream.settings, ctx.now
    held, end = _held(ctx, stream), stream.log.next
    if settings.keep_until_acked:
        end = min([group.group.floor for group in stream.groups.values()], default=end)

    gone, keys = Runs(), list[str]()
    for first, last in index.superseded:
        if first >= end or _is_full(gone):
            break
        for a, b in gaps(first, min(last, end - 1), held.within(first, last)):
            if not _is_full(gone):
                gone.add(a, min(b, a + STEP_ITEMS - gone.count - 1))
    for key, offset in index.over(ctx.aging - settings.tombstone_ms):
        if len(keys) == TOMBSTONES_MAX:
            break
        if offset >= end:  # the later ones are behind it
            break
        if offset not in held:
            gone.add(offset, offset)
            keys.append(key)
    is_cut = _is_full(gone) or len(keys) == TOMBSTONES_MAX
    if gone:
        ctx.commit(Compact(now, stream.number, "compacted", list(gone), keys))

    trimmed: list[Range] = []
    for first, last, _, _ in _excess(stream, index, ctx.aging):
        if last >= end:
            break
        if not held.within(first, last):
            trimmed.append((first, last))
        if len(trimmed) == RUNS_MAX // 2:
            is_cut = True
            break
    if trimmed:
        ctx.commit(Compact(now, stream.number, "trimmed", trimmed))

    watch(ctx, stream, index, at_once=is_cut)
    if gone or trimmed:
        for group in stream.groups.values():  # an ordering key may be free
            dispatch(ctx, group)


def _is_full(gone: Runs) -> bool:
    """Whether it is enough for one record."""
    return len(gone) >= RUNS_MAX // 2 or gone.count >= STEP_ITEMS


def watch(ctx: Context, stream: Stream, index: Compaction, *, at_once: bool = False) -> None:
    """See to the next look, if there is anything to look after."""
    settings, now = stream.settings, ctx.now
    soon = now + (1 if at_once else LOOK_MS)
    dues = []
    if index.superseded:
        dues.append(soon)
    if (published := next(iter(index.tombstones.values()), None)) is not None:
        dues.append(max(published + settings.tombstone_ms, soon))
    if next(_excess(stream, index, ctx.aging), None) is not None:
        dues.append(soon)
    elif index.frames and settings.retention_ms is not None:
        dues.append(max(index.frames[0][3] + settings.retention_ms + 1, soon))
    if dues:
        ctx.timers.at("retention", stream.number, min(dues))


def _excess(stream: Stream, index: Compaction, now: int) -> Iterator[Frame]:
    settings = stream.settings
    before = now - settings.retention_ms if settings.retention_ms is not None else 0
    return index.excess(before, settings.retention_count, settings.retention_bytes)


def _held(ctx: Context, stream: Stream) -> Runs:
    """Offsets that a consumer of some group holds."""
    leased = sorted(run for group in stream.groups.values() for run in ctx.runtime_of(group).holdings.runs())
    held, end = Runs(), -1
    for first, last, _ in leased:  # groups may hold the same
        if last > end:
            held.add(max(first, end + 1), last)
            end = last
    return held
