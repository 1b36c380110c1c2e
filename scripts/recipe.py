"""What a checkout needs before anything in it can run, in order."""

from __future__ import annotations

from step import Step

PIP = [".venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
TSC = "node_modules/.bin/tsc"
ASSETS = "gateway/postroad/gateway/console_assets"


def setup_steps(python: str, node_version: str) -> list[Step]:
    """Args:
    python: The interpreter that makes the environment.
    node_version: Decides, too, whether npm's packages are still the right ones.
    """
    environment = Step(
        "Python environment",
        [[python, "-m", "venv", "--clear", ".venv"]],
        inputs=[],
        made=[".venv/bin/python"],
        key="venv",  # one that another interpreter made is as good
    )
    packages = Step(
        "Python packages",
        [[*PIP, "install", "--require-hashes", "-r", "requirements.lock"]],
        inputs=["requirements.lock"],
        made=[".venv/bin/pytest"],
        after=environment,
        advice="It needs a package index that pip can reach; `pip config list` shows which one it asks.",
    )
    postroad = Step(
        "postroad itself, editable",
        [[*PIP, "install", "--no-deps", "--no-build-isolation", "-e", "."]],
        inputs=["pyproject.toml"],
        made=[".venv/bin/postroad"],
        after=packages,
    )
    npm = Step(
        "npm packages",
        [["npm", "ci", "--no-audit", "--no-fund"]],
        inputs=["package.json", "package-lock.json", ".npmrc", "node-client/package.json", "web/package.json"],
        made=["node_modules/.package-lock.json"],
        salt=node_version,
        advice="It needs a registry that npm can reach. Is the lock older than a package.json? Then `make lock`.",
    )
    client = Step(
        "Node client",
        [[TSC, "-p", "node-client/tsconfig.json"]],
        inputs=["node-client/src", "node-client/tsconfig.json", "node-client/package.json"],
        made=["node-client/dist/index.js"],
        after=npm,
    )
    demo = Step(
        "demo services",
        [[TSC, "-p", "web/demo/tsconfig.json"]],
        inputs=["web/demo/tsconfig.json", *_sources("web/demo", ".ts")],
        made=["web/demo/dist/stage.js"],
        after=client,
    )
    console = Step(
        "console",
        [["npm", "exec", "--workspace", "web", "--", "vite", "build"]],
        inputs=["web/src", "web/public", "web/index.html", "web/vite.config.ts", "web/package.json"],
        made=[ASSETS + "/index.html"],
        after=client,
    )
    return [environment, packages, postroad, npm, client, demo, console]


def _sources(folder: str, ending: str) -> list[str]:
    from pathlib import Path

    return [str(path) for path in Path(folder).glob("*" + ending)]
