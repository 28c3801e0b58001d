"""The keeper on real rows and files: every rung, every protection, and what it says meanwhile."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.config import KeepSettings
from edge.storage.ladder import Rung
from edge.store.finished_audio import audio_by_age
from edge.store.retention import delete_audio, lift_hold, note_backup, place_hold
from sync import outbox
from sync.db import write
from sync.moment import to_text
from tests.edge.storage.conftest import NOW, NOW_UTC, Branch, confirm, days_ago, killed_at

MONTH = KeepSettings(keep_days=30)


def troubles(branch: Branch) -> list[str]:
    query = "SELECT detail FROM health WHERE part = 'storage' AND until_utc IS NULL"
    return [row[0] for row in branch.db.execute(query)]


def full(branch: Branch, percent: float) -> None:
    """Make the disk so small that what is there fills it to `percent`."""
    branch.total_bytes = round(branch.audio_bytes() / percent * 100)


def test_audio_that_is_stored_goes_only_when_its_hour_is_closed(branch: Branch) -> None:
    branch.record("old", 400, confirmed=False)
    with write(branch.db):
        outbox.mark_file(branch.db, "old", "stored")
    branch.keep(KeepSettings(keep_days=90))
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    assert branch.ready() == {"old"}
    with write(branch.db):
        confirm(branch.db, "old")
        branch.db.execute("UPDATE manifests SET state = 'open'")  # said, and not agreed on yet
    keeper.step(to_text(NOW + timedelta(hours=1)))
    assert branch.ready() == {"old"}
    assert [row.confirmed for row in audio_by_age(branch.db)] == [0]
    with write(branch.db):
        assert not delete_audio(branch.db, "old", "age", None, NOW_UTC, forced=False)
        branch.db.execute("UPDATE manifests SET state = 'closed'")
    keeper.step(to_text(NOW + timedelta(hours=2)))
    keeper.step(to_text(NOW + timedelta(hours=2)))
    assert branch.ready() == set()


def test_rules_delete_audio_and_keep_the_rows(branch: Branch) -> None:
    branch.keep(MONTH)
    for name, days in (("new", 1), ("old", 31), ("older", 400)):
        branch.record(name, days)
    branch.record("waits", 400, confirmed=False)
    branch.record("held", 400, held=True)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    assert branch.ready() == {"new", "waits", "held"}
    assert branch.files() == {"new.flac", "waits.flac", "held.flac"}
    assert len(branch.db.execute("SELECT 1 FROM calls").fetchall()) == 5
    gone = branch.db.execute("SELECT recording_id, reason, user_name FROM deletions ORDER BY 1").fetchall()
    assert [tuple(row) for row in gone] == [("old", "age", None), ("older", "age", None)]
    branch.whole()


def test_nothing_is_deleted_by_age_while_nobody_knows_the_day(branch: Branch) -> None:
    branch.keep(replace(MONTH, opus_after_days=1))
    branch.record("old", 400)
    doubtful = branch.keeper("unsynced")
    for _ in range(4):
        doubtful.step(NOW_UTC)
    assert branch.files() == {"old.flac"}
    keeper = branch.keeper("rtc")
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    assert branch.files() == set()


def test_a_hold_placed_after_the_survey_wins(branch: Branch) -> None:
    branch.keep(MONTH)
    branch.record("old", 400)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    assert [one.audio.recording_id for one in keeper.found.delete] == ["old"]
    with write(branch.db):
        place_hold(branch.db, "call-old", "court", "lin", NOW_UTC)
    keeper.step(NOW_UTC)
    assert branch.ready() == {"old"}
    with write(branch.db):
        lift_hold(branch.db, "call-old", "lin", NOW_UTC)
    later = to_text(NOW + timedelta(hours=2))
    keeper.step(later)
    keeper.step(later)
    assert branch.ready() == set()


def test_head_office_losing_it_after_the_survey_wins(branch: Branch) -> None:
    branch.keep(MONTH)
    branch.record("old", 400)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    assert [one.audio.recording_id for one in keeper.found.delete] == ["old"]
    with write(branch.db):
        outbox.mark_file(branch.db, "old", "new")
    keeper.step(NOW_UTC)
    assert branch.ready() == {"old"}


@pytest.mark.parametrize("clock_goes", [timedelta(minutes=59), timedelta(hours=1), timedelta(days=-400)])
def test_the_survey_is_hourly_and_survives_a_clock_that_goes_back(
    branch: Branch, clock_goes: timedelta
) -> None:
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    branch.keep(MONTH)
    branch.record("x", 1)
    keeper.step(to_text(NOW + clock_goes))
    assert bool(keeper.found.removable_bytes) is (clock_goes != timedelta(minutes=59))


# -- the ladder


@pytest.mark.parametrize(
    ("percent", "rung", "left"),
    [
        (70, Rung.OK, 12),
        (85, Rung.WARN, 12),
        (91, Rung.PURGE, 11),
        (96, Rung.STOP, 10),
        (99, Rung.LAST, 10),
    ],
)
def test_each_rung_takes_confirmed_audio_oldest_first(
    branch: Branch, percent: float, rung: Rung, left: int
) -> None:
    for number in range(12):
        branch.record(f"r{number:02}", 50 - number)
    full(branch, percent)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    assert keeper.rung is rung
    assert branch.ready() == {f"r{number:02}" for number in range(12 - left, 12)}
    assert bool(troubles(branch)) is (rung is not Rung.OK)
    assert keeper.optional_allowed is (rung < Rung.STOP)
    keeper.step(NOW_UTC)
    assert len(branch.ready()) == left, "no more than needed"
    reasons = {row[0] for row in branch.db.execute("SELECT reason FROM deletions")}
    assert reasons <= {"space"}


def test_the_last_rung_takes_what_is_nowhere_else_loudly_and_never_what_is_held(branch: Branch) -> None:
    for number in range(20):
        branch.record(f"r{number:02}", 50 - number, confirmed=False, held=number < 3)
    full(branch, 97.9)
    keeper = branch.keeper()
    for _ in range(3):
        keeper.step(NOW_UTC)
    assert len(branch.ready()) == 20 and keeper.rung is Rung.STOP
    full(branch, 99)
    keeper.step(NOW_UTC)
    assert keeper.rung is Rung.LAST
    assert branch.ready() == {f"r{number:02}" for number in range(20)} - {"r03"}
    (said,) = troubles(branch)
    assert "nowhere else" in said and "1 recordings were deleted" in said
    row = branch.one("SELECT * FROM operation_log WHERE operation = 'delete_audio'")
    assert (row["subject"], row["reason"], row["user_name"]) == ("r03", "unconfirmed", "box")
    entry = branch.one("SELECT body FROM outbox WHERE kind = 'recording_lost'")
    assert b'"r03"' in entry["body"] and b"unconfirmed" in entry["body"]
    assert branch.one("SELECT state FROM outbox_files WHERE recording_id = 'r03'")["state"] == "deleted"
    assert outbox.waiting(branch.db).files == 19
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    assert len(branch.ready()) == 19, "as little as possible"


def test_confirmed_audio_goes_before_any_that_is_nowhere_else(branch: Branch) -> None:
    for number in range(10):
        branch.record(f"old{number}", 90 - number, confirmed=False)
        branch.record(f"new{number}", 9 - number / 10)
    full(branch, 100)
    keeper = branch.keeper()
    for _ in range(5):
        keeper.step(NOW_UTC)
    assert {name[:3] for name, state in branch.states().items() if state == "deleted"} == {"new"}


def test_a_box_alone_goes_round(tmp_path: Path) -> None:
    """REC-10, cyclic recording: without a head office the oldest makes room for the newest."""
    branch = Branch(tmp_path / "data", head_office=False)
    for number in range(10):
        branch.record(f"r{number}", 50 - number, confirmed=False)
    full(branch, 92)
    branch.keeper().step(NOW_UTC)
    assert branch.ready() == {f"r{number}" for number in range(1, 10)}
    assert outbox.next_file(branch.db).recording_id == "r1"  # type: ignore[union-attr]


def test_trouble_ends_when_there_is_room_again(branch: Branch) -> None:
    branch.record("x", 1)
    full(branch, 85)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    assert "85 % full" in troubles(branch)[0]
    branch.total_bytes *= 10
    keeper.step(NOW_UTC)
    assert troubles(branch) == []
    assert branch.one("SELECT count(*) FROM health")[0] == 1


def test_the_alarm_comes_hours_ahead(branch: Branch) -> None:
    for number in range(4):
        branch.record(f"r{number}", number / 10, confirmed=False)
    branch.total_bytes = round(branch.audio_bytes() * 1.9)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    assert keeper.rung is Rung.OK and "full in about 22 hours" in troubles(branch)[0]
    with write(branch.db):
        for number in range(4):
            confirm(branch.db, f"r{number}")
    keeper.step(to_text(NOW + timedelta(hours=1)))
    assert troubles(branch) == [], "what head office has can make room"


@pytest.mark.parametrize(
    ("folder", "hours_ago", "result", "says"),
    [
        ("/usb", None, "done", "there is none yet"),
        ("/usb", 49, "done", "no backup for two days"),
        ("/usb", 47, "failed", "there is none yet"),
        ("/usb", 47, "done", None),
        ("", None, "done", None),
    ],
)
def test_a_backup_that_does_not_happen_is_said(
    branch: Branch, folder: str, hours_ago: float | None, result: str, says: str | None
) -> None:
    branch.config = replace(branch.config, storage=replace(branch.config.storage, backup_dir=folder))
    if hours_ago is not None:
        with write(branch.db):
            note_backup(branch.db, folder, result, (0, 0, 0), "", days_ago(hours_ago / 24))
    branch.keeper().step(NOW_UTC)
    said = branch.db.execute("SELECT detail FROM health WHERE part = 'backup'").fetchall()
    assert [says in row["detail"] for row in said] == ([True] if says else [])


def test_a_file_that_cannot_be_removed_is_said_and_tried_again(branch: Branch) -> None:
    branch.keep(MONTH)
    branch.record("old", 400)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    stubborn = branch.folder / "old.flac"
    content = stubborn.read_bytes()
    stubborn.unlink()
    stubborn.mkdir()
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    assert branch.states() == {"old": "deleted"} and "old.flac cannot be removed" in troubles(branch)[0]
    stubborn.rmdir()
    stubborn.write_bytes(content)
    keeper.step(NOW_UTC)
    assert branch.files() == set() and troubles(branch) == []


def test_a_disk_that_cannot_be_asked_stops_no_recording(branch: Branch) -> None:
    keeper = branch.keeper()
    branch.folder.rename(branch.folder.with_name("gone"))
    assert keeper.audio_allowed


def test_an_idle_step_writes_nothing(branch: Branch) -> None:
    branch.record("x", 1)
    keeper = branch.keeper()
    keeper.step(NOW_UTC)
    before = branch.db.total_changes
    for minute in range(59):
        keeper.step(to_text(NOW + timedelta(minutes=minute)))
    assert branch.db.total_changes == before


def test_killed_anywhere_the_next_run_finishes_the_deletion(tmp_path: Path) -> None:
    point = 0
    finished = False
    while not finished:
        branch = Branch(tmp_path / str(point))
        branch.keep(MONTH)
        for name in ("a", "b", "c"):
            branch.record(name, 400)
        branch.record("held", 400, held=True)
        branch.db.close()

        def work(count: object, branch: Branch = branch) -> None:
            again = Branch(branch.config.box.data_dir)
            again.keep(MONTH)
            again.db.set_trace_callback(count)  # type: ignore[arg-type]
            keeper = again.keeper()
            for _ in range(3):
                keeper.step(NOW_UTC)

        finished = not killed_at(point, work)
        after = Branch(branch.config.box.data_dir)
        after.keep(MONTH)
        after.whole()
        keeper = after.keeper()
        for _ in range(3):
            keeper.step(NOW_UTC)
        after.whole()
        assert (after.ready(), after.files()) == ({"held"}, {"held.flac"})
        assert after.one("SELECT count(*) FROM deletions")[0] == 3
        after.db.close()
        point += 3
    assert point > 30


class AnyOrder(RuleBasedStateMachine):
    """Calls, confirmations, holds, hours and a disk of any size, in any order."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.branch = Branch(Path(self.folder.name) / "data")
        self.branch.keep(
            KeepSettings(line=1, keep_days=20, opus_after_days=5), KeepSettings(keep_recordings=2)
        )
        self.keeper = self.branch.keeper()
        self.hours = 0
        self.number = 0
        self.held: set[str] = set()
        self.confirmed: set[str] = set()
        self.fullest = 0.0

    @rule(days=st.floats(0, 60), line=st.integers(1, 2), confirmed=st.booleans(), held=st.booleans())
    def call(self, days: float, line: int, confirmed: bool, held: bool) -> None:
        self.number += 1
        name = self.branch.record(
            f"r{self.number}", days, line=line, confirmed=confirmed, held=held, samples=1000
        )
        self.held |= {name} if held else set()
        self.confirmed |= {name} if confirmed else set()

    @rule(number=st.integers(1, 20))
    def confirm(self, number: int) -> None:
        name = f"r{number}"
        if name in self.branch.ready():
            with write(self.branch.db):
                confirm(self.branch.db, name)
            self.confirmed.add(name)

    @rule(number=st.integers(1, 20))
    def hold(self, number: int) -> None:
        name = f"r{number}"
        if name in self.branch.ready():
            with write(self.branch.db):
                place_hold(self.branch.db, f"call-{name}", "court", "lin", NOW_UTC)
            self.held.add(name)

    @rule(percent=st.floats(1, 105))
    def fill(self, percent: float) -> None:
        full(self.branch, percent)

    @rule(hours=st.integers(0, 3))
    def step(self, hours: int) -> None:
        self.hours += hours
        before = self.branch.ready()
        full_percent = self.branch.space().used_percent
        self.keeper.step(to_text(NOW + timedelta(hours=self.hours)))
        gone = before - self.branch.ready()
        assert not gone & self.held
        if gone - self.confirmed:
            assert full_percent > 95 and self.keeper.rung is Rung.LAST
            assert not (self.branch.ready() & self.confirmed) - self.held

    @invariant()
    def rows_and_files_agree(self) -> None:
        if hasattr(self, "branch"):
            self.branch.whole()

    def teardown(self) -> None:
        if hasattr(self, "branch"):
            self.branch.db.close()
            self.folder.cleanup()


AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestAnyOrder = AnyOrder.TestCase
