"""The wall clock, as far as the core has to do with it.

*A jump while the broker runs.* The time of commands does not jump (``postroad.broker.clock``); the core is told the difference, the
skew, and works out anew when cron expressions fire.

*A clock that was far ahead at a start.* Was the broker off for so long, or is the clock wrong? A wrong one would delete all that has an
age. So nothing is deleted for its age (expiry, retention by age, tombstones, the history window) until an operator has confirmed the
clock, or it has gone on like that for ``HOLD_MS``. If the wall clock goes back meanwhile by more than ``WRONG_MS``, it was wrong, and
only an operator can end the hold. The hold is durable: starting again, which finds a fresh last record, does not end it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...settings import DAY_MS
from ..format.command import ConfirmClock, SetSkew
from ..format.record import Trust
from .context import Context
from .cron import LATEST_MS
from .schedules import realign

HOLD_MS = 3_600_000
WRONG_MS = DAY_MS

STEP_ITEMS = 100
"""Names and numbers looked at in one tick."""


def held(ctx: Context, ahead_max_ms: int | None) -> tuple[int, int]:
    """``ahead_ms`` and ``held_until`` of the record of a start at ``ctx.now``."""
    state = ctx.state
    ahead_ms = ctx.now - state.at
    if state.position and ahead_max_ms is not None and ahead_ms > ahead_max_ms:
        return ahead_ms, ctx.now + HOLD_MS
    return state.ahead_ms, state.held_until


def watch_hold(ctx: Context) -> None:
    if ctx.state.ahead_ms:
        ctx.timers.at("clock", 0, max(ctx.state.held_until, ctx.now))


def end_hold(ctx: Context) -> None:
    """The hour is over: believe the clock, unless it has gone back since."""
    if not ctx.state.ahead_ms:
        return
    if ctx.skew_ms < -WRONG_MS:
        ctx.timers.at("clock", 0, ctx.now + HOLD_MS)
    else:
        _trust(ctx)


def confirm_clock(ctx: Context, command: ConfirmClock) -> bool:
    """An operator says that the clock is right. Returns whether anything was held."""
    was_held = ctx.state.ahead_ms != 0
    if was_held:
        _trust(ctx)
    return was_held


def _trust(ctx: Context) -> None:
    ctx.commit(Trust(ctx.now))
    recheck(ctx, [*ctx.state.logs, *ctx.state.stream_logs])


def set_skew(ctx: Context, command: SetSkew) -> None:
    """The wall clock has jumped, or has drifted: schedules may be due earlier, or have been pushed far off."""
    take_skew(ctx, command.skew_ms)
    recheck(ctx, ctx.state.schedules)


def take_skew(ctx: Context, skew_ms: int) -> None:
    """Wall time is what a calendar can hold, whatever the wall clock says."""
    ctx.skew_ms = min(max(ctx.now + skew_ms, 0), LATEST_MS) - ctx.now


def recheck(ctx: Context, items: Iterable[str | int]) -> None:
    """Look at these in the next ticks."""
    ctx.rechecked.extend(items)
    if ctx.rechecked:
        ctx.timers.at("recheck", 0, ctx.now)


def recheck_some(ctx: Context) -> None:
    """Wake where a timer is missing, or goes by another clock, since nothing was to be deleted, or the clock has jumped."""
    for _ in range(min(STEP_ITEMS, len(ctx.rechecked))):
        item = ctx.rechecked.pop()
        if isinstance(item, str):
            if not realign(ctx, item):
                ctx.rechecked.append(item)
                ctx.is_short = True
                break
        elif (queue := ctx.state.logs.get(item)) is not None:
            ctx.watch_due(queue)
        elif item in ctx.state.stream_logs:
            ctx.timers.at("retention", item, ctx.now)
    recheck(ctx, ())
