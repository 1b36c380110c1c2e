"""An exception at every call inside encoding, applying and appending: the broker refuses or ends, and the next start serves.

A few in each run of the suite; with ``POSTROAD_LONG=1`` every call site, and 2,000 runs and more.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fail_stop import digest, replayed, run_with, write_out
from postroad.broker.core.format.codec import encode
from postroad.broker.core.rules.context import Context
from postroad.broker.testing import MemoryFiles

LONG = bool(os.environ.get("POSTROAD_LONG"))
SEEDS = 12 if LONG else 1
RUNS = 2000 if LONG else 40

FRESH = """
import sys
from pathlib import Path
from fail_stop import digest, replayed
from postroad.broker.journal import RealFiles
for folder in sorted(Path(sys.argv[1]).iterdir()):
    print(folder.name, digest(replayed(RealFiles(folder), int(sys.argv[2]))))
"""


def calls_of(sites: list[str], count: int, rng: random.Random) -> list[int]:
    """Numbers of calls to raise at: one of each site first, as far as ``count`` goes, then any."""
    first: dict[str, int] = {}
    for number, site in enumerate(sites, 1):
        first.setdefault(site, number)
    chosen = rng.sample(list(first.values()), min(count, len(first)))
    return chosen + [rng.randint(1, len(sites)) for _ in range(count - len(chosen))]


@pytest.mark.timeout(3600 if LONG else 120)
async def test_whatever_raises_wherever_the_next_start_has_a_state_that_its_records_give(tmp_path: Path) -> None:
    rng, ended, refused, stores = random.Random(1), 0, 0, []
    seen: set[str] = set()
    for seed in range(SEEDS):
        plain, _ = await run_with(seed, 0)
        seen.update(plain.injector.sites)
        for at in calls_of(plain.injector.sites, -(-RUNS // SEEDS), rng):
            run, files = await run_with(seed, at)
            ended += not run.refused and run.injector.has_raised
            refused += run.refused
            stores.append((f"{len(stores):05}", digest(replayed(files.copy(), 1 << 50)), files))
            if len(stores) == 100:
                compared_with_a_fresh_process(stores, tmp_path)
                stores.clear()
    compared_with_a_fresh_process(stores, tmp_path)

    print(f"{len(seen)} call sites, {ended + refused} raised: {ended} ended the broker, {refused} were refused")
    assert ended and refused
    assert len(seen) > 150


@pytest.mark.timeout(3600 if LONG else 120)
async def test_whatever_raises_while_a_rule_decides_is_a_refusal_of_all_or_the_end() -> None:
    """What a refusal leaves behind is checked for what consumers hold, too, which no record says."""
    rng, ended, refused = random.Random(2), 0, 0
    for seed in range(20, 20 + SEEDS):
        plain, _ = await run_with(seed, 0, rules=True)
        for at in calls_of(plain.injector.sites, -(-RUNS // SEEDS), rng):
            run, _ = await run_with(seed, at, rules=True)
            ended += not run.refused and run.injector.has_raised
            refused += run.refused

    print(f"{ended} ended the broker, {refused} were refused")
    assert ended and refused


def compared_with_a_fresh_process(stores: list[tuple[str, str, MemoryFiles]], tmp_path: Path) -> None:
    """Under another hash seed, the same records must give the same state."""
    if not stores:
        return
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    for name, _, files in stores:
        write_out(files, folder / name)
    fresh = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(folder), str(1 << 50)], env=fresh, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [word for name, found, _ in stores for word in (name, found)]
    shutil.rmtree(folder)


def applied_first(self: Context, record: Any) -> int:
    """``Context.commit`` as it was: what cannot be encoded is in the state already."""
    position = self.state.position + 1
    self.state.apply(record, position)
    self.records.append((position, record))
    self.headers.append(encode(record))
    self.commits += 1
    return position


async def test_a_core_that_applies_before_it_encodes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "commit", applied_first)
    plain, _ = await run_with(0, 0)
    encoding = next(n for n, site in enumerate(plain.injector.sites, 1) if site.endswith(":encode"))

    with pytest.raises(AssertionError, match="what was refused has changed something"):
        await run_with(0, encoding)


async def test_a_refusal_is_told_as_internal_and_nothing_has_changed() -> None:
    plain, _ = await run_with(0, 0)
    encoding = next(n for n, site in enumerate(plain.injector.sites, 1) if site.endswith(":encode"))

    run, _ = await run_with(0, encoding)

    assert run.refused
    assert run.rig.failures == 0
