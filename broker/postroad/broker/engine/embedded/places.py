"""Where messages are that are named by their ids."""

from __future__ import annotations

from ...core.durable.queue import Queue
from ...core.format.ids import parse_id
from ...core.machine import Machine
from ...errors import MessageNotFound, PostroadError
from .look.history import History


class Places:
    def __init__(self, machine: Machine, history: History) -> None:
        self._machine = machine
        self._history = history

    def sequences(self, queue: Queue, messages: list[str]) -> list[int]:
        """Sequences in ``queue`` of these ids; ids of messages that are elsewhere are passed over."""
        sequences = []
        for message in messages:
            try:
                places = self.of(message)
            except MessageNotFound:
                continue
            sequences += [sequence for log, sequence in places if log == queue.number]
        return sequences

    def of(self, message: str) -> list[tuple[int, int]]:
        """``(log, sequence)`` of each queue a message is in now.

        Raises:
            MessageNotFound.
        """
        _, position, index = parse_id(message)
        placed = self._machine.state.placements.of(position, index)
        try:
            position, index, publish = self._history.find(message)
        except MessageNotFound:
            raise
        except PostroadError as error:
            raise MessageNotFound(error.message, message_id=message[:64]) from error
        streams = self._machine.state.stream_logs
        found = list(placed)
        for log, sequence in publish.sequences_of(index):
            groups = streams[log].groups.values() if log in streams else ()
            found += [(group.number, sequence) for group in groups] or [(log, sequence)]
        return found
