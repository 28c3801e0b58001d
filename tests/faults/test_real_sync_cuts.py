"""Power cuts of a real ext4 under a box's outbox, and under head office: what was promised is there.

The replayed traces of `test_outbox_power_cut` reach every legal state of the outbox; this shows that a real
disk keeps to them, and that head office acknowledges nothing that a cut could still take. REAL_CUTS says how
many the nightly run makes, half at each end.
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.databases import new_sqlite
from tests.faults.real_disk import NoRealDisk, RealDisk, real_disk
from tests.faults.test_outbox_power_cut import sound
from tests.sync.processes import ROOT

QUICK, NIGHTLY = 2, 100


def office_sound(folder: Path, marks: list[bytes]) -> None:
    """Every entry that was acknowledged was applied, and every recording stored, durably."""
    acked = {mark[6:].decode() for mark in marks if mark.startswith(b"acked ")}
    stored = {mark[7:].decode() for mark in marks if mark.startswith(b"stored ")}
    with closing(sqlite3.connect(folder / "head-office.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert acked <= {eid for (eid,) in db.execute("SELECT eid FROM inbox")}
        inbox = "SELECT count(*) FROM inbox WHERE kind = 'call_ended'"
        assert db.execute(inbox).fetchone() == db.execute("SELECT count(*) FROM calls").fetchone()
        kept = dict(db.execute("SELECT sha256, state FROM transfers"))
        assert {kept.get(sha256) for sha256 in stored} <= {"stored"}
        keys = dict(db.execute("SELECT sha256, object_key FROM recordings WHERE state = 'stored'"))
    for sha256 in stored:
        (file,) = (folder / "objects").rglob(keys[sha256])
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256


LIVES: dict[str, tuple[str, Callable[[Path, list[bytes]], None], int]] = {  # program, check, most promises
    "box": ("tests.faults.outbox_run", sound, 120),
    "head office": ("tests.faults.office_run", office_sound, 400),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[RealDisk]:
    try:
        with real_disk(tmp_path) as disk:
            yield disk
    except NoRealDisk as error:
        pytest.skip(f"REAL POWER CUTS NOT MADE: {error}")


def sync_path(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def cut_in_a_life(disk: RealDisk, end: str, seed: int) -> int:
    """Cut the power after so many promises that chance decides; how many were made until then.

    Only those count that were heard before the cut: an fsync that is under way meanwhile may still return
    as if it were done, and with a real cut nobody would be left to say so.
    """
    name, check, most = LIVES[end]
    folder = disk.folder / str(seed)
    folder.mkdir()
    new_sqlite(folder / "head-office.db")
    for path in (folder / "head-office.db", folder):
        sync_path(path)
    heard_before, heard = random.Random(seed).randint(1, most), b""
    with subprocess.Popen(
        [sys.executable, "-m", name, str(folder), str(seed)], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        while heard.count(b"\n") < heard_before and (said := os.read(program.stdout.fileno(), 4096)):
            heard += said
        disk.cut_power()
        while os.read(program.stdout.fileno(), 4096):
            pass  # it ends by itself: nothing can be written any more
    disk.start_again()
    promised = heard[: heard.rindex(b"\n")].split(b"\n")
    check(folder, promised)
    return len(promised)


def cut_often(disk: RealDisk, cuts: int, first_seed: int) -> int:
    ends = list(LIVES)
    return sum(cut_in_a_life(disk, ends[number % len(ends)], first_seed + number) for number in range(cuts))


def test_a_real_power_cut_at_either_end_breaks_no_promise(disk: RealDisk) -> None:
    assert cut_often(disk, QUICK, 1) >= QUICK


@pytest.mark.faults
def test_a_hundred_real_power_cuts_break_no_promise(tmp_path: Path) -> None:
    cuts, promised = int(os.environ.get("REAL_CUTS", NIGHTLY)), 0
    for number in range(0, cuts, 10):  # a new disk now and then
        try:
            with real_disk(tmp_path / str(number)) as disk:
                promised += cut_often(disk, min(10, cuts - number), 1000 + number)
        except NoRealDisk as error:
            pytest.skip(f"{cuts} REAL POWER CUTS NOT MADE: {error}")
    sys.stderr.write(f"{cuts} real power cuts, {promised} promises, none broken\n")
