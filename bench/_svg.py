"""Charts as SVG text: bars, ranges and lines on a card in the project's colours. Nothing but strings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

INK, CARD, PAPER, SOFT, YELLOW = "#1B1F2A", "#262B38", "#F4F1E8", "#9AA1B0", "#FFC61A"
SYNCED_PEER, UNSYNCED_PEER = "#A9AFBC", "#5F6675"
WIDTH, LABEL, VALUE, ROW, BAR, PAD = 860, 270, 130, 30, 18, 24
FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row; with ``low`` it is a range from there to ``value``."""

    label: str
    value: float
    text: str
    colour: str
    low: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points of one small plot: label under the axis, value."""

    title: str
    points: Sequence[tuple[str, float]]


def text(
    x: float, y: float, words: str, *, size: int = 13, colour: str = PAPER, anchor: str = "start", bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def card(height: float, title: str, subtitle: str, parts: Sequence[str], legend: Sequence[tuple[str, str]] = ()) -> str:
    """The whole picture; ``legend`` is (colour, words)."""
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    name = escape(f"{title}. {subtitle}")
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" role="img" aria-label="{name}">',
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="14" fill="{INK}"/>',
        text(PAD, 38, title, size=19, bold=True),
        text(PAD, 60, subtitle, colour=SOFT),
        *parts,
    ]
    x: float = PAD
    for colour, words in legend:
        out.append(f'<rect x="{x:.1f}" y="{height - 31:.1f}" width="12" height="12" rx="3" fill="{colour}"/>')
        out.append(text(x + 18, height - 20, words, size=12, colour=SOFT))
        x += 42 + 6.4 * len(words)
    return "\n".join([*out, "</svg>"]) + "\n"


def bars(
    title: str, subtitle: str, rows: Sequence[Bar], *, legend: Sequence[tuple[str, str]] = (), is_log: bool = False
) -> str:
    """Horizontal bars in the order given."""
    room = WIDTH - 2 * PAD - LABEL - VALUE
    values = [value for row in rows for value in (row.value, row.low) if value]
    top = max(values, default=1.0)
    floor = 10 ** math.floor(math.log10(min(values, default=1.0))) if is_log else 0.0

    def place(value: float) -> float:
        if is_log:
            return room * math.log(max(value, floor) / floor) / math.log(top / floor)
        return room * value / top

    parts = []
    for index, row in enumerate(rows):
        y = 84 + index * ROW
        start = place(row.low) if row.low is not None else 0.0
        width = max(3.0, place(row.value) - start)
        parts.append(text(PAD + LABEL - 12, y + 14, row.label, anchor="end", bold=row.colour == YELLOW))
        parts.append(f'<rect x="{PAD + LABEL}" y="{y}" width="{room}" height="{BAR}" rx="4" fill="{CARD}"/>')
        parts.append(
            f'<rect x="{PAD + LABEL + start:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="4" fill="{row.colour}"/>'
        )
        parts.append(text(WIDTH - PAD, y + 14, row.text, anchor="end", bold=row.colour == YELLOW))
    return card(84 + len(rows) * ROW + (48 if legend else 16), title, subtitle, parts, legend)


def lines(title: str, subtitle: str, plots: Sequence[Line], shown: Callable[[float], str]) -> str:
    """Small plots side by side, each from zero."""
    gap, height = 36, 190
    width = (WIDTH - 2 * PAD - gap * (len(plots) - 1)) / len(plots)
    parts = []
    for number, plot in enumerate(plots):
        left, bottom = PAD + number * (width + gap), 120 + height
        top = max((value for _, value in plot.points), default=1.0)
        parts.append(text(left, 98, plot.title, colour=SOFT))
        parts.append(f'<line x1="{left:.1f}" y1="{bottom}" x2="{left + width:.1f}" y2="{bottom}" stroke="{SOFT}"/>')
        step = (width - 40) / max(1, len(plot.points) - 1)
        places = [
            (left + 20 + n * step, bottom - (height - 26) * value / top) for n, (_, value) in enumerate(plot.points)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{YELLOW}" stroke-width="2.5" stroke-linejoin="round"/>'
        )
        for (label, value), (x, y) in zip(plot.points, places, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{YELLOW}"/>')
            parts.append(text(x, y - 9, shown(value), size=11, anchor="middle"))
            parts.append(text(x, bottom + 17, label, size=11, colour=SOFT, anchor="middle"))
    return card(120 + height + 36, title, subtitle, parts)
