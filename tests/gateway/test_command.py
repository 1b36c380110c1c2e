"""The ``postroad`` command, run as users run it, against a server in this process."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from postroad.gateway.serving import Running

NOBODY_THERE = "http://127.0.0.1:9"


async def command(*arguments: str, stdin: bytes = b"", **environment: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from postroad.gateway.main import main; main()",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "NO_COLOR": "1", **environment},
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 30)
    return process.returncode or 0, out.decode(), err.decode()


async def test_messages_are_published_listed_followed_and_consumed(running: Running, engine: FakeEngine) -> None:
    url = ("--url", running.url)

    published = await command("publish", "emails", '{"to":"a@b.c"}', "hello", "--count", "2", "--header", "a=b", *url)
    listed = await command("queues", *url)
    as_json = await command("queues", "--json", *url)
    tailed = await command("tail", "emails", "--max", "1", *url)
    looked = await command("consume", "emails", "--max", "1", "--no-ack", *url)
    consumed = await command("consume", "emails", "--max", "4", *url)

    assert published[0] == 0
    assert len(published[1].split()) == 4
    assert "emails" in listed[1]
    assert json.loads(as_json[1])["queues"][0]["ready"] == 4
    assert "published" in tailed[1]
    assert looked[1] == '{"to":"a@b.c"}\n'
    assert consumed[1].splitlines() == ['{"to":"a@b.c"}'] * 2 + ["hello"] * 2
    assert engine.queues["emails"].acked == 4


async def test_operations_that_go_on_are_listed_and_stopped(running: Running, engine: FakeEngine) -> None:
    url = ("--url", running.url)
    row = {"id": "o-1", "kind": "purge", "queue": "a", "done": 1000, "total": 5000, "state": "running", "started_at": 1}
    engine.operations["o-1"] = row

    listed = await command("operations", "list", *url)
    stopped = await command("operations", "stop", "o-1", *url)
    again = await command("operations", "stop", "o-1", *url)
    none = await command("operations", "list", *url)

    assert "1,000" in listed[1] and "purge" in listed[1]
    assert stopped[:2] == (0, "o-1 is stopped\n")
    assert again[0] == 1
    assert none[1] == "No operation goes on.\n"


async def test_bodies_come_from_standard_input(running: Running, engine: FakeEngine) -> None:
    url = ("--url", running.url)

    whole = await command("publish", "a", *url, stdin=b"\x00\xff")
    lines = await command("publish", "a", "--lines", "--type", "text", *url, stdin=b"one\ntwo\n")
    redriven = await command("redrive", "a", *url)

    assert (whole[0], lines[0]) == (0, 0)
    assert [(message.type, message.body) for message in engine.queues["a"].ready] == [
        ("bytes", b"\x00\xff"),
        ("text", b"one"),
        ("text", b"two"),
    ]
    assert redriven[1] == "0 redriven\n"


@pytest.mark.parametrize(
    "arguments",
    [("queues",), ("publish", "a", "x"), ("consume", "a"), ("tail",), ("redrive", "a")],
    ids=lambda value: value[0],
)
async def test_without_a_server_one_sentence_says_so(arguments: tuple[str, ...]) -> None:
    code, out, err = await command(*arguments, "--url", NOBODY_THERE)

    assert (code, out) == (1, "")
    assert err == f"No Postroad server answers at {NOBODY_THERE}; start one with: postroad serve\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("publish", "A", "x"), 1, "a-z"),
        (("redrive", "nope"), 1, 'no queue named "nope"'),
        (("publish", "a", "x", "--delay", "soon"), 2, "duration"),
        (("publish", "a", "x", "--type", "json"), 2, "not JSON"),
        (("publish", "a", "x", "--header", "bad"), 2, "not a header"),
        (("tail", "nope"), 1, "nope"),
        (("serve", "--host", "0.0.0.0"), 2, "authenticated"),
        (("serve", "--durability", "x"), 2, "durability"),
        (("config", "show", "--config", "missing.toml"), 2, "missing.toml"),
        (("journal", "verify", "--data", "missing"), 2, "no journal"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_a_failure_is_a_sentence_and_an_exit_code(
    running: Running, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = await command(*arguments, POSTROAD_URL=running.url)

    assert result[0] == code
    assert words in result[2]
    assert "Traceback" not in result[2]


async def test_config_show_tells_where_values_come_from() -> None:
    code, out, _ = await command("config", "show", "--port", "1234", "--json", POSTROAD_GRACE_MS="7")

    shown: dict[str, Any] = json.loads(out)
    assert code == 0
    assert shown["port"] == {"value": 1234, "from": "flag"}
    assert shown["grace_ms"] == {"value": 7, "from": "environment"}
    assert shown["host"] == {"value": "127.0.0.1", "from": "default"}


async def test_a_token_made_by_the_command_is_good(tmp_path: Path) -> None:
    from postroad.gateway.auth.token import TokenKey

    (tmp_path / "secret").write_bytes(b"k" * 32)

    code, out, _ = await command(
        "token", "--auth-secret-file", str(tmp_path / "secret"), "--subject", "me", "--right", "publish=emails"
    )

    principal = TokenKey(b"k" * 32).authenticate(out.strip())
    assert code == 0
    assert principal.may("publish", "emails")
    assert not principal.may("consume", "emails")
