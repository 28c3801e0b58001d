"""What head office could not use, on the box's side: listed, sent again, dismissed; and the one number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import quarantine
from edge.config import BoxSettings, Config, HatSettings
from edge.store import set_aside
from edge.store.schema import open_store
from edge.store.set_aside import SetAsideError
from edge.store.unreconciled import unreconciled
from sync import outbox
from sync.db import write
from tests.sync.station import AT, call_ended

NOW = "2026-11-22T06:00:00.000Z"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        box=BoxSettings(id="b", data_dir=tmp_path), hats=(HatSettings(name="h", alsa_device="null", lines=4),)
    )


@pytest.fixture
def db(config: Config) -> Iterator[sqlite3.Connection]:
    """Three entries, the second in quarantine; one recording that was refused."""
    db = open_store(config.database)
    with write(db):
        for _ in range(3):
            outbox.put(db, call_ended(), AT)
        outbox.put_file(db, "rec-1", "a.flac", 9, "ab" * 32)
        outbox.mark_acked(db, outbox.epoch_of(db), "evt", 3, (), [(2, "unknown_kind")])
        outbox.mark_file(db, "rec-1", "refused", "wrong_hash")
    yield db
    db.close()


def test_it_is_listed_with_the_one_number(db: sqlite3.Connection, config: Config) -> None:
    found = set_aside.items(db)
    assert [(one.what, one.code) for one in found] == [("entry", "unknown_kind"), ("recording", "wrong_hash")]
    first, entry, file = quarantine.show(config, NOW).splitlines()
    assert first.startswith("5 items not yet reconciled: 3 entries, 0 recordings on their way, 2 set aside")
    assert found[0].id in entry and "unknown_kind" in entry
    assert file == "rec-1  recording  -  a.flac  wrong_hash"


def test_it_is_sent_again(db: sqlite3.Connection, config: Config) -> None:
    assert quarantine.send_again(config, "all", "lin", NOW) == "2 will be sent again"
    assert [row["seq"] for row in db.execute("SELECT seq FROM outbox WHERE state = 'new'")] == [2]
    assert outbox.waiting(db).files == 1
    assert set_aside.items(db) == []
    operations = db.execute("SELECT operation, user_name FROM operation_log").fetchall()
    assert [tuple(row) for row in operations] == [("send_again", "lin")] * 2


def test_it_is_dismissed_with_a_reason(db: sqlite3.Connection, config: Config) -> None:
    entry, file = set_aside.items(db)
    with pytest.raises(SetAsideError, match="needs a reason"):
        quarantine.dismiss(config, entry.id, "  ", "lin", NOW)
    for one in (entry, file):
        quarantine.dismiss(config, one.id, "a test", "lin", NOW)
    assert set_aside.items(db) == []
    assert unreconciled(db, NOW).set_aside == 0
    with pytest.raises(SetAsideError, match="nothing of this box"):
        quarantine.dismiss(config, entry.id, "again", "lin", NOW)
    rows = db.execute("SELECT subject, reason FROM operation_log").fetchall()
    assert [tuple(row) for row in rows] == [(entry.id, "a test"), ("rec-1", "a test")]
