"""The ``postroad`` command. What a command does is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from .cli.failure import CommandFailed, ExitCode

app = typer.Typer(
    name="postroad",
    help="Postroad, a message queue for React and Node stacks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
journal_app = typer.Typer(help="Look at a journal while no server uses it.", no_args_is_help=True)
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")
app.add_typer(config_app, name="config")

Url = Annotated[str, typer.Option("--url", envvar="POSTROAD_URL", help="The server.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with a token; default: POSTROAD_TOKEN, or none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", envvar="POSTROAD_CONFIG", help="A TOML file.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")]
Port = Annotated[int | None, typer.Option("--port", help="Port; 0 takes a free one. [default: 7070]")]
Data = Annotated[str | None, typer.Option("--data", help="Folder of the journal. [default: postroad-data]")]
EngineUrl = Annotated[str | None, typer.Option("--engine", help="What stores and delivers. [default: embedded:]")]
Durability = Annotated[str | None, typer.Option("--durability", help="sync, os or memory. [default: sync]")]
Origins = Annotated[list[str] | None, typer.Option("--origin", help="Origin whose pages may connect; repeatable.")]
HostNames = Annotated[list[str] | None, typer.Option("--host-name", help="Name it is reached by; repeatable.")]
SecretFile = Annotated[
    Path | None, typer.Option("--auth-secret-file", help="File with the secret of HS256 tokens, 32 bytes or more.")
]
GraceMs = Annotated[int | None, typer.Option("--grace-ms", help="At a stop, how long settles are taken.")]
LogLevel = Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")]
LogFormat = Annotated[str | None, typer.Option("--log-format", help="json, console or auto.")]
DEFAULT_URL = "http://127.0.0.1:7070"


@app.command()
def serve(
    config: ConfigFile = None, host: Host = None, port: Port = None, data: Data = None, engine: EngineUrl = None,
    durability: Durability = None, origin: Origins = None, host_name: HostNames = None,
    auth_secret_file: SecretFile = None, grace_ms: GraceMs = None, log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:  # fmt: skip
    """Run a server: broker, gateway and console.

    Exit codes: 0 stopped cleanly, 1 failed, 2 wrong use, 3 damaged journal, 4 data in use, 5 the disk failed.
    """
    loaded = _load(
        config, host=host, port=port, data=data, engine=engine, durability=durability, origins=origin,
        host_names=host_name, auth_secret_file=auth_secret_file, grace_ms=grace_ms, log_level=log_level,
        log_format=log_format,
    )  # fmt: skip

    def run() -> ExitCode:
        from .cli.serve import serve

        return serve(loaded.config)

    _run(run)


@config_app.command("show")
def config_show(
    config: ConfigFile = None, host: Host = None, port: Port = None, data: Data = None, engine: EngineUrl = None,
    durability: Durability = None, origin: Origins = None, host_name: HostNames = None,
    auth_secret_file: SecretFile = None, grace_ms: GraceMs = None, log_level: LogLevel = None,
    log_format: LogFormat = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print every setting and where its value comes from."""
    loaded = _load(
        config, host=host, port=port, data=data, engine=engine, durability=durability, origins=origin,
        host_names=host_name, auth_secret_file=auth_secret_file, grace_ms=grace_ms, log_level=log_level,
        log_format=log_format,
    )  # fmt: skip

    def run() -> None:
        from .cli.offline import show_config

        show_config(loaded, _out, as_json=as_json)

    _run(run)


