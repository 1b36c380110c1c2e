"""What the rules work on: durable and volatile state, the time of the command, and what it has brought so far.

A rule checks everything first, and raises a ``PostroadError`` if it must. Then it commits records. Then it changes volatile state
along with them. Why core and journal cannot come apart:

- ``commit`` first encodes the record, then takes the room for it and its bodies, and only then applies it. So what cannot be written is
  not applied. The room was reserved on disk before the command began.
- If the first record of a command cannot be encoded, or has no room, nothing has changed: the command is refused.
- Whatever is raised later, in applying too, is not a refusal: some of the command is in the state, and the rest is not. ``is_untouched``
  tells the two apart, and the pipeline ends the process in the second case, before anything else is taken. None of the command's
  records is in the journal by then, and so the next start has the state from before it.
- What a rule does beside what it was asked for (expiry, overflow, retention …) asks ``has_spare`` first. So the records that the
  command itself needs, whose bytes were counted before it began, always have their room.
"""

from __future__ import annotations

from typing import Any

from ...errors import LimitExceeded, PostroadError, QueueNotFound, StorageFull
from ...limits import Limits
from ..durable.queue import Queue
from ..durable.state import State
from ..format.codec import encode
from ..format.effect import Effect, End
from ..format.record import PLACES_MAX, Publish, Record, Settle
from ..volatile.holdings import Lease
from ..volatile.queue_runtime import QueueRuntime
from ..volatile.subscription import Subscription
from ..volatile.timers import Timers

UNBOUNDED = 1 << 62

RECORD_BYTES_MAX = 32
"""What the journal may add to header and bodies of one record."""

ITEM_BYTES = 192
"""What the records of one message that comes back, dies, expires or is dropped take at most, beside ``COMMAND_BYTES``."""

COMMAND_BYTES = 4096
"""What the records of one command take beside its items and bodies: names, settings, a reason."""

STEP_BYTES = 192 * 1024
"""What one step of work that nobody asked for adds at most."""


