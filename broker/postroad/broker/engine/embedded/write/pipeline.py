"""The one way of every command: asked, refused or decided, journaled, let out.

``execute`` looks whether anything is taken at all, counts the bytes that the command needs against the room that is reserved on disk, has the
core decide, appends what it decided as one atomic unit of the journal, and puts what others see of it behind the gate. All that is
decided in one turn of the loop is written together at its end.

Fail-stop: whatever is raised on this way is one of two things, and here is the only place that says which.

- The command has changed nothing yet (``Context.is_untouched``): it is refused, as the error says, or as ``internal`` if nobody
  thought of it.
- It has: core and journal no longer say the same, and everything later would be written behind a gap. ``fail`` notes what it was, and
  ends the process in this very call, before anything else is taken, decided or answered.

Why that is safe: what was confirmed is in the journal, since the gate opens for what is synced only. Of the command that failed, all is in it
or nothing: its records are appended together, when all of them were applied and the positions were compared, and of a unit that is half
appended nothing is ever written. So the next start has a state that every record fits to. Should the same command come again, it is
refused (``fatal.py``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ....core.format import command as c
from ....core.format.record import Publish, Record
from ....core.machine import Machine
from ....core.rules.context import COMMAND_BYTES
from ....errors import Internal, LimitExceeded, PostroadError, StorageFull, Unavailable
from ....journal import Journal
from ...engine import Buffer
from .bodies import Bodies, Stored
from .fatal import MESSAGE, FatalCommands
from .gate import Gate, Output
from .snapshots import Snapshots

log = logging.getLogger("postroad.engine")

JOURNAL_FAILED = "The journal has failed; the broker stops."
COMMAND_FAILED = "A command could not be carried out whole; the broker stops, and its log says what was raised."
DISK_FULL = "The disk has no room for more messages; consuming goes on."
NO_ROOM = "The disk has no room left at all."

Answered = Callable[[Any], None]
Bodied = Callable[[Any], Mapping[int, Buffer]]


def refusal(error: Exception, asked: object) -> PostroadError:
    """What the caller is told of an error that came before anything was changed."""
    if isinstance(error, PostroadError):
        return error
    log.error("refused, though nobody thought of it: %s", type(asked).__name__, exc_info=error)
    return Internal("Something unexpected happened; nothing was changed.")


DROPPED_A_COMMAND = 500
DROPPED_A_SECOND = 8000
"""References of deleted queues that are released with each command, and each second."""


class CommitPipeline:
    """Args:
        fatal: Commands that are not tried again.
        now: The time, milliseconds.
        release: Takes outputs whose records are durable, in order.

    Attributes:
        failed: Why nothing is taken, journaled, answered or delivered any more.
        why: The same, a sentence for people.
        on_failure: Called once, at once.
        arm: Called after each command: what comes due next may have changed.
    """

    def __init__(
        self, machine: Machine, journal: Journal, bodies: Bodies, fatal: FatalCommands, loop: asyncio.AbstractEventLoop,
        now: Callable[[], int], release: Callable[[list[Output]], None],
    ) -> None:  # fmt: skip
        self._machine = machine
        self._journal = journal
        self._bodies = bodies
        self._fatal = fatal
        self._loop = loop
        self._now = now
        self._flush_wanted = False
        self._waiters: list[asyncio.Future[None]] = []
        self.gate = Gate(release)
        self.gate.durable = journal.durable_position
        self.snapshots = Snapshots(machine, journal, self.durable)
        self.failed: BaseException | None = None
        self.why = ""
        self.on_failure: Callable[[], None] | None = None
        self.arm: Callable[[], None] = lambda: None

    def execute(
        self, command: object, size: int = COMMAND_BYTES, *, publishes: bool = False, answer: Answered | None = None,
        stored: Bodied | None = None, bodies: Sequence[Buffer] = (), decided: Answered | None = None,
    ) -> Any:  # fmt: skip
        """Carry out one command; returns the core's answer.

        Args:
            size: Bytes of journal that it needs at most.
            publishes: It stores messages, and leaves the reserve of settles alone.
            answer: Called with the answer when all that it rests on is durable.
            stored: From the answer to the bodies of what was published, by position.
            bodies: All that came with it.
            decided: Called with the answer before anything of it is let out.

        Raises:
            PostroadError: it is refused, and nothing has changed. What it says may rest on what is not durable yet: see ``refuse``.
            Unavailable: also when it ended the broker.
        """
        if self.failed is not None:
            raise Unavailable(self.why)
        room, free = self._journal.room()
        if size > (free if publishes else room):
            raise self._full(size, publishes)
        machine, now = self._machine, self._now()
        if self._fatal.rows and self._fatal.names(command, self._scope(command), bodies, now):
            raise Internal(MESSAGE)
        try:
            reply = machine.handle(command, now, room, room - free, size)
        except BaseException as error:
            if machine.is_untouched and isinstance(error, Exception):
                raise refusal(error, command) from error
            raise self._end(error, command, bodies) from error
        try:
            if decided is not None:
                decided(reply)
            headers = machine.headers
            records, effects = machine.take()
            if records:
                self._append(records, headers, stored(reply) if stored is not None else {})
            if answer is not None or records or effects:
                told = partial(answer, reply) if answer is not None else None
                self.gate.put(Output(machine.state.position, told, records, effects))
            self.arm()
        except BaseException as error:
            raise self._end(error, command, bodies) from error
        return reply

    async def durable(self, position: int) -> None:
        """Wait until ``position`` is durable.

        Raises:
            Unavailable: it will never be.
        """
        if position <= self.gate.durable:
            return
        if self.failed is not None:
            raise Unavailable(self.why)
        waiter: asyncio.Future[None] = self._loop.create_future()

        def arrived() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self.gate.put(Output(position, arrived, [], []))
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    async def all_durable(self) -> None:
        """Wait for all that is applied by now."""
        await self.durable(self._machine.state.position)

    def once_durable(self, tell: Callable[[], None]) -> None:
        """Call back when all that is applied by now is durable."""
        self.gate.put(Output(self._machine.state.position, tell, [], []))

    def refuse(self, done: Callable[[PostroadError], None], error: PostroadError) -> None:
        """A refusal, too, rests on what was applied: a conflict with a message that is not durable yet must not get out."""
        if self.failed is not None:
            done(error)
        else:
            self.once_durable(lambda: done(error))

    def flush(self) -> None:
        """Wake the journal's writer for what was appended."""
        self._flush_wanted = False
        self._journal.flush()

    def became_durable(self, position: int) -> None:
        """The journal has written all up to ``position``."""
        if self.failed is None:
            self.gate.open_to(position)

    def journal_failed(self, error: BaseException) -> None:
        """A write or a sync failed."""
        if self.failed is None:
            log.critical("the journal failed, the broker stops: %r", error)
            self._fail(error, JOURNAL_FAILED)

    def _end(self, error: BaseException, command: object, bodies: Sequence[Buffer]) -> Unavailable:
        """The command has changed something, and cannot be carried out whole."""
        if self.failed is None and (cause := self._journal.failed) is not None:
            self.journal_failed(cause)  # it says so itself in a moment
        if self.failed is None:
            self.failed = error
            log.critical(
                "a command could not be carried out whole, the broker stops: %s", type(command).__name__, exc_info=error
            )
            machine = self._machine
            self._fatal.note(command, self._scope(command), bodies, machine.doing, error, machine.now)
            self._fail(error, COMMAND_FAILED)
        return Unavailable(self.why)

    def _fail(self, error: BaseException, why: str) -> None:
        """Nothing that waits will ever be durable, and nothing more is taken, written or answered."""
        self.failed, self.why = error, why
        self._journal.abandon(error)
        self.gate.drop()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(Unavailable(why))
        if self.on_failure is not None:
            self.on_failure()

    def _full(self, size: int, publishes: bool) -> PostroadError:
        if self._journal.failed is not None:  # it says so itself in a moment
            return Unavailable(JOURNAL_FAILED)
        most = self._journal.unit_bytes_max
        if size > most > 0:
            return LimitExceeded(
                "What this asks for is more than the journal takes at once.", limit="unit_bytes_max", value=most
            )
        return StorageFull(DISK_FULL if publishes else NO_ROOM)

    def _scope(self, command: object) -> str:
        """The queue of a settle, which names only its subscription."""
        if isinstance(command, c.SettleDeliveries):
            subscription = self._machine.subscriptions.get(command.subscription)
            return subscription.queue.name if subscription is not None else ""
        return ""

    def _append(self, records: list[tuple[int, Record]], headers: list[bytes], bodies: Mapping[int, Buffer]) -> None:
        """The records of a command, as one atomic unit."""
        machine = self._machine
        if machine.fired:
            bodies = {**bodies, **machine.fired}
            machine.fired = {}
        rows: list[tuple[bytes, Buffer | None]] = []
        header_bytes = size = 0
        for (position, record), header in zip(records, headers, strict=True):
            body = None
            if isinstance(record, Publish) and (body := bodies.get(position)) is not None:
                prefix = machine.state.id_prefix(position)
                stored = Stored(prefix, record.at, record.sizes, record.attributes, body, record.topic, len(header))
                self._bodies.put(position, stored)
                size += len(body)
            rows.append((header, body))
            header_bytes += len(header)
        first, following = records[0][0], self._journal.position + 1
        if first != following:
            raise RuntimeError(f"the journal goes on at {following}, the core at {first}")
        self._journal.append(rows)
        self._note_references()
        self.snapshots.count(len(rows), header_bytes, size)
        if not self._flush_wanted:
            self._flush_wanted = True
            self._loop.call_soon(self.flush)

    def _note_references(self) -> None:
        state = self._machine.state
        if state.retained:
            for position in state.retained:
                self._journal.retain(position)
            state.retained.clear()
        if state.released:
            for position in state.released:
                self._journal.release(position)
            state.released.clear()
        if state.dropping:
            self.release_dropped(DROPPED_A_COMMAND)

    def release_dropped(self, limit: int) -> None:
        """Let the journal know what deleted queues no longer need, ``limit`` records at a time: each queue may have a million."""
        for position in self._machine.state.take_dropped(limit):
            self._journal.release(position)
