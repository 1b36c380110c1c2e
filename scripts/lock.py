"""``make lock``: write both locks anew from what the manifests ask for. Neither names a registry."""

from __future__ import annotations

import subprocess
import sys

PYTHON_LOCK = [
    ".venv/bin/uv", "pip", "compile", "--universal", "--generate-hashes", "--no-emit-index-url",
    "--python-version", "3.11", "requirements.in", "pyproject.toml", "-o", "requirements.lock",
]  # fmt: skip
NPM_LOCK = ["npm", "install", "--package-lock-only", "--ignore-scripts"]


def main(args: list[str]) -> int:
    # --upgrade, or --upgrade-package NAME, is what uv takes.
    for command in ([*PYTHON_LOCK, "--quiet", *args], NPM_LOCK):
        code = subprocess.run(command, check=False).returncode
        if code != 0:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
