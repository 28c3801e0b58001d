"""Start-up: finishes what a kill or a power cut left in mid-air, and puts aside what nobody knows.

row says recording or part, audio there     encoded; its call, if still open, ends where the audio ends
row says recording or part, no audio        lost, and head office is told
.part of a recording that is ready          removed: its file was safe before its row said so
.part or .flac without a row                moved to quarantine/, a health row names how many
.encoding                                   half a file of the worker: removed, its part is still there
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from edge.finished import ENCODING, FINISHED, sync_folder
from edge.ledger import Ledger
from edge.part import SUFFIX, part_name, samples_in
from edge.store import recordings as recording_rows
from edge.store import seals
from edge.store.calls import CallRow, end_call, open_calls
from edge.store.health import tell_trouble
from edge.store.recordings import RecordingRow
from edge.store.retention import named_files
from sync.db import write
from sync.moment import from_text, to_text

REASON = "recorder_restarted"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What the start found."""

    calls: int
    recordings: int
    lost: int
    orphans: int


def adopt_leftovers(ledger: Ledger, now_utc: str) -> Adopted:
    """Finish every open call and unfinished recording of an earlier run."""
    folder = ledger.config.recordings_dir
    seals.remove_deleted_files(ledger.db)
    for half in folder.glob(f"*{ENCODING}"):
        half.unlink()
    for part in folder.glob(f"*{SUFFIX}"):
        if recording_rows.state_of(ledger.db, part.stem) in ("ready", "deleted"):
            part.unlink()
    unfinished = recording_rows.unfinished_recordings(ledger.db)
    samples = {row.id: _kept_of(row, folder) for row in unfinished}
    kept = [row for row in unfinished if samples[row.id]]
    lost = [row for row in unfinished if not samples[row.id]]
    with write(ledger.db):
        calls = open_calls(ledger.db)
        for call in calls:
            own = recording_rows.recordings_of(ledger.db, call.id)
            ends_utc = [_end_utc(row, samples.get(row.id, row.samples)) for row in own]
            end_call(ledger.db, _cut_short(call, ends_utc), now_utc)
        for row in lost:
            recording_rows.lose_recording(ledger.db, row.id, REASON, now_utc)
        for row in kept:
            if row.state == "recording":
                recording_rows.close_recording(ledger.db, row.id, samples[row.id], ())
        orphans = _put_orphans_aside(folder, ledger.db)
        _tell_orphans(ledger.db, folder, now_utc)
    for row in kept:
        ledger.encode(row.id, row.rate_hz, samples[row.id])
    return Adopted(len(calls), len(kept), len(lost), orphans)


def _kept_of(row: RecordingRow, folder: Path) -> int:
    """Samples that can be read back; no more than a closed part was said to have."""
    kept = samples_in(folder / part_name(row.id))
    return min(kept, row.samples) if row.state == "part" else kept


def _end_utc(row: RecordingRow, samples: int) -> str:
    return to_text(from_text(row.started_utc) + timedelta(seconds=samples / row.rate_hz))


def _cut_short(call: CallRow, ends_utc: list[str]) -> CallRow:
    """The call as far as it is known: it ended, for us, where its audio ends."""
    ended_utc = max([call.started_utc, *ends_utc])
    talked_from = call.answered_utc if call.direction == "in" else call.started_utc
    talked_ms = 0
    if talked_from is not None:
        talked_ms = max(0, round((from_text(ended_utc) - from_text(talked_from)).total_seconds() * 1000))
    outcome = "answered" if call.direction == "in" and call.answered_utc else "unknown"
    return replace(call, ended_utc=ended_utc, outcome=outcome, duration_ms=talked_ms, end_reason=REASON)


def _put_orphans_aside(folder: Path, db: sqlite3.Connection) -> int:
    """Move audio files no row names to quarantine/; they are never deleted."""
    known = {row[0] for row in db.execute("SELECT file FROM recordings")} | named_files(db)
    for row in recording_rows.unfinished_recordings(db):  # its finished file may lack only the row's word
        known |= {part_name(row.id), row.id + FINISHED}
    orphans = [file for file in folder.iterdir() if file.is_file() and file.name not in known]
    if orphans:
        quarantine = folder / "quarantine"
        quarantine.mkdir(exist_ok=True)
        for file in orphans:
            file.rename(quarantine / file.name)
        sync_folder(quarantine)
        sync_folder(folder)
    return len(orphans)


def _tell_orphans(db: sqlite3.Connection, folder: Path, now_utc: str) -> None:
    """The page names files put aside for as long as there are any."""
    quarantine = folder / "quarantine"
    waiting = len(list(quarantine.iterdir())) if quarantine.exists() else 0
    says = f"{waiting} audio files that no call knows" if waiting else ""
    tell_trouble(db, "quarantine", says, now_utc)
