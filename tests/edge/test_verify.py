"""`edge verify`: every change of a value, row, file or order is found and named; nothing else is.

The changes are drawn at random over every column of every table that is sealed or chained, and over every
bit of a file; a table in this file says which columns may change without being a lie.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from edge.seal import make_link
from edge.store import seals
from edge.store.recordings import RecordingRow, begin_recording, close_recording
from edge.store.retention import ask_removal, delete_audio, note_removed
from edge.store.schema import open_store
from edge.store.seals import Head
from edge.verify import Tally, examine, parse_head, run_verify
from sync import outbox
from sync.db import write
from sync.events import CallEnded, RecordingLost
from sync.keys import DeviceKey
from tests.edge.sealed_box import NOW, SealedBox, copy_of, furnish

ROOT = Path(__file__).parents[2]
CONFIG = '[box]\nid = "b"\ndata_dir = "{}"\n[[hats]]\nname = "h"\nalsa_device = "x"\nlines = 2\n'

# Everything in these tables is held to the seal or to the chain of the outbox, except what changes by itself:
# what head office said of an entry or file.
CHAINED = ("seal_links", "seal_head", "outbox", "outbox_streams", "outbox_files")
TABLES = ("calls", "recordings", "gaps", *CHAINED)
FREE = {("outbox", "code"), ("outbox_files", "code"), ("seal_head", "one")}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    furnish(folder)
    return folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "box"


@pytest.fixture
def box(template: Path, tmp_path: Path) -> SealedBox:
    return copy_of(template, tmp_path / "box")


@cache
def places(template: Path) -> list[tuple[str, int, str]]:
    """Every (table, rowid, column) that may not change."""
    found = []
    with closing(sqlite3.connect(template / "branch.db")) as db:
        for table in TABLES:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            finished = " WHERE state != 'open'" if table == "calls" else ""
            for (rowid,) in db.execute(f"SELECT rowid FROM {table}{finished} ORDER BY rowid").fetchall():
                found += [(table, rowid, column) for column in columns if (table, column) not in FREE]
    return found


def sealed_name(db: sqlite3.Connection, table: str, rowid: int) -> str:
    """What a fault in this row has to name."""
    column = {"calls": "id", "recordings": "id", "gaps": "recording_id", "outbox_files": "recording_id"}
    if table in column:
        return str(db.execute(f"SELECT {column[table]} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()[0])
    return {"seal_links": f"link {rowid}", "seal_head": "link"}.get(table, "outbox")


def flipped(value: Any, bit: int) -> Any:
    """The value with one bit changed; nothing becomes something."""
    if value is None:
        return "x"
    if isinstance(value, int):
        return value ^ 1 << bit % 40
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    if not raw:
        return "x"
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    return bytes(raw)


def change(db: sqlite3.Connection, table: str, rowid: int, column: str, bit: int, erase: bool) -> None:
    """Change one value in place, its type kept as damage would keep it; not every change is possible."""
    (old,) = db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
    new = None if erase else flipped(old, bit)
    place = "CAST(? AS TEXT)" if isinstance(old, str) and new is not None else "?"
    try:
        db.execute(f"UPDATE {table} SET {column} = {place} WHERE rowid = ?", (new, rowid))
    except sqlite3.IntegrityError:
        assume(False)  # NOT NULL, or another row's key
    changed = db.execute(f"SELECT 1 FROM {table} WHERE rowid = ? AND {column} IS ?", (rowid, old)).fetchone()
    assume(changed is None)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_changed_value_is_found_and_named(template: Path, bench: Path, data: st.DataObject) -> None:
    table, rowid, column = data.draw(st.sampled_from(places(template)))
    box = copy_of(template, bench)
    with closing(sqlite3.connect(box.database, isolation_level=None)) as raw:
        name = sealed_name(raw, table, rowid)
        change(raw, table, rowid, column, data.draw(st.integers(0, 4095)), data.draw(st.booleans()))
    faults = box.faults()
    assert faults, f"{table}.{column} of row {rowid} was changed unseen"
    assert any(name in says for says in faults), (name, faults)


def test_every_column_of_every_row_is_held(template: Path, bench: Path) -> None:
    missed = []
    for table, rowid, column in places(template):
        box = copy_of(template, bench)
        with closing(sqlite3.connect(box.database, isolation_level=None)) as raw:
            (old,) = raw.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
            raw.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (flipped(old, 3), rowid))
        if not box.faults():
            missed.append((table, rowid, column))
    assert missed == [], "as it was once for a state that head office had not said yet"


@settings(max_examples=120, deadline=None)
@given(which=st.sampled_from(["rec-a", "rec-b"]), at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@example("rec-a", 0.0, 0)
@example("rec-b", 0.999999, 7)
def test_any_flipped_bit_of_a_recording_is_named(
    template: Path, bench: Path, which: str, at: float, bit: int
) -> None:
    box = copy_of(template, bench)
    file = box.audio / f"{which}.flac"
    raw = bytearray(file.read_bytes())
    raw[int(at * len(raw))] ^= 1 << bit
    file.write_bytes(raw)
    (fault,) = box.faults()
    assert f"recording {which}" in fault and "was changed" in fault


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
def test_a_bit_of_the_database_file_never_changes_a_sealed_value_unseen(
    template: Path, bench: Path, at: float, bit: int
) -> None:
    """The raw file, as a worn card would: nothing that is sealed reads otherwise, or verify says so."""
    box = copy_of(template, bench)
    before = contents(box.database)
    raw = bytearray(box.database.read_bytes())
    raw[int(at * len(raw))] ^= 1 << bit
    box.database.write_bytes(raw)
    try:
        after = contents(box.database)
    except (sqlite3.Error, UnicodeDecodeError):
        after = None
    if after != before:
        assert box.faults()


def contents(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that is sealed or chained."""
    with closing(sqlite3.connect(database)) as db:
        db.text_factory = bytes
        tables = {}
        for table in TABLES:
            names = [row[1].decode() for row in db.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(name for name in names if (table, name) not in FREE)
            tables[table] = db.execute(f"SELECT {kept} FROM {table}").fetchall()
        return tables


# -- rows removed, put in, exchanged


@pytest.mark.parametrize("call", ["call-a", "call-b", "call-c"])
def test_a_removed_call_is_named(box: SealedBox, call: str) -> None:
    box.harm(f"DELETE FROM calls WHERE id = '{call}'")
    (fault,) = [says for says in box.faults() if says.startswith("call")]
    assert f"call {call} is gone; it was sealed as link" in fault and "02155501234" in fault


def test_a_call_removed_with_its_link_is_named_by_the_gap_and_by_the_outbox(box: SealedBox) -> None:
    box.harm("DELETE FROM calls WHERE id = 'call-b'", "DELETE FROM seal_links WHERE subject = 'call-b'")
    faults = box.faults()
    assert "link 2 is missing: what was sealed there has been removed" in faults
    assert "outbox entry evt 2: it tells of call-b, which was never sealed or was removed" in faults


def test_closing_the_gap_does_not_hide_it(box: SealedBox) -> None:
    box.harm(
        "DELETE FROM calls WHERE id = 'call-b'",
        "DELETE FROM seal_links WHERE subject = 'call-b'",
        "UPDATE seal_links SET seq = seq - 1 WHERE seq > 2",
        "UPDATE seal_head SET seq = seq - 1",
    )
    assert any("sealed as link 3; links were reordered or renumbered" in says for says in box.faults())


def test_a_shortened_chain_is_named_even_if_its_head_is_moved_back(box: SealedBox) -> None:
    (h,) = box.db.execute("SELECT h FROM seal_links WHERE seq = 5").fetchone()
    known = seals.head_of(box.db)
    box.harm(
        "DELETE FROM seal_links WHERE seq = 6",
        f"UPDATE seal_head SET seq = 5, h = '{h}'",
        "DELETE FROM recordings WHERE id = 'rec-c'",
    )
    faults = box.faults()
    assert "outbox entry meta 3: it tells of rec-c, which was never sealed or was removed" in faults
    assert "the chain ends at link 5, but link 6 was known elsewhere" in box.faults(expected=known)


def test_what_root_can_rewrite_only_a_head_kept_elsewhere_shows(box: SealedBox, tmp_path: Path) -> None:
    known = seals.head_of(box.db)
    other = SealedBox(tmp_path / "other")
    for name in ("call-a", "call-b", "call-x", "call-y", "call-z", "call-w"):
        other.call(name)
    assert other.faults() == [], "a chain written anew with the key is whole in itself"
    assert other.faults(expected=known) == [
        "link 6 is not the one known elsewhere: the chain was written anew"
    ]
    assert box.faults(expected=known) == []


def test_a_call_put_in_is_named(box: SealedBox) -> None:
    box.harm(
        "CREATE TEMP TABLE one AS SELECT * FROM calls WHERE id = 'call-a'",
        "UPDATE one SET id = 'call-z'",
        "INSERT INTO calls SELECT * FROM one",
    )
    assert box.faults() == ["call call-z was never sealed: it was put in beside the recorder"]


@pytest.mark.parametrize("key", [None, DeviceKey.new()], ids=["unsigned", "foreign key"])
def test_a_call_put_in_with_a_link_is_named(box: SealedBox, key: DeviceKey | None) -> None:
    head = seals.head_of(box.db)
    with write(box.db):
        box.db.execute("CREATE TEMP TABLE one AS SELECT * FROM calls WHERE id = 'call-a'")
        box.db.execute("UPDATE one SET id = 'call-z'")
        box.db.execute("INSERT INTO calls SELECT * FROM one")
        found = seals.sealed_row(box.db, "call", "call-z") or {}
        sealed = {"subject": "call-z", "salt": "0", "how": "live"} | found
        link = make_link(head.seq + 1, head.h, "call", NOW, sealed, key)
        box.db.execute("INSERT INTO seal_links VALUES (?, ?, ?, ?, ?, ?)",
                       (link.seq, "call-z", link.header, link.data, link.h, link.sig))  # fmt: skip
        box.db.execute("UPDATE seal_head SET seq = ?, h = ?", (link.seq, link.h))
    assert any("link 7" in says or "last links are not signed" in says for says in box.faults())
    box.call("call-e")
    faults = box.faults()
    assert any("link 7 (call call-z" in says or "link 8 (call call-e" in says for says in faults), faults


def test_two_calls_that_changed_places_are_both_named(box: SealedBox) -> None:
    box.harm(
        "UPDATE calls SET id = 'x' WHERE id = 'call-a'",
        "UPDATE calls SET id = 'call-a', caller_number = '1' WHERE id = 'call-b'",
        "UPDATE calls SET id = 'call-b' WHERE id = 'x'",
    )
    box.harm("UPDATE calls SET line = 3 WHERE id = 'call-b'")
    faults = box.faults()
    assert "call call-a: caller_number is '1', sealed as '02155501234' (link 1)" in faults
    assert "call call-b: line is 3, sealed as 2 (link 2)" in faults


@pytest.mark.parametrize("one", range(1, 6))
def test_two_links_that_changed_places_are_named(box: SealedBox, one: int) -> None:
    box.harm(
        f"UPDATE seal_links SET seq = 99 WHERE seq = {one}",
        f"UPDATE seal_links SET seq = {one} WHERE seq = {one + 1}",
        f"UPDATE seal_links SET seq = {one + 1} WHERE seq = 99",
    )
    faults = box.faults()
    assert sum("links were reordered" in says for says in faults) == 2


def test_a_gap_made_away_with_or_added_is_named(box: SealedBox) -> None:
    box.harm("DELETE FROM gaps WHERE recording_id = 'rec-a'")
    box.harm("INSERT INTO gaps VALUES ('rec-b', 50, 5, 'overrun')")
    assert box.faults() == [
        "recording rec-a: its gaps are [], sealed as [[10, 20, 'overrun']]",
        "recording rec-b: its gaps are [[10, 20, 'overrun'], [50, 5, 'overrun']],"
        " sealed as [[10, 20, 'overrun']]",
    ]


def test_a_row_without_an_id_hides_nothing(box: SealedBox) -> None:
    box.harm("CREATE TEMP TABLE one AS SELECT * FROM calls WHERE id = 'call-a'",
             "UPDATE one SET id = NULL", "INSERT INTO calls SELECT * FROM one",
             "DELETE FROM calls WHERE id = 'call-a'")  # fmt: skip
    faults = box.faults()
    assert any("call call-a is gone" in says for says in faults)
    assert any("id was changed to something unreadable" in says for says in faults)


def test_a_column_of_a_later_program_must_be_unset_in_older_calls(box: SealedBox) -> None:
    box.harm("ALTER TABLE calls ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'")
    assert box.faults() == []
    box.harm("UPDATE calls SET mood = 'wild' WHERE id = 'call-a'")
    assert box.faults() == ["call call-a: mood is 'wild', sealed as 'calm' (link 1)"]


# -- the outbox


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("DELETE FROM outbox WHERE stream = 'evt' AND seq = 2", "outbox entry evt 3: the entries after 1"),
        ("DELETE FROM outbox WHERE stream = 'evt' AND seq = 3", "outbox stream evt: its entries end at 2"),
        ("DELETE FROM outbox WHERE stream = 'evt'", "outbox stream evt: its entries end at 0"),
        ("UPDATE outbox SET state = 'gone' WHERE stream = 'evt' AND seq = 1", "state 'gone' is none of"),
        ("UPDATE outbox SET kind = 'opaque' WHERE stream = 'evt'", "its row says kind 'opaque'"),
        ("UPDATE outbox SET body = 'text' WHERE stream = 'evt'", "its bytes or its hash were changed"),
        ("UPDATE outbox_streams SET last_seq = 0 WHERE stream = 'evt'", "its counter says 0"),
        ("UPDATE outbox_streams SET stream = 'evil' WHERE stream = 'evt'", "outbox streams are"),
        ("DELETE FROM outbox_streams WHERE stream = 'log'", "outbox streams are"),
        ("UPDATE outbox_files SET sha256 = upper(sha256)", "upload of recording rec-a: file, size or hash"),
        ("UPDATE outbox_files SET recording_id = 'x' WHERE recording_id = 'rec-a'", "upload of recording x"),
    ],
)  # fmt: skip
def test_a_disturbed_outbox_is_named(box: SealedBox, harm: str, says: str) -> None:
    box.harm(harm)
    assert any(says in fault for fault in box.faults()), box.faults()


