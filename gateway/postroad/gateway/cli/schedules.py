"""``postroad schedules``: what is published at set times."""

from __future__ import annotations

from pathlib import Path
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
from .show import dumped

app = typer.Typer(help="What is published at set times.", no_args_is_help=True)

COLUMNS = {
    "name": "name", "when": "when", "zone": "zone", "target": "to", "next_at": "next", "last_at": "last",
    "fired": "fired", "paused": "paused", "refused": "refused",
}  # fmt: skip


@app.command("list")
def list_schedules(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List schedules."""

    def command() -> None:
        from .remote import remote
        from .show import duration, table

        answer = remote(url, token_file).ask("GET", "/v1/schedules")
        if as_json:
            out(dumped(answer))
            return
        if not answer["schedules"]:
            out("There are no schedules.")
            return
        rows = []
        for row in answer["schedules"]:
            kind = next(kind for kind in ("queue", "stream", "topic") if kind in row)
            when = row["cron"] or f"every {duration(row['every_ms'])}"
            refused = row["last_error"] and row["last_error"]["message"]
            rows.append(row | {"when": when, "target": f"{kind} {row[kind]}", "refused": refused})
        table(rows, COLUMNS)

    run(command)


@app.command()
def add(
    name: str,
    body: Annotated[str, typer.Argument(help="The body: JSON if it is, else text.")],
    cron: Annotated[str | None, typer.Option("--cron", help='Five fields, e.g. "0 3 * * *".')] = None,
    every: Annotated[str | None, typer.Option("--every", help="Instead of --cron: an interval, e.g. 30s.")] = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of --cron.")] = "UTC",
    queue: QueueTarget = None,
    stream: StreamTarget = None,
    topic: Annotated[str | None, typer.Option("--topic", help="The topic it goes to.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="json, text or bytes; default: what fits.")] = None,
    header: Headers = None,
    key: Annotated[str | None, typer.Option("--key", help="Ordering key.")] = None,
    priority: Annotated[int | None, typer.Option("--priority", min=0, max=9)] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Made, but not running.")] = False,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a schedule, or replace the one of that name."""

    def command() -> None:
        from .durations import duration_ms
        from .failure import CommandFailed, ExitCode
        from .flow import inline_body
        from .remote import path, remote
        from .show import moment

        if (cron is None) == (every is None):
            raise CommandFailed("Name either --cron or --every.", ExitCode.USAGE)
        attributes = {"headers": headers_of(header) or None, "key": key, "priority": priority}
        message = inline_body(body.encode(), kind) | {n: v for n, v in attributes.items() if v is not None}
        fields: dict[str, Any] = {"message": message, "paused": paused}
        fields |= target_of(queue=queue, stream=stream, topic=topic)
        fields |= {"cron": cron, "zone": zone} if every is None else {"every_ms": duration_ms(every)}
        answer = remote(url, token_file).ask("PUT", path("/v1/schedules", name), fields)
        if as_json:
            out(dumped(answer))
        else:
            out(f"{name} is paused" if paused else f"{name} fires next at {moment(answer['next_at'])}")

    run(command)


@app.command()
def pause(name: str, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Let it not fire until it is resumed."""
    _change(name, "pause", "is paused", url, token_file, as_json=as_json)


@app.command()
def resume(name: str, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Let it fire again."""
    _change(name, "resume", "goes on", url, token_file, as_json=as_json)


@app.command("run")
def run_now(name: str, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Let it fire now; its next time stays."""
    _change(name, "run", "has fired", url, token_file, as_json=as_json)


@app.command()
def delete(name: str, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Delete it; what it has published stays."""
    _change(name, "", "is deleted", url, token_file, as_json=as_json)


def _change(name: str, do: str, done: str, url: str, token_file: Path | None, *, as_json: bool) -> None:
    def command() -> None:
        from .remote import path, remote

        target = path("/v1/schedules", name, *([do] if do else []))
        answer = remote(url, token_file).ask("POST" if do else "DELETE", target)
        out(dumped(answer) if as_json else f"{name} {done}")

    run(command)
