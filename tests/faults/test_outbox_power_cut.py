"""Power cuts of a box at every moment of its outbox's life: no committed entry is lost, no ack forgotten.

The outbox's own writes are traced by strace and replayed into the states a disk may legally be in
(tests.faults.disk_trace): between any two writes, with nothing, everything or any mixture of pages of what no
fsync had made durable, one page torn. A state is the bytes of every file of the database. Each state is made
anew and counted; one whose bytes were checked before, after as many promises, is not opened again.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path

import pytest

from sync.db import connect
from sync.envelope import chained, genesis
from tests.faults.disk_trace import Step, lay_out, states, trace

ROOT = Path(__file__).parents[2]
QUICK = 240
NIGHTLY = 1_000_000
COLUMNS = ("eid", "epoch", "state", "seq", "prev", "h", "body")
Row = tuple[str, str, str, int, str, str, bytes]
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
        was, now, known = tmp_path / f"life{seed}", tmp_path / "after", set[int]()
        steps = traced(was, seed)
        for again in range(PASSES):
            for marks, files in states(steps, seed * PASSES + again, wanted - done.made):
                done.made += 1
                state = hash((len(marks), *files.items()))  # Python hashes the bytes of a file once
                if state not in known:
                    known.add(state)
                    done.opened += 1
                    for left in now.glob("*"):
                        left.unlink()
                    lay_out(files, was, now)
                    check(now, marks)
            if done.made >= wanted:
                return done
        shutil.rmtree(was)
    raise AssertionError


def sound(folder: Path, marks: list[bytes]) -> None:
    """What was promised is there, whole and in order."""
    promised = {mark[4:] for mark in marks if mark.startswith(b"put ")}
    acked = [mark.decode().split()[1:] for mark in marks if mark.startswith(b"acked ")]
    file = folder / "branch.db"
    if not file.exists():
        assert not promised
        return
    db = connect(file)
    db.row_factory = None
    try:
        if not promised and not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone():
            return
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM outbox ORDER BY epoch, seq").fetchall()
        streams = db.execute(
            "SELECT epoch, last_seq, head FROM outbox_streams WHERE stream = 'evt'"
        ).fetchone()
    finally:
        db.close()
    assert promised <= {row[0].encode() for row in rows}
    for epoch, upto in acked[-1:]:
        assert sum(row[1:3] == (epoch, "acked") and row[3] <= int(upto) for row in rows) == int(upto)
    chain_holds(streams, rows)


@lru_cache(10_000)
def holds(h: str, seq: int, row: Row) -> bool:
    """Whether an entry follows the one before it."""
    return row[3:6] == (seq + 1, h, chained(h, row[6]))


def chain_holds(stream: tuple[str, int, str], rows: list[Row]) -> None:
    """Numbers without a hole, hashes that join, a counter that says the last of them."""
    epoch, last_seq, head = stream
    h, last = genesis(epoch, "evt"), 0
    for row in rows:
        if row[1] == epoch:
            assert holds(h, last, row), row
            h, last = row[5], row[3]
    assert (last, h) == (last_seq, head)


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
