"""A branch with real rows and real FLAC files, a disk whose size is decided by the test, and a kill."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.config import BoxSettings, Config, HatSettings, HeadOfficeSettings, KeepSettings, StorageSettings
from edge.finished import Encoded
from edge.storage.keeper import StorageKeeper, build_keeper
from edge.storage.ladder import Space
from edge.store.calls import CallRow, end_call
from edge.store.recordings import RecordingRow, begin_recording, finish_recording
from edge.store.retention import named_files, place_hold
from edge.store.schema import open_store
from sync import outbox
from sync.db import write
from sync.moment import to_text
from tests.fakes import AtOnce

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
NOW_UTC = to_text(NOW)
RATE_HZ = 8000


def confirm(db: sqlite3.Connection, recording_id: str) -> None:
    """Head office has the recording, and both sides have closed its hour. Inside `write`."""
    outbox.mark_file(db, recording_id, "stored")
    db.execute(
        "INSERT OR IGNORE INTO manifests (epoch, n, span, body, h, sig, state, made_utc)"
        " VALUES ('e', 1, '2026-01-01T00', x'00', '', '', 'closed', '')"
    )
    db.execute(
        "INSERT OR REPLACE INTO manifest_files (recording_id, epoch, n) VALUES (?, 'e', 1)", (recording_id,)
    )


def speech(samples: int = 4000, seed: int = 1) -> np.ndarray:
    """A tone that comes and goes, in noise."""
    at = np.arange(samples) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 300, samples)
    return (8000 * np.sin(2 * np.pi * 440 * at) * (np.sin(2 * np.pi * 3 * at) > 0) + noise).astype(np.int16)


def days_ago(days: float) -> str:
    return to_text(NOW - timedelta(days=days))


class Branch:
    """The store and the recordings of one box."""

    def __init__(
        self, folder: Path, head_office: bool = True, storage: StorageSettings | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = Config(
            box=BoxSettings(id="b", data_dir=folder),
            hats=(HatSettings(name="hat0", alsa_device="x", lines=4),),
            head_office=HeadOfficeSettings(host="hq" if head_office else ""),
            storage=storage or replace(StorageSettings(), ballast_mb=1),
        )
        self.folder = self.config.recordings_dir
        self.folder.mkdir(exist_ok=True)
        self.db = open_store(self.config.database)
        self.db.execute("PRAGMA synchronous=OFF")  # these tests kill processes, never the power
        self.total_bytes = 10**12

    def keep(self, *rules: KeepSettings) -> None:
        self.config = replace(self.config, keep=rules)

    def record(
        self,
        name: str,
        days: float,
        *,
        line: int = 1,
        direction: str = "in",
        outcome: str = "answered",
        confirmed: bool = True,
        held: bool = False,
        samples: int = 4000,
    ) -> str:
        """A finished recording `name` of the call `call-<name>`, begun so many days ago."""
        started = days_ago(days)
        call = CallRow(
            f"call-{name}", line, "", direction, started, outcome, ended_utc=started, end_reason="hung_up"
        )
        file = self.folder / f"{name}.flac"
        soundfile.write(file, speech(samples), RATE_HZ, subtype="PCM_16")
        content = file.read_bytes()
        encoded = Encoded(file.name, samples, len(content), hashlib.sha256(content).hexdigest())
        with write(self.db):
            end_call(self.db, call, started)
            begin_recording(
                self.db, RecordingRow(name, call.id, "recording", f"{name}.part", started, RATE_HZ)
            )
            finish_recording(self.db, name, encoded, started)
            if confirmed:
                confirm(self.db, name)
            if held:
                place_hold(self.db, call.id, "court", "lin", started)
        return name

    def keeper(self, clock_quality: str = "ntp") -> StorageKeeper:
        keeper = build_keeper(self.config, self.db, AtOnce, lambda: clock_quality)
        keeper.measure = self.space
        return keeper

    def space(self) -> Space:
        """A disk of `total_bytes` that holds the audio and nothing else."""
        return Space(self.total_bytes, self.total_bytes - self.audio_bytes(), 0)

    def audio_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in self.db.execute("SELECT id, state FROM recordings")}

    def ready(self) -> set[str]:
        return {name for name, state in self.states().items() if state == "ready"}

    def files(self) -> set[str]:
        return {file.name for file in self.folder.iterdir()}

    def one(self, query: str) -> sqlite3.Row:
        (row,) = self.db.execute(query).fetchall()
        return row

    def whole(self) -> None:
        """What must hold at any moment: every ready row has its file, every file has a row that names it."""
        rows = self.db.execute("SELECT file, sha256 FROM recordings WHERE state = 'ready'").fetchall()
        for row in rows:
            assert hashlib.sha256((self.folder / row["file"]).read_bytes()).hexdigest() == row["sha256"]
        known = {row["file"] for row in self.db.execute("SELECT file FROM recordings")} | named_files(self.db)
        assert {name for name in self.files() if not name.endswith(".encoding")} <= known


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    return Branch(tmp_path / "data")


FILE_CALLS = {"open", "os.rename", "os.remove", "os.truncate", "os.link", "os.mkdir"}


def killed_at(point: int, work: Callable[[Callable[[str], None]], None]) -> bool:
    """Run `work` in a process that dies before its n-th SQL statement or file call; False: it got through.

    `work` is given the function that its database connections report statements to.
    """
    child = os.fork()
    if child == 0:
        left = [point]

        def count(_: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

        try:
            sys.addaudithook(lambda event, _: count(event) if event in FILE_CALLS else None)
            work(count)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), f"the work failed at point {point}"
    return code == 9
