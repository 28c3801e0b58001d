"""The recorder on a disk that fails: what it says is kept is kept, what is not is a gap that says why.

`bad_disk.c` stands between the recorder and the disk; an fsync that fails there loses what was written since
the last good one, and the next one succeeds, as Linux has it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.gaps import Gap, joined, without
from edge.recorder import Recorder
from tests.edge.test_recorder import RATE_HZ, count_up, expected, heard_in, read_part, ring_in
from tests.faults.bad_disk import BadDisk

STEPS = 150  # of a tenth of a second; the ring holds 5 s
PROGRAM = """
import json, sys
from pathlib import Path
from edge.recorder import Recorder
from tests.edge.test_recorder import count_up, ring_in
from tests.faults.bad_disk import PARTS, BadDisk
folder, plan = Path(sys.argv[1]), json.loads(sys.argv[2])
ring, disk = ring_in(folder, seconds=5), BadDisk(folder / "switches")
disk.fail(PARTS, (0, 0, 0))
recorder = Recorder(folder, ring)
recorder.start("one", 1, 0)
parts, troubles = [], []
for step in range(150):
    if str(step) in plan["fail"]:
        disk.fail(PARTS, plan["fail"][str(step)])
    if step in plan["heal"]:
        disk.heal()
    count_up(ring, 100)
    if step == plan["stop"]:
        recorder.stop("one", ring.position)
    parts += recorder.step()
    troubles.append(recorder.trouble)
