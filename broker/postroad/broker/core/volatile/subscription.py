"""A consumer on a queue, as long as it lives. Volatile."""

from __future__ import annotations

from ..durable.queue import Queue
from ..durable.runs import Runs
from .holdings import Holdings
from .lease import Leases

SETTLED_RUNS_KEPT = 4096


class Subscription:
    """Attributes:
    id: Number in this epoch; ``token`` names it to clients.
    next_number: The next delivery number.
    begun: Highest delivery number whose handler has begun, as the client said.
    reports_begun: It tells that before the handler runs, and its last word counts.
    is_silent: It reports what has begun, and let a lease run out: it hangs, and gets nothing more until it says something.
    settled: Delivery numbers settled, to tell ``already-settled`` from ``lease-lost``; old ones are forgotten.
    stalled: Its socket is full: no deliveries for now.
    ended: It was cancelled; what it had begun may still be settled.
    detached_at: When its connection was lost, milliseconds; it may come back. None: connected.
    """

    __slots__ = (
        "begun", "client", "connected_at", "consumer", "detached_at", "ended", "id", "is_silent", "lease_ms", "leases",
        "next_number", "prefetch", "queue", "reports_begun", "settled", "stalled", "token",
    )  # fmt: skip

    def __init__(
        self, id: int, token: str, queue: Queue, consumer: str, client: str, prefetch: int, lease_ms: int, at_ms: int,
        holdings: Holdings, reports_begun: bool = False,
    ) -> None:  # fmt: skip
        self.id = id
        self.token = token
        self.queue = queue
        self.consumer = consumer
        self.client = client
        self.prefetch = prefetch
        self.lease_ms = lease_ms
        self.connected_at = at_ms
        self.leases = Leases(id, holdings)
        self.next_number = 1
        self.begun = 0
        self.reports_begun = reports_begun
        self.is_silent = False
        self.settled = Runs()
        self.stalled = False
        self.ended = False
        self.detached_at: int | None = None

    @property
    def room(self) -> int:
        """How many more deliveries it may get now."""
        if self.stalled or self.ended or self.is_silent or self.detached_at is not None:
            return 0
        return self.prefetch - self.leases.count

    @property
    def tried(self) -> int:
        """The highest delivery number that counts an attempt if leases end now.

        What has begun counts. If nothing of what it holds has begun, the first of that counts: it would have begun next, and may
        be what ended the consumer. So whatever a message does to those who handle it, it does not come again for ever. A consumer
        that never says what has begun may have begun all.
        """
        if not self.reports_begun and not self.begun:
            return self.next_number - 1
        return max(self.begun, self.leases.first or 0)

    def begun_after(self, said: int) -> int:
        """What has begun once the client says that deliveries up to ``said`` have.

        With ``reports_begun`` its last word counts: it may cover what begins within the client's tick, and be set back after that.
        """
        return said if self.reports_begun else max(self.begun, min(said, self.next_number - 1))

    def note_settled(self, first: int, last: int) -> None:
        self.settled.add(first, last)
        while len(self.settled) > SETTLED_RUNS_KEPT:
            self.settled.take(1 << 62)
