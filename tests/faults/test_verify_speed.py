"""`edge verify` over a year of a branch: 10,000 calls with a recording each in under 10 s."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.finished import Encoded
from edge.seal import sha256
from edge.store.calls import CallRow, end_call
from edge.store.recordings import RecordingRow, begin_recording, finish_recording
from edge.store.schema import open_store
from edge.verify import Tally, examine
from sync.db import write
from tests.edge.sealed_box import NOW

CALLS = 10_000
LIMIT_S = 10.0


@pytest.mark.faults
def test_ten_thousand_calls_are_verified_in_ten_seconds(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    db = open_store(tmp_path / "branch.db")
    audio = b"fLaC" * 100
    with write(db):
        for number in range(CALLS):
            call, name = f"call-{number:05}", f"rec-{number:05}"
            row = CallRow(call, 1, "", "in", NOW, outcome="answered", ended_utc=NOW, end_reason="hung_up")
            end_call(db, row, NOW)
            begin_recording(db, RecordingRow(name, call, "recording", f"{name}.part", NOW, 8000))
            (folder / f"{name}.flac").write_bytes(audio)
            finish_recording(db, name, Encoded(f"{name}.flac", 9, len(audio), sha256(audio)), NOW)
    db.execute("UPDATE calls SET ring_count = 7 WHERE id = 'call-07777'")
    db.close()
    tally = Tally()
    began_s = time.process_time()
    faults = list(examine(tmp_path / "branch.db", folder, tally))
    took_s = time.process_time() - began_s
    assert [fault.says for fault in faults] == ["call call-07777: ring_count is 7, sealed as 0 (link 15555)"]
    assert (tally.calls, tally.files, tally.links) == (CALLS, CALLS, 2 * CALLS)
    assert took_s < LIMIT_S, f"{took_s:.1f} s of processor time"
