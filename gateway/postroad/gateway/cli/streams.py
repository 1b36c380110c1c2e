"""``postroad streams``: list, show, read, replay."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import DEFAULT_URL, AsJson, TokenFile, Url, out, run
from .places import HELP, place_in_query
from .show import dumped

app = typer.Typer(help="Streams: list, show, read, replay.", no_args_is_help=True)

COLUMNS = {
    "name": "name", "earliest": "earliest", "next": "next", "messages": "messages", "bytes": "bytes",
    "oldest_ms": "oldest", "groups": "groups",
}  # fmt: skip
PAGE = 200


@app.command("list")
def list_streams(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List streams."""

    def command() -> None:
        from .remote import remote
        from .show import table

        answer = remote(url, token_file).ask("GET", "/v1/streams")
        if as_json:
            out(dumped(answer))
        elif not answer["streams"]:
            out('There are no streams yet. Make one by publishing: postroad publish --stream clicks \'{"page":"/"}\'')
        else:
            table([row | {"groups": len(row["groups"])} for row in answer["streams"]], COLUMNS)

    run(command)


@app.command()
def show(stream: str, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Show a stream: what it keeps, and its groups with their lag."""

    def command() -> None:
        from .groups import COLUMNS as GROUP_COLUMNS
        from .remote import path, remote
        from .show import cell, table

        answer = remote(url, token_file).ask("GET", path("/v1/streams", stream))
        if as_json:
            out(dumped(answer))
            return
        found = answer["stream"]
        for field in ("name", "earliest", "next", "messages", "bytes", "oldest_ms"):
            out(f"{field.removesuffix('_ms'):<16} {cell(field, found[field])}")
        for field, value in found["settings"].items():
            out(f"{field:<16} {value if value is not None else '-'}")
        if found["groups"]:
            out("")
            table(found["groups"], GROUP_COLUMNS)

    run(command)


@app.command()
def read(
    stream: str,
    start: Annotated[str, typer.Option("--from", help=HELP)] = "earliest",
    most: Annotated[int, typer.Option("--max", min=1, help="Stop after so many.")] = 10,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print messages of a stream; nothing is consumed."""

    def command() -> None:
        from .remote import path, remote
        from .show import shown

        server, left, place = remote(url, token_file), most, place_in_query(start)
        while left > 0:
            wanted = {"from": place, "limit": min(left, PAGE)}
            answer = server.ask("GET", path("/v1/streams", stream, "messages"), query=wanted)
            for message in answer["messages"]:
                out(dumped(message) if as_json else f"{message['offset']}  {shown(message['body'])}")
            left -= len(answer["messages"])
            if not answer["messages"]:
                return
            place = str(answer["next"])

    run(command)


@app.command()
def replay(
    stream: str,
    queue: Annotated[str, typer.Option("--queue", help="Where the copies go.")],
    first: Annotated[int | None, typer.Option("--first", min=0, help="First offset; default: the earliest.")] = None,
    last: Annotated[int | None, typer.Option("--last", min=0, help="Last offset; default: the newest now.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")] = False,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Copy a range of a stream to a queue."""

    def command() -> None:
        from .flow import stayed
        from .remote import path, remote

        fields: dict[str, Any] = {"queue": queue, "first": first, "last": last, "dry_run": dry_run}
        body = {name: value for name, value in fields.items() if value is not None}
        answer = remote(url, token_file).ask("POST", path("/v1/streams", stream, "replay"), body, timeout_s=None)
        if as_json:
            out(dumped(answer))
        elif dry_run:
            where = f", offsets {answer['first']} to {answer['last']}" if answer["count"] and "first" in answer else ""
            out(f"{answer['count']} would be copied to {queue}{where}")
        else:
            out(f"{answer['count']} copied to {queue}{stayed(answer)}")

    run(command)