def test_news_that_say_something_else_than_was_sealed_are_named(box: SealedBox) -> None:
    with write(box.db):
        outbox.put(box.db, RecordingLost("rec-a", "call-b", "lie"), NOW)
        outbox.put(box.db, CallEnded("call-a", 9, "柜台", "in", "missed", NOW, NOW, 0), NOW)
        outbox.put(box.db, CallEnded("call-z", 9, "柜台", "in", "missed", NOW, NOW, 0), NOW)
    faults = box.faults()
    assert "outbox entry meta 4: it tells of rec-a otherwise than sealed: call_id" in faults
    assert any(
        "evt 4: it tells of call-a otherwise than sealed:" in says and "line" in says for says in faults
    )
    assert "outbox entry evt 5: it tells of call-z, which was never sealed or was removed" in faults


@pytest.mark.parametrize("acked", [0, 1, 3])
def test_entries_that_moved_to_a_new_epoch_are_no_fault(box: SealedBox, acked: int) -> None:
    with write(box.db):
        outbox.mark_acked(box.db, outbox.epoch_of(box.db), "evt", acked)
        outbox.start_epoch(box.db)
    box.call("call-e")
    assert box.faults() == []


# -- files


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda file: file.unlink(), "recording rec-a (link 4): its file rec-a.flac cannot be read: No such"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "bytes, sealed with"),
        (lambda file: file.write_bytes(b""), "rec-a.flac has 0 bytes, sealed with"),
        (lambda file: file.write_bytes(file.read_bytes() + b"\0"), "bytes, sealed with"),
        (lambda file: (file.unlink(), file.mkdir()), "cannot be read: Is a directory"),
        (lambda file: file.rename(file.with_name("rec-x.flac")), "file rec-x.flac belongs to no recording"),
        (lambda file: (file.parent / "d").mkdir() or (file.parent / "d" / "x").touch(), "file d/x belongs"),
        (lambda file: file.with_name("rec-a.part").touch(), "file rec-a.part belongs to no recording"),
    ],
)  # fmt: skip
def test_a_file_missing_cut_changed_or_put_in_is_named(box: SealedBox, harm: Any, says: str) -> None:
    harm(box.audio / "rec-a.flac")
    assert any(says in fault for fault in box.faults()), box.faults()


