"""Producer sessions opening, closing and ending."""

from __future__ import annotations

from ..durable.producer import KEEP_MS
from ..format.command import SessionClosed, SessionOpened
from ..format.record import Forget
from .context import Context


def session_opened(ctx: Context, command: SessionOpened) -> int:
    """A connection of this session is open; returns the highest frame stored in it, 0 if none."""
    ctx.open_sessions[command.session] = ctx.open_sessions.get(command.session, 0) + 1
    known = ctx.state.producers.get(command.session)
    return known.last_frame if known else 0


def session_closed(ctx: Context, command: SessionClosed) -> None:
    """Keep what is known of the session for ``KEEP_MS``, unless it opens again."""
    left = ctx.open_sessions.get(command.session, 0) - 1
    if left > 0:
        ctx.open_sessions[command.session] = left
        return
    ctx.open_sessions.pop(command.session, None)
    if command.session in ctx.state.producers:
        expect_end(ctx, command.session)


def expect_end(ctx: Context, session: str) -> None:
    ctx.closed_sessions[session] = ctx.now
    ctx.timers.at("session", session, ctx.now + KEEP_MS)


def end_session(ctx: Context, session: str) -> None:
    """Forget a session that was closed ``KEEP_MS`` ago, unless it is open again."""
    closed_at = ctx.closed_sessions.pop(session, None)
    if session in ctx.open_sessions or session not in ctx.state.producers or closed_at is None:
        return
    if closed_at + KEEP_MS > ctx.now:
        ctx.closed_sessions[session] = closed_at
        ctx.timers.at("session", session, closed_at + KEEP_MS)
    else:
        ctx.commit(Forget(ctx.now, [session]))
