"""``postroad operations``: long operations that go on in a server."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .options import DEFAULT_URL, AsJson, TokenFile, Url, out, run

app = typer.Typer(help="Long operations that go on: redriving, discarding, purging, replaying.", no_args_is_help=True)

COLUMNS = {
    "id": "id", "kind": "kind", "stream": "stream", "queue": "queue", "done": "done", "total": "of at most",
    "state": "state", "started_at": "started",
}  # fmt: skip


@app.command("list")
def list_operations(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List them, with how far they are."""

    def command() -> None:
        from .remote import remote
        from .show import table

        answer = remote(url, token_file).ask("GET", "/v1/operations")
        if as_json:
            out(json.dumps(answer))
        elif not answer["operations"]:
            out("No operation goes on.")
        else:
            table(answer["operations"], COLUMNS)

    run(command)


@app.command()
def stop(
    id: Annotated[str, typer.Argument(help="The operation's id.")],
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """End an operation after the step that it is at; what it has done stays."""

    def command() -> None:
        from .remote import path, remote

        answer = remote(url, token_file).ask("POST", path("/v1/operations", id, "stop"))
        out(json.dumps(answer) if as_json else f"{id} is stopped")

    run(command)
