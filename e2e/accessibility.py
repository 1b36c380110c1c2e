"""axe-core, run in a page: what it finds wrong with it, in words."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page
from stage import ROOT

SCRIPT = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """Each rule that is broken, with the elements that break it. The page's own policy stays in force."""
    # Evaluated over the debugger's wire: a script element would be refused by the page's Content-Security-Policy.
    page.evaluate(SCRIPT.read_text())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:200]} ({'; '.join(_reasons(node))})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _reasons(node: dict[str, Any]) -> list[str]:
    return [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
