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

A command is refused by raising a ``PostroadError`` before anything is changed; what is raised later is the end of the process
(``rules/context.py`` says why that is safe). Nothing here reads a clock, does I/O or iterates
over a set, so the same commands always give the same records, replies and effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .format import command as c
from .rules import consume, declare, operate, publish, schedules, sessions, settle, streams, tick, wall_clock
from .rules.context import UNBOUNDED, Context

Handler = Callable[[Context, Any], Any]

HANDLERS: dict[type, Handler] = {
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
    c.DeclareSchedule: schedules.declare_schedule,
    c.ChangeSchedule: schedules.change_schedule,
    c.Discard: operate.discard,
    c.Purge: operate.purge,
    c.CancelMessage: operate.cancel_message,
    c.SessionOpened: sessions.session_opened,
    c.SessionClosed: sessions.session_closed,
    c.Start: tick.start,
    c.Tick: tick.tick,
    c.SetSkew: wall_clock.set_skew,
    c.ConfirmClock: wall_clock.confirm_clock,
}


VOLATILE = frozenset(
    (c.SetPrefetch, c.Stall, c.CancelConsumer, c.Detach, c.SessionOpened, c.SessionClosed, c.Start, c.Tick)
)
"""Commands that nothing is refused for: they change volatile state at once."""


class Machine(Context):
    """See the head of this module; its state is that of ``Context``."""

    def handle(self, command: object, at_ms: int, room: int = UNBOUNDED, reserve: int = 0, owed: int = 0) -> Any:
        """Carry out one command. Returns its reply (see ``format/command.py``).

        Args:
            room: Bytes that its records and bodies may take in the journal; ``reserve`` of them only for settles.
            owed: Bytes that it needs at most for what it asks; the rest of the room is for what comes of that.

        Raises:
            PostroadError: it is refused; nothing has changed, if ``is_untouched`` says so.
        """
        self.now = max(self.now, at_ms)
        kind = type(command)
        self.room, self.reserve, self.owed, self.commits = room, reserve, owed, 0
        self.changed, self.is_short, self.doing = kind in VOLATILE, False, None
        return HANDLERS[kind](self, command)
