from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from journal_rig import Rig, expected, fill
from postroad.broker.errors import Unavailable
from postroad.broker.journal import RealFiles


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_records_survive_on_a_real_disk(directory: Path) -> None:
    rig = Rig(RealFiles(directory)).start()
    fill(rig, 500)
    rig.close()

    rig = Rig(RealFiles(directory)).start()
    assert rig.replayed == [(position, head) for position, head, _ in expected(500)]
    assert bytes(rig.journal.read(123)[1]) == expected(123)[-1][2]
    rig.close()


def test_directory_and_files_are_private(directory: Path) -> None:
    old = os.umask(0)
    try:
        rig = Rig(RealFiles(directory)).start()
        fill(rig, 1)
        rig.close()
    finally:
        os.umask(old)

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_a_directory_that_others_may_write_is_refused(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)

    with pytest.raises(Unavailable):
        RealFiles(directory)


def test_a_second_broker_is_kept_out_and_told_who_holds_the_store(directory: Path) -> None:
    rig = Rig(RealFiles(directory)).start()

    with pytest.raises(Unavailable, match=str(os.getpid())):
        Rig(RealFiles(directory)).start()
    fill(rig, 1)
    rig.close()
    Rig(RealFiles(directory)).start().close()


def test_a_killed_process_frees_the_lock_and_loses_nothing_it_confirmed(directory: Path) -> None:
    script = f"""
import os, signal, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from journal_rig import Rig, fill
from postroad.broker.journal import RealFiles
rig = Rig(RealFiles({str(directory)!r})).start()
fill(rig, 200)
os.kill(os.getpid(), signal.SIGKILL)
"""
    result = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert result.returncode == -9

    rig = Rig(RealFiles(directory)).start()
    assert rig.replayed == [(position, head) for position, head, _ in expected(200)]
    rig.close()


def test_file_systems_without_self_syncing_writes_get_two_calls(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RealFiles(directory)
    files._dsync = 0
    synced: list[int] = []
    original = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (synced.append(handle), original(handle))[1])
    rig = Rig(files).start()
    fill(rig, 3)

    assert len(synced) == 3
    rig.close()
