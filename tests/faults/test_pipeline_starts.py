"""A start that finds what does not fit says where and what to do, and changes nothing; it is no crash."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run
from typing import Any

import orjson
import pytest
from engine_rig import Rig
from postroad.broker.errors import Corrupt
from postroad.broker.journal import Files, Journal, JournalOptions, RealFiles
from postroad.broker.testing import MemoryFiles

BOOT = {"k": "boot", "at": 1, "epoch": 1}
SETTINGS: dict[str, Any] = {}
DEFINE = {"k": "define", "log": 1, "at": 1, "name": "q", "set": SETTINGS, "dlo": None}
PUBLISH = {"k": "publish", "at": 1, "to": [[1, 0, None]], "z": [1]}


def records(*rows: object) -> list[bytes]:
    return [row if isinstance(row, bytes) else orjson.dumps(row) for row in rows]


WRONG = [
    pytest.param([b"not JSON"], id="not-json"),
    pytest.param([b"[]"], id="no-object"),
    pytest.param([{"at": 1}], id="no-kind"),
    pytest.param([{"k": "of-a-later-version", "at": 1}], id="unknown-kind"),
    pytest.param([{"k": "settle", "log": 9, "at": 1, "how": "acked", "runs": [[0, 0, 1]]}], id="unknown-log"),
    pytest.param([{"k": "settle", "log": 1, "at": 1, "how": "acked"}], id="field-missing"),
    pytest.param([{**PUBLISH, "to": [[1, 7, None]]}], id="wrong-sequence"),
    pytest.param([{**PUBLISH, "z": "many"}], id="wrong-type"),
    pytest.param([{"k": "place", "log": 1, "at": 1, "how": "dead", "from": 1, "e": [[5, 1, 0, 1, 0, 1, 0]], "why": "", "by": None}], id="placed-elsewhere"),
]  # fmt: skip


def journal_of(files: Files, rows: list[bytes], snapshot: bytes | None = None) -> None:
    journal = Journal(files, JournalOptions(segment_bytes=256 * 1024), post=lambda callback: callback())
    journal.open()
    list(journal.records())
    journal.begin()
    journal.append([(row, b"x" if b'"publish"' in row else None) for row in rows])
    journal.flush()
    if snapshot is not None:
        while journal.durable_position < len(rows):  # its thread writes at once
            pass
        journal.write_snapshot(len(rows), snapshot)
    journal.close()


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_record_that_does_not_fit_is_told_with_its_position(wrong: list[object]) -> None:
    files = MemoryFiles()
    journal_of(files, records(BOOT, DEFINE, *wrong))

    with pytest.raises(Corrupt) as told:
        await Rig(files).start()
    assert told.value.details["position"] == 3
    assert "3" in told.value.message

    with pytest.raises(Corrupt):  # the folder was given up, and nothing in it has changed
        await Rig(files).start()


def snapshot_of(header: bytes) -> bytes:
    return len(header).to_bytes(4, "little") + header


SNAPSHOTS = [
    pytest.param(snapshot_of(orjson.dumps({"version": 0})), id="older"),
    pytest.param(snapshot_of(orjson.dumps({"version": 99})), id="later"),
    pytest.param(snapshot_of(orjson.dumps({"version": 1})), id="fields-missing"),
    pytest.param(snapshot_of(b"not JSON"), id="not-json"),
    pytest.param(b"\xff", id="too-short"),
]


@pytest.mark.parametrize("snapshot", SNAPSHOTS)
async def test_a_snapshot_that_cannot_be_read_is_told_with_its_position(snapshot: bytes) -> None:
    files = MemoryFiles()
    journal_of(files, records(BOOT, DEFINE), snapshot)

    with pytest.raises(Corrupt) as told:
        await Rig(files).start()
    assert told.value.details["position"] == 2


def test_such_a_start_is_exit_code_3_with_position_and_advice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    journal_of(RealFiles(data), records(BOOT, DEFINE, {"k": "of-a-later-version", "at": 1}))

    code = "from postroad.gateway.main import main; main()"
    serve = [sys.executable, "-c", code, "serve", "--port", "0", "--data", str(data)]
    ended = run(serve, capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    assert "3" in ended.stderr
    assert "backup" in ended.stderr
