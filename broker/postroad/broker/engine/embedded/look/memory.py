"""What memory is spent on: our own structures, counted as entries times the bytes of one.

The entries are exact; the bytes of one are those of the arrays, or about those of the objects, that it takes. What the parts do not
explain of the resident set is the interpreter, the network's buffers and memory that is kept for what comes next.
"""

from __future__ import annotations

import os

from ....core.durable.log import Log
from ....core.durable.queue import Queue
from ....core.durable.stream import Stream
from ....core.machine import Machine
from ....journal import Journal
from ...engine import Json
from ..write.bodies import Bodies
from .recent import Recent
from .slices import in_slices
from .watching import Watching

ENTRY_BYTES = 48
"""Of a log: one publish record, or a row of records that are alike."""

KEY_BYTES = 4
RUN_BYTES = 16
WAITING_BYTES = 32
"""A row of messages that wait for their time, with its place in the order of times."""

ATTEMPTS_BYTES = 16
PLACED_BYTES = 28
PLACEMENT_BYTES = 10
"""A message that came by reference (a dead letter, say): a row of such in the log, and one's entry in the index."""

DEDUP_BYTES = 60
FRAME_BYTES = 180
"""A frame that a producer session may send again."""

LEASE_BYTES = 250
PROGRESS_BYTES = 200


class Memory:
    """Tells what memory is spent on."""

    def __init__(self, machine: Machine, journal: Journal, bodies: Bodies, watching: Watching, recent: Recent) -> None:
        self._machine = machine
        self._journal = journal
        self._bodies = bodies
        self._watching = watching
        self._recent = recent

    async def parts(self) -> Json:
        """Bytes by part; ``rss`` is the resident set, None where the system does not tell it."""
        state = self._machine.state
        pending, index = self._journal.memory()
        parts = {
            "rss": resident_bytes(),
            "bodies_cache": self._bodies.used,
            "journal_pending": pending,
            "journal_index": index,
            "logs": 0,
            "runs": 0,
            "waiting": 0,
            "attempts": 0,
            "dead_letters": 0,
            "dedup": DEDUP_BYTES * sum(map(len, state.topic_dedup.values())),
            "producers": FRAME_BYTES * sum(len(session.frames) for session in state.producers.values()),
            "leases": 0,
            "message_logs": self._watching.logs.bytes,
            "progress": PROGRESS_BYTES * len(self._watching.progress),
            "events": self._recent.bytes,
        }

        def add(part: str, size: int) -> None:
            parts[part] = (parts[part] or 0) + size

        def add_log(log: Log) -> None:
            add("logs", ENTRY_BYTES * len(log.firsts) + KEY_BYTES * len(log.keys))
            add("dead_letters", PLACED_BYTES * len(log.placed) + PLACEMENT_BYTES * log.placed.count)

        def add_queue(queue: Queue) -> None:
            group = queue.group
            if queue.stream is None:
                add_log(queue.log)
            runs = (*group.ready.values(), group.settled, group.order.parked)
            add("runs", RUN_BYTES * sum(map(len, runs)))
            add("waiting", WAITING_BYTES * (len(group.delayed) + len(group.retrying) + len(group.expiring.own)))
            add("attempts", ATTEMPTS_BYTES * len(group.attempts))
            add("dedup", DEDUP_BYTES * len(queue.dedup))
            if (runtime := self._machine.runtimes.get(queue.number)) is not None:
                add("leases", LEASE_BYTES * len(runtime.holdings))

        def add_stream(stream: Stream) -> None:
            add_log(stream.log)
            add("waiting", WAITING_BYTES * len(stream.expiring))
            add("dedup", DEDUP_BYTES * len(stream.dedup))

        await in_slices(list(state.logs.values()), add_queue)
        await in_slices(list(state.stream_logs.values()), add_stream)
        return dict(parts)


def resident_bytes() -> int | None:
    """The resident set of this process."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
