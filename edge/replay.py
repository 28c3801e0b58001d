"""`edge replay`: a recorded line through the whole pipeline, as fast as it goes; calls as JSON.

The file's blocks take the place of the capture thread; all behind the ring is the real thing, down to FLAC
files and rows in a database of its own. A recording holds no voltages, so the hook is followed by ear.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.assembly import build_board
from edge.board import Board
from edge.config import BoxSettings, Config, HatSettings
from edge.ledger import Ledger
from edge.line.profile import PROFILES
from edge.recorder import Recorder
from edge.ring import RingWriter
from edge.rules import rules_of
from edge.samples import AudioBlock
from edge.sources.wav import RATE_HZ, channels_of, read_wav
from edge.store.lines import name_line
from edge.store.schema import open_store
from edge.timeline import Timeline
from sync.db import write
from sync.ids import new_id
from sync.moment import to_text

RING_S = 20.0
STEP_S = 0.5
QUIET_AFTER_S = 30.0  # silence put after the file, so that every call in it can end
COLUMNS = (
    "line, direction, outcome, started_utc, answered_utc, ended_utc, duration_ms, ring_count, caller_number,"
    " caller_name, caller_presentation, caller_standard, dialled, keys, end_reason, hook_known"
)


@dataclass(slots=True)
class Replay:
    """A box whose lines are the channels of a file."""

    config: Config
    ring: RingWriter
    board: Board
    recorder: Recorder
    ledger: Ledger
    timeline: Timeline

    def feed(self, block: AudioBlock) -> None:
        """Let `block` have been heard."""
        frames = round(STEP_S * self.ring.rate_hz)
        for at in range(0, len(block.samples), frames):
            self.ring.write(block.samples[at : at + frames])
            self.step()

    def step(self) -> None:
        """Look at what is in the ring."""
        now_utc = self.timeline.utc(self.ring.position)
        self.ledger.carry_out(self.board.step([]), self.recorder, self.timeline, now_utc)
        self.ledger.close_parts(self.recorder.step(), now_utc)

    def finish(self) -> list[dict[str, object]]:
        """Let silence follow, wait for the files, and return the calls."""
        lines = self.ring.lines
        quiet = np.zeros((round(QUIET_AFTER_S * self.ring.rate_hz), lines), np.int16)
        self.feed(AudioBlock(self.ring.position, quiet))
        end_utc = self.timeline.utc(self.ring.position)
        self.ledger.close_parts(self.recorder.close(), end_utc)
        self.ledger.worker.shutdown(wait=True)
        self.ledger.collect(end_utc, self.ring.position / self.ring.rate_hz)
        rows = self.ledger.db.execute(
            f"SELECT id, {COLUMNS} FROM calls ORDER BY started_utc, line"
        ).fetchall()
        return [dict(row) | {"recordings": self._recordings(row["id"])} for row in rows]

    def _recordings(self, call_id: str) -> list[dict[str, object]]:
        rows = self.ledger.db.execute(
            "SELECT file, state, rate_hz, samples, sha256 FROM recordings"
            " WHERE call_id = ? AND about = 'call'",
            (call_id,),
        )
        return [dict(row) for row in rows]


def replay_config(folder: Path, rate_hz: int, lines: int, country: str) -> Config:
    """A box in `folder` with one board; every line records by voltage."""
    box = BoxSettings(id="replay", data_dir=folder, ring_dir=folder, country=country)
    return Config(box=box, hats=(HatSettings(name="file", alsa_device="-", lines=lines, rate_hz=rate_hz),))


def build_replay(config: Config, first_line: int = 1) -> Replay:
    """Put the box together."""
    (hat,) = config.hats
    rate_hz, lines = hat.rate_hz, hat.lines
    config.recordings_dir.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    db = open_store(config.database)
    with write(db):
        for line in range(first_line, first_line + lines):
            name_line(db, line, "", to_text(now))
    ring = RingWriter.create(config.ring_path(hat), rate_hz, lines, RING_S)
    timeline = Timeline(rate_hz, now)
    return Replay(
        config=config,
        ring=ring,
        board=build_board(config, ring, first_line, timeline, lambda line: rules_of(config.line(line))),
        recorder=Recorder(config.recordings_dir, ring, first_line),
        ledger=Ledger(db, config, lambda: ThreadPoolExecutor(1), new_id),
        timeline=timeline,
    )


def replay_file(file: Path, first_line: int, country: str, keep: Path | None) -> int:
    """Print the calls found in `file`, one JSON object per line."""
    if country not in PROFILES:
        raise ValueError(f"country must be one of {', '.join(PROFILES)}, got {country!r}")
    if not 1 <= first_line <= 32:
        raise ValueError(f"a line has a number from 1 to 32, got {first_line}")
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(TemporaryDirectory(prefix="replay-")))
        replay = build_replay(replay_config(folder, RATE_HZ, channels_of(file), country), first_line)
        for block in read_wav(file):
            replay.feed(block)
        for call in replay.finish():
            sys.stdout.write(json.dumps(call, ensure_ascii=False) + "\n")
        replay.ledger.db.close()
    return 0