class Context:
    """Attributes:
    now: Time of the command being handled, milliseconds; never goes backwards.
    skew_ms: How far the wall clock is ahead of ``now``.
    records: ``(position, record)`` since the caller last took them. headers: The same, encoded.
    unit: Bytes that one command may add to the journal at most, ever.
    room: Bytes that this one may still add. reserve: of these, what only settles may take.
    owed: Bytes that the command needs for what it was asked, at most.
    commits: Records of the command so far, also the one that is being applied.
    changed: It has changed, or is about to change, what no record says.
    barred: Timers whose work ended the process before: ``(kind, key)``; it is not done again.
    doing: The timer whose work is being done.
    is_short: Something due was put off for lack of room, and nothing was done instead.
    fired: Bodies of what schedules published, by position, for the caller to journal.
    delivering: False once the broker is stopping: nothing is granted any more.
    refusals: Schedules whose last firing was refused: name → (next time, error).
    rechecked: Names of schedules, and numbers of queues and streams, that a change of the clock makes worth a look.
    effects: Since the caller last took them, each paired by order with the records before it.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = State()
        self.now = 0
        self.skew_ms = 0
        self.records: list[tuple[int, Record]] = []
        self.headers: list[bytes] = []
        self.room = self.unit = UNBOUNDED
        self.reserve = self.owed = self.commits = 0
        self.changed = self.is_short = False
        self.barred: set[tuple[str, int | str]] = set()
        self.doing: tuple[str, int | str] | None = None
        self.effects: list[Effect] = []
        self.subscriptions: dict[int, Subscription] = {}
        self.runtimes: dict[int, QueueRuntime] = {}
        self.timers = Timers()
        self.open_sessions: dict[str, int] = {}
        self.closed_sessions: dict[str, int] = {}
        self.next_subscription = 1
        self.delivering = True
        self.fired: dict[int, bytes] = {}
        self.refusals: dict[str, tuple[int, dict[str, Any]]] = {}
        self.rechecked: list[str | int] = []

    def commit(self, record: Record) -> int:
        """Encode a record, take room for it, apply it and collect it for the journal; returns its position.

        Raises:
            StorageFull, LimitExceeded: the command's first record has no room; nothing has changed.
        """
        header = encode(record)
        size, room = len(header) + RECORD_BYTES_MAX, self.room
        if isinstance(record, Publish):
            size, room = size + sum(record.sizes), room - self.reserve
        if size > room:
            self._refuse(size)
        self.room -= size
        self.commits += 1
        position = self.state.position + 1
        self.state.apply(record, position)
        self.records.append((position, record))
        self.headers.append(header)
        return position

    @property
    def is_untouched(self) -> bool:
        """The command has changed nothing yet."""
        return not self.commits and not self.changed

    def has_spare(self, nbytes: int = STEP_BYTES) -> bool:
        """Whether work that nobody asked for may add so many bytes of journal now; of more than fits at once, half of that will do."""
        return self.room - self.owed >= min(nbytes, self.unit // 2)

    def has_spare_to_publish(self, nbytes: int) -> bool:
        """The same for messages that nobody asked for now; what is larger than can ever be has to be refused, and so may come."""
        if nbytes > self.unit:
            return self.has_spare(COMMAND_BYTES)
        return self.room - self.reserve - self.owed >= nbytes

    def check_publish(self, nbytes: int) -> None:
        """Before messages that nobody has counted are stored: they leave the reserve of settles alone.

        Raises:
            StorageFull, LimitExceeded: so many bytes have no room.
        """
        if nbytes > min(self.room - self.reserve, self.unit):
            raise self._full(nbytes)

    def _refuse(self, size: int) -> None:
        if not self.is_untouched:
            raise RuntimeError(f"a record of {size} bytes has no room: {self.room} are left")
        raise self._full(size)

    def _full(self, size: int) -> PostroadError:
        if size > self.unit:
            return LimitExceeded(
                "What this asks for is more than the journal takes at once.", limit="unit_bytes_max", value=self.unit
            )
        return StorageFull("The disk has no room for this.")

    def settle(
        self,
        queue: Queue,
        how: str,
        runs: list[tuple[int, int, int]],
        consumer: str | None = None,
        reason: str | None = None,
        results: dict[int, bytes] | None = None,
    ) -> None:
        """Commit that these messages are done with (see ``record.Settle``)."""
        places = queue.log.places(runs, PLACES_MAX)
        self.commit(Settle(self.now, queue.number, how, runs, consumer, reason, places, results))

    def by_token(self, token: str) -> Subscription | None:
        """The subscription that clients know by this token."""
        number = token.partition("-")[2].partition("-")[0]
        found = self.subscriptions.get(int(number)) if number.isdecimal() and len(number) < 16 else None
        return found if found is not None and found.token == token else None

    def holder(self, queue: Queue, sequence: int) -> tuple[Subscription, Lease] | None:
        """Who holds a message, and the lease that it is in."""
        runtime = self.runtimes.get(queue.number)
        held = runtime.holdings.find(sequence) if runtime is not None else None
        return (self.subscriptions[held[0]], held[1]) if held is not None else None

    def holders(self, queue: Queue) -> list[Subscription]:
        """Subscriptions that hold something of this queue."""
        runtime = self.runtimes.get(queue.number)
        return [self.subscriptions[number] for number in runtime.holdings.holders()] if runtime is not None else []

    def end(self, subscription: Subscription) -> None:
        """It is over, and nothing is leased to it any more."""
        del self.subscriptions[subscription.id]
        self.effects.append(End(subscription.id, None))

    @property
    def aging(self) -> int:
        """The time by which whatever has an age is deleted: ``now``, or 0 while the clock of this start is not believed."""
        return 0 if self.state.ahead_ms else self.now

    def take(self) -> tuple[list[tuple[int, Record]], list[Effect]]:
        """Records and effects since the last call; the caller's from now on."""
        taken = self.records, self.effects
        self.records, self.effects, self.headers = [], [], []
        return taken

    def next_due(self) -> int | None:
        """When a ``Tick`` is wanted next, milliseconds; None: not before another command."""
        return self.timers.next_due()

    def queue(self, name: str) -> Queue:
        """Raises: QueueNotFound."""
        queue = self.state.queues.get(name)
        if queue is None:
            raise QueueNotFound(f'There is no queue named "{name}".', queue=name)
        return queue

    def runtime_of(self, queue: Queue) -> QueueRuntime:
        runtime = self.runtimes.get(queue.number)
        if runtime is None:
            runtime = self.runtimes[queue.number] = QueueRuntime(queue)
        return runtime

    def leased_runs(self) -> dict[int, list[tuple[int, int, int]]]:
        """``(first, last, priority)`` of all that is leased, by number of the queue."""
        return {number: runtime.holdings.runs() for number, runtime in self.runtimes.items() if runtime.leased}

    def watch_due(self, queue: Queue) -> None:
        """Wake when something delayed or retrying in this queue comes due."""
        due = queue.group.next_due()
        if due is not None:
            self.timers.at("due", queue.number, due)
        if not self.state.ahead_ms and (expires := queue.group.next_expiry(queue.log)) is not None:
            self.timers.at("expiry", queue.number, max(expires, self.now))
