"""``postroad groups``: consumer groups of streams, their lag, and going back."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .options import DEFAULT_URL, AsJson, TokenFile, Url, out, run
from .places import HELP, place

app = typer.Typer(help="Consumer groups of streams: lag and position.", no_args_is_help=True)

COLUMNS = {
    "name": "group", "committed": "committed", "lag": "lag", "ready": "ready", "parked": "parked",
    "retrying": "retrying", "leased": "leased", "dead_total": "dead", "trimmed_total": "trimmed", "consumers": "consumers",
    "oldest_ms": "oldest", "paused": "paused",
}  # fmt: skip


@app.command("list")
def list_groups(
    stream: Annotated[str | None, typer.Argument(help="Only of this stream.")] = None,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List groups with their positions and lag."""

    def command() -> None:
        from .remote import path, remote
        from .show import table

        server = remote(url, token_file)
        if stream is None:
            streams = server.ask("GET", "/v1/streams")["streams"]
        else:
            streams = [server.ask("GET", path("/v1/streams", stream))["stream"]]
        groups = [group for found in streams for group in found["groups"]]
        if as_json:
            out(json.dumps({"groups": groups}))
        elif not groups:
            out("There are no groups.")
        else:
            table(groups, COLUMNS)

    run(command)


@app.command()
def lag(
    stream: str,
    group: str,
    above: Annotated[int | None, typer.Option("--above", min=0, help="Exit code 1 if it is more than this.")] = None,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print how many messages a group has not settled."""

    def command() -> None:
        from .failure import CommandFailed
        from .remote import path, remote

        found = remote(url, token_file).ask("GET", path("/v1/streams", stream))["stream"]
        stats = next((stats for stats in found["groups"] if stats["name"] == f"{stream}/{group}"), None)
        if stats is None:
            raise CommandFailed(f'The stream "{stream}" has no group named "{group}".')
        out(json.dumps({name: stats[name] for name in ("lag", "committed")}) if as_json else str(stats["lag"]))
        if above is not None and stats["lag"] > above:
            raise CommandFailed(f"The lag of {stream}/{group} is above {above}.")

    run(command)


@app.command()
def reset(
    stream: str,
    group: str,
    to: Annotated[str, typer.Option("--to", help=HELP)],
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let a group go on from another place; its leases are revoked and its attempts forgotten."""

    def command() -> None:
        from .remote import path, remote

        target = path("/v1/streams", stream, "groups", group, "reset")
        answer = remote(url, token_file).ask("POST", target, {"to": place(to)})
        out(json.dumps(answer) if as_json else f"{stream}/{group} goes on from offset {answer['offset']}")

    run(command)
