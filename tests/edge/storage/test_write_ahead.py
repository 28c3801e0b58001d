"""A program that reads the branch database and does not end is a trouble, and doctor says it too."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from edge.doctor import write_ahead
from edge.storage.write_ahead import PART
from edge.store.listing import problems
from edge.web.strip import LOSSES
from sync.moment import to_text
from tests.edge.storage.conftest import NOW, Branch
from tests.sync.test_wal import grow, reader_of


def open_troubles(branch: Branch) -> list[str]:
    return [one.detail for one in problems(branch.db) if one.part == PART]


def rows(branch: Branch) -> list[sqlite3.Row]:
    return branch.db.execute("SELECT * FROM health WHERE part = ?", (PART,)).fetchall()


def test_a_reader_that_never_ends_is_said_until_it_does(branch: Branch) -> None:
    keeper, database = branch.keeper(), branch.config.database
    keeper.step(to_text(NOW))
    assert write_ahead(branch.config).well
    with reader_of(database):
        grow(database, 66)
        keeper.step(to_text(NOW + timedelta(minutes=1)))
        (said,) = open_troubles(branch)
        assert "over 64 MB" in said and PART in LOSSES
        found = write_ahead(branch.config)
        assert not found.well and f"fuser {database}-wal" in found.advice
        changes = branch.db.total_changes
        for minute in (2, 3):
            keeper.step(to_text(NOW + timedelta(minutes=minute)))
        assert branch.db.total_changes == changes, "nothing new is written while nothing is new"
        after_a_restart = branch.keeper()
        after_a_restart.step(to_text(NOW + timedelta(minutes=4)))
        assert open_troubles(branch) == [said]
    after_a_restart.step(to_text(NOW + timedelta(minutes=5)))
    assert open_troubles(branch) == []
    (row,) = rows(branch)
    assert (row["since_utc"], row["until_utc"]) == (
        to_text(NOW + timedelta(minutes=1)),
        to_text(NOW + timedelta(minutes=5)),
    )
    assert write_ahead(branch.config).well, "the row of its end made the log small again"
