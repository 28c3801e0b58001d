"""The seconds before an answer, on the disk: kept, held, erased and deleted with their call, never sent."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import soundfile

from edge.config import KeepSettings
from edge.finished import Encoded
from edge.storage.policy import due_for_opus
from edge.store.listing import call_facts
from edge.store.recordings import ON_HOOK, RecordingRow, begin_recording, finish_recording, lose_recording
from edge.store.retention import delete_audio, place_hold
from edge.verify import run_verify
from sync.db import write
from tests.edge.storage.conftest import NOW_UTC, RATE_HZ, Branch, days_ago, speech
from tests.edge.storage.test_policy import audio, gone


def on_hook(branch: Branch, call: str, days: float) -> str:
    """The on-hook audio of the call that `Branch.record` made."""
    name = f"ring-{call}"
    file = branch.folder / f"{name}.flac"
    soundfile.write(file, speech(2000, 2), RATE_HZ, subtype="PCM_16")
    content = file.read_bytes()
    encoded = Encoded(file.name, 2000, len(content), hashlib.sha256(content).hexdigest())
    row = RecordingRow(
        name, f"call-{call}", "recording", f"{name}.part", days_ago(days), RATE_HZ, about=ON_HOOK
    )
    with write(branch.db):
        begin_recording(branch.db, row)
        finish_recording(branch.db, name, encoded, days_ago(days))
    return name


def kinds(branch: Branch) -> list[str]:
    return [row[0] for row in branch.db.execute("SELECT kind FROM outbox ORDER BY stream, seq")]


def test_it_is_sealed_and_verified_but_neither_sent_nor_shown(
    branch: Branch, capsys: pytest.CaptureFixture[str]
) -> None:
    branch.record("a", 1)
    before = kinds(branch)
    ring = on_hook(branch, "a", 1)
    assert kinds(branch) == before
    assert not branch.db.execute("SELECT 1 FROM outbox_files WHERE recording_id = ?", (ring,)).fetchall()
    facts = call_facts(branch.db, "call-a")
    assert facts is not None and [one.id for one in facts.recordings] == ["a"]
    assert facts.row.recording_id == "a", "the newest row of the call is the on-hook one"
    assert run_verify(branch.config.database, branch.folder, False, "") == 0
    (branch.folder / f"{ring}.flac").write_bytes(b"another caller")
    assert run_verify(branch.config.database, branch.folder, False, "") == 1
    assert ring in capsys.readouterr().out


def test_lost_on_hook_audio_is_no_news(branch: Branch) -> None:
    branch.record("a", 1)
    before = kinds(branch)
    row = RecordingRow("x", "call-a", "recording", "x.part", days_ago(1), RATE_HZ, about=ON_HOOK)
    with write(branch.db):
        begin_recording(branch.db, row)
        lose_recording(branch.db, "x", "disk_full", NOW_UTC)
    assert kinds(branch) == before


def test_the_rules_delete_it_by_age_like_other_audio(branch: Branch) -> None:
    for name, days in (("old", 40), ("new", 1)):
        branch.record(name, days)
        on_hook(branch, name, days)
    branch.keep(KeepSettings(keep_days=30))
    keeper = branch.keeper()
    for _ in range(3):
        keeper.step(NOW_UTC)
    assert branch.ready() == {"new", "ring-new"}
    branch.whole()


def test_a_hold_keeps_it(branch: Branch) -> None:
    branch.record("a", 40)
    ring = on_hook(branch, "a", 40)
    with write(branch.db):
        place_hold(branch.db, "call-a", "court", "lin", NOW_UTC)
        assert not delete_audio(branch.db, ring, "age", None, NOW_UTC, forced=True)


@pytest.mark.parametrize(("reason", "left"), [("erased", set()), ("age", {"ring-a"})])
def test_who_erases_a_call_erases_what_announced_it(branch: Branch, reason: str, left: set[str]) -> None:
    branch.record("a", 1)
    on_hook(branch, "a", 1)
    before = kinds(branch)
    with write(branch.db):
        assert delete_audio(branch.db, "a", reason, "lin", NOW_UTC, forced=True)
    assert branch.ready() == left and kinds(branch) == before


RINGS = [replace(audio(f"ring-{one}", days), about="on_hook") for one, days in (("a", 1), ("b", 10))]
CALLS = [audio("a", 1.0001), audio("b", 10.0001)]


def test_it_is_not_counted_and_goes_with_the_calls_of_its_time() -> None:
    assert gone([*RINGS, *CALLS], KeepSettings(keep_recordings=2)) == []
    assert {name for name, _ in gone([*RINGS, *CALLS], KeepSettings(keep_recordings=1))} == {"b"}
    assert {name for name, _ in gone([*RINGS, *CALLS], KeepSettings(keep_days=5))} == {"b", "ring-b"}


def test_it_is_never_packed_with_loss() -> None:
    rules = [KeepSettings(opus_after_days=5)]
    assert [one.recording_id for one in due_for_opus([*RINGS, *CALLS], rules, NOW_UTC)] == ["b"]
