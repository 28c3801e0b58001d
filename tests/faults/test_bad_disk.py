"""The real `edge record` on a disk that fails again and again while its lines talk: nothing is lost.

`bad_disk.c` stands between the programs and the disk. Each outage is shorter than the ring is long, so every
sample must be there in the end, at its place, and every call, once.
"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from hw.virtual.ring import Ring
from tests.fakes import wait_for
from tests.faults.bad_disk import DATABASE, ENCODING, FULL, NO_SYNC, NO_WRITE, PARTS, READ_ONLY, BadDisk
from tests.faults.killed_box import KilledBox

EVERYTHING = PARTS | DATABASE | ENCODING
OUTAGE_S = 3.0
OUTAGES = {
    "parts cannot be written": (PARTS, NO_WRITE),
    "fsync of parts fails and loses what was written": (PARTS, NO_SYNC),
    "the database cannot be written": (DATABASE, NO_WRITE),
    "fsync of the database fails and loses what was written": (DATABASE, NO_SYNC),
    "the encoder cannot write": (ENCODING, NO_WRITE),
    "fsync of finished files fails": (ENCODING, NO_SYNC),
    "the disk is full": (EVERYTHING, FULL),
    "the disk is read-only": (EVERYTHING, READ_ONLY),
    "nothing works": (EVERYTHING, (errno.EIO, errno.EIO, 0)),
}
SLOW_MS = 100  # an fsync of a worn card
SLOW_LINES = 8


def rows(box: KilledBox, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(box.world.config.database)) as db:
        return db.execute(query).fetchall()


def run_on(box: KilledBox, disk: BadDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in disk.environment(box.world.folder / "box").items():
        monkeypatch.setenv(name, value)
    disk.fail(EVERYTHING, (0, 0, 0))
    box.world.start("hat", "record")


def nothing_lost(box: KilledBox) -> None:
    """Every recording is the line's to the sample, without a gap, and all rows agree."""
    with closing(Ring.open(box.world.ring)) as card:
        box.measure(card)
        box.starved = card.starved
    box.world.stop("record")
    box.world.start("record")
    wait_for(lambda: not box.unfinished(), timeout_s=60, what="every recording being finished")
    box.world.stop("record")
    assert box.faults() == []
    assert rows(box, "SELECT reason, length_samples FROM gaps WHERE reason NOT IN ('overrun')") == []
    assert rows(box, "SELECT * FROM recordings WHERE state = 'lost'") == []
    assert len(box.kept()) >= 4


@pytest.mark.faults
@pytest.mark.parametrize("which", OUTAGES)
def test_an_outage_shorter_than_the_ring_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    box, disk = KilledBox(tmp_path / "box", lines=4, seed=1), BadDisk(tmp_path / "switches")
    try:
        run_on(box, disk, monkeypatch)
        wait_for(lambda: rows(box, "SELECT 1 FROM recordings"), timeout_s=20, what="a recording")
        for _ in range(2):
            Event().wait(OUTAGE_S)
            disk.fail(*OUTAGES[which])
            Event().wait(OUTAGE_S)
            wait_for(lambda: disk.refused, timeout_s=60, what="the outage being felt")
            disk.heal()
        Event().wait(2 * OUTAGE_S)
        assert box.world.programs["record"].poll() is None, box.world.log("record")
        nothing_lost(box)
    finally:
        box.world.stop()
    said = {row[0] for row in rows(box, "SELECT part FROM health WHERE until_utc IS NOT NULL")}
    kinds = OUTAGES[which][0]
    part = "database" if kinds & DATABASE else {PARTS: "recording", ENCODING: "encoding"}[kinds]
    assert part in said, f"{part} is not among the troubles that ended: {said}"


@pytest.mark.faults
def test_eight_lines_on_a_card_whose_every_fsync_takes_a_tenth_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, disk = KilledBox(tmp_path / "box", SLOW_LINES, seed=1), BadDisk(tmp_path / "switches")
    try:
        run_on(box, disk, monkeypatch)
        disk.fail(EVERYTHING, (0, 0, SLOW_MS))
        Event().wait(40)
        assert rows(box, "SELECT * FROM gaps") == []
        disk.heal()
        nothing_lost(box)
    finally:
        box.world.stop()
