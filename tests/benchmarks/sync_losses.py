"""What kills and a full disk cost, counted past our own code: lost, there twice, until it goes on.

Box, broker and head office are killed in turn while calls keep coming, and one message in five is heard
again (tests.faults.test_kill_campaign; the long form is `make faults`). Beside it: paho's queue, killed once.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import sync_box
from tests.benchmarks.figures import Figure
from tests.benchmarks.sync_lab import plain, running, station
from tests.edge.test_syncer_kills import Installation
from tests.faults.test_kill_campaign import kill_often
from tests.faults.test_poor_disks import full_once, until
from tests.sync import processes
from tests.sync.echo import counted
from tests.sync.station import Box, Station, call_ended

KILLS = int(os.environ.get("LOSS_KILLS", "30"))
QUEUED, EVENT_BYTES = 20_000, 400
FULL_ROUNDS = 3


def measure() -> list[Figure]:
    """All of it."""
    return killed() + full_disk()


def killed() -> list[Figure]:
    """Call records of a box that are not at head office after KILLS kills, and those that are there twice."""
    with TemporaryDirectory() as folder:
        installation = Installation(Path(folder), office="echoing", begin=processes.fork)
        try:
            told = kill_often(installation, KILLS)
            heard, again = counted(installation.station.folder / "echoes")
            calls, entries = arrived(installation.station.folder / "head-office.db")
        finally:
            installation.close()
    lost, doubled = (
        len(told.calls - set(calls)),
        sum(count - 1 for count in (calls + entries).values() if count > 1),
    )
    of = f"{len(told.calls)} call records, {KILLS} kills of box, broker and head office"
    return [
        Figure(f"G1 lost of {of}; against paho's queue killed once", 100 * lost / len(told.calls), "%",
               lost_by_paho(), target=0.0),
        Figure(f"G2 rows there twice of {of}; against messages heard again", doubled, "rows", again,
               target=0.0),
        Figure("G2 messages heard again, of all", 100 * again / heard, "%", target=1.0, at_least=True),
    ]  # fmt: skip


def arrived(database: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each call, and each entry of a call, is at head office."""
    with closing(sqlite3.connect(database)) as db:
        calls = Counter(call for (call,) in db.execute("SELECT id FROM calls"))
        entries = Counter(eid for (eid,) in db.execute("SELECT eid FROM inbox WHERE kind = 'call_ended'"))
    return calls, entries


def lost_by_paho() -> float:
    """Percent of the messages for which `publish` had returned success when its process was killed."""
    with station() as at:
        numbers = (EVENT_BYTES, QUEUED, 100)
        with running(plain(at, "subscribe", numbers=numbers)) as hears:
            assert hears.stdout is not None and hears.stdout.readline() == b"ready\n"
            with running(plain(at, "queue", numbers=numbers)) as writer:
                assert writer.stdout is not None and writer.stdout.readline() == b"queued\n"
            assert hears.stdout.readline() == b"first\n"
            return 100 * (QUEUED - int(hears.stdout.readline())) / QUEUED


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def full_disk() -> list[Figure]:
    """A box's disk is full, then not: what was committed and is lost, how long until it goes on."""
    if os.geteuid() != 0:
        sys.stderr.write("SKIPPED, a full disk is not measured: it needs root to be mounted\n")
        return []
    with station() as at, small_disk(at.folder / "disk") as disk:
        office, box = at.office(), at.box(database=disk / "branch.db")
        try:
            rounds = fill_and_free(at, box, disk)
            there = {str(row["id"]) for row in office.rows("calls")}
        finally:
            box.close()
            office.close()
    committed = set[str]().union(*(calls for calls, _, _ in rounds))
    of = f"{len(committed)} call records, disk full {FULL_ROUNDS} times"
    return [
        Figure(f"G13 lost of what was committed, {of}", len(committed - there), "calls", target=0.0),
        Figure("G13 owed when there was room again", min(owed for _, owed, _ in rounds), "calls",
               target=1.0, at_least=True),
        Figure("G13 until nothing is owed once there is room", max(took_s for _, _, took_s in rounds), "s",
               target=5.0),
    ]  # fmt: skip


def fill_and_free(at: Station, box: Box, disk: Path) -> list[tuple[set[str], int, float]]:
    """What each round of a full disk came to."""
    box.put(call_ended())
    with running(processes.start("office", at)), running(sync_box.start(box.settings)) as sender:
        until(lambda: box.owes == 0, 60.0)
        return [full_once(box, sender, disk, round_) for round_ in range(FULL_ROUNDS)]
