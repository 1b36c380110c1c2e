"""Who follows what: queues' events and numbers, and single messages.

Everything here sees only what the gate has released, so a watcher never knows more than the disk.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop

from ....core.format.effect import Effect
from ....core.format.record import Record
from ....core.machine import Machine
from ...engine import Json
from ...message_logs import MessageLogs
from .message_watches import MessageWatches
from .progress import ProgressBoard
from .queue_watches import OnceDurable, QueueWatches
from .stats import Stats


class Watching:
    """All watches of an engine.

    Attributes:
        seen: Position of the last record that was told to ``on_durable``.
    """

    def __init__(self, machine: Machine, stats: Stats, loop: AbstractEventLoop, once_durable: OnceDurable) -> None:
        self.progress = ProgressBoard()
        self.logs = MessageLogs()
        self.queues = QueueWatches(machine, stats, loop, once_durable)
        self.messages = MessageWatches(machine, loop)
        self.seen = machine.state.position

    def on_durable(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        """Records and effects are out, in order: tell whoever follows them."""
        if records:
            self.seen = records[-1][0]
        self.progress.on_durable(records, effects, at_ms)
        self.queues.on_durable(records, effects, at_ms)
        self.messages.on_durable(records, effects, at_ms)

    def logged(self, log: int, sequence: int, lines: list[Json]) -> None:
        """The handler of this message said something."""
        self.messages.logged(log, sequence, lines)

    def close(self) -> None:
        self.queues.close()
        self.messages.close()
