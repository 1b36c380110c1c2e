"""What every browser test shares: one running demo, one browser, and no error in any page's console."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
from playwright.sync_api import BrowserType, ConsoleMessage, Page
from stage import Stage, running_stage, tails


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
def stage(browser_type_launch_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The demo of this run, with a data folder of its own. It is started only if there is a browser."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with running_stage(folder) as stage:
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


@pytest.fixture(autouse=True)
def no_console_errors(page: Page, stage: Stage) -> Iterator[None]:
    """A page that complains in its console fails the test. ``page`` is this test's only one, unless it opens others."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert not complaints, "\n".join(complaints)
