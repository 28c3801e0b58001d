"""The recorder's service on a real virtual card: faults in mid call become rows, and cost what they must."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.app import RecordService, build_record_service
from edge.clock import SystemClock
from edge.config import Config
from edge.store.line_settings import change, settings_of
from hw.virtual.build import alsa_config, build
from hw.virtual.ring import Ring
from sync.db import connect, write
from sync.moment import from_text, to_text
from tests.fakes import AtOnce, wait_for
from tests.world import World

pytestmark = pytest.mark.xdist_group("service")

SCRIPT = """
loop = true
[[lines]]
steps = [
  { do = "wait", s = 2.2 },
  { do = "dial", digits = "123", dial_tone_s = 0.3, ringbacks = 0 },
  { do = "say", who = "far", s = 2 },
  { do = "hang_up", who = "staff" },
]
"""


OPEN = (
    "SELECT 1 FROM calls WHERE state = 'open' OR id IN (SELECT call_id FROM recordings WHERE state = 'part')"
)


class SetClock(SystemClock):
    """The box's clocks, and somebody who sets the wall clock."""

    ahead = timedelta()

    def utc(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def quality(self) -> str:
        return "ntp"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A virtual HAT of two lines with calls of three seconds."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "script.toml").write_text(SCRIPT, encoding="utf-8")
    world = World(folder, folder / "script.toml", lines=2)
    world.prepare()
    world.start("hat")
    yield world
    world.stop()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def service(
    world: World, clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecordService]:
    """A recorder in this process, with a database of its own."""
    (tmp_path / "alsa.conf").write_text(alsa_config(build(), {"linehat0": world.ring}))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "alsa.conf"))
    config = world.config
    config = replace(config, box=replace(config.box, data_dir=tmp_path / "box"))
    service = build_record_service(config, clock, AtOnce)
    yield service
    service.close()


def until(service: RecordService, fact: Callable[[], object], what: str) -> object:
    """Turn the handle until `fact()` is true."""

    def turned() -> object:
        service.step()
        return fact()

    return wait_for(turned, timeout_s=30, what=what)


def rows(service: RecordService, query: str) -> list[sqlite3.Row]:
    return service.db.execute(query).fetchall()


def recording_call(service: RecordService) -> str:
    """The id of a call that is being recorded now."""
    query = "SELECT call_id FROM recordings WHERE state = 'recording' ORDER BY id DESC"
    until(service, lambda: rows(service, query), "a call being recorded")
    return str(rows(service, query)[0][0])


def ended(service: RecordService, call: str) -> sqlite3.Row:
    """The call once it has ended and its audio is ready."""
    query = f"SELECT c.*, r.started_utc AS audio_utc, r.samples, r.id AS recording_id FROM calls c" \
        f" JOIN recordings r ON r.call_id = c.id WHERE c.id = '{call}' AND r.state = 'ready'" \
        f" AND c.state = 'ended'"  # fmt: skip
    until(service, lambda: rows(service, query), "the end of the call")
    return rows(service, query)[0]


def gaps(service: RecordService, call: str) -> list[sqlite3.Row]:
    return rows(service, f"SELECT g.* FROM gaps g JOIN recordings r ON r.id = g.recording_id"
                         f" WHERE r.call_id = '{call}' ORDER BY start_sample")  # fmt: skip


def test_a_clock_that_is_set_in_mid_call_bends_no_call(service: RecordService, clock: SetClock) -> None:
    for ahead, shown in ((timedelta(hours=1), "+36"), (timedelta(days=-400), "-345636")):
        call = recording_call(service)
        (before,) = rows(service, f"SELECT started_utc FROM calls WHERE id = '{call}'")[0]
        assert abs(from_text(before) - clock.utc()) < timedelta(seconds=8), "new calls go by the new clock"
        clock.ahead = ahead
        query = f"SELECT 1 FROM health WHERE part = 'clock' AND instr(detail, '{shown}')"
        until(service, lambda query=query: rows(service, query), "the clock in health")
        row = ended(service, call)
        assert row["started_utc"] == before, "a stamp is never rewritten"
        length = from_text(row["ended_utc"]) - from_text(row["started_utc"])
        assert abs(length.total_seconds() * 1000 - row["duration_ms"]) <= 2
        assert abs(from_text(row["audio_utc"]) - from_text(before)) < timedelta(seconds=6)
        assert row["clock_quality"] == "stepped" and gaps(service, call) == []
        until(service, lambda: not rows(service, OPEN), "the end of calls begun by the old clock")


def test_an_overrun_and_a_pulled_board_are_gaps_on_the_call(world: World, service: RecordService) -> None:
    with closing(Ring.open(world.ring)) as card:
        call = recording_call(service)
        card.overrun()
        until(service, lambda: any(one.reason == "overrun" for one in service.boards[0].recorder._lost), "it")
        card.set_gone(True)
        until(service, lambda: rows(service, "SELECT 1 FROM health WHERE part = 'audio:hat0'"), "the loss")
        card.set_gone(False)
    row = ended(service, call)
    found = gaps(service, call)
    assert [gap["reason"] for gap in found] in (["overrun", "device_lost"], ["overrun"] + ["device_lost"] * 2)
    lost = [gap["length_samples"] for gap in found if gap["reason"] == "device_lost"]
    assert 4000 <= sum(lost) <= row["samples"]
    until(service, lambda: not rows(service, "SELECT 1 FROM health WHERE part = 'audio:hat0'"
                                    " AND until_utc IS NULL"), "its end")  # fmt: skip


