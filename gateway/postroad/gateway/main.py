"""The ``postroad`` command. What a command does is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli import bindings, clock, groups, messages, operations, schedules, streams
from .cli.failure import CommandFailed, ExitCode
from .cli.options import DEFAULT_URL, AsJson, TokenFile, Url, fail, headers_of, out, run

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
app.add_typer(bindings.app, name="bindings")
app.add_typer(streams.app, name="streams")
app.add_typer(groups.app, name="groups")
app.add_typer(schedules.app, name="schedules")
app.add_typer(messages.app, name="messages")
app.add_typer(clock.app, name="clock")
app.add_typer(operations.app, name="operations")

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


@app.command()
def serve(
    config: ConfigFile = None, host: Host = None, port: Port = None, data: Data = None, engine: EngineUrl = None,
    durability: Durability = None, origin: Origins = None, host_name: HostNames = None,
    auth_secret_file: SecretFile = None, grace_ms: GraceMs = None, log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:  # fmt: skip
    """Run a server: broker, gateway and console.

    Exit codes: 0 stopped cleanly, 1 failed, 2 wrong use, 3 damaged journal, 4 data in use, 5 the disk failed, or a
    command could not be carried out whole.
    """
    loaded = _load(
        config, host=host, port=port, data=data, engine=engine, durability=durability, origins=origin,
        host_names=host_name, auth_secret_file=auth_secret_file, grace_ms=grace_ms, log_level=log_level,
        log_format=log_format,
    )  # fmt: skip

    def command() -> ExitCode:
        from .cli.serve import serve

        return serve(loaded.config)

    run(command)


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

    def command() -> None:
        from .cli.offline import show_config

        show_config(loaded, out, as_json=as_json)

    run(command)


@app.command()
def queues(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List queues."""

    def command() -> None:
        from .cli.flow import queues
        from .cli.remote import remote

        queues(remote(url, token_file), out, as_json=as_json)

    run(command)


@app.command()
def publish(
    target: Annotated[str, typer.Argument(help="A queue; with --stream or --topic one of those.")],
    bodies: Annotated[list[str] | None, typer.Argument(help="Bodies; none: standard input, as one body.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="json, text or bytes; default: what fits.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="A message for each line of standard input.")] = False,
    delay: Annotated[str | None, typer.Option("--delay", help="Deliver later, e.g. 5s.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Deliver at a time, e.g. 2027-01-01T09:00:00Z.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Publish each body so many times.")] = 1,
    key: Annotated[str | None, typer.Option("--key", help="Ordering key.")] = None,
    priority: Annotated[int | None, typer.Option("--priority", min=0, max=9)] = None,
    dedup_key: Annotated[str | None, typer.Option("--dedup-key", help="Store it once.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", help="name=value; repeatable.")] = None,
    to_stream: Annotated[bool, typer.Option("--stream", help="To a stream.")] = False,
    to_topic: Annotated[bool, typer.Option("--topic", help="To a topic, and what is bound to it.")] = False,
    mandatory: Annotated[bool, typer.Option("--mandatory", help="With --topic: fail if nothing is bound.")] = False,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish messages; their ids are printed when they are durable."""

    def command() -> None:
        from .cli.durations import duration_ms
        from .cli.flow import inline_body, publish
        from .cli.places import time_ms
        from .cli.remote import remote

        if kind not in (None, "json", "text", "bytes"):
            raise CommandFailed("--type is json, text or bytes.", ExitCode.USAGE)
        attributes: dict[str, Any] = {"key": key, "priority": priority, "dedup_key": dedup_key}
        attributes["delay_ms"] = None if delay is None else duration_ms(delay)
        attributes["deliver_at"] = None if at is None else time_ms(at)
        attributes["headers"] = headers_of(header) or None
        common = {name: value for name, value in attributes.items() if value is not None}

        def messages() -> Iterator[dict[str, Any]]:
            for data in _bodies(bodies or [], lines=lines):
                message = inline_body(data, kind) | common
                for _ in range(count):
                    yield message

        if to_stream and to_topic:
            raise CommandFailed("Name either --stream or --topic.", ExitCode.USAGE)
        where = "topic" if to_topic else "stream" if to_stream else "queue"
        server = remote(url, token_file)
        publish(server, target, messages(), out, kind=where, mandatory=mandatory, as_json=as_json)

    run(command)


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

    def command() -> None:
        from .cli.flow import consume
        from .cli.remote import remote

        consume(remote(url, token_file), queue, out, most=most, ack=not no_ack, prefetch=prefetch, as_json=as_json)

    run(command)


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

    def command() -> None:
        from .cli.flow import tail
        from .cli.remote import remote

        tail(remote(url, token_file), queue, out, last=last, most=most, as_json=as_json)

    run(command)


@app.command()
def redrive(
    queue: Annotated[str, typer.Argument(help="A dead-letter queue, e.g. emails.dead.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1)] = None,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Move dead messages back to the queue they came from."""

    def command() -> None:
        from .cli.flow import redrive
        from .cli.remote import remote

        redrive(remote(url, token_file), queue, limit, out, as_json=as_json)

    run(command)


@journal_app.command("verify")
def journal_verify(
    data: Annotated[Path, typer.Option("--data", help="Folder of the journal.")] = Path("postroad-data"),
    as_json: AsJson = False,
) -> None:
    """Check every byte of a journal; nothing is changed. Exit code 3: it is damaged."""

    def command() -> ExitCode:
        from .cli.offline import verify_journal

        return verify_journal(data, out, as_json=as_json)

    run(command)


@app.command()
def token(
    auth_secret_file: Annotated[Path, typer.Option("--auth-secret-file", help="The server's secret.")],
    subject: Annotated[str, typer.Option("--subject", help="Whom it is for.")] = "cli",
    right: Annotated[list[str] | None, typer.Option("--right", help="verb=pattern, e.g. publish=emails.")] = None,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is good.")] = "10m",
    browser: Annotated[bool, typer.Option("--browser", help="Smaller bodies.")] = False,
) -> None:
    """Make a token for a server that asks for them."""

    def command() -> None:
        import time

        from .cli.durations import duration_ms
        from .cli.offline import make_token

        rights: dict[str, list[str]] = {}
        for item in right or []:
            verb, _, pattern = item.partition("=")
            rights.setdefault(verb, []).append(pattern)
        claims: dict[str, Any] = {"sub": subject, "exp": int(time.time()) + duration_ms(ttl) // 1000, "rights": rights}
        out(make_token(auth_secret_file, claims | ({"browser": True} if browser else {})))

    run(command)


def main() -> None:
    """Entry point of the installed command."""
    app()


def _load(config: Path | None, **flags: Any) -> Any:
    from .config import ConfigError, load

    try:
        return load(config, None, {name: str(v) if isinstance(v, Path) else v for name, v in flags.items()})
    except ConfigError as error:
        fail("\n".join(error.problems), ExitCode.USAGE)


def _bodies(given: list[str], *, lines: bool) -> Iterator[bytes]:
    if given:
        yield from (body.encode() for body in given)
    elif lines:
        yield from (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    else:
        yield sys.stdin.buffer.read()
