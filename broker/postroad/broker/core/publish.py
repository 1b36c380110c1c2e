"""Publishing: check everything, then one record for all messages of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import Conflict, InvalidRequest, OutcomeUnknown, QueueFull, QueueNotFound
from .command import Published, PublishMessages
from .declare import define
from .queue import Queue
from .record import Publish

if TYPE_CHECKING:
    from .machine import Machine


_WAITING = frozenset(("delay_ms", "delays_ms", "priority", "priorities"))


def publish(machine: Machine, command: PublishMessages) -> Published:
    """Store the messages of one frame.

    Raises:
        QueueNotFound, QueueFull, Conflict, OutcomeUnknown.
    """
    if command.producer is not None and (replay := _stored_before(machine, command.producer)) is not None:
        return replay
    check(machine, [command])
    reply = store(machine, command)
    machine.dispatch(machine.state.queues[command.queue])
    return reply


def check(machine: Machine, commands: Sequence[PublishMessages]) -> None:
    """Raise what ``store`` of all these commands would be refused for."""
    added: dict[str, tuple[int, int]] = {}
    for command in commands:
        queue = machine.state.queues.get(command.queue)
        if queue is None:
            if not command.declare:
                raise QueueNotFound(f'There is no queue named "{command.queue}".', queue=command.queue)
            continue
        settings = queue.settings
        if ("key" in command.attributes or "keys" in command.attributes) and _WAITING.intersection(command.attributes):
            raise InvalidRequest("A message with an ordering key can have neither delay nor priority.", field="key")
        if settings.length_max is not None or settings.bytes_max is not None:
            count, size = added.get(queue.name, (0, 0))
            count, size = count + len(command.sizes), size + sum(command.sizes)
            added[queue.name] = count, size
            unsettled = queue.group.unsettled + machine.live_of(queue).leased
            if settings.length_max is not None and unsettled + count > settings.length_max:
                raise QueueFull(f'"{queue.name}" holds {unsettled:,} messages and may hold {settings.length_max:,}.',
                                limit="length_max", value=settings.length_max)  # fmt: skip
            if settings.bytes_max is not None and queue.log.bytes + size > settings.bytes_max:
                raise QueueFull(f'"{queue.name}" holds {queue.log.bytes:,} bytes and may hold {settings.bytes_max:,}.',
                                limit="bytes_max", value=settings.bytes_max)  # fmt: skip
        if command.digests is not None:
            _duplicates(machine, queue, command)


def store(machine: Machine, command: PublishMessages) -> Published:
    """Store messages that ``check`` has passed."""
    state = machine.state
    queue = state.queues.get(command.queue) or define(machine, command.queue)
    count = len(command.sizes)
    if queue.settings.expire_ms is not None and "expires_ms" not in command.attributes:
        command.attributes.setdefault("expire_ms", queue.settings.expire_ms)
    duplicates = _duplicates(machine, queue, command) if command.digests is not None else {}
    if not duplicates:
        record = Publish(machine.now, [(queue.number, queue.log.next)], command.sizes, command.attributes,
                         command.producer, command.digests)  # fmt: skip
        position = machine.commit(record)
        if command.attributes:
            machine.watch_due(queue)
        return Published(position=position, count=count)
    keep = [index for index in range(count) if index not in duplicates]
    # A repetition within the frame points at a message of this very record.
    position = state.position + 1
    found = {index: (place if place[0] else (position, keep.index(place[1]))) for index, place in duplicates.items()}
    if keep or command.producer is not None:
        attributes = {
            name: [value[index] for index in keep] if isinstance(value, list) else value
            for name, value in command.attributes.items()
        }
        digests = [command.digests[index] for index in keep] if command.digests else None
        record = Publish(machine.now, [(queue.number, queue.log.next)], [command.sizes[index] for index in keep],
                         attributes, command.producer, digests, found)  # fmt: skip
        machine.commit(record)
        machine.watch_due(queue)
    else:
        position = next(iter(found.values()))[0]
    return Published(position=position, count=count, keep=keep, duplicates=found)


def _stored_before(machine: Machine, producer: tuple[str, int]) -> Published | None:
    """The first confirm of a frame that is sent again."""
    session = machine.state.producers.get(producer[0])
    if session is None:
        return None
    stored = session.frames.get(producer[1])
    if stored is not None:
        return Published(position=stored[0], count=stored[1], replayed=True)
    if session.is_forgotten(producer[1]):
        raise OutcomeUnknown(f"Frame {producer[1]} is older than what is remembered of this producer session.")
    return None


def _duplicates(machine: Machine, queue: Queue, command: PublishMessages) -> dict[int, tuple[int, int]]:
    """Index → place of the first message with the same dedup key; (0, index) if that is in this very frame.

    Raises:
        Conflict: same key, other body.
    """
    attributes, digests = command.attributes, command.digests
    assert digests is not None
    keys: list[str | None] = attributes.get("dedup_keys") or [attributes.get("dedup_key")] * len(command.sizes)
    seen: dict[str, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for index, key in enumerate(keys):
        if key is None:
            continue
        if key in seen:
            first, digest = (0, seen[key]), digests[seen[key]]
        elif (entry := queue.dedup.find(key, machine.now)) is not None:
            first, digest = (entry[0], entry[1]), entry[2]
        else:
            seen[key] = index
            continue
        if digest != digests[index]:
            earlier = f"{machine.state.id_prefix(first[0])}{first[1]}" if first[0] else None
            raise Conflict(f"The dedup key of message {index} was used before with another body.", message_id=earlier)
        found[index] = first
    return found
