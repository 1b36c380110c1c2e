"""Taking up where the last process ended: the newest snapshot, and the records after it.

What is on disk is whole (the journal checks that), but it may be of another version, or of a broker that went on after core and journal
came apart. Whatever reading or applying it raises means that it does not fit: ``Corrupt``, and nothing is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...clock import Clock
from ...core.durable import snapshot
from ...core.format.codec import decode
from ...core.machine import Machine
from ...errors import Corrupt
from ...journal import Files, Journal, JournalOptions, Recovered
from ...limits import Limits

log = logging.getLogger("postroad.engine")

Post = Callable[[Callable[[], None]], None]
"""Calls back on the event loop, from any thread."""

ADVICE = (
    "Nothing was changed. If the data is of a later version, start that one; "
    "else keep a copy of the folder, restore a backup, and report this."
)


def recover(
    files: Files, options: JournalOptions, limits: Limits, post: Post, clock: Clock
) -> tuple[Journal, Machine, Recovered]:
    """A journal that is open for reading, and the core as its records say. ``take_up`` comes next.

    Raises:
        Corrupt: the journal is damaged before its torn tail, or says what does not fit; says where, and nothing is changed.
        Unavailable: another broker holds the folder.
    """
    journal = Journal(files, options, post=post, clock=clock)
    recovered = journal.open()
    try:
        machine = _replay(journal, recovered, limits)
    except BaseException:
        journal.close()
        raise
    log.info(
        "recovered: %d records, %d batches read, %d bytes cut, %d ms",
        recovered.last_position, recovered.batches, recovered.cut_bytes, recovered.duration_ms,
    )  # fmt: skip
    return journal, machine, recovered


def _replay(journal: Journal, recovered: Recovered, limits: Limits) -> Machine:
    machine = Machine(limits)
    if recovered.snapshot is not None:
        try:
            machine.state = snapshot.restore(recovered.snapshot)
        except Exception as error:
            position = recovered.snapshot_position
            raise _misfit(f"The snapshot of position {position} cannot be read", position, error) from error
    state = machine.state
    for position, header in journal.records():
        try:
            state.apply(decode(header), position)
        except Exception as error:
            raise _misfit(f"The record at position {position} does not fit", position, error) from error
    return machine


def _misfit(what: str, position: int, error: Exception) -> Corrupt:
    log.debug("%s", what, exc_info=error)
    said = str(error)[:200] or type(error).__name__
    return Corrupt(f"{what} ({said}). {ADVICE}", position=position)


def take_up(journal: Journal, machine: Machine) -> None:
    """Begin to write; the journal knows which records are needed."""
    journal.begin()
    for position in machine.state.references():
        journal.retain(position)
    machine.state.retained.clear()
    machine.state.released.clear()
    machine.state.dropping.clear()
