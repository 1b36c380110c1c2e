"""What a start finds on disk: torn tail against damage.

A crash can only tear what was being written, and everything written later proves what came before. So an invalid batch
is *damage*, and the start is refused with nothing changed, if any of these knows its position as durable: a later
segment, a later whole batch, a snapshot, or the manifest (which covers all of a store that was closed cleanly).
Otherwise it is a *torn tail*: its records were never confirmed. They are copied to a quarantine file and forgotten.

What was read back but is not proven may be in the page cache only (a failed sync marks its pages clean), so it counts
as *suffix* and is written again into a new, synced segment before anything is served (``begin``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import uuid4

from ..errors import Corrupt
from .checkpoint import list_snapshots, read_snapshot, snapshot_name
from .files import Files, write_whole
from .index import SparseIndex
from .manifest import NAME as MANIFEST
from .manifest import Manifest, read_manifest
from .reader import SegmentReader
from .segment import HEADER_BYTES, Segment, parse_name, read_header

_QUARANTINE_CHUNK_BYTES = 128 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Found:
    """The store as it was left.

    Attributes:
        segments: Ascending, without superseded ones.
        useless: Names of segment files to delete: superseded, or meant to be deleted before.
        scanned: Index of the first segment that was read through.
        last: Position of the last whole record.
        proven: Everything up to here is on disk; the rest is the suffix, all in the last segment.
        proven_crc: Crc of the batch that ends there.
        suffix_bytes: Bytes of the batches behind it.
    """

    manifest: Manifest
    fresh: bool
    segments: list[Segment]
    useless: list[str]
    scanned: int = 0
    snapshot: bytes | None = None
    snapshot_position: int = 0
    skipped: list[str] = field(default_factory=list)
    last: int = 0
    proven: int = 0
    proven_crc: int = 0
    suffix_bytes: int = 0
    batches: int = 0
    cut_bytes: int = 0
    quarantine: str | None = None


def recover(files: Files) -> Found:
    """Read and check; writes nothing but a quarantine file.

    Raises:
        Corrupt: damage before a proven point; names segment, offset and position.
        Unsupported: a later version wrote it.
    """
    names = files.list()
    if MANIFEST not in names:
        if any(parse_name(name) for name in names) or list_snapshots(files):
            raise Corrupt("The journal's manifest is missing.", segment=MANIFEST, offset=0)
        return Found(manifest=Manifest(store=uuid4().hex), fresh=True, segments=[], useless=[])
    manifest = read_manifest(files)
    found = _load(files, names, manifest)
    _choose_snapshot(files, found)
    _scan(files, found)
    if found.last < max(found.snapshot_position, manifest.proven):
        raise Corrupt(
            f"The journal ends at position {found.last}, but "
            f"{max(found.snapshot_position, manifest.proven)} was known to be on disk.",
            segment=found.segments[-1].name if found.segments else MANIFEST, offset=0, position=found.last + 1,
        )  # fmt: skip
    return found


def _load(files: Files, names: list[str], manifest: Manifest) -> Found:
    """Headers of all segments, in the order they were written, and which of them still count."""
    order = sorted(key for name in names if (key := parse_name(name)))
    segments: list[Segment] = []
    useless: list[str] = []
    store = bytes.fromhex(manifest.store)
    for epoch, first in order:
        name = f"{first:016x}-{epoch:08x}.segment"
        if name in manifest.dropped:
            useless.append(name)
            continue
        handle = files.open(name)
        try:
            header = read_header(files, handle, name, store)
            size = files.size(handle)
        finally:
            files.close(handle)
        if epoch > manifest.epoch:
            raise Corrupt(f"{name} is newer than the manifest.", segment=name, offset=0)
        while segments and segments[-1].first >= first:
            useless.append(segments.pop().name)
        segments.append(Segment(name, first, epoch, size, header=header, index=SparseIndex(is_complete=False)))
    for segment, later in pairwise(segments):
        segment.end = min(later.first, manifest.ends.get(segment.name, later.first))
    return Found(manifest=manifest, fresh=False, segments=segments, useless=useless)


def _choose_snapshot(files: Files, found: Found) -> None:
    store = bytes.fromhex(found.manifest.store)
    for position in reversed(list_snapshots(files)):
        try:
            found.snapshot = read_snapshot(files, store, position)
        except Corrupt:
            found.skipped.append(snapshot_name(position))
            continue
        found.snapshot_position = position
        break
    wanted = found.snapshot_position + 1
    segments = found.segments
    if segments and segments[0].first > wanted:
        raise Corrupt(
            f"Records {wanted} to {segments[0].first - 1} are missing: neither a whole snapshot nor a segment has them.",
            segment=found.skipped[0] if found.skipped else segments[0].name, offset=0, position=wanted,
        )  # fmt: skip
    found.scanned = max((at for at, segment in enumerate(segments) if segment.first <= wanted), default=0)


def _scan(files: Files, found: Found) -> None:
    manifest, segments = found.manifest, found.segments
    found.last = found.proven = manifest.proven
    if not segments:
        found.last = 0
        return
    crcs: set[int] | None = None
    for at, segment in enumerate(segments[found.scanned :], found.scanned):
        assert segment.header is not None
        if crcs is not None and segment.header.previous not in crcs:
            raise Corrupt(f"{segment.name} does not continue the segment before.", segment=segment.name, offset=0)
        handle = files.open(segment.name)
        try:
            reader = SegmentReader(files, handle, segment.header)
            if at == len(segments) - 1:
                _scan_last(files, handle, reader, segment, found)
            else:
                crcs = _scan_through(reader, segment, segments[at + 1].first)
        finally:
            files.close(handle)
        found.batches += reader.batches


def _scan_through(reader: SegmentReader, segment: Segment, end: int) -> set[int]:
    """A segment with a successor is proven to where that begins."""
    crcs = {reader.previous} if segment.first == end else set()
    for batch in reader:
        after = batch.first + batch.count
        if after > end:
            break
        if after == end:
            crcs.add(batch.crc)
    if not crcs:
        raise _damage(segment, reader, end - 1)
    return crcs


def _scan_last(files: Files, handle: int, reader: SegmentReader, segment: Segment, found: Found) -> None:
    manifest = found.manifest
    proven = max(segment.first - 1, manifest.proven)
    proven_crc, proven_offset = reader.header.previous, HEADER_BYTES
    # Batches not proven yet: (last position, crc, end offset).
    pending: deque[tuple[int, int, int]] = deque()
    for batch in reader:
        proven = max(proven, batch.durable)
        pending.append((batch.first + batch.count - 1, batch.crc, reader.offset))
        while pending and pending[0][0] <= proven:
            _, proven_crc, proven_offset = pending.popleft()
    later_end = 0
    known = max(manifest.proven, found.snapshot_position)
    for _, durable, end in reader.later_batches():
        known, later_end = max(known, durable), max(later_end, end)
    if known >= reader.position:
        raise _damage(segment, reader, known)
    if manifest.clean and (reader.position - 1, reader.previous) != (manifest.proven, manifest.proven_crc):
        raise _damage(segment, reader, manifest.proven)
    found.last, found.proven, found.proven_crc = reader.position - 1, proven, proven_crc
    found.suffix_bytes = reader.offset - proven_offset if pending else 0
    if not manifest.clean and (torn := reader.torn_bytes(later_end)):
        found.cut_bytes = torn
        found.quarantine = f"torn-{reader.position:016x}-{reader.header.epoch:08x}.quarantine"
        torn_data = files.pread(handle, min(torn, _QUARANTINE_CHUNK_BYTES), reader.offset)
        write_whole(files, found.quarantine, [torn_data])


def _damage(segment: Segment, reader: SegmentReader, known: int) -> Corrupt:
    return Corrupt(
        f"{segment.name} is damaged at offset {reader.offset}: records {reader.position} to {known} were known to be "
        f"on disk and would be lost. Nothing was changed; restore a backup, or see `postroad journal verify`.",
        segment=segment.name, offset=reader.offset, position=reader.position, known=known,
    )  # fmt: skip
