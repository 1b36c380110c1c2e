"""Who hears of what was let out, after consumers and callers have got theirs: readers of streams, numbers, watches."""

from __future__ import annotations

import asyncio
import logging

from ....core.durable.stream import GROUP_SEPARATOR
from ....core.machine import Machine
from ..write.gate import Output
from .concerned import OFTEN, logs_of, names_beside
from .readers import Readers
from .recent import Recent
from .slices import ITEMS
from .stats import Stats
from .watching import Watching

log = logging.getLogger("postroad.engine")


class Observers:
    def __init__(self, machine: Machine, readers: Readers, stats: Stats, watching: Watching, recent: Recent) -> None:
        self._machine = machine
        self._readers = readers
        self._stats = stats
        self._watching = watching
        self._recent = recent
        self._sampling: asyncio.Task[None] | None = None

    def on_released(self, outputs: list[Output]) -> None:
        try:
            self._readers.on_durable([entry for output in outputs for entry in output.records])
        except Exception:
            log.exception("messages of readers could not be given")
        for output in outputs:
            try:
                self._note(output)
            except Exception:
                log.exception("events could not be given")

    def every_second(self, at_ms: int) -> None:
        """Measure the rates of what moves; where that is much, in slices."""
        if self._sampling is None or self._sampling.done():
            self._sampling = asyncio.get_running_loop().create_task(self._sample(at_ms))

    def close(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()

    async def _sample(self, at_ms: int) -> None:
        moving = self._stats.moving()
        for first in range(0, len(moving), ITEMS):
            sampled = self._stats.sample(moving[first : first + ITEMS], at_ms)
            self._watching.queues.mark_changed(queue.name for queue in sampled)
            await asyncio.sleep(0)

    def _note(self, output: Output) -> None:
        state, recent = self._machine.state, self._recent
        for position, record in output.records:
            for number in logs_of(record):
                if (queue := state.logs.get(number)) is not None:
                    self._stats.moved(queue)
                    recent.note(queue.name, position)
                    if queue.stream is not None:
                        recent.note(queue.name.partition(GROUP_SEPARATOR)[0], position)
                elif (stream := state.stream_logs.get(number)) is not None:
                    recent.note(stream.name, position)
            if type(record) not in OFTEN:
                for name in names_beside(record, state.names):
                    recent.note(name, position)
        self._watching.on_durable(output.records, output.effects, self._machine.now)
