"""What the core has decided, on its way to the disk and out.

The records of one command are one atomic unit of the journal; all that is decided in one turn of the loop is written together at its
end; and outputs go behind the gate with the last position that they rest on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ....core.format.codec import encode
from ....core.format.record import Publish, Record
from ....core.machine import Machine
from ....errors import PostroadError, Unavailable
from ....journal import Journal
from ...engine import Buffer
from .bodies import Bodies, Stored
from .gate import Gate, Output
from .snapshots import Snapshots

log = logging.getLogger("postroad.engine")


class CommitPipeline:
    """Args:
        release: Takes outputs whose records are durable, in order.

    Attributes:
        failed: Why the journal has failed; nothing is journaled, answered or delivered any more.
        on_failure: Called once when it does.
        arm: Called after each command: what comes due next may have changed.
    """

    def __init__(
        self, machine: Machine, journal: Journal, bodies: Bodies, loop: asyncio.AbstractEventLoop,
        release: Callable[[list[Output]], None],
    ) -> None:  # fmt: skip
        self._machine = machine
        self._journal = journal
        self._bodies = bodies
        self._loop = loop
        self._flush_wanted = False
        self._waiters: list[asyncio.Future[None]] = []
        self.gate = Gate(release)
        self.gate.durable = journal.durable_position
        self.snapshots = Snapshots(machine, journal, self.durable)
        self.failed: BaseException | None = None
        self.on_failure: Callable[[], None] | None = None
        self.arm: Callable[[], None] = lambda: None

    def emit(self, reply: Callable[[], None] | None, bodies: Mapping[int, Buffer] | None = None) -> None:
        """Journal the records of the last command as one atomic unit, and put its outputs behind the gate.

        Args:
            bodies: Of what was published, by position.
        """
        machine = self._machine
        records, effects = machine.take()
        if records:
            if machine.fired:
                bodies = {**(bodies or {}), **machine.fired}
                machine.fired = {}
            self._append(records, bodies or {})
        if reply or records or effects:
            self.gate.put(Output(machine.state.position, reply, records, effects))
        self.arm()

    async def emitted(self) -> int:
        """``emit``, and wait until all of it is durable; returns the position."""
        self.emit(None)
        position = self._machine.state.position
        await self.durable(position)
        return position

    async def durable(self, position: int) -> None:
        """Wait until ``position`` is durable.

        Raises:
            Unavailable: it will never be.
        """
        if position <= self.gate.durable:
            return
        if self.failed is not None:
            raise Unavailable("The journal has failed; the broker stops.")
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
        self.once_durable(lambda: done(error))

    def flush(self) -> None:
        """Wake the journal's writer for what was appended."""
        self._flush_wanted = False
        self._journal.flush()

    def became_durable(self, position: int) -> None:
        """The journal has written all up to ``position``."""
        if self.failed is None:
            self.gate.open_to(position)

    def fail(self, error: BaseException) -> None:
        """The journal failed: nothing that waits will ever be durable, and nothing more is answered."""
        if self.failed is None:
            self.failed = error
            log.critical("the journal failed, the broker stops: %r", error)
            self.gate.drop()
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_exception(Unavailable("The journal has failed; the broker stops."))
            if self.on_failure is not None:
                self.on_failure()

    def _append(self, records: list[tuple[int, Record]], bodies: Mapping[int, Buffer]) -> None:
        rows: list[tuple[bytes, Buffer | None]] = []
        size = header_bytes = 0
        for position, record in records:
            header, body = encode(record), None
            if isinstance(record, Publish) and (body := bodies.get(position)) is not None:
                prefix = self._machine.state.id_prefix(position)
                stored = Stored(prefix, record.at, record.sizes, record.attributes, body, record.topic, len(header))
                self._bodies.put(position, stored)
                size += len(body)
            rows.append((header, body))
            header_bytes += len(header)
        try:
            first = self._journal.append(rows)
        except Unavailable as error:  # it has failed, and will say so in a moment: nothing of this gets out
            self.fail(error)
            return
        assert first == records[0][0], f"journal is at {first}, core at {records[0][0]}"
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
