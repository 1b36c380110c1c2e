"""Who hears of what was let out, after consumers and callers have got theirs: readers of streams, numbers, watches."""

from __future__ import annotations

from ....core.machine import Machine
from ..write.gate import Output, guarded
from .readers import Readers
from .stats import Stats
from .watching import Watching, logs_of


class Observers:
    def __init__(self, machine: Machine, readers: Readers, stats: Stats, watching: Watching) -> None:
        self._machine = machine
        self._readers = readers
        self._stats = stats
        self._watching = watching

    def on_released(self, outputs: list[Output]) -> None:
        guarded(
            "messages of readers", self._readers.on_durable, [entry for output in outputs for entry in output.records]
        )
        for output in outputs:
            guarded("events", self._note, output)

    def _note(self, output: Output) -> None:
        logs = self._machine.state.logs
        for _, record in output.records:
            for number in logs_of(record):
                if (queue := logs.get(number)) is not None:
                    self._stats.moved(queue)
        self._watching.on_durable(output.records, output.effects, self._machine.now)