def test_a_database_that_takes_nothing_for_a_while_loses_no_call(service: RecordService) -> None:
    call = recording_call(service)
    service.db.execute("PRAGMA query_only = ON")
    until(service, lambda: len(service.writes._waiting) >= 4, "work that waits")
    assert "readonly" in (service.writes.trouble or "")
    assert rows(service, f"SELECT state FROM calls WHERE id = '{call}'")[0][0] == "open"
    service.db.execute("PRAGMA query_only = OFF")
    row = ended(service, call)
    assert row["end_reason"] == "hung_up" and 2000 <= row["duration_ms"] <= 6000
    assert gaps(service, call) == []
    until(
        service, lambda: rows(service, "SELECT 1 FROM health WHERE part = 'database'"), "the outage in health"
    )
    (outage,) = rows(service, "SELECT * FROM health WHERE part = 'database'")
    assert outage["since_utc"] < outage["until_utc"] and "readonly" in outage["detail"]
    assert service.writes.trouble is None


# -- a second recorder


def second(config: Config, world: World, folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """`edge record` with the settings of the first, some of them changed."""
    text = world.box_toml.read_text()
    for old, new in changes.items():
        text = text.replace(f"{old} = ", f"{old} = {new}  # ", 1)
    (folder / "second.toml").write_text(text)
    command = [sys.executable, "-m", "edge", "record", "--config", str(folder / "second.toml")]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_settings_changed_on_the_page_in_mid_call_hold_from_the_next_call_on(service: RecordService) -> None:
    call = recording_call(service)
    (line,) = rows(service, f"SELECT line FROM calls WHERE id = '{call}'")[0]
    with closing(connect(service.config.database)) as page, write(page):
        change(page, line, {"pre_roll_s": 0.5, "name": "前台"}, "chief", to_text(datetime.now(UTC)))
    first = ended(service, call)
    before_s = from_text(first["started_utc"]) - from_text(first["audio_utc"])
    assert before_s > timedelta(seconds=1), "the running call goes on as it began"
    kept_s = before_s.total_seconds() + first["duration_ms"] / 1000
    assert first["samples"] / 8000 == pytest.approx(kept_s, abs=0.01) and gaps(service, call) == []
    query = f"SELECT id FROM calls WHERE line = {line} AND started_utc > '{first['ended_utc']}'"
    until(service, lambda: rows(service, query), "the next call of the line")
    second = ended(service, rows(service, query)[0][0])
    before_s = from_text(second["started_utc"]) - from_text(second["audio_utc"])
    assert before_s.total_seconds() == pytest.approx(0.5, abs=0.01)
    assert (second["line_name"], rows(service, f"SELECT name FROM lines WHERE line = {line}")[0][0]) == (
        "前台",
        "前台",
    )
    assert settings_of(service.db, line).taken == 1


def test_a_second_recorder_is_told_who_was_first(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(world.folder / "alsa.conf"))
    world.start("record")
    pid, config = world.programs["record"].pid, world.config
    with closing(sqlite3.connect(config.database)) as db:
        wait_for(lambda: db.execute("SELECT 1 FROM recordings").fetchall(), what="a recording")
        before = {file: file.stat().st_ino for file in (config.database, config.ring_path(config.hats[0]))}
        same = second(config, world, tmp_path)
        other_box = second(config, world, tmp_path, data_dir=f'"{tmp_path}/other"')
        other_ring = second(config, world, tmp_path, data_dir=f'"{tmp_path}/other"', id='"branch-13"')
        for done, what in (
            (same, config.database),
            (other_box, "the ring"),
            (other_ring, "the card linehat0"),
        ):
            assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
            assert f"{what}" in done.stderr and f"process number {pid}" in done.stderr
            assert "nothing was changed" in done.stderr
        assert not (tmp_path / "other" / "branch.db").exists()
        assert before == {file: file.stat().st_ino for file in before}
        (count,) = db.execute("SELECT count(*) FROM calls WHERE state = 'ended'").fetchone()
        query = "SELECT count(*) FROM calls c JOIN recordings r ON r.call_id = c.id WHERE r.state = 'ready'"
        wait_for(lambda: db.execute(query).fetchone()[0] > count, what="calls going on")
        assert db.execute("SELECT * FROM gaps").fetchall() == []
        assert not db.execute("SELECT 1 FROM calls WHERE end_reason = 'recorder_restarted'").fetchall()
    world.kill("record")
    world.start("record")
    world.stop("record")


def test_a_card_that_is_not_there_says_nothing_of_the_clock(
    world: World, clock: SetClock, tmp_path: Path
) -> None:
    """Calls would have the time of the machine's start, and the page a clock that nobody set."""
    config = world.config
    hats = tuple(replace(hat, alsa_device="nowhere0") for hat in config.hats)
    box = replace(config.box, data_dir=tmp_path / "box", ring_dir=tmp_path)
    service = build_record_service(replace(config, box=box, hats=hats), clock, AtOnce)
    try:
        shown = config.status_path(hats[0]).name
        until(service, lambda: (tmp_path / shown).exists(), "a look at health")
        timeline = service.boards[0].timeline
        assert abs(timeline.moment(0) - clock.utc()) < timedelta(seconds=30) and timeline.steps == 0
        assert rows(service, "SELECT 1 FROM health WHERE part = 'clock'") == []
    finally:
        service.close()
