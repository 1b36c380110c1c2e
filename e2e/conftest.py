"""What every browser test shares: one running demo, one browser, and no error in any page's console."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
from complaints import Complaints
from playwright.sync_api import BrowserContext, BrowserType, expect
from services import Services
from stage import Stage, running_stage, tails

pytest_plugins = ["on_engines"]
WORKERS = 2
#: How long a person would wait for anything here, on a busy machine.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Skips, or with ``CI=true`` fails, where there is no browser."""
    path = browser.executable() or browser_type.executable_path
    if not os.access(path, os.X_OK):
        reason = f"there is no Chromium on the PATH, in CHROMIUM_PATH or at {path}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return {**browser_type_launch_args, "executable_path": path, "args": browser.FLAGS}


@pytest.fixture(scope="session")
def stage(
    browser_type_launch_args: dict[str, Any], engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The demo of this run on one engine, with a data folder of its own. It is started only if there is a browser."""
    folder: Path = tmp_path_factory.mktemp(f"demo-{engine}")
    with running_stage(folder, engine=engine) as stage:
        yield stage


@pytest.fixture(scope="session")
def base_url(stage: Stage) -> str:
    """``page.goto("/queues")`` means the console."""
    return stage.gateway


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the processes behind the page said last."""
    report = yield
    stage = getattr(item, "funcargs", {}).get("stage")
    if report.failed and isinstance(stage, Stage):
        report.sections.append(("logs of the demo", tails(stage.logs)))
    return report


@pytest.fixture
def services(stage: Stage) -> Iterator[Services]:
    """The demo behind the page. Whatever a test broke is mended after it."""
    services = Services(stage)
    yield services
    services.mend(WORKERS)


@pytest.fixture
def complaints() -> Complaints:
    """What the pages of this test said in their consoles. It fails at its end when that was not expected."""
    return Complaints()


@pytest.fixture
def new_context(new_context: Callable[..., BrowserContext], complaints: Complaints) -> Callable[..., BrowserContext]:
    """Every browser context of a test is listened to, also those that it opens itself."""

    def make(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        complaints.watch(context)
        return context

    return make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Within the call, so that a page that complained leaves its trace."""
    yield
    complaints = getattr(item, "funcargs", {}).get("complaints")
    if isinstance(complaints, Complaints):
        unexpected = complaints.unexpected()
        assert not unexpected, "\n".join(["pages complained in their consoles:", *unexpected])