def test_two_recordings_with_exchanged_files_are_both_named(box: SealedBox) -> None:
    one, other = box.audio / "rec-a.flac", box.audio / "rec-b.flac"
    one.rename(box.folder / "x")
    other.rename(one)
    (box.folder / "x").rename(other)
    assert sum("bytes, sealed with" in says for says in box.faults()) == 2


def test_a_missing_folder_is_named(box: SealedBox) -> None:
    for file in box.audio.iterdir():
        file.unlink()
    box.audio.rmdir()
    assert f"there is no folder {box.audio}" in box.faults()


def test_audio_that_the_rules_deleted_may_wait_for_its_removal(box: SealedBox) -> None:
    with write(box.db):
        assert delete_audio(box.db, "rec-a", "age", None, NOW, forced=True)
    tally = Tally()
    assert list(examine(box.database, box.audio, tally, settle_s=0)) == []
    assert tally.notes == ["files being packed or still to be removed: 1"]
    (box.audio / "rec-a.flac").unlink()
    with write(box.db):
        note_removed(box.db, ["rec-a.flac"])
    assert box.faults() == []


def test_what_is_being_made_or_put_aside_is_no_fault(box: SealedBox) -> None:
    with write(box.db):
        for name in ("rec-m", "rec-n"):
            begin_recording(box.db, RecordingRow(name, "call-d", "recording", f"{name}.part", NOW, 8000))
        close_recording(box.db, "rec-n", 5, ())
        ask_removal(box.db, "rec-old.flac", NOW)
    for name in (
        "rec-m.part",
        "rec-n.part",
        "rec-n.encoding",
        "rec-n.flac",
        "rec-a.encoding",
        "rec-old.flac",
    ):
        (box.audio / name).touch()
    (box.audio / "quarantine").mkdir()
    (box.audio / "quarantine" / "old.part").touch()
    tally = Tally()
    assert list(examine(box.database, box.audio, tally, settle_s=0)) == []
    assert [note.split()[:2] for note in tally.notes] == [["files", "being"], ["files", "put"]]


