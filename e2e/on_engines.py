"""Which engine the demo of a browser test runs on.

``--engine redis`` (or ``POSTROAD_E2E_ENGINE=redis``) runs the journeys marked ``any_engine`` on that engine, and no others.
Without it all run on the embedded engine, and those marked ``every_engine`` on each other engine as well. An engine whose
server is not on this machine skips, and with ``CI=true`` fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from postroad.broker.engine.open import open_engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import jars
from engines import EMBEDDED, ENGINES, missing_programs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=[EMBEDDED, *ENGINES], default=os.environ.get("POSTROAD_E2E_ENGINE"))


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "any_engine: a journey that `--engine` runs",
        "every_engine: a journey that runs on each engine without `--engine`",
        "needs(*capabilities): a journey for engines that can do these",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", _engines_of(metafunc), scope="session", indirect=True)


def _engines_of(metafunc: pytest.Metafunc) -> list[str]:
    chosen: str | None = metafunc.config.getoption("--engine")
    if chosen is not None:
        return [chosen]
    is_everywhere = metafunc.definition.get_closest_marker("every_engine") is not None
    return [EMBEDDED, *ENGINES] if is_everywhere else [EMBEDDED]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--engine") in (None, EMBEDDED):
        return
    kept = [item for item in items if item.get_closest_marker("any_engine") is not None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what the engine cannot do, as its own word for it says."""
    callspec = getattr(item, "callspec", None)
    marker = item.get_closest_marker("needs")
    if callspec is None or marker is None or callspec.params["engine"] == EMBEDDED:
        return
    engine = callspec.params["engine"]
    can = asdict(open_engine(ENGINES[engine].url, data="").capabilities)
    lacks = [name for name in marker.args if can.get(name, "unsupported") == "unsupported"]
    if lacks:
        pytest.skip(f"{engine} has no {', '.join(lacks)}")


def lacking(engine: str) -> list[str]:
    """The programs and jars that its server needs and that are not on this machine."""
    entry = ENGINES.get(engine)
    if entry is None:
        return []
    return [*missing_programs(entry.programs), *([entry.jars] if entry.jars and not jars.is_there(entry.jars) else [])]


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine by name; its server can be had."""
    name: str = request.param
    missing = lacking(name)
    if missing:
        reason = f"{', '.join(missing)} is not there, so {name} cannot be started"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield name
