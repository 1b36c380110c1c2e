"""What a fresh checkout installs is in the lock files whole, for every platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def missing(packages: dict[str, Any]) -> list[str]:
    """Dependencies that no entry of a lock file answers: ``npm ci`` refuses such a file."""
    found = []
    for place, package in packages.items():
        for name in (*package.get("dependencies", ()), *package.get("optionalDependencies", ())):
            folder = place
            while f"{folder}/node_modules/{name}".lstrip("/") not in packages:
                if not folder:
                    found.append(f"{place or '.'} needs {name}")
                    break
                folder = folder.rpartition("/node_modules/")[0]
    return found


@pytest.mark.parametrize("lock", ["package-lock.json", "bench/peers/package-lock.json"])
def test_every_dependency_is_in_the_lock_file(lock: str) -> None:
    packages = json.loads((ROOT / lock).read_text())["packages"]

    assert missing(packages) == []
    assert all(
        "integrity" in package
        for place, package in packages.items()
        if place.startswith("node_modules/") and not package.get("link")
    )


def test_a_package_of_another_platform_that_is_left_out_is_found() -> None:
    packages = {"": {"dependencies": {"a": "1"}}, "node_modules/a": {"optionalDependencies": {"b": "1"}}}

    assert missing(packages) == ["node_modules/a needs b"]
