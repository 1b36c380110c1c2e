"""Deleting segments that nobody needs.

A segment is deleted when nobody refers to it, the oldest kept snapshot covers it, nobody reads it, and it is older than the
history that is kept. Order: the manifest lists the segments to delete (after a crash the next start deletes the rest), the
files are renamed to spares or unlinked in ascending order, the directory is synced once; only then are they reused.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

from .files import NO_SPACE, Files
from .manifest import Manifest, write_manifest
from .options import JournalOptions
from .segment import Segment
from .segment_set import SegmentSet
from .spares import Spares


def choose(segments: list[Segment], covered: int, now_ms: int, options: JournalOptions) -> list[Segment]:
    """Segments that can be deleted, ascending.

    Args:
        covered: Position of the oldest kept snapshot; 0 while there are too few.
    """
    free = []
    newer_bytes = 0
    for segment, later in zip(reversed(segments[:-1]), reversed(segments), strict=False):
        newer_bytes += later.capacity
        if segment.end is None or segment.header is None or later.header is None:
            continue
        old = now_ms - later.header.created_ms > options.history_ms or newer_bytes > options.history_bytes
        if old and segment.end - 1 <= covered and not segment.live and not segment.pins:
            free.append(segment)
    return free[::-1]


def collect(
    files: Files,
    segment_set: SegmentSet,
    mutex: threading.Lock,
    spares: Spares,
    manifest: Manifest,
    options: JournalOptions,
    *,
    covered: int,
    now_ms: int,
) -> tuple[int, Manifest]:
    """Delete segments that nobody needs; returns how many, and the manifest that is on disk now."""
    with mutex:
        victims = choose(segment_set.segments, covered, now_ms, options)
        if not victims:
            return 0, manifest
        count = len(victims)
        names = {segment.name for segment in victims}
        kept = [segment for segment in segment_set.segments if segment.name not in names]
        segment_set.segments[:] = kept
    ends = {
        segment.name: segment.end
        for segment, later in pairwise(kept)
        if segment.end is not None and segment.end != later.first
    }
    manifest = replace(manifest, ends=ends, dropped=[segment.name for segment in victims])
    try:
        write_manifest(files, manifest)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        # Not even the manifest fits: delete the oldest segment first.
        segment_set.forget(victims[0].name)
        files.unlink(victims[0].name)
        files.dirsync()
        write_manifest(files, manifest)
        del victims[0]
    recycled: list[str] = []
    for segment in victims:
        segment_set.forget(segment.name)
        if segment.capacity == options.segment_bytes and len(recycled) + spares.free < 4:
            recycled.append(spares.new_name(recycled=True))
            files.rename(segment.name, recycled[-1])
        else:
            files.unlink(segment.name)
    files.dirsync()
    for name in recycled:
        spares.give(name)
    spares.kick()
    return count, replace(manifest, dropped=[])