# -- the key


def test_a_changed_or_open_key_is_named(box: SealedBox) -> None:
    path = box.folder / "seal.key"
    os.chmod(path, 0o644)
    assert box.faults() == [f"{path} can be read by others than its owner; do: chmod 600 {path}"]
    os.chmod(path, 0o600)
    path.write_bytes(DeviceKey.new().pem)
    (fault,) = box.faults()
    assert "the last links are not signed with" in fault


def test_a_box_that_got_a_new_key_says_so(box: SealedBox) -> None:
    (box.folder / "seal.key").unlink()
    box.call("call-e")
    tally = Tally()
    assert list(examine(box.database, box.audio, tally, settle_s=0)) == []
    assert tally.notes[0].startswith("from link 7 on the box signs with another key")
    (box.folder / "seal.key").unlink()
    tally = Tally()
    assert list(examine(box.database, box.audio, tally, settle_s=0)) == []
    assert "is not here" in tally.notes[-1]
    assert not (box.folder / "seal.key").exists(), "looking makes no key"


# -- beside the recorder


def test_it_reads_only(box: SealedBox) -> None:
    shared = (".db-shm", ".db-wal")  # SQLite's own, empty when nobody writes
    before = {file: file.read_bytes() for file in box.folder.rglob("*") if file.is_file()}
    assert box.faults() == []
    after = {file: file.read_bytes() for file in box.folder.rglob("*") if file.is_file()}
    assert {file: raw for file, raw in after.items() if not file.name.endswith(shared)} == before


