"""Publishing: check everything, then one record for all messages of a frame, however many targets."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import Conflict, InvalidRequest, LimitExceeded, OutcomeUnknown, QueueFull, QueueNotFound, Unroutable
from ..durable.queue import Queue
from ..durable.stream import Stream
from ..format.command import Published, PublishMessages
from ..format.record import Publish
from .context import Context
from .declare import check_count, define, define_stream
from .dispatch import dispatch
from .overflow import make_room
from .retention import retain

_WAITING = frozenset(("delay_ms", "delays_ms", "priority", "priorities"))

Routes = list[tuple[Queue | Stream, list[int] | None]]
"""Targets, and which of the messages each gets (None: all)."""


def publish(ctx: Context, command: PublishMessages) -> Published:
    """Store the messages of one frame.

    Raises:
        InvalidRequest, QueueNotFound, Unroutable, QueueFull, Conflict, OutcomeUnknown.
    """
    if command.producer is not None and (replay := _stored_before(ctx, command.producer)) is not None:
        return replay
    check(ctx, [command])
    return store(ctx, command)


def check(ctx: Context, commands: Sequence[PublishMessages]) -> None:
    """Raise what ``store`` of all these commands would be refused for."""
    added: dict[str, tuple[int, int]] = {}
    created: dict[str, str] = {}
    keys: dict[tuple[str, str], dict[str, int]] = {}
    for command in commands:
        routes = _routes(ctx, command)
        if command.attributes:
            _check_order(command, routes)
        if not routes and command.kind != "topic":
            if created.setdefault(command.queue, command.kind) != command.kind:
                raise Conflict(f'"{command.queue}" cannot be both queue and stream.', queue=command.queue)
            check_count(ctx, len(created))
        again = frozenset[int]()
        if command.digests is not None:
            known = keys.setdefault((command.kind, command.queue), {})
            again = frozenset(_duplicates(ctx, command, routes, known))
        for target, only in routes:
            if isinstance(target, Queue):
                _check_room(ctx, target, command, only, again, added)


def check_possible(ctx: Context, command: PublishMessages) -> None:
    """Raise what this command would be refused for at any time, as the queues, streams and bindings are now; a queue that is full is not."""
    routes = _routes(ctx, command)
    _check_order(command, routes)
    size = max(command.sizes, default=0)
    if size > ctx.limits.body_bytes_max:
        raise LimitExceeded("The body is too large.", limit="body_bytes_max", value=ctx.limits.body_bytes_max)
    for target, _ in routes:
        bytes_max = target.settings.bytes_max if isinstance(target, Queue) else None
        if bytes_max is not None and size > bytes_max:
            raise LimitExceeded(f'"{target.name}" may hold {bytes_max:,} bytes.', limit="bytes_max", value=bytes_max)


def _check_order(command: PublishMessages, routes: Routes) -> None:
    """Raises: InvalidRequest: a delay or a priority where order is kept: with a key, or in a stream."""
    attributes = command.attributes
    if ("key" in attributes or "keys" in attributes) and _WAITING.intersection(attributes):
        raise InvalidRequest("A message with an ordering key can have neither delay nor priority.", field="key")
    if (command.kind == "stream" or any(isinstance(target, Stream) for target, _ in routes)) and _WAITING.intersection(
        attributes
    ):
        raise InvalidRequest("A stream keeps the order of publishing: no delay, no priority.", field="delay_ms")


def store(ctx: Context, command: PublishMessages) -> Published:
    """Store messages that ``check`` has passed, and hand them out."""
    reply, routes = record(ctx, command)
    hand_out(ctx, command, routes)
    return reply


def record(ctx: Context, command: PublishMessages) -> tuple[Published, Routes]:
    """The records of a publish, and nothing that comes of it."""
    routes = make_target(ctx, command)
    duplicates = _duplicates(ctx, command, routes) if command.digests is not None else {}
    return _record(ctx, command, routes, duplicates), routes


def hand_out(ctx: Context, command: PublishMessages, routes: Routes) -> None:
    """What has been stored goes to consumers; queues and streams make room."""
    for target, _ in routes:
        if isinstance(target, Queue):
            if command.attributes or target.settings.expire_ms is not None:
                ctx.watch_due(target)
            make_room(ctx, target, len(command.sizes))
            dispatch(ctx, target)
        else:
            for group in target.groups.values():
                if command.attributes or group.settings.expire_ms is not None:
                    ctx.watch_due(group)
                dispatch(ctx, group)
            retain(ctx, target)


def make_target(ctx: Context, command: PublishMessages) -> Routes:
    """Where the messages go; the queue or stream is made if need be."""
    routes = _routes(ctx, command)
    if not routes and command.kind == "queue":
        routes = [(define(ctx, command.queue), None)]
    elif not routes and command.kind == "stream":
        routes = [(define_stream(ctx, command.queue), None)]
    return routes


def _routes(ctx: Context, command: PublishMessages) -> Routes:
    """Where the messages go; a queue or stream that is yet to be declared gives none.

    Raises:
        QueueNotFound, Conflict, Unroutable.
    """
    state = ctx.state
    name = command.queue
    if command.kind == "topic":
        routes = state.bindings.route(name, len(command.sizes), command.attributes.get("headers"))
        if not routes and command.mandatory:
            raise Unroutable(f'No binding matches the topic "{name}".', topic=name)
        return [(state.target(number), only) for number, only in routes.items()]
    target: Queue | Stream | None = state.queues.get(name) if command.kind == "queue" else state.streams.get(name)
    if target is not None:
        if isinstance(target, Queue) and target.stream is not None:
            raise InvalidRequest(f'"{name}" is a group: publish to its stream.', field="queue")
        return [(target, None)]
    if name in (state.streams if command.kind == "queue" else state.queues):
        raise Conflict(f'"{name}" is not a {command.kind}.', queue=name)
    if not command.declare:
        raise QueueNotFound(f'There is no {command.kind} named "{name}".', queue=name)
    return []


def _check_room(
    ctx: Context, queue: Queue, command: PublishMessages, only: list[int] | None, again: frozenset[int],
    added: dict[str, tuple[int, int]],
) -> None:  # fmt: skip
    """Whether a queue has room for those messages of a command that are not there already (``again``)."""
    settings = queue.settings
    if (settings.length_max is None and settings.bytes_max is None) or settings.overflow != "reject":
        return
    count, size = added.get(queue.name, (0, 0))
    sizes = command.sizes if only is None else [command.sizes[index] for index in only]
    if again:
        sizes = [
            command.sizes[index]
            for index in (range(len(command.sizes)) if only is None else only)
            if index not in again
        ]
        if not sizes:
            return
    count, size = count + len(sizes), size + sum(sizes)
    added[queue.name] = count, size
    unsettled = queue.group.waiting_count + ctx.runtime_of(queue).leased
    if settings.length_max is not None and unsettled + count > settings.length_max:
        raise QueueFull(f'"{queue.name}" holds {unsettled:,} messages and may hold {settings.length_max:,}.',
                        limit="length_max", value=settings.length_max)  # fmt: skip
    if settings.bytes_max is not None and queue.log.bytes + size > settings.bytes_max:
        raise QueueFull(f'"{queue.name}" holds {queue.log.bytes:,} bytes and may hold {settings.bytes_max:,}.',
                        limit="bytes_max", value=settings.bytes_max)  # fmt: skip


def _record(
    ctx: Context, command: PublishMessages, routes: Routes, duplicates: dict[int, tuple[int, int]]
) -> Published:
    state = ctx.state
    topic = command.queue if command.kind == "topic" else None
    count = len(command.sizes)
    sizes, attributes, digests = command.sizes, command.attributes, command.digests
    keep = None
    position = state.position + 1
    found = duplicates
    if duplicates:
        keep = [index for index in range(count) if index not in duplicates]
        # A repetition within the frame points at a message of this very record.
        found = {index: (place if place[0] else (position, place[1])) for index, place in duplicates.items()}
        # Indexes in the record stay those of the frame, for ids are made of them; a duplicate has no bytes and no target.
        sizes = [0 if index in duplicates else size for index, size in enumerate(sizes)]
        routes = [
            (target, keep if only is None else [index for index in only if index not in duplicates])
            for target, only in routes
        ]
        if not keep and command.producer is None:
            return Published(position=state.position, count=count, keep=keep, duplicates=found, routed=len(routes))
    targets = [(target.number, target.log.next, only) for target, only in routes if only is None or only]
    ctx.commit(
        Publish(ctx.now, targets, sizes, attributes, command.producer, digests, found or None, topic, command.schedule)
    )
    return Published(position=position, count=count, keep=keep, duplicates=found or None, routed=len(targets))


def _stored_before(ctx: Context, producer: tuple[str, int]) -> Published | None:
    """The first confirm of a frame that is sent again."""
    session = ctx.state.producers.get(producer[0])
    if session is None:
        return None
    stored = session.frames.get(producer[1])
    if stored is not None:
        return Published(position=stored[0], count=stored[1], replayed=True)
    if session.is_forgotten(producer[1]):
        raise OutcomeUnknown(f"Frame {producer[1]} is older than what is remembered of this producer session.")
    return None


def _duplicates(
    ctx: Context, command: PublishMessages, routes: Routes, earlier: dict[str, int] | None = None
) -> dict[int, tuple[int, int]]:
    """Index → place of the first message with the same dedup key; (0, index) if that is in this very frame.

    ``earlier``: key → digest in the frames that are to be stored with this one; grows by this one's.

    Raises:
        Conflict: same key, other body.
    """
    attributes, digests = command.attributes, command.digests
    assert digests is not None
    window = None
    if command.kind == "topic" or routes:
        number = routes[0][0].number if routes else 0
        window = ctx.state.dedup_window(command.queue if command.kind == "topic" else None, number)
    keys: list[str | None] = attributes.get("dedup_keys") or [attributes.get("dedup_key")] * len(command.sizes)
    seen: dict[str, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for index, key in enumerate(keys):
        if key is None:
            continue
        if key in seen:
            first, digest = (0, seen[key]), digests[seen[key]]
        elif window is not None and (entry := window.find(key, ctx.now)) is not None:
            first, digest = (entry[0], entry[1]), entry[2]
        else:
            seen[key] = index
            if earlier is None or earlier.setdefault(key, digests[index]) == digests[index]:
                continue
            first, digest = (0, index), earlier[key]
        if digest != digests[index]:
            id = f"{ctx.state.id_prefix(first[0])}{first[1]}" if first[0] else None
            raise Conflict(f"The dedup key of message {index} was used before with another body.", message_id=id)
        found[index] = first
    return found
