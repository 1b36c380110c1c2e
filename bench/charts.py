"""``results.json`` → the pictures ``docs/images/bench-*.svg`` and the tables of ``docs/benchmarks.md``: ``python bench/charts.py``.

The page keeps its words; what stands between ``<!-- NAME -->`` and ``<!-- end -->`` is written anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from _rig import RESULTS, ROOT
from _svg import SYNCED_PEER, UNSYNCED_PEER, YELLOW, Bar, Line, bars, lines
from _systems import SYNCED

PAGE = ROOT / "docs/benchmarks.md"
IMAGES = ROOT / "docs/images"
LEGEND = (
    (YELLOW, "Postroad, synced"),
    (SYNCED_PEER, "synced before the confirm"),
    (UNSYNCED_PEER, "not synced before the confirm"),
)
HEADLINE = "end to end, 100 B"

Rows = list[dict[str, Any]]


def number(value: float) -> str:
    """1,234,567 → 1.23M; 123,456 → 123k; small ones with three digits."""
    for bound, unit in ((1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:.3g}{unit}" if value < 1000 * bound else f"{value / bound:,.0f}{unit}"
    return f"{value:.3g}"


def colour(row: dict[str, Any]) -> str:
    if row["system"] == "Postroad":
        return YELLOW
    return SYNCED_PEER if row["durability"] == SYNCED else UNSYNCED_PEER


def of(rows: Rows, bench: str) -> Rows:
    return [row for row in rows if row["bench"] == bench]


def best_first(rows: Rows, *, lowest: bool = False) -> Rows:
    return sorted(rows, key=lambda row: row["median"] if lowest else -row["median"])


def ratio_to_postroad(row: dict[str, Any], rows: Rows) -> str:
    ours = next((one["median"] for one in rows if one["system"] == "Postroad"), 0.0)
    if not ours or row["system"] == "Postroad" or not row["median"]:
        return ""
    return f"{ours / row['median']:.2g}×" if ours / row["median"] < 10 else f"{ours / row['median']:.0f}×"


def bar_chart(rows: Rows, title: str, subtitle: str, unit: str, *, lowest: bool = False, is_log: bool = False) -> str:
    return bars(
        title, subtitle, is_log=is_log, legend=LEGEND,
        rows=[
            Bar(label=row["system"], value=row["median"], text=f"{number(row['median'])} {unit}", colour=colour(row))
            for row in best_first(rows, lowest=lowest)
        ],
    )  # fmt: skip


def range_chart(low: Rows, high: Rows, title: str, subtitle: str) -> str:
    """From p50 to p99 of each system."""
    ends = {row["system"]: row["median"] for row in high}
    return bars(
        title, subtitle, is_log=True, legend=LEGEND,
        rows=[
            Bar(
                label=row["system"], low=row["median"], value=ends[row["system"]], colour=colour(row),
                text=f"{row['median']:.2g} – {ends[row['system']]:.3g} ms",
            )
            for row in best_first(low, lowest=True)
        ],
    )  # fmt: skip


def pictures(rows: Rows) -> dict[str, str]:
    end_to_end, awaited = of(rows, HEADLINE), of(rows, "awaited publishes, 64 at a time")
    memory = of(rows, "backlog: memory for each after restart")
    found: dict[str, tuple[Rows, Callable[[], str]]] = {
        "end-to-end": (end_to_end, lambda: bar_chart(
            end_to_end, "100-byte messages, end to end", "Node producer → broker → Node consumer, acks on; messages a second, median", "/s",
        )),
        "awaited": (awaited, lambda: bar_chart(
            awaited, "Awaited publishes, 64 at a time", "each waits for its confirm; publishes a second, median", "/s",
        )),
        "latency": (of(rows, "latency at 200/s: p50"), lambda: range_chart(
            of(rows, "latency at 200/s: p50"), of(rows, "latency at 200/s: p99"),
            "Publish → handler at 200 messages a second", "from p50 to p99, logarithmic, median of the runs",
        )),
        "memory": (memory, lambda: bar_chart(
            memory, "Memory of a queued 100-byte message", "resident bytes of the broker for each, after a restart; logarithmic", "B",
            lowest=True, is_log=True,
        )),
        "fanout": (of(rows, "fan-out, single events"), lambda: fan_out(rows)),
        "shapes": (of(rows, "shapes, queues"), lambda: curves(rows)),
        "features": (of(rows, "shapes, features: CPU of the broker"), lambda: features(rows)),
    }  # fmt: skip
    return {name: draw() for name, (needed, draw) in found.items() if needed}


def fan_out(rows: Rows) -> str:
    shown = []
    for bench, words in (
        ("fan-out, single events", "single events"),
        ("fan-out, 10 events a publish", "ten a publish"),
    ):
        for row in best_first(of(rows, bench)):
            label = f"{row['system']}, {words}"
            shown.append(Bar(label=label, value=row["median"], text=f"{number(row['median'])} /s", colour=colour(row)))
    return bars(
        "One event to 1,000 WebSockets", "120-byte events, deliveries a second; logarithmic", shown, is_log=True
    )


def curves(rows: Rows) -> str:
    sizes = of(rows, "shapes, body bytes")
    plots = [
        Line(title="over the number of queues", points=_points(of(rows, "shapes, queues"))),
        Line(title="over connections", points=_points(of(rows, "shapes, connections"))),
        Line(title="over consumers of one queue", points=_points(of(rows, "shapes, consumers of one queue"))),
        Line(
            title="MB/s over the bytes of a body",
            points=[(_case(row), row["median"] * int(row["settings"]["case"]) / 1e6) for row in sizes],
        ),
    ]
    return lines(
        "Postroad by the shape of the load",
        "messages a second; one Node producer process, one Node consumer process",
        plots,
        number,
    )


def _points(rows: Rows) -> list[tuple[str, float]]:
    return [(_case(row), row["median"]) for row in rows]


def features(rows: Rows) -> str:
    shown = [
        Bar(label=row["settings"]["case"], value=row["median"], text=f"{row['median']:.3g} µs", colour=YELLOW)
        for row in best_first(of(rows, "shapes, features: CPU of the broker"), lowest=True)
    ]
    return bars("What a feature costs the broker", "CPU for each delivered 100-byte message", shown)


def _case(row: dict[str, Any]) -> str:
    case = str(row["settings"]["case"])
    return number(float(case)) if case.isdigit() and float(case) >= 1000 else case


def compared(rows: Rows, bench: str, unit: str, *, lowest: bool = False) -> str:
    """A table of systems, best first."""
    found = best_first(of(rows, bench), lowest=lowest)
    head = f"| system | at the confirm | {unit}, median (min – max) | Postroad's |\n|---|---|---|---|\n"
    return head + "".join(
        f"| {_bold(row)} | {row['durability']} | {row['median']:,} ({row['min']:,} – {row['max']:,}) | {ratio_to_postroad(row, found)} |\n"
        for row in found
    )


def latencies(rows: Rows) -> str:
    names = [f"latency at {rate}/s: {share}" for rate in (200, 5000) for share in ("p50", "p99")]
    return _by_system(rows, names, ["p50 at 200/s", "p99 at 200/s", "p50 at 5,000/s", "p99 at 5,000/s"], "ms")


def backlog(rows: Rows) -> str:
    names = ["backlog: memory for each", "backlog: memory for each after restart", "backlog: ready after kill -9"]
    table = _by_system(rows, names, ["bytes a message", "after restart", "ready after kill -9, s"], "", with_count=True)
    return table


def _by_system(rows: Rows, benches: list[str], heads: list[str], unit: str, *, with_count: bool = False) -> str:
    columns = [{row["system"]: row for row in of(rows, bench)} for bench in benches]
    count_head = " messages |" if with_count else ""
    out = [
        f"| system | at the confirm |{count_head} "
        + " | ".join(f"{head}{f', {unit}' if unit else ''}" for head in heads)
        + " |"
    ]
    out.append("|---" * (len(heads) + 2 + with_count) + "|")
    for row in best_first(list(columns[0].values()), lowest=True):
        count = f" {row['settings']['messages']:,} |" if with_count else ""
        cells = [f"{column[row['system']]['median']:,}" if row["system"] in column else "–" for column in columns]
        out.append(f"| {_bold(row)} | {row['durability']} |{count} " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def fan_out_table(rows: Rows) -> str:
    names = [
        "fan-out, single events", "fan-out, single events: frames", "fan-out, 10 events a publish", "fan-out at 20 events/s: p99",
        "idle connection",
    ]  # fmt: skip
    heads = [
        "deliveries/s, single",
        "in frames/s",
        "deliveries/s, ten a publish",
        "p99 at 20/s, ms",
        "KiB an idle connection",
    ]
    costs = [f"{name}: CPU of the {who}" for name in names[:1] for who in ("server", "listeners")]
    return _by_system(rows, names + costs, [*heads, "server, µs a delivery", "listeners, µs"], "")


def shapes_table(rows: Rows) -> str:
    out = ["| case | messages/s | CPU of the broker, µs a message |", "|---|---|---|"]
    for group in ("queues", "connections", "consumers of one queue", "body bytes", "features"):
        cpu = {row["settings"]["case"]: row["median"] for row in of(rows, f"shapes, {group}: CPU of the broker")}
        for row in of(rows, f"shapes, {group}"):
            case = row["settings"]["case"]
            name = case if group == "features" else f"{group}: {int(case):,}"
            out.append(f"| {name} | {row['median']:,} | {cpu[case]:,} |")
    return "\n".join(out) + "\n"


def alone(rows: Rows) -> str:
    """Postroad's own rates, with the CPU of who did the work."""
    out = [
        "| case | messages/s, median (min – max) | CPU of the broker, µs a message | of the clients |",
        "|---|---|---|---|",
    ]
    names = {
        "ready frames, published and confirmed": "ready-made frames: published and confirmed",
        "ready frames, published, delivered and acked": "ready-made frames: published, delivered, acked",
        HEADLINE: "Node client: `send`",
        f"{HEADLINE}, a promise each": "Node client: a promise for each message",
    }
    for bench, name in names.items():
        costs = {row["bench"].removeprefix(f"{bench}: CPU of the "): row["median"] for row in rows
                 if row["system"] == "Postroad" and row["bench"].startswith(f"{bench}: CPU of the ")}  # fmt: skip
        clients = " + ".join(f"{value:,}" for who, value in costs.items() if who != "broker")
        out += [
            f"| {name} | {row['median']:,} ({row['min']:,} – {row['max']:,}) | {costs['broker']:,} | {clients} |"
            for row in of(rows, bench)
            if row["system"] == "Postroad"
        ]
    return "\n".join(out) + "\n"