def test_it_finds_no_fault_in_a_box_that_works_meanwhile(box: SealedBox) -> None:
    over = threading.Event()
    made = []

    def work() -> None:
        busy = SealedBox(box.folder)
        while not over.is_set():
            name = f"{len(made):04}"
            busy.call(f"call-{name}")
            busy.recording(f"rec-{name}", f"call-{name}")
            if len(made) % 2:
                seals.delete_recording(busy.db, f"rec-{name}", "age", "box", NOW)
            made.append(name)
        busy.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        rounds = [list(examine(box.database, box.audio)) for _ in range(6)]
        while len(made) < 12 and thread.is_alive():
            rounds.append(list(examine(box.database, box.audio)))
    finally:
        over.set()
        thread.join()
    assert [faults for faults in rounds if faults] == []
    assert len(made) >= 12


# -- the command


def edge(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edge", *map(str, arguments)],
                          cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip


@pytest.fixture
def config(box: SealedBox) -> Path:
    path = box.folder.parent / "box.toml"
    path.write_text(CONFIG.format(box.folder))
    return path


def test_the_command_says_all_is_well_in_one_line(box: SealedBox, config: Path) -> None:
    done = edge("verify", "--config", config)
    assert done.returncode == 0 and done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert line.startswith("all is well: 4 calls, 3 recordings (2 files, 0.0 MB), 6 links, 6 outbox entries")
    head = line.rpartition(" ")[2]
    assert edge("verify", "--config", config, "--head", head).returncode == 0
    box = SealedBox(box.folder)
    assert parse_head(head) == seals.head_of(box.db)


def test_the_command_names_faults_and_fails(box: SealedBox, config: Path) -> None:
    box.harm("UPDATE calls SET caller_name = '李四' WHERE id = 'call-a'")
    done = edge("verify", "--config", config)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "call call-a: caller_name is '李四', sealed as '王芳' (link 1)"
    assert done.stdout.splitlines()[1].startswith("1 fault:")
    told = [json.loads(line) for line in edge("verify", "--json", "--config", config).stdout.splitlines()]
    assert told[0]["part"] == "call" and "caller_name" in told[0]["says"]
    assert told[1]["faults"] == 1 and told[1]["well"] is False and told[1]["calls"] == 4


def test_what_a_row_holds_never_drives_the_terminal(
    box: SealedBox, capsys: pytest.CaptureFixture[str]
) -> None:
    box.harm("UPDATE calls SET id = 'call-a' || char(10) || char(27) || '[2J' WHERE id = 'call-a'")
    assert run_verify(box.database, box.audio, as_json=False) == 1
    said = capsys.readouterr().out
    assert "call call-a\\n\\x1b[2J was never sealed" in said and "\x1b" not in said


def test_the_command_prints_the_public_key(box: SealedBox, config: Path) -> None:
    done = edge("verify", "--key", "--config", config)
    assert done.returncode == 0
    assert done.stdout.strip() == DeviceKey.from_pem((box.folder / "seal.key").read_bytes()).public


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--head", "12"), "wanted a chain head as NUMBER:SHA-256, got '12'"),
        (("--head", "x:" + "0" * 64), "wanted a chain head"),
        (("--head", "1:" + "0" * 63), "wanted a chain head"),
    ],
)
def test_a_head_that_is_none_is_refused(config: Path, arguments: tuple[str, ...], says: str) -> None:
    done = edge("verify", "--config", config, *arguments)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_without_a_database_it_says_so(box: SealedBox, config: Path) -> None:
    for file in box.folder.glob("branch.db*"):
        file.unlink()
    for arguments in (("verify",), ("verify", "--key")):
        done = edge(*arguments, "--config", config)
        assert done.returncode == 2 and "there is no database at" in done.stderr
    assert not box.database.exists()


def test_a_key_that_is_not_there_is_a_sentence(box: SealedBox, config: Path) -> None:
    (box.folder / "seal.key").unlink()
    done = edge("verify", "--key", "--config", config)
    assert done.returncode == 2 and "cannot be read as the box's key" in done.stderr


def test_rubbish_for_a_database_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    database = tmp_path / "branch.db"
    open_store(database).close()
    raw = bytearray(database.read_bytes())
    raw[100:9000] = b"\xa5" * 8900
    database.write_bytes(raw)
    (fault,) = list(examine(database, tmp_path))
    assert fault.part == "database" and "cannot be read to its end" in fault.says


def test_a_head_is_parsed_both_ways() -> None:
    assert parse_head("7:" + "ab" * 32) == Head(7, "ab" * 32)
