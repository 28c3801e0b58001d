"""A disk that is really full: a tmpfs of 24 MB, filled to the last byte. Needs root to mount it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.codec import encode_flac
from edge.config import StorageSettings
from edge.opus import encode_opus
from edge.part import pack_blocks
from edge.storage import ballast
from edge.storage.keeper import MB, StorageKeeper, build_keeper
from edge.storage.ladder import Rung
from edge.store.calls import CallRow, end_call
from sync.db import write
from tests.edge.storage.conftest import NOW_UTC, Branch, speech
from tests.fakes import AtOnce

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: a full disk (mounting one needs root)")

SMALL = replace(StorageSettings(), reserve_mb=6, ballast_mb=4)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("NOT TESTED: a full disk (this machine does not let root mount one)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def branch(disk: Path) -> Branch:
    return Branch(disk / "data", storage=SMALL)


def keeper_of(branch: Branch) -> StorageKeeper:
    return build_keeper(branch.config, branch.db, AtOnce, lambda: "ntp")


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """Take all but `leave_bytes` of the disk."""
    path = folder / "stranger"
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            assert ballast.is_full(error)
        file.truncate(max(0, file.tell() - leave_bytes) & ~4095)
    return path


def log_calls(branch: Branch, number: int, first: int = 0) -> None:
    for one in range(first, first + number):
        call = CallRow(
            f"logged-{one}", 1, "x" * 500, "in", NOW_UTC, "missed", ended_utc=NOW_UTC, end_reason="hung_up"
        )
        with write(branch.db):
            end_call(branch.db, call, NOW_UTC)


def logged(branch: Branch) -> int:
    return int(branch.one("SELECT count(*) FROM calls WHERE id LIKE 'logged-%'")[0])


def test_the_database_writes_again_once_the_ballast_is_gone(disk: Path, branch: Branch) -> None:
    keeper = keeper_of(branch)
    keeper.step(NOW_UTC)
    assert (branch.config.box.data_dir / ballast.NAME).stat().st_size == 4 * MB
    fill(disk)
    with pytest.raises(sqlite3.OperationalError) as full:
        log_calls(branch, 5000)
    assert ballast.is_full(full.value) and not branch.db.in_transaction
    before = logged(branch)
    keeper.make_room()
    log_calls(branch, 20, first=10_000)
    assert logged(branch) == before + 20
    assert branch.one("PRAGMA integrity_check")[0] == "ok"
    keeper.make_room()  # a second time there is nothing to give up, and nothing breaks


def test_a_step_on_a_full_disk_helps_itself_and_lays_the_ballast_anew(disk: Path, branch: Branch) -> None:
    for number in range(40):
        branch.record(f"r{number:02}", 50 - number, samples=40_000)
    keeper = keeper_of(branch)
    keeper.step(NOW_UTC)
    branch.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the next commit needs a new block
    junk = fill(disk)
    keeper.step(NOW_UTC)
    assert len(branch.ready()) < 40 and "r00" not in branch.ready()
    assert not (branch.config.box.data_dir / ballast.NAME).exists()
    (said,) = branch.db.execute("SELECT detail FROM health WHERE part = 'storage' AND until_utc IS NULL")
    assert "% full" in said[0]
    log_calls(branch, 20)
    junk.unlink()
    keeper.step(NOW_UTC)
    assert (branch.config.box.data_dir / ballast.NAME).stat().st_size == 4 * MB
    assert keeper.rung is Rung.OK
    branch.whole()


@pytest.mark.parametrize(
    ("facts", "survive"),
    [({"confirmed": True}, False), ({"confirmed": False}, False), ({"held": True}, True)],
    ids=["confirmed", "nowhere else", "held"],
)
def test_calls_are_logged_though_audio_goes_on_filling_the_disk(
    disk: Path, branch: Branch, facts: dict[str, bool], survive: bool
) -> None:
    """As the recorder does it: audio only while it is allowed, calls always, one step after each."""
    keeper = keeper_of(branch)
    recorded = 0
    for number in range(150):
        log_calls(branch, 1, first=number)
        if keeper.audio_allowed:
            branch.record(f"r{number:03}", 100 - number / 10, samples=120_000, **facts)
            recorded += 1
        keeper.step(NOW_UTC)
    assert logged(branch) == 150
    assert len(branch.ready()) < 150
    if survive:
        assert len(branch.ready()) == recorded < 150
    else:
        assert recorded == 150 and "r149" in branch.ready() and "r000" not in branch.ready()
        assert keeper.audio_allowed
    assert branch.one("PRAGMA integrity_check")[0] == "ok"
    branch.whole()


def test_no_half_file_takes_the_place_of_a_whole_one(disk: Path, branch: Branch) -> None:
    branch.record("x", 400, samples=80_000)
    row = branch.one("SELECT sha256 FROM recordings")
    part = branch.folder / "y.part"
    part.write_bytes(pack_blocks(speech(400_000)))
    size_bytes = part.stat().st_size
    fill(disk, 8192)
    with pytest.raises(OSError):
        encode_opus(branch.folder / "x.flac", branch.folder / "x.opus", row["sha256"], 80_000, 24)
    with pytest.raises(OSError):
        encode_flac(part, branch.folder / "y.flac", 8000, 400_000)
    assert branch.files() == {"x.flac", "y.part"}
    assert hashlib.sha256((branch.folder / "x.flac").read_bytes()).hexdigest() == row["sha256"]
    assert part.stat().st_size == size_bytes


def test_there_is_no_ballast_where_there_is_no_room(disk: Path) -> None:
    fill(disk, 300_000)
    assert not ballast.lay(disk, MB)
    assert not (disk / ballast.NAME).exists() and not ballast.drop(disk)
    assert ballast.lay(disk, 100_000) and ballast.lay(disk, 100_000)
    assert ballast.drop(disk) and not ballast.drop(disk)
