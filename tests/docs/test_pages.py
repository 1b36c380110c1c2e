"""What the pages say of the repository is so: links, modules, exit codes."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest
from postroad.gateway.cli.failure import ExitCode
from readme import ROOT

PAGES = sorted(chain(ROOT.glob("*.md"), ROOT.glob("docs/**/*.md"), ROOT.glob("node-client/*.md")))
SOURCES = ("broker", "gateway", "node-client/src", "web/src", "web/demo", "scripts", "tests", "e2e", "bench", "deploy")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MODULE = re.compile(r"`([\w./-]+\.(?:py|ts|tsx))`")


def anchor(heading: str) -> str:
    """As the usual renderers make it."""
    kept = re.sub(r"[^\w\s-]", "", re.sub(r"`", "", heading).lower())
    return re.sub(r"\s", "-", kept.strip())


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in _LINK.findall(page.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in map(anchor, _HEADING.findall(target.read_text()))):
            dead.append(link)

    assert dead == []


@pytest.mark.parametrize(
    "page", [ROOT / "docs" / "architecture.md", ROOT / "docs" / "delivery-guarantees.md", *ROOT.glob("docs/decisions/*")],
    ids=name_of,
)  # fmt: skip
def test_modules_that_are_named_exist(page: Path) -> None:
    known = {
        path.relative_to(ROOT).as_posix()
        for folder in SOURCES
        for path in (ROOT / folder).rglob("*.*")
        if "node_modules" not in path.parts and "dist" not in path.parts
    }

    missing = [
        name for name in _MODULE.findall(page.read_text())
        if not any(path == name or path.endswith("/" + name) for path in known)
    ]  # fmt: skip

    assert missing == []


def test_the_tree_in_architecture_has_a_line_for_each_file() -> None:
    broker = ROOT / "broker" / "postroad" / "broker"
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = text[text.index("```\ncore/\n") :].split("```")[1]
    listed, folders = [], list[str]()
    for line in tree.strip().splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            assert len(line.split()) > 1, f"{name} has no line"
            listed.append("".join(folders) + name)

    present = [
        path.relative_to(broker).as_posix()
        for folder in ("core", "journal", "engine/embedded")
        for path in (broker / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]

    assert sorted(listed) == sorted(present)


def test_operations_lists_every_exit_code() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text[text.index("| exit code |") :].split("\n\n")[0]

    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]

    assert listed == sorted(ExitCode)
