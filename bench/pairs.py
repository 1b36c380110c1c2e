"""This checkout beside an older one, pair by pair: ``python bench/pairs.py --base DIR [--pairs N] [--only NAME …]``.

Each pair runs the same benchmark of ``end_to_end.py`` once in each checkout, with that checkout's own server and client; who goes first
alternates. So a busy neighbour meets both, and the ratio of a pair says what changed. For each row: the median of the ratios
(this ÷ base; for latencies base ÷ this, so that more is always better) and the 95 % interval of that median by order statistics.
Both checkouts need ``make setup``. Nothing is written but the table and, with ``--out``, every single ratio as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

HERE = Path(__file__).parents[1]
ONLY = ("throughput", "large", "draining", "concurrent", "sequential", "slow", "quick")
HEADLINES = {
    "end to end, 100 B": True,
    "end to end, 1 KB": True,
    "draining a backlog": True,
    "awaited publishes, 64 at a time": True,
    "awaited publishes, one at a time": True,
    "latency at 200/s: p50": False,
    "latency at 200/s: p99": False,
    "latency at 5000/s: p50": False,
    "latency at 5000/s: p99": False,
    "end to end, 100 B: CPU of the broker": False,
    "end to end, 100 B: CPU of the producer": False,
    "end to end, 100 B: CPU of the consumer": False,
    "awaited publishes, 64 at a time: CPU of the broker": False,
    "awaited publishes, one at a time: CPU of the broker": False,
}
"""Row → whether more is better."""


def measure(checkout: Path, only: str, seconds: float) -> dict[str, float]:
    """One run of one benchmark in a checkout: its rows.

    Raises:
        RuntimeError: it failed; says what it printed last.
    """
    with tempfile.TemporaryDirectory(prefix="postroad-pairs-") as folder:
        out = Path(folder) / "rows.json"
        command = [
            ".venv/bin/python", "bench/end_to_end.py", "--only", only, "--systems", "Postroad",
            "--runs", "1", "--seconds", str(seconds), "--out", str(out),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not out.exists():
            raise RuntimeError(f"{checkout}: {only}: {(done.stdout + done.stderr)[-2000:]}")
        return {row["bench"]: row["median"] for row in json.loads(out.read_text())["results"]}


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median: between two of the sorted values, by the binomial distribution."""
    ordered, count = sorted(values), len(values)
    below, cut = 0.0, 0
    while below + math.comb(count, cut) / 2**count <= 0.025:
        below += math.comb(count, cut) / 2**count
        cut += 1
    low = max(cut - 1, 0)
    return ordered[low], ordered[count - 1 - low]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--base", type=Path, help="the older checkout; without one there is nothing to compare")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.5, help="about, the fast part of one run")
    parser.add_argument("--only", nargs="+", choices=ONLY, default=list(ONLY))
    parser.add_argument("--out", type=Path, help="every ratio, as JSON")
    options = parser.parse_args()
    if options.base is None:
        print("LEFT OUT: pairs.py compares with another checkout: --base DIR")
        return 0
    ratios: dict[str, list[float]] = {}
    figures: dict[str, list[tuple[float, float]]] = {}
    for number in range(options.pairs):
        for only in options.only:
            order = (HERE, options.base) if number % 2 else (options.base, HERE)
            found = {checkout: measure(checkout, only, options.seconds) for checkout in order}
            for name, more_is_better in HEADLINES.items():
                here, base = found[HERE].get(name), found[options.base].get(name)
                if here and base:
                    ratios.setdefault(name, []).append(here / base if more_is_better else base / here)
                    figures.setdefault(name, []).append((base, here))
        print(f"pair {number + 1} of {options.pairs}", file=sys.stderr, flush=True)
    print(f"{'':<52} {'base':>12} {'this':>12} {'ratio':>7}  95 % of the median")
    for name, values in ratios.items():
        low, high = interval(values)
        base, here = (median(column) for column in zip(*figures[name], strict=True))
        print(f"{name:<52} {base:>12,.3f} {here:>12,.3f} {median(values):>7.3f}  {low:.3f} … {high:.3f}")
    if options.out is not None:
        options.out.write_text(json.dumps({"pairs": options.pairs, "ratios": ratios, "figures": figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
