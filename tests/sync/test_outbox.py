"""The outbox: a fact and its entry together, numbers without a hole, and what is still owed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import outbox
from sync.db import connect, migrate, write
from sync.envelope import MAX_BATCH_BYTES, chained, genesis
from sync.events import CallEnded, RecordingLost
from sync.ids import new_id
from sync.outbox import BadFile, FileRow, NoTransaction, Waiting
from tests.sync.station import AT, call_ended

HASH = hashlib.sha256(b"").hexdigest()
LATER = "2026-11-22T05:00:00.000Z"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    db = connect(":memory:")
    migrate(db, outbox.migrations)
    yield db
    db.close()


def lost() -> RecordingLost:
    return RecordingLost(new_id(), new_id(), "device_lost")


def put(db: sqlite3.Connection, count: int = 1) -> list[CallEnded]:
    events = [call_ended() for _ in range(count)]
    with write(db):
        for event in events:
            outbox.put(db, event, AT)
    return events


def run(db: sqlite3.Connection, after_seq: int = 0, stream: str = "evt") -> list[int]:
    return [row.seq for row in outbox.next_run(db, outbox.epoch_of(db), stream, after_seq)]


def mark(db: sqlite3.Connection, *args: object) -> None:
    with write(db):
        outbox.mark_acked(db, outbox.epoch_of(db), "evt", *args)  # type: ignore[arg-type]


WRITERS = {
    "put": lambda db: outbox.put(db, call_ended(), AT),
    "put_file": lambda db: outbox.put_file(db, new_id(), "a.flac", 0, HASH),
    "mark_acked": lambda db: outbox.mark_acked(db, "", "evt", 1),
    "rewind": lambda db: outbox.rewind(db, "", "evt", 0, ()),
    "mark_file": lambda db: outbox.mark_file(db, "", "stored"),
    "start_epoch": outbox.start_epoch,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_written_outside_a_transaction(db: sqlite3.Connection, writer: str) -> None:
    with pytest.raises(NoTransaction, match=r"only written inside sync\.db\.write"):
        WRITERS[writer](db)
    assert outbox.waiting(db) == Waiting(0, 0, 0, None)


def test_each_stream_counts_for_itself(db: sqlite3.Connection) -> None:
    with write(db):
        assert [outbox.put(db, event, AT) for event in (call_ended(), lost(), call_ended(), lost())] == [
            1,
            1,
            2,
            2,
        ]
    assert outbox.heads(db) == {"crit": 0, "evt": 2, "meta": 2, "log": 0}


def test_what_is_rolled_back_leaves_no_number_behind(db: sqlite3.Connection) -> None:
    put(db, 2)
    with pytest.raises(ZeroDivisionError), write(db):
        outbox.put(db, call_ended(), AT)
        outbox.put_file(db, new_id(), "a.flac", 0, HASH)
        raise ZeroDivisionError
    put(db)
    assert run(db) == [1, 2, 3]
    assert outbox.waiting(db) == Waiting(3, 0, 0, AT)
    with write(db):
        assert outbox.put(db, lost(), AT) == 1, "another stream counts for itself"
        outbox.mark_acked(db, outbox.epoch_of(db), "evt", 3)
        outbox.start_epoch(db)
    put(db)
    assert run(db) == [1], "and each epoch from 1"


def test_entries_are_chained_from_the_first(db: sqlite3.Connection) -> None:
    put(db, 3)
    h = genesis(outbox.epoch_of(db), "evt")
    for row in outbox.next_run(db, outbox.epoch_of(db), "evt", 0):
        assert row.prev == h
        h = chained(h, row.body)
        assert (row.h, row.whole) == (h, True)
        assert json.loads(row.body)["seq"] == row.seq


def test_every_database_has_an_epoch_of_its_own() -> None:
    epochs = set()
    for _ in range(5):
        db = connect(":memory:")
        migrate(db, outbox.migrations)
        epochs.add(outbox.epoch_of(db))
        db.close()
    assert len(epochs) == 5


@pytest.mark.parametrize("change", ["body = X'00'", "prev = 'x'", "h = prev", "body = 'text'"])
def test_a_damaged_row_is_known_as_such(db: sqlite3.Connection, change: str) -> None:
    put(db, 2)
    db.execute(f"UPDATE outbox SET {change} WHERE seq = 1")
    rows = outbox.next_run(db, outbox.epoch_of(db), "evt", 0)
    assert [row.whole for row in rows] == [False, True]
    assert [outbox.whole(rows), outbox.whole(rows[:1]), outbox.whole(rows[1:])] == [False, False, True]


@pytest.mark.parametrize("seq", [1, 2, 3])
@pytest.mark.parametrize("column", ["body", "prev", "h"])
def test_a_run_is_whole_when_each_of_its_rows_is(db: sqlite3.Connection, seq: int, column: str) -> None:
    put(db, 3)
    assert outbox.whole(outbox.next_run(db, outbox.epoch_of(db), "evt", 0))
    mine = f"SELECT CAST({column} AS TEXT) FROM outbox WHERE seq = ?"
    kept = db.execute(mine, (seq,)).fetchone()[0]
    changed = kept[:9] + ("1" if kept[9] == "0" else "0") + kept[10:]
    db.execute(f"UPDATE outbox SET {column} = ? WHERE seq = ?", (changed, seq))
    assert not outbox.whole(outbox.next_run(db, outbox.epoch_of(db), "evt", 0))


def test_a_run_ends_at_a_hole_at_100_entries_and_at_64_kb(db: sqlite3.Connection) -> None:
    with write(db):
        for _ in range(250):
            outbox.put(db, lost(), AT)
    assert run(db, stream="meta") == list(range(1, 101))
    assert run(db, 100, "meta") == list(range(101, 201))
    assert run(db, 250, "meta") == []
    with write(db):
        outbox.mark_acked(db, outbox.epoch_of(db), "meta", 0, [(50, 60)])
    assert run(db, stream="meta") == list(range(1, 50))
    assert run(db, 49, "meta") == list(range(61, 161))
    assert run(db) == []
    put(db, 250)
    rows = outbox.next_run(db, outbox.epoch_of(db), "evt", 0)
    sizes = [len(row.body) for row in rows]
    assert len(rows) < 100 and sum(sizes) <= 64_000 < sum(sizes) + max(sizes)
    with write(db):
        outbox.put(db, CallEnded(new_id(), 1, "x" * 64_000, "in", "missed", AT, AT, 0), AT)
    put(db)
    assert run(db, 249) == [250], "it does not fit beside another"
    assert run(db, 250) == [251], "and goes alone"


def test_a_large_entry_travels_alone(db: sqlite3.Connection) -> None:
    with write(db):
        for length in (10, MAX_BATCH_BYTES, 10):
            outbox.put(db, CallEnded(new_id(), 1, "x" * length, "in", "missed", AT, AT, 0), AT)
    assert [run(db, after) for after in (0, 1, 2)] == [[1], [2], [3]]


def test_acks_mark_what_they_say_and_nothing_else(db: sqlite3.Connection) -> None:
    put(db, 10)
    mark(db, 2, [(5, 6)], [(6, "unknown_kind"), (9, "apply_failed")])
    states = {row["seq"]: (row["state"], row["code"]) for row in db.execute("SELECT * FROM outbox")}
    assert {seq for seq, (state, _) in states.items() if state == "acked"} == {1, 2, 5}
    assert (states[6], states[9]) == (("quarantined", "unknown_kind"), ("quarantined", "apply_failed"))
    assert outbox.waiting(db).entries == 5
    before = db.total_changes
    mark(db, 2, [(5, 6)])  # again
    assert db.total_changes == before


def test_an_ack_of_another_epoch_marks_nothing(db: sqlite3.Connection) -> None:
    put(db, 3)
    with write(db):
        outbox.mark_acked(db, "0" * 16, "evt", 3)
    assert outbox.waiting(db).entries == 3


def test_what_head_office_lost_is_owed_again(db: sqlite3.Connection) -> None:
    put(db, 10)
    mark(db, 9, (), [(4, "apply_failed")])
    with write(db):
        assert outbox.rewind(db, outbox.epoch_of(db), "evt", 2, [(5, 6)]) == 5
    assert [run(db), run(db, 4)] == [[3, 4], [7, 8, 9, 10]]


def test_agreement_is_about_the_entry_not_only_its_number(db: sqlite3.Connection) -> None:
    put(db, 3)
    epoch = outbox.epoch_of(db)
    rows = outbox.next_run(db, epoch, "evt", 0)
    assert outbox.agrees(db, epoch, "evt", 0, "")
    assert outbox.agrees(db, epoch, "evt", 2, rows[1].h)
    assert not outbox.agrees(db, epoch, "evt", 2, rows[2].h)
    assert not outbox.agrees(db, epoch, "evt", 4, rows[2].h)


def test_what_was_purged_here_cannot_be_compared(db: sqlite3.Connection) -> None:
    """Head office went back further than this box keeps entries: no other past, only a longer one."""
    put(db, 5)
    mark(db, 5)
    with write(db):
        db.execute("DELETE FROM outbox WHERE seq <= 3")
    epoch = outbox.epoch_of(db)
    assert outbox.agrees(db, epoch, "evt", 2, "0" * 64)
    assert not outbox.agrees(db, epoch, "evt", 4, "0" * 64)
    with write(db):
        assert outbox.rewind(db, epoch, "evt", 2, ()) == 2
    assert run(db) == [4, 5]


@pytest.mark.parametrize("settled", ["acked", "dismissed"])
def test_an_old_word_that_an_entry_was_set_aside_opens_it_no_more(
    db: sqlite3.Connection, settled: str
) -> None:
    put(db, 2)
    mark(db, 2, (), [(2, "unknown_kind")])
    with write(db):
        db.execute("UPDATE outbox SET state = ? WHERE seq = 2", (settled,))
    mark(db, 2, (), [(2, "unknown_kind")])
    assert db.execute("SELECT state FROM outbox WHERE seq = 2").fetchone()[0] == settled


def test_a_new_epoch_takes_along_what_is_owed_under_its_old_name(db: sqlite3.Connection) -> None:
    put(db, 5)
    mark(db, 2)
    db.execute("UPDATE outbox SET body = X'FF00' WHERE seq = 4")
    owed = db.execute("SELECT eid FROM outbox WHERE state = 'new' ORDER BY seq").fetchall()
    old = outbox.epoch_of(db)
    with write(db):
        new = outbox.start_epoch(db)
    assert outbox.epoch_of(db) == new != old
    rows = outbox.next_run(db, new, "evt", 0)
    assert [(row.seq, row.eid, row.whole) for row in rows] == [
        (n, eid, True) for n, (eid,) in enumerate(owed, 1)
    ]
    assert [json.loads(row.body)["kind"] for row in rows] == ["call_ended", "opaque", "call_ended"]
    put(db)
    assert run(db) == [1, 2, 3, 4]


@pytest.mark.parametrize("body", ["replace(CAST(body AS TEXT), '1380', '1381')", "CAST(body AS TEXT) || ' '"])
def test_a_new_epoch_does_not_hide_that_a_row_is_damaged(db: sqlite3.Connection, body: str) -> None:
    """Numbered and chained anew it would look sound."""
    put(db, 2)
    with write(db):
        db.execute(f"UPDATE outbox SET body = {body} WHERE seq = 1")
        damaged = db.execute("SELECT CAST(body AS BLOB) FROM outbox WHERE seq = 1").fetchone()[0]
        epoch = outbox.start_epoch(db)
    first, second = (json.loads(row.body) for row in outbox.next_run(db, epoch, "evt", 0))
    assert (first["kind"], first["seq"]) == ("opaque", 1)
    assert first["data"]["sha256"] == hashlib.sha256(damaged).hexdigest()
    assert (second["kind"], second["seq"]) == ("call_ended", 2)


def test_waiting_says_how_much_and_since_when(db: sqlite3.Connection) -> None:
    with write(db):
        outbox.put(db, call_ended(), LATER)
        outbox.put(db, lost(), AT)
        outbox.put_file(db, new_id(), "2026/11/a.flac", 1000, HASH)
        outbox.put_file(db, new_id(), "b.flac", 500, HASH)
    assert outbox.waiting(db) == Waiting(2, 2, 1500, AT)


def test_files_go_oldest_first_and_held_ones_are_passed_over(db: sqlite3.Connection) -> None:
    ids = sorted(new_id() for _ in range(3))
    with write(db):
        for number in (2, 0, 1):
            outbox.put_file(db, ids[number], f"{number}.flac", number, HASH)
    assert outbox.next_file(db) == FileRow(ids[0], "0.flac", 0, HASH)
    assert outbox.next_file(db, ids[:2]) == FileRow(ids[2], "2.flac", 2, HASH)
    with write(db):
        outbox.mark_file(db, ids[0], "stored")
        outbox.mark_file(db, ids[1], "refused", "wrong_hash")
    assert outbox.next_file(db, ids[2:]) is None
    assert outbox.waiting(db).files == 1


@pytest.mark.parametrize(
    ("file", "size", "sha256"),
    [
        ("", 1, HASH),
        ("/etc/passwd", 1, HASH),
        ("../a.flac", 1, HASH),
        ("a/../../b", 1, HASH),
        ("a.flac", -1, HASH),
        ("a.flac", 1, HASH.upper()),
        ("a.flac", 1, "é" * 64),
        ("a.flac", 1, ""),
    ],
)
def test_files_refused(db: sqlite3.Connection, file: str, size: int, sha256: str) -> None:
    with pytest.raises(BadFile, match="wanted"), write(db):
        outbox.put_file(db, new_id(), file, size, sha256)


def test_two_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    first, second = connect(tmp_path / "a.db"), connect(tmp_path / "a.db")
    migrate(first, outbox.migrations)
    migrate(second, outbox.migrations)
    assert outbox.epoch_of(first) == outbox.epoch_of(second)
    first.close()
    second.close()