@app.command()
def queues(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List queues."""

    def run() -> None:
        from .cli.messages import queues
        from .cli.remote import remote

        queues(remote(url, token_file), _out, as_json=as_json)

    _run(run)


@app.command()
def publish(
    queue: str,
    bodies: Annotated[list[str] | None, typer.Argument(help="Bodies; none: standard input, as one body.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="json, text or bytes; default: what fits.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="A message for each line of standard input.")] = False,
    delay: Annotated[str | None, typer.Option("--delay", help="Deliver later, e.g. 5s.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Publish each body so many times.")] = 1,
    key: Annotated[str | None, typer.Option("--key", help="Ordering key.")] = None,
    priority: Annotated[int | None, typer.Option("--priority", min=0, max=9)] = None,
    dedup_key: Annotated[str | None, typer.Option("--dedup-key", help="Store it once.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", help="name=value; repeatable.")] = None,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish messages; their ids are printed when they are durable."""

    def run() -> None:
        from .cli.messages import duration_ms, inline_body, publish
        from .cli.remote import remote

        if kind not in (None, "json", "text", "bytes"):
            raise CommandFailed("--type is json, text or bytes.", ExitCode.USAGE)
        attributes: dict[str, Any] = {"key": key, "priority": priority, "dedup_key": dedup_key}
        attributes["delay_ms"] = None if delay is None else duration_ms(delay)
        attributes["headers"] = _headers(header or []) or None
        common = {name: value for name, value in attributes.items() if value is not None}

        def messages() -> Iterator[dict[str, Any]]:
            for data in _bodies(bodies or [], lines=lines):
                message = inline_body(data, kind) | common
                for _ in range(count):
                    yield message

        publish(remote(url, token_file), queue, messages(), _out, as_json=as_json)

    _run(run)


@app.command()
def consume(
    queue: str,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Stop after so many.")] = None,
    no_ack: Annotated[bool, typer.Option("--no-ack", help="Only look: they return to the queue at the end.")] = False,
    prefetch: Annotated[int, typer.Option("--prefetch", min=1, max=16_384)] = 20,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Receive messages, print their bodies and ack them, until interrupted."""

    def run() -> None:
        from .cli.messages import consume
        from .cli.remote import remote

        consume(remote(url, token_file), queue, _out, most=most, ack=not no_ack, prefetch=prefetch, as_json=as_json)

    _run(run)


@app.command()
def tail(
    queue: Annotated[str | None, typer.Argument(help="Only of this queue.")] = None,
    last: Annotated[int, typer.Option("--last", min=0, max=1000, help="Start with the last n.")] = 10,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Stop after so many.")] = None,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Follow events as they happen."""

    def run() -> None:
        from .cli.messages import tail
        from .cli.remote import remote

        tail(remote(url, token_file), queue, _out, last=last, most=most, as_json=as_json)

    _run(run)


@app.command()
def redrive(
    queue: Annotated[str, typer.Argument(help="A dead-letter queue, e.g. emails.dead.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1)] = None,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Move dead messages back to the queue they came from."""

    def run() -> None:
        from .cli.messages import redrive
        from .cli.remote import remote

        redrive(remote(url, token_file), queue, limit, _out, as_json=as_json)

    _run(run)


@journal_app.command("verify")
def journal_verify(
    data: Annotated[Path, typer.Option("--data", help="Folder of the journal.")] = Path("postroad-data"),
    as_json: AsJson = False,
) -> None:
    """Check every byte of a journal; nothing is changed. Exit code 3: it is damaged."""

    def run() -> ExitCode:
        from .cli.offline import verify_journal

        return verify_journal(data, _out, as_json=as_json)

    _run(run)


@app.command()
def token(
    auth_secret_file: Annotated[Path, typer.Option("--auth-secret-file", help="The server's secret.")],
    subject: Annotated[str, typer.Option("--subject", help="Whom it is for.")] = "cli",
    right: Annotated[list[str] | None, typer.Option("--right", help="verb=pattern, e.g. publish=emails.")] = None,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is good.")] = "10m",
    browser: Annotated[bool, typer.Option("--browser", help="Smaller bodies.")] = False,
) -> None:
    """Make a token for a server that asks for them."""

    def run() -> None:
        import time

        from .cli.messages import duration_ms
        from .cli.offline import make_token

        rights: dict[str, list[str]] = {}
        for item in right or []:
            verb, _, pattern = item.partition("=")
            rights.setdefault(verb, []).append(pattern)
        claims: dict[str, Any] = {"sub": subject, "exp": int(time.time()) + duration_ms(ttl) // 1000, "rights": rights}
        _out(make_token(auth_secret_file, claims | ({"browser": True} if browser else {})))

    _run(run)


def main() -> None:
    """Entry point of the installed command."""
    app()


def _load(config: Path | None, **flags: Any) -> Any:
    from .config import ConfigError, load

    try:
        return load(config, None, {name: str(v) if isinstance(v, Path) else v for name, v in flags.items()})
    except ConfigError as error:
        _fail("\n".join(error.problems), ExitCode.USAGE)


def _run(command: Callable[[], ExitCode | None]) -> NoReturn:
    try:
        raise typer.Exit(command() or ExitCode.CLEAN)
    except CommandFailed as failed:
        _fail(str(failed), failed.code)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.CLEAN) from None
    except BrokenPipeError:
        sys.stdout = None  # nobody reads it any more, and flushing it would fail again
        raise typer.Exit(ExitCode.CLEAN) from None


def _fail(message: str, code: ExitCode) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


def _out(text: str) -> None:
    print(text, flush=True)


def _headers(pairs: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandFailed(f"{pair!r} is not a header such as trace=abc.", ExitCode.USAGE)
        headers[name] = value
    return headers


def _bodies(given: list[str], *, lines: bool) -> Iterator[bytes]:
    if given:
        yield from (body.encode() for body in given)
    elif lines:
        yield from (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    else:
        yield sys.stdin.buffer.read()
