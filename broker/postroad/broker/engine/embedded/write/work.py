"""Operations on many messages, carried out in steps beside everything else.

An operation is a generator: each ``next`` carries out one command, on a step's messages at most, and yields how many those were; what it
returns are the further fields of its answer. A turn of the event loop gives every operation that runs one step, as long as that takes
less than ``TURN_S``; then settles, publishes, renewals and pings that have come meanwhile go first. No more than ``UNWRITTEN_MAX`` steps of
an operation wait for the disk: it goes no faster than the journal.

An operation belongs to the engine, not to who asked for it: when that connection is gone, it goes on. What bounds it (the end of a queue
or stream as of then) is fixed when it is asked for, even if it has to wait for others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from ....errors import Conflict, InvalidState, LimitExceeded, PostroadError, Unavailable
from ...engine import Json

RUNNING_MAX = 4
"""So many operations run side by side; others wait in the order in which they came."""

OPERATIONS_MAX = 1000

TURN_S = 0.004
"""Time that all operations together take of one turn of the loop; the step that crosses it is the last."""

UNWRITTEN_MAX = 1
"""More would keep the loop's thread busy without a pause, and the journal's thread would wait for it: everybody's confirms take three
times as long with 8."""

Steps = Generator[int, None, Json]


@dataclass(slots=True, kw_only=True, eq=False)
class Operation:
    """Attributes:
    stream: Of a replay, which copies from it to ``queue``.
    done: Messages moved or settled so far.
    total: What it may come to at most; None: nobody knows.
    unwritten: Steps whose records are not durable yet.
    is_parked: It waits for the disk.
    is_over: It makes no further step; its answer waits for the disk.
    ended: Gets the answer.
    """

    id: str
    kind: str
    queue: str
    stream: str | None
    total: int | None
    started_at: int
    steps: Steps
    ended: asyncio.Future[Json]
    done: int = 0
    unwritten: int = 0
    is_running: bool = False
    is_parked: bool = False
    is_over: bool = False

    def row(self) -> Json:
        """As it is listed."""
        row: Json = {"id": self.id, "kind": self.kind, "queue": self.queue}
        if self.stream is not None:
            row["stream"] = self.stream
        state = "running" if self.is_running else "waiting"
        return row | {"done": self.done, "total": self.total, "state": state, "started_at": self.started_at}


class Work:
    """All operations of an engine.

    Args:
        once_durable: Calls back when all that is applied by now is durable.
        now: The time, milliseconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        once_durable: Callable[[Callable[[], None]], None],
        now: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._once_durable = once_durable
        self._now = now
        self._operations: dict[str, Operation] = {}
        self._turns: deque[Operation] = deque()
        """Those that run and may make a step."""
        self._wake: asyncio.Handle | None = None
        self._last = 0
        self._stepping: Operation | None = None
        self._is_closed = False

    def rows(self) -> list[Json]:
        """All that go on, in the order in which they came."""
        return [operation.row() for operation in self._operations.values() if not operation.is_over]

    async def carry_out(
        self, kind: str, queue: str, steps: Steps, *, total: int | None = None, stream: str | None = None,
        id: str | None = None,
    ) -> Json:  # fmt: skip
        """Take an operation in, and wait for its end; returns its answer, with ``count``, and ``stopped`` if it was.

        Raises:
            Unavailable: the engine stops. Conflict: another one has this id. LimitExceeded: there are too many. Whatever ``steps`` raises, with ``count``.
        """
        if self._is_closed:
            raise Unavailable("The broker is stopping.")
        if id in self._operations:
            raise Conflict(f'An operation "{id}" goes on already.', operation=id)
        if len(self._operations) >= OPERATIONS_MAX:
            raise LimitExceeded("Too many operations go on.", limit="operations_max", value=OPERATIONS_MAX)
        operation = Operation(
            id=id or self._free_id(), kind=kind, queue=queue, stream=stream, total=total,
            started_at=self._now(), steps=steps, ended=self._loop.create_future(),
        )  # fmt: skip
        operation.ended.add_done_callback(_retrieved)
        self._operations[operation.id] = operation
        self._admit()
        return await asyncio.shield(operation.ended)

    def _free_id(self) -> str:
        self._last += 1
        while (id := f"operation-{self._last}") in self._operations:
            self._last += 1
        return id

    def stop(self, id: str) -> None:
        """End an operation; the step that it is at stays done.

        Raises:
            InvalidState: it has ended, or never was.
        """
        operation = self._operations.get(id)
        if operation is None or operation.is_over:
            raise InvalidState(f'No operation "{id}" goes on.', operation=id)
        operation.steps.close()
        self._end(operation, {"stopped": True})

    def close(self) -> None:
        """The engine stops: what is done stays done."""
        self._is_closed = True
        if self._wake is not None:
            self._wake.cancel()
        for operation in list(self._operations.values()):
            if operation is not self._stepping:
                operation.steps.close()
            if not operation.ended.done():
                operation.ended.set_exception(Unavailable("The broker is stopping.", count=operation.done))
        self._operations.clear()
        self._turns.clear()

    def _admit(self) -> None:
        """Let the next ones run, as far as there is room."""
        running = sum(operation.is_running for operation in self._operations.values())
        for operation in self._operations.values():
            if running >= RUNNING_MAX:
                break
            if not operation.is_running and not operation.is_over:
                operation.is_running = True
                self._turns.append(operation)
                running += 1
        self._wake_up()

    def _wake_up(self) -> None:
        if self._turns and self._wake is None:
            self._wake = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """One step for each, in turns, as long as there is time."""
        self._wake = None
        until = time.perf_counter() + TURN_S
        for _ in range(len(self._turns)):
            operation = self._turns.popleft()
            if self._step(operation):
                self._turns.append(operation)
            if time.perf_counter() >= until:
                break
        self._wake_up()

    def _step(self, operation: Operation) -> bool:
        """Returns whether it may go on at once."""
        self._stepping = operation
        try:
            operation.done += next(operation.steps)
        except StopIteration as end:
            self._end(operation, end.value)
            return False
        except Exception as error:  # noqa: BLE001  # the root of a task: whoever asked is told
            self._end(operation, error)
            return False
        finally:
            self._stepping = None
        operation.unwritten += 1
        self._once_durable(lambda: self._written(operation))
        operation.is_parked = operation.unwritten >= UNWRITTEN_MAX
        return not operation.is_parked

    def _written(self, operation: Operation) -> None:
        operation.unwritten -= 1
        if operation.is_parked and operation.is_running:
            operation.is_parked = False
            self._turns.append(operation)
            self._wake_up()

    def _end(self, operation: Operation, outcome: Json | Exception) -> None:
        """It makes no further step; its answer goes out when all that it did is durable."""
        if operation in self._turns:
            self._turns.remove(operation)
        operation.is_running, operation.is_over = False, True
        if operation.ended.done():  # the engine has stopped in this very step
            return
        self._once_durable(lambda: self._ended(operation, outcome))
        self._admit()

    def _ended(self, operation: Operation, outcome: Json | Exception) -> None:
        self._operations.pop(operation.id, None)
        if operation.ended.done():
            return
        if isinstance(outcome, Exception):
            if isinstance(outcome, PostroadError):
                outcome.details.setdefault("count", operation.done)
            operation.ended.set_exception(outcome)
        else:
            operation.ended.set_result({"count": operation.done, **outcome})


def _retrieved(ended: asyncio.Future[Json]) -> None:
    """Whoever asked may be gone: nobody needs to hear of a failure."""
    if not ended.cancelled():
        ended.exception()
