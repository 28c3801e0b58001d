"""Programs that get almost no CPU: stopped and let go on in slices, as on a machine with too much to do.

stopped ########################____########################____     `____` is all that it gets
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from hw.virtual.ring import Ring
from tests.fakes import wait_for
from tests.faults.killed_box import KilledBox
from tests.faults.test_bad_disk import nothing_lost, rows
from tests.sync.processes import kill, start
from tests.sync.station import Box, Station, call_ended

CALLS = 300
AUDIO = os.urandom(400_000)
TALK_S = 6.0


@dataclass(frozen=True, slots=True)
class Slices:
    """How long a program runs and how long it does not, in turn."""

    runs_s: float
    stopped_s: float

    def starve(self, process_ids: Sequence[int], enough: Callable[[], bool], within_s: float) -> None:
        """Let the processes have their slices only, until `enough`; they go on freely after it."""
        for _ in range(round(within_s / (self.runs_s + self.stopped_s))):
            for number, pause_s in ((signal.SIGSTOP, self.stopped_s), (signal.SIGCONT, self.runs_s)):
                for process_id in process_ids:
                    os.kill(process_id, number)
                Event().wait(pause_s)
            if enough():
                return
        raise AssertionError(f"not within {within_s} s at {self}")


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    station.start_broker()
    yield station
    station.kill_broker()


@pytest.mark.faults
@pytest.mark.parametrize("hungry", [("box",), ("office",), ("box", "office")], ids=" and ".join)
def test_with_a_twentieth_of_the_cpu_all_arrives_once_and_nobody_gives_up(
    station: Station, hungry: tuple[str, ...]
) -> None:
    looking, office = station.box(), station.office()
    looking.put(call_ended())
    programs = {end: start(end, station) for end in ("box", "office")}
    try:
        wait_for(lambda: looking.owes == 0, timeout_s=60, what="both ends being up")
        before = troubles(looking)
        looking.put(*(call_ended() for _ in range(CALLS)))
        _, recording = looking.record(AUDIO)
        slices = Slices(runs_s=0.02, stopped_s=0.38)
        slices.starve([programs[end].pid for end in hungry], lambda: looking.owes == 0, within_s=120)
        assert all(program.poll() is None for program in programs.values())
        assert troubles(looking) == before, "a slow answer is no lost connection"
        assert office.audio(recording.sha256) == AUDIO
        assert len(office.rows("calls")) == CALLS + 2
        assert len({row["id"] for row in office.rows("calls")}) == CALLS + 2
        assert len(office.rows("inbox")) == CALLS + 3
    finally:
        for program in programs.values():
            program.send_signal(signal.SIGCONT)
            kill(program)
        looking.close()
        office.close()


def troubles(looking: Box) -> list[str]:
    """Every trouble with head office there ever was."""
    return [row[0] for row in looking.db.execute("SELECT since_utc FROM health WHERE part = 'head_office'")]


@pytest.mark.faults
def test_a_recorder_that_runs_for_a_quarter_of_the_time_loses_no_sample(tmp_path: Path) -> None:
    """ALSA keeps a second; a recorder that comes back within it has missed nothing."""
    box = KilledBox(tmp_path / "box", lines=4, seed=1)
    try:
        talk(box, Slices(runs_s=0.2, stopped_s=0.6))
        assert rows(box, "SELECT * FROM gaps") == []
        nothing_lost(box)
    finally:
        box.world.stop()


@pytest.mark.faults
def test_what_a_recorder_missed_when_it_was_stopped_for_long_is_a_gap(tmp_path: Path) -> None:
    box = KilledBox(tmp_path / "box", lines=4, seed=1)
    try:
        talk(box, Slices(runs_s=1.5, stopped_s=2.5))
        finish(box)
        assert box.faults() == []
        shifts = box.shifts()
        assert len(shifts) > 4 and max(map(abs, shifts)) <= 0.05 * 8000, shifts
        missed = rows(box, "SELECT reason, length_samples FROM gaps")
        assert missed and {reason for reason, _ in missed} == {"overrun"}
        assert all(0.5 < length / 8000 < 2.7 for _, length in missed), missed
    finally:
        box.world.stop()


def finish(box: KilledBox) -> None:
    """End the recorder and let the next one finish every recording."""
    with closing(Ring.open(box.world.ring)) as card:
        box.measure(card)
    box.world.stop("record")
    box.world.start("record")
    wait_for(lambda: not box.unfinished(), timeout_s=60, what="every recording being finished")
    box.world.stop("record")


def talk(box: KilledBox, slices: Slices) -> None:
    """Let the lines talk for a while, the recorder being starved."""
    box.world.start("hat", "record")
    recorder = box.world.programs["record"]
    wait_for(lambda: rows(box, "SELECT 1 FROM recordings"), timeout_s=20, what="a recording")
    with closing(Ring.open(box.world.ring)) as card:
        ends = card.position() + round(TALK_S * card.rate_hz)
        try:
            slices.starve([recorder.pid], lambda: card.position() >= ends, within_s=10 * TALK_S)
        finally:
            recorder.send_signal(signal.SIGCONT)
    Event().wait(TALK_S)
    assert recorder.poll() is None, box.world.log("record")
