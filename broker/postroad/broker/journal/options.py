"""Settings of a journal, and what it reports when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["sync", "os", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """Settings of a journal.

    Attributes:
        segment_bytes: Size of one segment file; also bounds one atomic append.
        durability: What "durable" means. ``sync``: on the disk. ``os``: handed to the operating system, so it survives
            the process but not a power cut. ``memory``: gathered, and written soon after.
        history_ms: Segments nobody refers to are kept this long, milliseconds.
        history_bytes: … but no more than this much journal, bytes.
        snapshots_kept: The journal reaches back to the oldest of these, so a damaged newer snapshot costs nothing.
        retry_ms: Pause before space is asked for again when the disk is full, milliseconds.
        mark_ms: Idle time after which the last batch is proven by a durable mark, milliseconds.
    """

    segment_bytes: int = 64 * 1024 * 1024
    durability: Durability = "sync"
    history_ms: int = 24 * 3600 * 1000
    history_bytes: int = 1024 * 1024 * 1024
    snapshots_kept: int = 2
    retry_ms: int = 1000
    mark_ms: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What the journal found.

    Attributes:
        snapshot: State to start from; ``None``: from nothing.
        snapshot_position: The state includes all records up to here; 0 without a snapshot.
        store: Identity of the store, 32 hex digits.
        epoch: Number of this start, from 1.
        last_position: The last record; 0 if there is none.
        batches: Batches read and checked.
        cut_bytes: Bytes of a torn tail that were cut off: unconfirmed records only.
        quarantine: File with a copy of those bytes.
        skipped_snapshots: Damaged snapshot files that were passed over for an older one.
        duration_ms: How long it took.
    """

    snapshot: bytes | None
    snapshot_position: int
    store: str
    epoch: int
    last_position: int
    batches: int
    cut_bytes: int
    quarantine: str | None
    skipped_snapshots: tuple[str, ...]
    duration_ms: int
