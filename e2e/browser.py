"""Which browser the tests use, and how it is started."""

from __future__ import annotations

import os
import shutil

FLAGS = [
    "--no-sandbox",  # Chromium refuses to run as root with it, and in containers tests do run as root.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str | None:
    """``CHROMIUM_PATH``, else one on the PATH, else None: then Playwright's own may be there."""
    named = os.environ.get("CHROMIUM_PATH")
    return named if named else next((path for path in map(shutil.which, NAMES) if path), None)
