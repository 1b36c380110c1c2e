"""What the rules work on: durable and volatile state, the time of the command, and what it has brought so far.

A rule checks everything first. Then it commits records, each applied to the durable state at once, and changes volatile state
along with them.
"""

from __future__ import annotations

from ...errors import QueueNotFound
from ...limits import Limits
from ..durable.queue import Queue
from ..durable.state import State
from ..format.effect import Effect, End
from ..format.record import PLACES_MAX, Record, Settle
from ..volatile.queue_runtime import QueueRuntime
from ..volatile.subscription import Subscription
from ..volatile.timers import Timers


class Context:
    """Attributes:
    now: Time of the command being handled, milliseconds; never goes backwards.
    records: ``(position, record)`` since the caller last took them.
    fired: Bodies of what schedules published, by position, for the caller to journal.
    delivering: False once the broker is stopping: nothing is granted any more.
    effects: Since the caller last took them, each paired by order with the records before it.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = State()
        self.now = 0
        self.records: list[tuple[int, Record]] = []
        self.effects: list[Effect] = []
        self.subscriptions: dict[int, Subscription] = {}
        self.runtimes: dict[int, QueueRuntime] = {}
        self.timers = Timers()
        self.open_sessions: dict[str, int] = {}
        self.closed_sessions: dict[str, int] = {}
        self.granted = 0
        self.next_subscription = 1
        self.delivering = True
        self.fired: dict[int, bytes] = {}

    def commit(self, record: Record) -> int:
        """Apply a record and collect it for the journal; returns its position."""
        position = self.state.position + 1
        self.state.apply(record, position)
        self.records.append((position, record))
        return position

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

    def end(self, subscription: Subscription) -> None:
        """It is over, and nothing is leased to it any more."""
        del self.subscriptions[subscription.id]
        self.effects.append(End(subscription.id, None))

    def take(self) -> tuple[list[tuple[int, Record]], list[Effect]]:
        """Records and effects since the last call; the caller's from now on."""
        taken = self.records, self.effects
        self.records, self.effects = [], []
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
        leased: dict[int, list[tuple[int, int, int]]] = {}
        for subscription in self.subscriptions.values():
            runs = leased.setdefault(subscription.queue.number, [])
            runs.extend((held.sequence, held.sequence + held.count - 1, held.priority) for held in subscription.leases)
        return leased

    def watch_due(self, queue: Queue) -> None:
        """Wake when something delayed or retrying in this queue comes due."""
        due = queue.group.next_due()
        if due is not None:
            self.timers.at("due", queue.number, due)
        if (expires := queue.group.next_expiry(queue.log)) is not None:
            self.timers.at("expiry", queue.number, max(expires, self.now))
