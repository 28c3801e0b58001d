"""A box's disk that is full, and one that is slow: nothing committed is lost, and it goes on by itself.

The full one is a small tmpfs (root); the slow one is a library that makes every fsync wait.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync import db as sqlite_db
from sync import outbox
from sync.db import write
from sync.transport import wait
from tests.benchmarks import sync_box
from tests.benchmarks.figures import percentile
from tests.benchmarks.sync_lab import running
from tests.sync import processes
from tests.sync.station import AT, Box, Office, Station, call_ended

pytestmark = pytest.mark.faults
ROUNDS, WAITING = 6, 200
RECOVERED_S = 5.0
LINES, COMMITS, FSYNC_MS = 8, 40, 200
SLOW_C = """
#include <unistd.h>
#include <sys/syscall.h>
static int late(long number, int fd) { usleep(%d000); return syscall(number, fd); }
int fsync(int fd) { return late(SYS_fsync, fd); }
int fdatasync(int fd) { return late(SYS_fdatasync, fd); }
"""


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    station.start_broker()
    yield station
    station.kill_broker()


def until(done: Callable[[], bool], within_s: float) -> float:
    begun_s = time.monotonic()
    while not done():
        assert time.monotonic() - begun_s < within_s, f"not within {within_s:g} s"
        wait([], 0.02)
    return time.monotonic() - begun_s


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root to be mounted")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def put_until_full(box: Box) -> set[str]:
    """Calls that were committed before the disk took no more."""
    committed: set[str] = set()
    while True:
        event = call_ended()
        try:
            box.put(event)
        except sqlite3.OperationalError as error:
            assert "full" in str(error)
            return committed
        committed.add(event.call_id)


def full_once(
    box: Box, sender: subprocess.Popen[bytes], disk: Path, round_: int
) -> tuple[set[str], int, float]:
    """Fill the disk, at another write each time, while calls wait; make room again.

    Returns what was committed, how much was owed when there was room, and how long until nothing was.
    """
    filler = disk / "filler"
    sender.send_signal(signal.SIGSTOP)
    waiting = [call_ended() for _ in range(WAITING)]
    box.put(*waiting)
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(max(0, room - 20_000 - 13_000 * round_)))
    committed = {event.call_id for event in waiting} | put_until_full(box)
    sender.send_signal(signal.SIGCONT)
    wait([], 2.0)
    owed = box.owes
    filler.unlink()
    return committed, owed, until(lambda: box.owes == 0, 60.0)


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(station: Station, small_disk: Path) -> None:
    office: Office = station.office()
    box: Box = station.box(database=small_disk / "branch.db")
    first = call_ended()
    box.put(first)
    committed = {first.call_id}
    with (
        running(processes.start("office", station)),
        running(sync_box.start(box.settings)) as sender,
    ):
        until(lambda: box.owes == 0, 60.0)
        for round_ in range(ROUNDS):
            calls, owed, took_s = full_once(box, sender, small_disk, round_)
            committed |= calls
            assert sender.poll() is None
            assert owed > 0, "nothing had to be made up for"
            assert took_s < RECOVERED_S
        assert box.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert {row["id"] for row in office.rows("calls")} == committed
    box.close()
    office.close()


def test_a_slow_card_keeps_up_with_eight_lines(station: Station, tmp_path: Path) -> None:
    library = tmp_path / "slow.so"
    source = tmp_path / "slow.c"
    source.write_text(SLOW_C % FSYNC_MS)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    office, box = station.office(), station.box()
    slow = ["env", f"LD_PRELOAD={library}"]
    with (
        running(processes.start("office", station)),
        running(sync_box.start(box.settings, 0, slow)),
    ):
        words = [sys.executable, "-m", "tests.faults.test_poor_disks", str(box.settings.database)]
        done = subprocess.run([*slow, *words], capture_output=True, text=True, check=True, timeout=120)
        waits = [float(word) for word in done.stdout.split()]
        assert len(waits) == COMMITS
        assert min(waits) >= FSYNC_MS / 1000  # the card is slow indeed
        assert percentile(waits, 95) < 2.0
        assert until(lambda: box.owes == 0, 60.0) < 10.0
    assert len(office.rows("calls")) == COMMITS * LINES
    box.close()
    office.close()


def write_calls(database: str) -> None:
    """What a recorder of eight busy lines does: whatever waits joins the next commit."""
    db = sqlite_db.connect(database)
    pause = threading.Event()
    for _ in range(COMMITS):
        begun_s = time.monotonic()
        with write(db):
            for _ in range(LINES):
                outbox.put(db, call_ended(), AT)
        sys.stdout.write(f"{time.monotonic() - begun_s}\n")
        pause.wait(0.1)


if __name__ == "__main__":
    write_calls(sys.argv[1])
