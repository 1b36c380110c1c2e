"""A page of an example in a real Chromium, whose console must stay empty."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2] / "e2e"))

import browser

PATIENCE_MS = 20_000
"""How long a person would wait for anything here, on a busy machine."""
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def open_page(url: str) -> Iterator[Page]:
    """Skips, or with ``CI=true`` fails, where there is no browser.

    Playwright's loop ends with the block, because the asynchronous tests of the same run have loops of their own.
    """
    with sync_playwright() as playwright:
        path = browser.executable() or playwright.chromium.executable_path
        if not os.access(path, os.X_OK):
            reason = f"there is no Chromium on the PATH, in CHROMIUM_PATH or at {path}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        chromium = playwright.chromium.launch(executable_path=path, args=browser.FLAGS)
        page = chromium.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        yield page
        chromium.close()
        assert complaints == []