parts += recorder.close()
(part,) = parts
gaps = [[gap.position, gap.length, gap.reason] for gap in part.gaps]
print(json.dumps({"samples": part.samples, "gaps": gaps, "troubles": troubles, "refused": disk.refused}))
"""
EIO, ENOSPC, EROFS = 5, 28, 30


def suffer(folder: Path, fail: dict[int, list[int]], heal: list[int], stop: int = 140) -> dict:
    plan = json.dumps({"fail": fail, "heal": heal, "stop": stop})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), plan],
        env=BadDisk(folder / "switches").environment(folder), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "how",
    [[EIO, 0, 0], [0, EIO, 0], [EIO, EIO, 0], [ENOSPC, 0, 0], [0, ENOSPC, 0], [EROFS, EROFS, 0]],
    ids=["write EIO", "fsync EIO", "both", "full", "fsync full", "read-only"],
)
def test_a_disk_that_comes_back_in_time_costs_nothing(tmp_path: Path, how: list[int]) -> None:
    found = suffer(tmp_path, {25: how}, heal=[65])
    assert found["refused"] >= 20 and found["troubles"][40] and found["troubles"][70] is None
    assert (found["samples"], found["gaps"]) == (14_100, [])
    np.testing.assert_array_equal(read_part(tmp_path / "one.part"), expected(0, 14_100, 1))


def test_an_fsync_that_fails_at_the_very_end_is_not_taken_for_success(tmp_path: Path) -> None:
    found = suffer(tmp_path, {136: [0, EIO, 0]}, heal=[146])
    assert (found["samples"], found["gaps"]) == (14_100, [])
    np.testing.assert_array_equal(read_part(tmp_path / "one.part"), expected(0, 14_100, 1))


@pytest.mark.parametrize(
    ("how", "reason"),
    [([0, EIO, 0], "disk_error"), ([EIO, 0, 0], "disk_error"), ([ENOSPC, 0, 0], "disk_full")],
)
def test_what_the_ring_cannot_hold_any_longer_is_a_gap(tmp_path: Path, how: list[int], reason: str) -> None:
    found = suffer(tmp_path, {25: how}, heal=[120])
    ((at, length, why),) = found["gaps"]
    assert why == reason and 1000 <= at <= 2600 and at + length >= 4000
    audio = read_part(tmp_path / "one.part")[: found["samples"]]
    assert len(audio) == 14_100
    np.testing.assert_array_equal(audio[:at], expected(0, at, 1))
    np.testing.assert_array_equal(audio[at + length :], expected(at + length, 14_100, 1))


@pytest.mark.parametrize("how", [[0, EIO, 0], [EIO, 0, 0]])
def test_a_disk_that_never_comes_back_leaves_what_was_safe(tmp_path: Path, how: list[int]) -> None:
    found = suffer(tmp_path, {55: how}, heal=[], stop=70)
    ((at, length, why),) = found["gaps"]
    assert why == "disk_error" and at == found["samples"] and at + length == 7100
    assert 4500 <= at <= 5600
    np.testing.assert_array_equal(read_part(tmp_path / "one.part")[:at], expected(0, at, 1))


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    ring, folder = ring_in(tmp_path), tmp_path / "later"
    recorder = Recorder(folder, ring)
    recorder.start("one", 2, 0)
    count_up(ring, 2000)
    assert recorder.step() == [] and "one.part" in (recorder.trouble or "")
    folder.mkdir()
    recorder.stop("one", 1900)
    (part,) = recorder.step()
    assert recorder.trouble is None and part.gaps == ()
    np.testing.assert_array_equal(heard_in(part), expected(0, 1900, 2))


def test_a_recording_that_never_got_a_file_is_all_gap(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    recorder = Recorder(tmp_path / "never", ring)
    recorder.start("one", 1, 0)
    recorder.start("two", 2, 500)
    count_up(ring, 1000)
    recorder.stop("one", 900)
    parts = recorder.step() + recorder.close()
    assert [part.samples for part in parts] == [0, 0]
    assert [part.gaps for part in parts] == [(Gap(0, 900, "disk_error"),), (Gap(0, 500, "disk_error"),)]


def test_a_recording_asked_for_too_late_begins_with_a_gap(tmp_path: Path) -> None:
    ring = ring_in(tmp_path, seconds=3)
    for _ in range(5):
        count_up(ring, 1000)
    recorder = Recorder(tmp_path, ring)
    start = recorder.first_position(1, 500, pre_roll_s=1)
    assert start == 500 < ring.first
    recorder.start("one", 1, start)
    recorder.stop("one", 5000)
    (part,) = recorder.step()
    assert part.gaps == (Gap(0, ring.first - 500, "ring_overtaken"),)
    np.testing.assert_array_equal(heard_in(part)[ring.first - 500 :], expected(ring.first, 5000, 1))


def test_hours_of_gaps_are_all_kept(tmp_path: Path) -> None:
    ring = ring_in(tmp_path, seconds=5)
    recorder = Recorder(tmp_path, ring)
    recorder.start("one", 1, 0)
    for _ in range(600):
        recorder.note_gaps([Gap(ring.position, 50, "overrun")])
        ring.skip(50)
        count_up(ring, 50)
        recorder.step()
    recorder.stop("one", ring.position)
    (part,) = recorder.step()
    assert len(part.gaps) == 600 and part.gaps[0] == Gap(0, 50, "overrun")
    assert len(recorder._lost) == 600
    recorder.note_gaps([])
    assert len(recorder._lost) < 100, "what nobody can ask for any more is forgotten"


def test_one_recordings_trouble_is_not_its_neighbours(tmp_path: Path) -> None:
    ring = ring_in(tmp_path, seconds=3)
    recorder = Recorder(tmp_path, ring)
    recorder.start("late", 1, 0)
    for _ in range(5):
        count_up(ring, 1000)
    recorder.start("early", 2, 4800)
    parts = {part.recording_id: part for part in recorder.close()}
    assert parts["late"].gaps == (Gap(0, ring.first, "ring_overtaken"),)
    assert parts["early"].gaps == ()


@pytest.mark.parametrize(
    ("gaps", "others", "left"),
    [
        ([(0, 10)], [], [(0, 10)]),
        ([(0, 10)], [(3, 4)], [(0, 3), (7, 3)]),
        ([(0, 10)], [(0, 10)], []),
        ([(5, 10)], [(0, 7), (12, 9)], [(7, 5)]),
        ([(0, 5), (20, 5)], [(10, 5)], [(0, 5), (20, 5)]),
    ],
)
def test_no_sample_is_missing_twice(gaps: list, others: list, left: list) -> None:
    def named(places: list, reason: str) -> list[Gap]:
        return [Gap(at, length, reason) for at, length in places]

    assert without(named(gaps, "overrun"), named(others, "disk_full")) == named(left, "overrun")


def test_neighbours_of_one_reason_are_one_gap() -> None:
    gaps = [Gap(10, 5, "a"), Gap(0, 10, "a"), Gap(15, 5, "b"), Gap(30, 1, "b")]
    assert joined(gaps) == [Gap(0, 15, "a"), Gap(15, 5, "b"), Gap(30, 1, "b")]
    assert RATE_HZ == 1000
