"""A backup is proved by restoring it: equal counts, equal hashes, nothing numbered twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge.backup import (
    MARKER,
    NEWEST,
    PREVIOUS,
    NotThere,
    NotWhole,
    OfAnotherBox,
    run_backup,
    verify_backup,
)
from edge.config import BoxSettings, Config, HatSettings, KeepSettings
from edge.restore import NotEmpty, restore
from edge.store.retention import delete_audio, last_backup
from edge.store.schema import open_store
from sync import outbox
from sync.db import write
from tests.edge.storage.conftest import NOW_UTC, Branch, killed_at

TABLES = ("calls", "recordings", "gaps", "deletions", "conversions", "holds", "seal_links", "outbox_files")


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    return filled(Branch(tmp_path / "data"))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "usb"
    folder.mkdir()
    return folder


def filled(branch: Branch) -> Branch:
    for number in range(4):
        branch.record(f"r{number}", 400 - number, samples=1000, confirmed=number != 3)
    return branch


def config_for(folder: Path, box: str = "b") -> Config:
    return Config(
        box=BoxSettings(id=box, data_dir=folder), hats=(HatSettings(name="h", alsa_device="x", lines=4),)
    )


def saved(branch: Branch, disk: Path, **more: Any) -> Any:
    return run_backup(branch.config, NOW_UTC, disk, **more)


def content(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: sorted(tuple(row) for row in db.execute(f"SELECT * FROM {table}")) for table in TABLES}


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_a_restored_box_has_equal_counts_and_checksums(tmp_path: Path, branch: Branch, disk: Path) -> None:
    result = saved(branch, disk)
    assert (result.calls, result.recordings, result.copied, result.faults) == (4, 4, 4, [])
    new = config_for(tmp_path / "new box")
    again = restore(new, disk, NOW_UTC)
    assert (again.calls, again.recordings) == (4, 4)
    db = open_store(new.database)
    assert content(db) == content(branch.db)
    assert hashes(new.recordings_dir) == hashes(branch.folder)
    assert {file.name for file in new.box.data_dir.iterdir()} - {"seal.key"} <= {
        "branch.db", "branch.db-wal", "branch.db-shm", "recordings",
    }  # fmt: skip


def test_no_number_is_used_twice_after_a_restore(tmp_path: Path, branch: Branch, disk: Path) -> None:
    epoch = outbox.epoch_of(branch.db)
    with write(branch.db):
        outbox.mark_acked(branch.db, epoch, "evt", 2)
    saved(branch, disk)
    branch.record("later", 1)  # this number is used after the backup was made
    new = config_for(tmp_path / "new box")
    restore(new, disk, NOW_UTC)
    db = open_store(new.database)
    assert outbox.epoch_of(db) != epoch
    owed = db.execute("SELECT epoch, seq FROM outbox WHERE state = 'new' AND stream = 'evt' ORDER BY seq")
    assert [tuple(row) for row in owed] == [(outbox.epoch_of(db), 1), (outbox.epoch_of(db), 2)]
    used = {tuple(row) for row in branch.db.execute("SELECT epoch, stream, seq FROM outbox")}
    mine = {tuple(row) for row in db.execute("SELECT epoch, stream, seq FROM outbox WHERE state = 'new'")}
    assert mine and not used & mine


def test_nobody_is_logged_in_on_a_restored_box(tmp_path: Path, branch: Branch, disk: Path) -> None:
    from edge.store.users import add_user

    user = add_user(branch.db, "lin", "correct horse battery", "super")
    user_id = user if isinstance(user, str) else user.id
    branch.db.execute(
        "INSERT INTO sessions (token_sha256, user_id, address, created_utc, seen_utc)"
        " VALUES (?, ?, '', ?, ?)",
        ("00", user_id, NOW_UTC, NOW_UTC),
    )
    saved(branch, disk)
    new = config_for(tmp_path / "new box")
    restore(new, disk, NOW_UTC)
    db = open_store(new.database)
    assert db.execute("SELECT count(*) FROM sessions").fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM users").fetchone()[0] == 1


def test_the_second_run_copies_only_what_is_new(branch: Branch, disk: Path) -> None:
    saved(branch, disk)
    branch.record("r9", 1)
    result = saved(branch, disk)
    assert (result.calls, result.recordings, result.copied) == (5, 5, 1)
    assert (disk / PREVIOUS).exists()
    mark = json.loads((disk / MARKER).read_text())
    assert mark == {"box": "b", "at_utc": NOW_UTC, "calls": 5, "recordings": 5}
    last = last_backup(branch.db)
    assert last is not None and (last.calls, last.recordings, last.folder) == (5, 5, str(disk))
    assert [file.name for file in disk.rglob("*.copying")] == []


@pytest.mark.parametrize(
    ("reason", "stays"),
    [("age", False), ("erased", False), ("space", True), ("unconfirmed", True), ("size", True)],
)
def test_the_backup_follows_deletions_that_are_meant_for_every_copy(
    branch: Branch, disk: Path, reason: str, stays: bool
) -> None:
    saved(branch, disk)
    with write(branch.db):
        assert delete_audio(branch.db, "r0", reason, None, NOW_UTC, forced=False)
    result = saved(branch, disk)
    assert (disk / "recordings" / "r0.flac").exists() is stays
    assert result.removed == (0 if stays else 1)
    assert verify_backup(disk).faults == []


def test_the_original_stays_in_the_backup_when_the_box_packs_it(branch: Branch, disk: Path) -> None:
    saved(branch, disk)
    branch.keep(KeepSettings(opus_after_days=1))
    keeper = branch.keeper()
    for _ in range(3):
        keeper.step(NOW_UTC)
    assert "r0.opus" in branch.files() and "r0.flac" not in branch.files()
    saved(branch, disk)
    assert {"r0.opus", "r0.flac"} <= {file.name for file in (disk / "recordings").iterdir()}
    with write(branch.db):
        delete_audio(branch.db, "r0", "erased", "lin", NOW_UTC, forced=False)
    saved(branch, disk)
    assert not {"r0.opus", "r0.flac"} & {file.name for file in (disk / "recordings").iterdir()}


# -- what is wrong is named


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_verify_names_what_is_damaged_or_missing(branch: Branch, disk: Path) -> None:
    saved(branch, disk)
    assert verify_backup(disk).faults == []
    flip(disk / "recordings" / "r1.flac")
    (disk / "recordings" / "r2.flac").unlink()
    found = verify_backup(disk)
    assert found.recordings == 2
    assert [fault.split(":")[0] for fault in found.faults] == ["r1.flac is damaged", "r2.flac is missing"]


def test_damaged_audio_of_the_box_does_not_reach_the_backup(branch: Branch, disk: Path) -> None:
    flip(branch.folder / "r1.flac")
    (branch.folder / "r2.flac").unlink()
    result = saved(branch, disk)
    assert sorted(fault.split(" ")[0] for fault in result.faults) == ["r1.flac", "r2.flac"]
    assert {file.name for file in (disk / "recordings").iterdir()} == {"r0.flac", "r3.flac"}
    failed = last_backup(branch.db, "failed")
    assert failed is not None and "r1.flac" in failed.detail
    query = "SELECT detail FROM health WHERE part = 'backup' AND until_utc IS NULL"
    assert "r1.flac" in branch.one(query)["detail"]


def test_a_bit_flipped_in_the_copied_database_is_found(branch: Branch, disk: Path) -> None:
    saved(branch, disk)
    raw = bytearray((disk / NEWEST).read_bytes())
    raw[4096:4104] = b"\xff" * 8  # a page header
    (disk / NEWEST).write_bytes(raw)
    with pytest.raises(NotWhole, match="is damaged"):
        verify_backup(disk)


def test_restore_of_a_damaged_backup_does_nothing_unless_told_to(
    tmp_path: Path, branch: Branch, disk: Path
) -> None:
    saved(branch, disk)
    flip(disk / "recordings" / "r1.flac")
    new = config_for(tmp_path / "new box")
    with pytest.raises(NotWhole, match=r"nothing was restored .*r1\.flac is damaged"):
        restore(new, disk, NOW_UTC)
    assert not new.database.exists() and not new.recordings_dir.exists()
    result = restore(new, disk, NOW_UTC, partial=True)
    assert (result.recordings, len(result.faults)) == (3, 1)
    assert set(hashes(new.recordings_dir)) == {"r0.flac", "r2.flac", "r3.flac"}


# -- refused


def test_a_disk_that_is_not_plugged_in_is_not_the_root_disk(branch: Branch, disk: Path) -> None:
    saved(branch, disk)
    for file in sorted(disk.rglob("*"), reverse=True):  # what an empty mount point looks like
        file.rmdir() if file.is_dir() else file.unlink()
    with pytest.raises(NotThere, match="is the right disk mounted"):
        saved(branch, disk)
    assert list(disk.iterdir()) == []
    failed = last_backup(branch.db, "failed")
    assert failed is not None and "right disk" in failed.detail
    assert saved(branch, disk, first=True).copied == 4
    assert branch.one("SELECT until_utc FROM health WHERE part = 'backup'")["until_utc"] == NOW_UTC


def test_backup_refuses_no_folder_and_another_boxs(tmp_path: Path, branch: Branch, disk: Path) -> None:
    with pytest.raises(NotThere, match="is the disk plugged in"):
        saved(branch, tmp_path / "nowhere")
    saved(branch, disk)
    with pytest.raises(OfAnotherBox, match="of box 'b', this is 'c'"):
        run_backup(config_for(branch.config.box.data_dir, "c"), NOW_UTC, disk)


@pytest.mark.parametrize(
    ("there", "says"), [("branch.db", r"branch\.db is there"), ("recordings/x.flac", "is not empty")]
)
def test_restore_never_writes_over_a_branch(
    tmp_path: Path, branch: Branch, disk: Path, there: str, says: str
) -> None:
    saved(branch, disk)
    new = config_for(tmp_path / "new box")
    new.recordings_dir.mkdir(parents=True)
    (new.box.data_dir / there).write_bytes(b"precious")
    with pytest.raises(NotEmpty, match=says):
        restore(new, disk, NOW_UTC)
    assert (new.box.data_dir / there).read_bytes() == b"precious"


@pytest.mark.parametrize("mark", [None, b"", b"[]", b'{"box": 1}', b"\xff\xfe"])
def test_restore_refuses_what_is_no_backup(
    tmp_path: Path, branch: Branch, disk: Path, mark: bytes | None
) -> None:
    saved(branch, disk)
    (disk / MARKER).unlink()
    if mark is not None:
        (disk / MARKER).write_bytes(mark)
    with pytest.raises((NotThere, NotWhole), match=MARKER):
        restore(config_for(tmp_path / "new box"), disk, NOW_UTC)


def test_restore_refuses_the_backup_of_another_box(tmp_path: Path, branch: Branch, disk: Path) -> None:
    saved(branch, disk)
    with pytest.raises(OfAnotherBox):
        restore(config_for(tmp_path / "new box", "c"), disk, NOW_UTC)


# -- killed


def test_killed_anywhere_the_backup_stays_good_and_the_next_run_finishes(tmp_path: Path) -> None:
    branch = filled(Branch(tmp_path / "data"))
    point, finished = 0, False
    while not finished:
        disk = tmp_path / f"usb{point}"
        disk.mkdir()
        saved(branch, disk)
        branch.record(f"new{point}", 1, samples=500)

        def work(count: Any, disk: Path = disk) -> None:
            saved(branch, disk)

        finished = not killed_at(point, work)
        assert verify_backup(disk).faults == []
        result = saved(branch, disk)
        assert result.faults == [] and verify_backup(disk).recordings == len(branch.ready())
        assert [file.name for file in disk.rglob("*.copying")] == []
        point += 1
    assert point >= 15


def test_killed_anywhere_the_restore_is_given_again_and_finishes(
    tmp_path: Path, branch: Branch, disk: Path
) -> None:
    saved(branch, disk)
    point, finished = 0, False
    while not finished:
        new = config_for(tmp_path / f"new{point}")
        finished = not killed_at(point, lambda count, new=new: restore(new, disk, NOW_UTC))
        if new.database.exists():
            with pytest.raises(NotEmpty):
                restore(new, disk, NOW_UTC)
        else:
            restore(new, disk, NOW_UTC)
        assert hashes(new.recordings_dir) == hashes(branch.folder)
        db = open_store(new.database)
        assert content(db) == content(branch.db)
        assert outbox.epoch_of(db) != outbox.epoch_of(branch.db)
        db.close()
        point += 1
    assert point > 15
