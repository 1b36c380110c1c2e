"""Taking up where the last process ended: the newest snapshot, and the records after it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...core.durable import snapshot
from ...core.format.codec import decode
from ...core.machine import Machine
from ...journal import Files, Journal, JournalOptions, Recovered
from ...limits import Limits

log = logging.getLogger("postroad.engine")

Post = Callable[[Callable[[], None]], None]
"""Calls back on the event loop, from any thread."""


def recover(files: Files, options: JournalOptions, limits: Limits, post: Post) -> tuple[Journal, Machine, Recovered]:
    """A journal that is open for reading, and the core as its records say. ``take_up`` comes next.

    Raises:
        Corrupt: the journal is damaged before its torn tail; says where, and nothing is changed.
        Unavailable: another broker holds the folder.
    """
    journal = Journal(files, options, post=post)
    recovered = journal.open()
    machine = Machine(limits)
    if recovered.snapshot is not None:
        machine.state = snapshot.restore(recovered.snapshot)
    for position, header in journal.records():
        machine.state.apply(decode(header), position)
    log.info(
        "recovered: %d records, %d batches read, %d bytes cut, %d ms",
        recovered.last_position, recovered.batches, recovered.cut_bytes, recovered.duration_ms,
    )  # fmt: skip
    return journal, machine, recovered


def take_up(journal: Journal, machine: Machine) -> None:
    """Begin to write; the journal knows which records are needed."""
    journal.begin()
    for position in machine.state.references():
        journal.retain(position)
    machine.state.retained.clear()
    machine.state.released.clear()
