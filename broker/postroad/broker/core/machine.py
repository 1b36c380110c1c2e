"""The broker's deterministic core: commands in, records and effects out.

``handle(command, at_ms)`` decides. Whatever is to last is a record, applied to the durable ``State`` at once and collected in
``records`` for the journal; whatever others must see is an effect, collected in ``effects``. The caller journals the records of
one command as one atomic batch and releases reply and effects only when the last position applied so far is durable: state may
run ahead of the disk, what anyone can see may not.

There are two tiers of state. ``state`` is the fold of the records and survives. Everything else here (subscriptions, leases,
timers) is volatile: at a restart every lease is simply gone and its messages are ready.

A message's life, per (queue, sequence):

======================================  ==============================================  =================
from → to                               by                                              journaled
======================================  ==============================================  =================
– → ready, delayed                      publish, place                                  yes
delayed, retrying → ready               time                                            derived
ready → leased                          grant                                           no
leased → ready                          release, unbegun disconnect, restart            no
leased → ready, retrying                nack, expiry, begun disconnect (attempt + 1)    ``return``
leased → acked                          settle                                          ``settle``
leased → dead                           attempts used up, or asked for                  ``place`` + ``settle``
ready → parked; parked → ready          its ordering key is held; is free               no
any but leased → expired                time                                            ``settle``
any → purged, cancelled, redriven       operator (a lease is revoked)                   ``settle``
======================================  ==============================================  =================

A command is refused by raising a ``PostroadError`` before anything is changed. Nothing here reads a clock, does I/O or iterates
over a set, so the same commands always give the same records, replies and effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import QueueNotFound
from ..limits import Limits
from .durable.queue import Queue
from .durable.state import State
from .format import command as c
from .format.effect import Effect, End
from .format.record import PLACES_MAX, Record, Settle
from .rules.dispatch import Live, dispatch
from .volatile.subscription import Subscription
from .volatile.timers import Timers

OVERDUE_MS = 500
"""How often to look after expired messages that someone holds; one that comes back is seen at once."""

Handler = Callable[["Machine", Any], Any]


class Machine:
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
        self.live: dict[int, Live] = {}
        self.timers = Timers()
        self.open_sessions: dict[str, int] = {}
        self.closed_sessions: dict[str, int] = {}
        self.granted = 0
        self.next_subscription = 1
        self.delivering = True
        self.fired: dict[int, bytes] = {}

    def handle(self, command: object, at_ms: int) -> Any:
        """Carry out one command. Returns its reply (see ``format/command.py``).

        Raises:
            PostroadError: it is refused; nothing has changed.
        """
        self.now = max(self.now, at_ms)
        return HANDLERS[type(command)](self, command)

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
        results: dict[int, Any] | None = None,
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

    def live_of(self, queue: Queue) -> Live:
        live = self.live.get(queue.number)
        if live is None:
            live = self.live[queue.number] = Live(queue)
        return live

    def dispatch(self, queue: Queue, freed: Subscription | None = None) -> None:
        """Hand out what is ready; ``freed``: see ``dispatch.dispatch``."""
        dispatch(self, self.live_of(queue), freed)

    def watch_due(self, queue: Queue) -> None:
        """Wake when something delayed or retrying in this queue comes due."""
        due = queue.group.next_due()
        if due is not None:
            self.timers.at("due", queue.number, due)
        if (expires := queue.group.expiring.next_due()) is not None:
            self.timers.at("expiry", queue.number, expires if expires > self.now else self.now + OVERDUE_MS)


def _handlers() -> dict[type, Handler]:
    from .rules import consume, declare, operate, publish, sessions, settle, streams, tick
    from .rules import schedules as schedule

    return {
        c.PublishMessages: publish.publish,
        c.SettleDeliveries: settle.settle_deliveries,
        c.Consume: consume.consume,
        c.SetPrefetch: consume.set_prefetch,
        c.Stall: consume.stall,
        c.CancelConsumer: consume.cancel_consumer,
        c.Detach: consume.detach,
        c.Declare: declare.declare,
        c.DeclareStream: declare.declare_stream,
        c.DeclareGroup: declare.declare_group,
        c.ResetGroup: streams.reset_group,
        c.Replay: streams.replay,
        c.BindTopic: streams.bind_topic,
        c.Delete: declare.delete,
        c.SetPaused: declare.set_paused,
        c.Redrive: operate.redrive,
        c.RedriveEdited: operate.redrive_edited,
        c.DeclareSchedule: schedule.declare_schedule,
        c.ChangeSchedule: schedule.change_schedule,
        c.Discard: operate.discard,
        c.Purge: operate.purge,
        c.CancelMessage: operate.cancel_message,
        c.SessionOpened: sessions.session_opened,
        c.SessionClosed: sessions.session_closed,
        c.Start: tick.start,
        c.Tick: tick.tick,
    }


HANDLERS = _handlers()
