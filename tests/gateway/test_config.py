from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from postroad.gateway.config import Config, ConfigError, load

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text('port = 1\ndata = "file"\ndurability = "os"\norigins = ["https://a.example"]\n')

    loaded = load(file, {"POSTROAD_PORT": "2", "POSTROAD_DATA": "env"}, {"port": 3, "data": None, "origins": []})

    assert (loaded.config.port, loaded.config.data, loaded.config.durability) == (3, "env", "os")
    assert loaded.config.origins == ("https://a.example",)
    assert loaded.origins == {
        "port": "flag",
        "data": "environment",
        "durability": f"file {file}",
        "origins": f"file {file}",
    }


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    loaded = load(None, {"POSTROAD_ORIGINS": "https://a.example, https://b.example"})

    assert loaded.config.origins == ("https://a.example", "https://b.example")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text('nonsense = 1\nport = 99999\norigins = "https://a.example"\n')

    with pytest.raises(ConfigError) as caught:
        load(file, {"POSTROAD_DURABILITY": "maybe"}, {"host": "0.0.0.0"})

    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    for word in ("nonsense", "port", "origins", "durability", "0.0.0.0"):
        assert word in told


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"host": "0.0.0.0"}, "authenticated"),
        ({"host": "192.0.2.1"}, "authenticated"),
        ({"origins": ["https://a.example/path"]}, "origin"),
        ({"origins": ["*"]}, "origin"),
        ({"origins": ["https://a.example; script-src *"]}, "origin"),
        ({"demo_api": "http://127.0.0.1:8081"}, "together"),
        ({"demo_api": "javascript:x", "demo_stage": "http://127.0.0.1:1"}, "demo_api"),
        ({"body_bytes_max": 20_000_000}, "body_bytes_max"),
        ({"port": True}, "port"),
        ({"grace_ms": -1}, "grace_ms"),
        ({"data": ""}, "data"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, values)

    assert word in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load(None, {}, {"host": host}).config.host == host


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "missing.toml", {})


def test_the_docs_list_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", DOCS.read_text(), re.MULTILINE))

    assert list(rows) == [item.name for item in fields(Config)]
    for item in fields(Config):
        assert rows[item.name] == shown_default(item.default), item.name
        assert item.metadata["doc"] in DOCS.read_text()


def shown_default(default: object) -> str:
    if default is None or default == ():
        return "–"
    return f"{default:,}" if isinstance(default, int) and default > 9999 else f"`{default}`"
