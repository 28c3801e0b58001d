"""Power cuts at every kind of moment: what was promised is there, and no recording lacks more than a second.

The recorder's own writes are traced once and replayed into legal disk states; each is opened as after a power
cut, its leftovers are adopted, and the result is compared with the line's truth.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.adopt import adopt_leftovers
from edge.ledger import Ledger
from edge.replay import replay_config
from edge.store.schema import open_store
from sync.moment import from_text
from tests.fakes import AtOnce
from tests.faults import recording_run
from tests.faults.disk_trace import Disk, Step, lay_out, states, trace

ROOT = Path(__file__).parents[2]
LATER = "2030-01-01T00:00:00.000Z"
BOUND_MS = 1000 + 40  # one second since the last fsync, and the period that was being heard
QUICK, LONG = 90, 3000
RESULTS = ROOT / "build" / "faults"

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@dataclass(frozen=True)
class Traced:
    """The run and what it did."""

    folder: Path
    steps: list[Step]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, str(Path(recording_run.__file__)), str(folder / "box")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    steps = trace(command, folder / "box", folder / "trace", environment)
    assert sum(step.kind == "sync" for step in steps) > 20
    assert any(step.kind == "mark" and step.data.startswith(b"ready") for step in steps)
    return Traced(folder / "box", steps)


def lost_ms_after(marks: list[bytes], folder: Path) -> Iterator[int]:
    """Open a disk as after a power cut, check every promise; ms lost of each recording that was cut."""
    config = replay_config(folder, recording_run.RATE_HZ, 1, "cn")
    config.recordings_dir.mkdir(parents=True, exist_ok=True)
    db = open_store(config.database)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    query = "SELECT id FROM recordings WHERE state = 'recording' AND about = 'call'"
    running = {row["id"] for row in db.execute(query)}  # on-hook audio ends before what was heard last
    numbers = iter(range(10_000))
    adopt_leftovers(ledger := Ledger(db, config, AtOnce, lambda: f"new-{next(numbers)}"), LATER)
    ledger.collect(LATER, 0)
    heard = max([0, *(int(mark[6:]) for mark in marks if mark.startswith(b"heard"))])
    for mark in marks:
        word, _, row_id = mark.decode().partition(" ")
        if word == "ended":
            assert state_of(db, "calls", row_id) == "ended"
            query = "SELECT count(*) FROM outbox WHERE kind = 'call_ended' AND instr(body, ?)"
            assert db.execute(query, (row_id.encode(),)).fetchone()[0] == 1
        if word == "ready":
            assert state_of(db, "recordings", row_id) == "ready"
    assert not db.execute("SELECT 1 FROM calls WHERE state = 'open'").fetchall()
    zero = _position_zero(db)
    for row in db.execute("SELECT * FROM recordings").fetchall():
        assert row["state"] in ("ready", "lost")
        kept = 0
        if row["state"] == "ready":
            start = round((from_text(row["started_utc"]) - zero).total_seconds() * recording_run.RATE_HZ)
            kept = start + _same_as_the_line(config.recordings_dir / row["file"], start)
        if row["id"] in running and f"begun {row['id']}".encode() in marks:
            yield round((heard - kept) * 1000 / recording_run.RATE_HZ) if kept else 0
    db.close()


def state_of(db: sqlite3.Connection, table: str, row_id: str) -> str:
    return str(db.execute(f"SELECT state FROM {table} WHERE id = ?", (row_id,)).fetchone()["state"])


def _position_zero(db: sqlite3.Connection) -> datetime | None:
    """The time of day of position 0, from the first call: the script rings at a known position."""
    (first,) = db.execute("SELECT min(started_utc) FROM calls").fetchone()
    story = recording_run.exchange()
    story.audio(0, recording_run.RATE_HZ * recording_run.SECONDS)
    begin = min(call.begin for call in story.story())
    return from_text(first) - timedelta(seconds=begin / recording_run.RATE_HZ) if first else None


def _same_as_the_line(file: Path, start: int) -> int:
    """Samples in the file, all of them what the line carried near `start` (times are in milliseconds)."""
    audio, _ = soundfile.read(file, dtype="int16")
    truth = recording_run.exchange().audio(max(0, start - 400), len(audio) + 800)[:, 0]
    windows = np.lib.stride_tricks.sliding_window_view(truth, min(len(audio), 2000))
    found = np.flatnonzero((windows == audio[: windows.shape[1]]).all(axis=1))
    assert len(found), f"{file.name} is not what the line carried"
    np.testing.assert_array_equal(audio, truth[found[0] : found[0] + len(audio)])
    return len(audio)


def run_through(traced: Traced, folder: Path, most: int, seed: int) -> list[int]:
    lost: list[int] = []
    for number, (marks, files) in enumerate(states(traced.steps, seed, most)):
        disk = folder / str(number)
        lay_out(files, traced.folder, disk)
        lost += lost_ms_after(marks, disk)
        shutil.rmtree(disk)
    return lost


def test_no_power_cut_costs_more_than_a_second(traced: Traced, tmp_path: Path) -> None:
    lost = run_through(traced, tmp_path, QUICK, seed=1)
    assert lost and max(lost) <= BOUND_MS


@pytest.mark.faults
def test_thousands_of_power_cuts(traced: Traced, tmp_path: Path) -> None:
    lost = run_through(traced, tmp_path, LONG, seed=2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    counts, edges = np.histogram(lost, bins=range(0, 1200, 100))
    histogram = {f"{edge} ms": int(count) for edge, count in zip(edges, counts, strict=False)}
    report = {"power cuts in mid recording": len(lost), "most lost ms": max(lost), "histogram": histogram}
    (RESULTS / "power_cut.json").write_text(json.dumps(report, indent=1) + "\n")
    assert max(lost) <= BOUND_MS


# -- the simulator itself obeys the rules of a disk

A = "/d/a"


@pytest.mark.parametrize(
    ("steps", "none", "all_"),
    [
        ([Step("create", A), Step("write", A, 0, b"xy")], {}, {A: b"xy"}),
        ([Step("create", A), Step("write", A, 0, b"xy"), Step("sync", A)], {A: b"xy"}, {A: b"xy"}),
        ([Step("create", A), Step("sync", A), Step("write", A, 0, b"xy")], {A: b""}, {A: b"xy"}),
        (
            [Step("create", A), Step("write", A, 0, b"x"), Step("sync", A), Step("rename", A, target="/d/b")],
            {A: b"x"},
            {"/d/b": b"x"},
        ),
        (
            [Step("create", A), Step("write", A, 0, b"x"), Step("sync", A), Step("rename", A, target="/d/b"),
             Step("sync", "/d")],
            {"/d/b": b"x"},
            {"/d/b": b"x"},
        ),
        ([Step("create", A), Step("sync", A), Step("remove", A)], {A: b""}, {}),
    ],
)  # fmt: skip
def test_what_is_durable_and_what_is_not(steps: list[Step], none: dict, all_: dict) -> None:
    disk = Disk()
    for step in steps:
        disk.apply(step)
    assert disk.after_power_cut(random.Random(1), "none") == none
    assert disk.after_power_cut(random.Random(1), "all") == all_
