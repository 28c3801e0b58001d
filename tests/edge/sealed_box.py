"""A small branch database with sealed calls and real FLAC files, and ways to do it harm."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from edge.finished import Encoded
from edge.gaps import Gap
from edge.seal import sha256
from edge.store import recordings
from edge.store.calls import CallRow, end_call, save_call
from edge.store.recordings import RecordingRow
from edge.store.schema import open_store
from edge.verify import examine
from sync.db import write

NOW = "2026-03-02T09:00:30.000Z"
RATE_HZ = 8000


class SealedBox:
    """The folder of a box; `db` is opened when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audio = folder / "recordings"
        self.audio.mkdir(parents=True, exist_ok=True)
        self.database = folder / "branch.db"

    @cached_property
    def db(self) -> sqlite3.Connection:
        """The database as the recorder opens it."""
        return open_store(self.database)

    def call(self, name: str, number: str | None = "02155501234") -> None:
        """A call that is over."""
        row = CallRow(
            id=name,
            line=2,
            line_name="柜台",
            direction="in",
            started_utc=NOW,
            outcome="answered",
            answered_utc=NOW,
            ended_utc=NOW,
            duration_ms=12_000,
            ring_count=2,
            caller_number=number,
            caller_name="王芳",
            caller_presentation="available",
            caller_standard="bell202",
            end_reason="hung_up",
            clock_quality="ntp",
        )
        with write(self.db):
            end_call(self.db, row, NOW)

    def recording(self, name: str, call: str, samples: int = 400) -> Path:
        """A finished recording of noise with one gap; its file."""
        noise = np.random.default_rng(len(name) + samples).integers(-3000, 3000, samples, np.int16)
        with write(self.db):
            recordings.begin_recording(
                self.db, RecordingRow(name, call, "recording", f"{name}.part", NOW, RATE_HZ)
            )
        file = self.audio / f"{name}.flac"
        soundfile.write(file, noise, RATE_HZ, subtype="PCM_16")
        encoded = Encoded(file.name, samples, file.stat().st_size, sha256(file.read_bytes()))
        with write(self.db):
            recordings.close_recording(self.db, name, samples, (Gap(10, 20, "overrun"),))
            recordings.finish_recording(self.db, name, encoded, NOW)
        return file

    def open_call(self, name: str) -> None:
        """A call that goes on."""
        with write(self.db):
            save_call(self.db, CallRow(name, 1, "", "in", NOW))

    def lose(self, name: str, call: str) -> None:
        """A recording of which nothing could be kept."""
        with write(self.db):
            row = RecordingRow(name, call, "recording", f"{name}.part", NOW, RATE_HZ)
            recordings.begin_recording(self.db, row)
            recordings.lose_recording(self.db, name, "disk_full", NOW)

    def faults(self, **known: object) -> list[str]:
        """What `verify` says, as sentences."""
        found = examine(self.database, self.audio, settle_s=0.0, **known)  # type: ignore[arg-type]
        return [fault.says for fault in found]

    def harm(self, *statements: str) -> None:
        """Change rows behind the recorder's back."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as raw:
            for statement in statements:
                raw.execute(statement)

    def close(self) -> None:
        self.db.close()
        del self.db


def furnish(folder: Path) -> None:
    """Three calls: two recordings and one lost, one call that goes on; the database closed."""
    box = SealedBox(folder)
    for name in ("call-a", "call-b", "call-c"):
        box.call(name)
    box.recording("rec-a", "call-a")
    box.recording("rec-b", "call-b", 300)
    box.lose("rec-c", "call-c")
    box.open_call("call-d")
    box.close()


def copy_of(template: Path, folder: Path) -> SealedBox:
    """A fresh copy of a furnished box; what lies in `folder` gives way."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.unlink()
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return SealedBox(folder)
