"""Power cuts of a box at every moment of its outbox's life: no committed entry is lost, no ack forgotten.

The outbox's own writes are traced by strace and replayed into the states a disk may legally be in
(tests.faults.disk_trace): between any two writes, with nothing, everything or any mixture of pages of what no
fsync had made durable, one page torn. A state is the bytes of every file of the database. Each state is made
anew and counted; one whose bytes were checked before, after as many promises, is not opened again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from sync import outbox
from sync.db import connect
from sync.envelope import chained, genesis
from tests.faults.disk_trace import Step, lay_out, states, trace

ROOT = Path(__file__).parents[2]
QUICK = 240
NIGHTLY = 1_000_000
PASSES = 10  # over the trace of one life, each with other mixtures


@dataclass(slots=True)
class Replayed:
    """How many states were made, and how many of them were new."""

    made: int = 0
    opened: int = 0


def traced(folder: Path, seed: int) -> list[Step]:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.faults.outbox_run", str(folder), str(seed)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return trace(command, folder, folder.with_suffix(".trace"), environment)


def replay(tmp_path: Path, wanted: int, check: Callable[[Path, list[bytes]], None]) -> Replayed:
    """Make `wanted` states, of as many lives as that takes, and check each that is new."""
    done = Replayed()
    for seed in count(1):
        was, now, known = tmp_path / f"life{seed}", tmp_path / "after", set()
        steps = traced(was, seed)
        for again in range(PASSES):
            for marks, files in states(steps, seed * PASSES + again, wanted - done.made):
                done.made += 1
                digest = _digest(marks, files)
                if digest not in known:
                    known.add(digest)
                    done.opened += 1
                    shutil.rmtree(now, ignore_errors=True)
                    lay_out(files, was, now)
                    check(now, marks)
            if done.made >= wanted:
                return done
        shutil.rmtree(was)
    raise AssertionError


def _digest(marks: list[bytes], files: dict[str, bytes]) -> bytes:
    digest = hashlib.blake2b(str(len(marks)).encode(), digest_size=16)
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])} ".encode())
        digest.update(files[name])
    return digest.digest()


def sound(folder: Path, marks: list[bytes]) -> None:
    """What was promised is there, whole and in order."""
    promised = {mark[4:].decode() for mark in marks if mark.startswith(b"put ")}
    acked = [mark.decode().split()[1:] for mark in marks if mark.startswith(b"acked ")]
    file = folder / "branch.db"
    if not file.exists():
        assert not promised
        return
    db = connect(file)
    try:
        if not promised and not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone():
            return
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert promised <= {eid for (eid,) in db.execute("SELECT eid FROM outbox")}
        for epoch, upto in acked[-1:]:
            of_it = "epoch = ? AND stream = 'evt' AND seq <= ? AND state = 'acked'"
            query = f"SELECT count(*) FROM outbox WHERE {of_it}"
            assert db.execute(query, (epoch, int(upto))).fetchone()[0] == int(upto)
        _chains(db)
    finally:
        db.close()


def _chains(db: sqlite3.Connection) -> None:
    """Numbers without a hole, hashes that join, counters that say the last of them."""
    epoch = outbox.epoch_of(db)
    h, last = genesis(epoch, "evt"), 0
    rows = db.execute(
        "SELECT seq, body, prev, h FROM outbox WHERE epoch = ? AND stream = 'evt' ORDER BY seq", (epoch,)
    )
    for seq, body, prev, there in rows:
        assert (seq, prev, there) == (last + 1, h, chained(h, body))
        h, last = there, seq
    assert outbox.heads(db)["evt"] == last


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """A folder in memory, if there is one: a disk is not what is tested here."""
    shm = Path("/dev/shm") / f"branchline-cuts-{os.getpid()}"
    if not shm.parent.is_dir():
        return tmp_path
    shm.mkdir()
    return shm


def test_no_power_cut_costs_the_outbox_anything(memory: Path) -> None:
    try:
        done = replay(memory, QUICK, sound)
        assert done.made >= QUICK and done.opened > QUICK // 3
    finally:
        shutil.rmtree(memory, ignore_errors=True)


@pytest.mark.faults
def test_a_million_power_cuts(memory: Path) -> None:
    try:
        done = replay(memory, int(os.environ.get("CRASH_STATES", NIGHTLY)), sound)
        sys.stderr.write(f"{done.made} crash states replayed, {done.opened} of them new and opened\n")
    finally:
        shutil.rmtree(memory, ignore_errors=True)
