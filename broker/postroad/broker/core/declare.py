"""Declaring, deleting and pausing queues."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ..errors import Conflict, LimitExceeded, QueueNotFound
from ..names import NAME_LENGTH_MAX
from ..settings import QueueSettings
from .command import Declare, Delete, SetPaused
from .effect import End
from .queue import Queue
from .record import Define, Pause, Undefine

if TYPE_CHECKING:
    from .machine import Machine

DEAD_LETTER_SUFFIX = ".dead"


def declare(machine: Machine, command: Declare) -> bool:
    """Make a queue, or check or update its settings.

    Raises:
        InvalidRequest, Conflict, LimitExceeded.
    """
    queue = machine.state.queues.get(command.queue)
    if queue is None:
        settings = QueueSettings().changed(command.settings)
        define(machine, command.queue, settings)
        return True
    settings = queue.settings.changed(command.settings)
    if settings != queue.settings:
        if not command.update:
            differ = [name for name, value in settings.to_json().items() if value != queue.settings.to_json()[name]]
            raise Conflict(f'"{queue.name}" was declared with other settings: {", ".join(differ)}.', settings=differ)
        machine.commit(Define(machine.now, queue.name, queue.number, settings.to_json(), queue.dead_letter_of))
        machine.dispatch(queue)
    return False


def define(
    machine: Machine, name: str, settings: QueueSettings | None = None, dead_letter_of: str | None = None
) -> Queue:
    """Make a queue that does not exist.

    Raises:
        LimitExceeded: there are ``queues_max`` already.
    """
    state = machine.state
    if len(state.queues) >= machine.limits.queues_max and dead_letter_of is None:
        raise LimitExceeded(
            f"There are {len(state.queues):,} queues already.", limit="queues_max", value=machine.limits.queues_max
        )
    settings = settings or QueueSettings()
    machine.commit(Define(machine.now, name, state.next_log, settings.to_json(), dead_letter_of))
    return state.queues[name]


def dead_letter_queue(machine: Machine, queue: Queue) -> Queue | None:
    """Where exhausted messages of ``queue`` go, made at first use; None: they are dropped."""
    wanted = queue.settings.dead_letter
    if wanted is None:
        return None
    if wanted == "":
        wanted = queue.name + DEAD_LETTER_SUFFIX
        if len(wanted) > NAME_LENGTH_MAX:
            wanted = f"{queue.name[:60]}-{crc32(queue.name.encode()):08x}{DEAD_LETTER_SUFFIX}"
    found = machine.state.queues.get(wanted)
    return found or define(machine, wanted, QueueSettings(dead_letter=None), dead_letter_of=queue.name)


def delete(machine: Machine, command: Delete) -> None:
    """Remove a queue and everything in it; its consumers end."""
    queue = machine.queue(command.queue)
    machine.commit(Undefine(machine.now, queue.name, queue.number))
    machine.live.pop(queue.number, None)
    for subscription in [s for s in machine.subscriptions.values() if s.queue is queue]:
        del machine.subscriptions[subscription.id]
        machine.effects.append(End(subscription.id, QueueNotFound(f'"{queue.name}" was deleted.', queue=queue.name)))


def set_paused(machine: Machine, command: SetPaused) -> None:
    """Stop or resume deliveries; what is leased stays leased."""
    queue = machine.queue(command.queue)
    if queue.paused != command.paused or queue.pause_reason != command.reason:
        machine.commit(Pause(machine.now, queue.number, command.paused, command.reason))
    machine.dispatch(queue)
