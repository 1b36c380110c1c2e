"""``postroad bindings``: what is copied from topics to queues and streams."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .options import (
    DEFAULT_URL,
    AsJson,
    Headers,
    QueueTarget,
    StreamTarget,
    TokenFile,
    Url,
    headers_of,
    out,
    run,
    target_of,
)

app = typer.Typer(help="What is copied from topics to queues and streams.", no_args_is_help=True)

Pattern = Annotated[str, typer.Argument(help="Topics: * is one word, # any number, e.g. orders.*")]
Match = Annotated[str, typer.Option("--match", help="With --header: all or any of them.")]
COLUMNS = {"topic": "pattern", "queue": "queue", "stream": "stream", "filter": "headers"}


@app.command("list")
def list_bindings(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List bindings."""

    def command() -> None:
        from .remote import remote
        from .show import table

        answer = remote(url, token_file).ask("GET", "/v1/bindings")
        if as_json:
            out(json.dumps(answer))
        elif not answer["bindings"]:
            out("There are no bindings. Make one: postroad bindings add 'orders.*' --queue billing")
        else:
            table([row | {"filter": _filter(row["headers"])} for row in answer["bindings"]], COLUMNS)

    run(command)


@app.command()
def add(
    pattern: Pattern, queue: QueueTarget = None, stream: StreamTarget = None, header: Headers = None,
    match: Match = "all", url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Copy what is published to matching topics to a queue or stream, which must exist."""
    _change("POST", pattern, queue, stream, header, match, url, token_file, as_json=as_json)


@app.command()
def delete(
    pattern: Pattern, queue: QueueTarget = None, stream: StreamTarget = None, header: Headers = None,
    match: Match = "all", url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take a binding away; name it as it was made."""
    _change("DELETE", pattern, queue, stream, header, match, url, token_file, as_json=as_json)


def _change(
    method: str, pattern: str, queue: str | None, stream: str | None, header: list[str] | None, match: str, url: str,
    token_file: Any, *, as_json: bool,
) -> None:  # fmt: skip
    def command() -> None:
        from .remote import remote

        body: dict[str, Any] = {"topic": pattern, **target_of(queue=queue, stream=stream)}
        if values := headers_of(header):
            body["headers"] = {"match": match, "values": values}
        answer = remote(url, token_file).ask(method, "/v1/bindings", body)
        done = "bound" if method == "POST" else "unbound"
        out(json.dumps(answer) if as_json else done if answer["changed"] else f"was {done} before")

    run(command)


def _filter(headers: dict[str, Any] | None) -> str:
    if not headers:
        return ""
    joint = " or " if headers["match"] == "any" else " and "
    return joint.join(f"{name}={value}" for name, value in headers["values"].items())
