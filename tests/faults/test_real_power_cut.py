"""Power cuts of a real ext4: the recorder writes, the kernel shuts the disk down, the journal is replayed.

The replayed traces of `test_power_cut` reach every legal state; this shows that a real disk keeps to them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from tests.faults import recording_run
from tests.faults.killed_box import histogram
from tests.faults.real_disk import NoRealDisk, RealDisk, real_disk
from tests.faults.test_power_cut import BOUND_MS, RESULTS, ROOT, lost_ms_after

QUICK, LONG = 2, 80
HALVES = 2 * recording_run.SECONDS  # seconds of the life


def cut_during_a_life(disk: RealDisk, halves: int) -> list[int]:
    """Let the recorder live so many half seconds, cut the power while it works; ms each recording lost."""
    program = subprocess.Popen(
        [sys.executable, str(Path(recording_run.__file__)), str(disk.folder / "box"), "paced"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, bufsize=0,
    )  # fmt: skip
    with program:
        assert program.stdin and program.stdout
        marks: list[bytes] = []
        while sum(mark.startswith(b"heard") for mark in marks) < halves:
            marks.append(_line(program.stdout))
            if marks[-1].startswith(b"heard"):
                program.stdin.write(b".")  # and on it goes
        disk.cut_power()
        program.kill()
    disk.start_again()
    return list(lost_ms_after(marks, disk.folder / "box"))


def _line(stream: IO[bytes]) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        one = stream.read(1)
        assert one, "the recorder ended"
        line += one
    return line.strip()


def cut_often(folder: Path, cuts: int, seed: int) -> list[int]:
    choice = random.Random(seed)
    lost: list[int] = []
    for number in range(cuts):
        with ExitStack() as stack:
            try:
                disk = stack.enter_context(real_disk(folder / str(number)))
            except NoRealDisk as error:
                pytest.skip(f"{cuts} REAL POWER CUTS NOT MADE: {error}")
            lost += cut_during_a_life(disk, choice.randint(10, HALVES - 4))
    return lost


def test_a_real_power_cut_costs_no_more_than_a_second(tmp_path: Path) -> None:
    lost = cut_often(tmp_path, QUICK, seed=1)
    assert all(one <= BOUND_MS for one in lost)


@pytest.mark.faults
def test_many_real_power_cuts(tmp_path: Path) -> None:
    lost = cut_often(tmp_path, LONG, seed=2)
    report = {
        "file system": "ext4, FS_IOC_SHUTDOWN without log flush",
        "power cuts": LONG,
        "recordings cut": len(lost),
        "most lost ms": max(lost),
        "bound ms": BOUND_MS,
        "histogram": histogram([float(max(0, one)) for one in lost], 100),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "real_power_cut.json").write_text(json.dumps(report, indent=1) + "\n")
    assert len(lost) >= LONG // 4 and max(lost) <= BOUND_MS, report


def test_the_disk_itself_forgets_what_no_fsync_kept(tmp_path: Path) -> None:
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(real_disk(tmp_path, 16))
        except NoRealDisk as error:
            pytest.skip(f"REAL DISK NOT TRIED: {error}")
        for name, is_synced in (("kept", True), ("gone", False)):
            with (disk.folder / name).open("wb") as file:
                file.write(b"x" * 5000)
                file.flush()
                if is_synced:
                    os.fsync(file.fileno())
        disk.cut_power()
        with pytest.raises(OSError, match="Input/output"):
            (disk.folder / "later").touch()
        disk.start_again()
        found = {file.name: file.stat().st_size for file in disk.folder.iterdir() if file.is_file()}
    assert found in ({"kept": 5000}, {"kept": 5000, "gone": 0})