def waiting(rows: Rows) -> str:
    """What a backlog does to a broker, a column for each size."""
    first = "waiting: memory beyond the start"
    sizes = [row["settings"]["messages"] for row in of(rows, first)]
    out = ["| | " + " | ".join(f"{size:,} messages" for size in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for bench in dict.fromkeys(row["bench"] for row in rows if row["bench"].startswith("waiting: ")):
        found = {row["settings"]["messages"]: row for row in of(rows, bench)}
        unit = found[sizes[0]]["unit"] if sizes and sizes[0] in found else ""
        name = bench.removeprefix("waiting: ") + ("" if unit == "ratio" else f", {unit}")
        out.append(
            f"| {name} | " + " | ".join(f"{found[size]['median']:,}" if size in found else "–" for size in sizes) + " |"
        )
    return "\n".join(out) + "\n"


def setting(results: dict[str, Any]) -> str:
    """Machine, versions, what was left out."""
    out = []
    for script, about in sorted(results["scripts"].items()):
        commits = {row["commit"]: None for row in results["results"] if row["script"] == script}
        versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
        out.append(
            f"- `bench/{script}`, {about['at']}, commit {', '.join(commits)}: {about['cpus']} × {about['cpu']}, Linux {about['kernel']}, "
            f"Python {about['python']}, Node {about['node']}, {about['runs']} runs each, load before the last {about['load_before']}"
            + (f"; versions: {versions}" if versions else "") + "."
        )  # fmt: skip
        out += [f"- Left out: {program}: {reason}." for program, reason in about.get("left_out", {}).items()]
        out += [f"- A run failed: {what}: {reason}." for what, reason in about.get("failed", {}).items()]
    return "\n".join(out) + "\n"


def _bold(row: dict[str, Any]) -> str:
    return f"**{row['system']}**" if row["system"] == "Postroad" else str(row["system"])


def tables(results: dict[str, Any]) -> dict[str, str]:
    rows = results["results"]
    made: dict[str, Callable[[], str]] = {
        "setting": lambda: setting(results),
        "end to end": lambda: compared(rows, HEADLINE, "messages/s"),
        "end to end 1 KB": lambda: compared(rows, "end to end, 1 KB", "messages/s"),
        "draining": lambda: compared(rows, "draining a backlog", "messages/s"),
        "awaited 64": lambda: compared(rows, "awaited publishes, 64 at a time", "publishes/s"),
        "awaited 1": lambda: compared(rows, "awaited publishes, one at a time", "publishes/s"),
        "latency": lambda: latencies(rows),
        "backlog": lambda: backlog(rows),
        "alone": lambda: alone(rows),
        "waiting": lambda: waiting(rows),
        "fan-out": lambda: fan_out_table(rows),
        "shapes": lambda: shapes_table(rows),
    }
    return {name: make() for name, make in made.items()}


def fill(page: str, parts: Iterable[tuple[str, str]]) -> str:
    """Raises: LookupError: the page has no such place."""
    for name, content in parts:
        pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        place = pattern.search(page)
        if place is None:
            raise LookupError(f"{PAGE.name} has no place for {name!r}")
        page = page[: place.start()] + place[1] + content + place[2] + page[place.end() :]
    return page


def main() -> int:
    if not RESULTS.exists():
        print("There are no results yet: make bench")
        return 1
    results = json.loads(RESULTS.read_text())
    for name, picture in pictures(results["results"]).items():
        (IMAGES / f"bench-{name}.svg").write_text(picture)
        print(f"docs/images/bench-{name}.svg")
    PAGE.write_text(fill(PAGE.read_text(), tables(results).items()))
    print("docs/benchmarks.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
