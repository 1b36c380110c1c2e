"""Offline check of a whole store: every checksum, every chain. Reads only, takes no lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google_crc32c import extend

from ..errors import PostroadError
from .checkpoint import list_snapshots, read_snapshot, snapshot_name
from .files import Files
from .manifest import NAME as MANIFEST
from .manifest import Manifest, read_manifest
from .reader import Batch, SegmentReader
from .record import BATCH_BYTES, RECORD, header_crc, records_of
from .segment import SegmentHeader, parse_name, read_header


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something damaged.

    Attributes:
        file: Name in the store.
        offset: Where in it, bytes.
        position: The first position concerned; 0 if unknown.
        text: What is wrong.
    """

    file: str
    offset: int
    position: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was checked and found.

    Attributes:
        torn_bytes: Bytes behind the last whole batch that a crash left; the next start cuts them. Not a problem.
    """

    store: str
    clean: bool
    segments: int
    snapshots: int
    batches: int
    records: int
    first: int
    last: int
    torn_bytes: int
    problems: tuple[Problem, ...]

    @property
    def intact(self) -> bool:
        return not self.problems


class _Checker:
    def __init__(self, files: Files, manifest: Manifest) -> None:
        self.files, self.manifest = files, manifest
        self.problems: list[Problem] = []
        self.batches = self.records = self.torn_bytes = self.last = 0

    def problem(self, file: str, offset: int, position: int, text: str) -> None:
        self.problems.append(Problem(file=file, offset=offset, position=position, text=text))

    def headers(self) -> Iterator[tuple[str, SegmentHeader]]:
        store = bytes.fromhex(self.manifest.store)
        kept: list[tuple[str, SegmentHeader]] = []
        for epoch, first in sorted(key for name in self.files.list() if (key := parse_name(name))):
            name = f"{first:016x}-{epoch:08x}.segment"
            if name in self.manifest.dropped:
                continue
            handle = self.files.open(name)
            try:
                header = read_header(self.files, handle, name, store)
            except PostroadError as error:
                self.problem(name, 0, first, error.message)
                continue
            finally:
                self.files.close(handle)
            while kept and kept[-1][1].first >= first:
                kept.pop()
            kept.append((name, header))
        yield from kept

    def segment(self, name: str, header: SegmentHeader, end: int | None, follows: set[int] | None) -> set[int] | None:
        """Check one; ``end`` is where the next begins. Returns the crcs the next may continue from (None: any)."""
        if follows is not None and header.previous not in follows:
            self.problem(name, 0, header.first, "does not continue the segment before")
        handle = self.files.open(name)
        try:
            reader = SegmentReader(self.files, handle, header)
            crcs = {reader.previous}
            for batch in reader:
                after = batch.first + batch.count
                if end is not None and after > end:
                    break
                crcs = crcs | {batch.crc} if not batch.count else {batch.crc}
                self.batches += 1
                self.records += batch.count
                self.last = after - 1
                self._records(name, header, batch)
            if end is not None and self.last != end - 1:
                self.problem(name, reader.offset, reader.position, f"damaged; records to {end - 1} are unreadable")
                return None
            if end is None:
                self._tail(name, reader)
            return crcs
        finally:
            self.files.close(handle)

    def _records(self, name: str, header: SegmentHeader, batch: Batch) -> None:
        at = BATCH_BYTES
        for position, (head, start, length) in enumerate(records_of(batch.data, batch.count), batch.first):
            _, _, bodies_crc, crc = RECORD.unpack_from(batch.data, at)
            intact = extend(header.seed, batch.data[start : start + length]) == bodies_crc
            if not intact or header_crc(header.seed, position, head, length, bodies_crc) != crc:
                self.problem(name, batch.offset + at, position, "record checksum differs inside an intact batch")
            at = (start + length + 7) & ~7

    def _tail(self, name: str, reader: SegmentReader) -> None:
        known, later_end = self.manifest.proven, 0
        for _, durable, end in reader.later_batches():
            known, later_end = max(known, durable), max(later_end, end)
        unlike = self.manifest.clean and reader.previous != self.manifest.proven_crc
        if known >= reader.position or unlike:
            self.problem(name, reader.offset, reader.position, f"damaged; records to {known} were known to be on disk")
        elif not self.manifest.clean:
            self.torn_bytes = reader.torn_bytes(later_end)


def verify(files: Files) -> VerifyReport:
    """Check everything in a store that no broker is using.

    Raises:
        Corrupt: the manifest itself cannot be read, so nothing else can be judged.
    """
    manifest = read_manifest(files) if MANIFEST in files.list() else Manifest(store="0" * 32)
    checker = _Checker(files, manifest)
    headers = list(checker.headers())
    follows: set[int] | None = None
    for at, (name, header) in enumerate(headers):
        following = headers[at + 1][1].first if at + 1 < len(headers) else None
        end = manifest.ends.get(name, following) if following is not None else None
        crcs = checker.segment(name, header, end, follows)
        follows = crcs if end == following else None
    snapshots = list_snapshots(files)
    for position in snapshots:
        try:
            read_snapshot(files, bytes.fromhex(manifest.store), position)
        except PostroadError as error:
            checker.problem(snapshot_name(position), 0, position, error.message)
        if position > checker.last:
            checker.problem(
                snapshot_name(position), 0, position, f"is ahead of the journal, which ends at {checker.last}"
            )
    return VerifyReport(
        store=manifest.store, clean=manifest.clean, segments=len(headers), snapshots=len(snapshots),
        batches=checker.batches, records=checker.records, first=headers[0][1].first if headers else 0,
        last=checker.last, torn_bytes=checker.torn_bytes, problems=tuple(checker.problems),
    )  # fmt: skip
