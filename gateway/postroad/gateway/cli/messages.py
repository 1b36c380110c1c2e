"""``postroad messages``: one message's life, and those of a queue."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import DEFAULT_URL, AsJson, TokenFile, Url, out, run
from .show import dumped

app = typer.Typer(help="Messages: list, show, logs, cancel.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The message's id.")]
COLUMNS = {
    "id": "id", "state": "state", "attempts": "attempts", "published_at": "published", "key": "key",
    "reason": "reason", "shown": "body",
}  # fmt: skip
BODY_WIDTH = 60
ENDED = ("done", "dead", "expired", "purged", "cancelled")


@app.command("list")
def list_messages(
    queue: str,
    state: Annotated[str, typer.Option("--state", help="ready, parked, delayed, leased or dead.")] = "ready",
    limit: Annotated[int, typer.Option("--max", min=1, max=200)] = 20,
    text: Annotated[str | None, typer.Option("--text", help="Only with this in the body.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only of this ordering key.")] = None,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List messages of a queue; looking does not touch."""

    def command() -> None:
        from .remote import path, remote
        from .show import shown, table

        query = {"state": state, "limit": limit, "text": text, "key": key}
        answer = remote(url, token_file).ask("GET", path("/v1/queues", queue, "messages"), query=query)
        if as_json:
            out(dumped(answer))
        elif not answer["messages"]:
            out("There are none.")
        else:
            table([row | {"shown": shown(row.get("body", ""))[:BODY_WIDTH]} for row in answer["messages"]], COLUMNS)

    run(command)


@app.command()
def show(id: Id, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Show where a message stands, what happened to it, and its body."""

    def command() -> None:
        from .remote import path, remote
        from .show import shown

        answer = remote(url, token_file).ask("GET", path("/v1/messages", id))
        if as_json:
            out(dumped(answer))
            return
        message = answer["message"]
        for field in ("id", "topic", "queue", "state", "reason", "consumer", "key", "priority", "size"):
            if message.get(field):
                out(f"{field:<10} {message[field]}")
        if message.get("attempts_max"):
            out(f"{'attempts':<10} {message['attempts']} of {message['attempts_max']}")
        for name, value in (message.get("headers") or {}).items():
            out(f"{'header':<10} {name}={value}")
        for placement in message.get("placements") or [message]:
            out(f"\n{placement['queue'] or 'nowhere'}: {placement['state']}")
            for step in placement["timeline"]:
                out("  " + _step(step))
        if message.get("result") is not None:
            out(f"\nresult: {shown(message['result'])}")
        if "body" in message:
            out(f"\n{shown(message['body'])}")

    run(command)


@app.command()
def logs(
    id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the message is done.")] = False,
    url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print what the handlers of a message said."""

    def tell(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            out(dumped(line) if as_json else _said(line))

    def command() -> None:
        from .remote import path, remote

        server = remote(url, token_file)
        if not follow:
            tell(server.ask("GET", path("/v1/messages", id, "logs"))["logs"])
            return
        with server.connected("postroad-cli") as conversation:
            frame = conversation.ask({"op": "watch", "sub": 1, "message": id})
            frames = conversation.frames()
            while True:
                tell(frame.get("logs", []))
                if frame.get("message", {}).get("state") in ENDED:
                    return
                frame = next(frames)
                conversation.check(frame)

    run(command)


@app.command()
def cancel(id: Id, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Cancel a message: it is not delivered any more, and a handler that works on it is told to stop."""

    def command() -> None:
        from .remote import path, remote

        answer = remote(url, token_file).ask("POST", path("/v1/messages", id, "cancel"))
        out(dumped(answer) if as_json else f"{id} is cancelled")

    run(command)


def _step(step: dict[str, Any]) -> str:
    from .show import moment

    facts = [f"{name}={step[name]}" for name in ("attempt", "consumer", "percent", "note", "reason") if step.get(name)]
    if step.get("due"):
        facts.append(f"due={moment(step['due'])}")
    return "  ".join([moment(step["at"]), f"{step['kind']:<10}", *facts]).rstrip()


def _said(line: dict[str, Any]) -> str:
    from .show import moment

    return f"{moment(line['at'])}  {line['level']:<5}  {line['text']}"
