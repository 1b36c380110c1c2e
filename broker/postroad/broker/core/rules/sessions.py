"""Producer sessions opening, closing and ending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..durable.producer import KEEP_MS
from ..format.command import SessionClosed, SessionOpened
from ..format.record import Forget

if TYPE_CHECKING:
    from ..machine import Machine


def session_opened(machine: Machine, command: SessionOpened) -> int:
    """A connection of this session is open; returns the highest frame stored in it, 0 if none."""
    machine.open_sessions[command.session] = machine.open_sessions.get(command.session, 0) + 1
    known = machine.state.producers.get(command.session)
    return known.last_frame if known else 0


def session_closed(machine: Machine, command: SessionClosed) -> None:
    """Keep what is known of the session for ``KEEP_MS``, unless it opens again."""
    left = machine.open_sessions.get(command.session, 0) - 1
    if left > 0:
        machine.open_sessions[command.session] = left
        return
    machine.open_sessions.pop(command.session, None)
    if command.session in machine.state.producers:
        expect_end(machine, command.session)


def expect_end(machine: Machine, session: str) -> None:
    machine.closed_sessions[session] = machine.now
    machine.timers.at("session", session, machine.now + KEEP_MS)


def end_session(machine: Machine, session: str) -> None:
    """Its time has come: forget it, unless it is open."""
    closed_at = machine.closed_sessions.pop(session, None)
    if session in machine.open_sessions or session not in machine.state.producers or closed_at is None:
        return
    if closed_at + KEEP_MS > machine.now:
        machine.closed_sessions[session] = closed_at
        machine.timers.at("session", session, closed_at + KEEP_MS)
    else:
        machine.commit(Forget(machine.now, [session]))
