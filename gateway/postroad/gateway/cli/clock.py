"""``postroad clock``: what the server thinks of its clock."""

from __future__ import annotations

import json

import typer

from .options import DEFAULT_URL, AsJson, TokenFile, Url, out, run

app = typer.Typer(help="What the server thinks of its clock.", no_args_is_help=True)


@app.command()
def show(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Print how far the wall clock is ahead, and whether anything is held for it."""

    def command() -> None:
        from .failure import CommandFailed
        from .remote import remote
        from .show import duration, moment

        overview = remote(url, token_file).ask("GET", "/v1/overview")
        if "clock_skew_ms" not in overview:
            raise CommandFailed("This engine goes by the clock of its own server.")
        skew_ms, held = overview["clock_skew_ms"], overview["clock_held"]
        if as_json:
            out(json.dumps({"clock_skew_ms": skew_ms, "clock_held": held}))
            return
        side = "ahead of" if skew_ms >= 0 else "behind"
        out(f"The wall clock is {duration(abs(skew_ms))} {side} the time of the server.")
        if held is not None:
            out(
                f"It was {duration(held['ahead_ms'])} past the last record at the start: until {moment(held['until'])} nothing is "
                "deleted for its age. If it is right: postroad clock confirm"
            )

    run(command)


@app.command()
def confirm(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Say that the clock is right: what has an age may go again."""

    def command() -> None:
        from .remote import remote

        answer = remote(url, token_file).ask("POST", "/v1/clock/confirm")
        if as_json:
            out(json.dumps(answer))
        else:
            out("What has an age goes again." if answer["confirmed"] else "Nothing was held.")

    run(command)
