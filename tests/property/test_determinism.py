"""The same commands always give the same records, replies and effects: also under another hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import hashlib, random
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.durable import snapshot
from postroad.broker.errors import PostroadError

rng, core, replies = random.Random(5), Core(), []
core.declare("a", attempts_max=2, lease_ms=1000, backoff_ms=300)
workers = [core.consume(queue, prefetch=3, consumer=queue) for queue in "abab"]
for step in range(1500):
    worker, number = rng.choice(workers), rng.randint(1, 40)
    try:
        match rng.randrange(9):
            case 0 | 1 | 2:
                names = ["x", "y", None, "z"]
                core.publish(rng.randint(1, 3), rng.choice("ab"), headers={rng.choice("pqr"): "1", "s": "2"})
                core.publish(3, rng.choice("ab"), keys=[rng.choice(names) for _ in range(3)])
            case 3:
                core.publish(2, "a", dedup_keys=[rng.choice("stuv"), None], digests=[1, 1], delay_ms=rng.randint(0, 900))
            case 4 | 5:
                held = list(core.machine.subscriptions[worker].leases)
                replies.append(core.settle(worker, acks=[(h.number, h.last) for h in held[:2]], begun=number))
            case 6:
                held = list(core.machine.subscriptions[worker].leases)
                replies.append(core.nack(worker, held[0].number if held else number, dead=rng.random() < 0.3))
            case 7:
                core.wait(rng.randint(0, 1500))
            case 8 if "a.dead" in core.machine.state.queues:
                replies.append(core.run(c.Redrive(queue="a.dead", limit=2)))
    except PostroadError as error:
        replies.append(repr(error))
    core.collect()
digest = hashlib.sha256()
for _, header in core.journal:
    digest.update(header)
digest.update(repr((replies, core.effects)).encode())
digest.update(snapshot.take(core.machine.state, core.machine.leased_runs())[1])
print(digest.hexdigest(), len(core.records), len(core.effects))
"""


def test_records_and_effects_do_not_depend_on_the_hash_seed() -> None:
    unit = str(Path(__file__).parents[1] / "unit")
    outputs = set()
    for seed in ("0", "1", "2"):
        path = os.pathsep.join([unit, *(p for p in [os.environ.get("PYTHONPATH")] if p)])
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        outputs.add(done.stdout)

    (output,) = outputs
    assert int(output.split()[1]) > 1000  # it did something
