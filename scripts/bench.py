"""``make bench``: every script of ``bench/`` in turn, or those that are named; with ``--quick`` those that know it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

RUNNERS = {".py": ".venv/bin/python", ".mjs": "node", ".js": "node"}
LAST = "charts.py"
"""Draws what the others measured."""


def main() -> int:
    """Scripts whose name begins with an underscore are parts of others."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="scripts without their ending")
    parser.add_argument("--quick", action="store_true", help="Postroad alone, a tenth of the work")
    options = parser.parse_args()
    scripts = [path for path in Path("bench").iterdir() if path.suffix in RUNNERS and path.name[0] != "_"]
    scripts.sort(key=lambda path: (path.name == LAST, path.name))
    unknown = set(options.names) - {path.stem for path in scripts}
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    failed = []
    for path in scripts:
        if options.names and path.stem not in options.names:
            continue
        knows_quick = "--quick" in path.read_text()
        if options.quick and not (knows_quick or options.names):
            continue
        print(f"\n── {path} {'─' * (76 - len(str(path)))}", flush=True)
        command = [RUNNERS[path.suffix], str(path), *(["--quick"] if options.quick and knows_quick else [])]
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(path.name)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
