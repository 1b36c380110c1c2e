"""What the commands share: options of those that talk to a server, and how a command runs and fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .failure import CommandFailed, ExitCode

Url = Annotated[str, typer.Option("--url", envvar="POSTROAD_URL", help="The server.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with a token; default: POSTROAD_TOKEN, or none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
QueueTarget = Annotated[str | None, typer.Option("--queue", help="The queue it goes to.")]
StreamTarget = Annotated[str | None, typer.Option("--stream", help="The stream it goes to.")]
Headers = Annotated[list[str] | None, typer.Option("--header", help="name=value; repeatable.")]
DEFAULT_URL = "http://127.0.0.1:7070"


def run(command: Callable[[], ExitCode | None]) -> NoReturn:
    """Run a command and end the process as it says."""
    try:
        raise typer.Exit(command() or ExitCode.CLEAN)
    except CommandFailed as failed:
        fail(str(failed), failed.code)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.CLEAN) from None
    except BrokenPipeError:
        sys.stdout = None  # nobody reads it any more, and flushing it would fail again
        raise typer.Exit(ExitCode.CLEAN) from None


def fail(message: str, code: ExitCode) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


def out(text: str) -> None:
    print(text, flush=True)


def headers_of(pairs: list[str] | None) -> dict[str, str]:
    """Raises: CommandFailed: one of them is not ``name=value``."""
    headers: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandFailed(f"{pair!r} is not a header such as trace=abc.", ExitCode.USAGE)
        headers[name] = value
    return headers


def target_of(**given: str | None) -> dict[str, str]:
    """The one target that was named.

    Raises:
        CommandFailed: none was, or more than one.
    """
    named = {kind: name for kind, name in given.items() if name is not None}
    if len(named) != 1:
        options = " or ".join(f"--{kind}" for kind in given)
        raise CommandFailed(f"Name one target: {options}.", ExitCode.USAGE)
    return named
