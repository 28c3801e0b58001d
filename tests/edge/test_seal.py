"""The seal: links as bytes, the chain as rows beside the facts, keys, tombstones, an old database."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from edge.seal import (
    BEGINNING,
    ChainWalk,
    Link,
    make_link,
    row_changes,
    sha256,
    signed_message,
)
from edge.store import seals
from edge.store.schema import open_store
from sync.db import write
from sync.keys import DeviceKey, signature_holds
from tests.edge.sealed_box import NOW, SealedBox, copy_of, furnish

ROOT = Path(__file__).parents[2]
KEY = DeviceKey.new()
X25519 = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SEALED = {"subject": "call-1", "salt": "00", "how": "live", "row": {"line": 1}, "parts": {}}


def chain(length: int, key: DeviceKey | None = KEY) -> list[Link]:
    links: list[Link] = []
    for seq in range(1, length + 1):
        prev = links[-1].h if links else BEGINNING
        links.append(make_link(seq, prev, "call", NOW, SEALED | {"subject": f"call-{seq}"}, key))
    return links


def walked(links: list[Link]) -> list[str]:
    walk = ChainWalk()
    faults = [says for link in links for says in walk.take(link)]
    end = (links[-1].seq, links[-1].h) if links else (0, BEGINNING)
    return faults + list(walk.end(*end))


# -- links


def test_a_link_is_the_bytes_the_drawing_says() -> None:
    link = make_link(12, "ab" * 32, "call", NOW, SEALED, KEY)
    assert json.loads(link.header) == {
        "at": NOW, "data": sha256(link.data), "key": KEY.public, "kind": "call", "prev": "ab" * 32,
        "seq": 12, "v": 1,
    }  # fmt: skip
    assert link.header == json.dumps(json.loads(link.header), sort_keys=True, separators=(",", ":")).encode()
    assert link.h == sha256(link.header)
    assert signature_holds(KEY.public, f"branchline seal 1\n12\n{link.h}\n".encode(), link.sig)


def test_a_header_says_nothing_about_people() -> None:
    secret = SEALED | {"row": {"caller_number": "13912345678"}}
    link = make_link(1, BEGINNING, "call", NOW, secret, KEY)
    assert b"13912345678" not in link.header and b"call-1" not in link.header
    again = make_link(1, BEGINNING, "call", NOW, secret | {"salt": "01"}, KEY)
    assert json.loads(again.header)["data"] != json.loads(link.header)["data"], "the salt hides what is short"


@pytest.mark.parametrize("length", [0, 1, 2, 9])
def test_an_untouched_chain_has_no_fault(length: int) -> None:
    assert walked(chain(length)) == []


@pytest.mark.parametrize(
    ("at", "change", "says"),
    [
        (3, {"data": b"{}"}, "link 3 (call call-3, sealed 2026-03-02T09:00:30.000Z): what it sealed"),
        (3, {"h": "00" * 32}, "link 3 (call call-3"),
        (3, {"sig": b"\0" * 64}, "link 3 (call call-3, sealed 2026-03-02T09:00:30.000Z): its signature does"),
        (3, {"sig": None}, "its signature does not hold"),
        (3, {"subject": "call-9"}, "its row names 'call-9' instead"),
        (3, {"header": b"\xff\x00"}, "link 3: its header was changed and cannot be read"),
        (3, {"header": b"[1]"}, "link 3: its header was changed and cannot be read"),
        (3, {"seq": 2}, "link"),
    ],
)
def test_a_changed_link_is_named_once(at: int, change: dict, says: str) -> None:
    links = chain(5)
    if change.get("data") == b"{}":
        change = {"data": links[at - 1].data.replace(b'"line":1', b'"line":2')}
    links[at - 1] = replace(links[at - 1], **change)
    faults = walked(links)
    assert any(says in fault for fault in faults), faults
    assert all("link 5" not in fault for fault in faults), "what comes later is not blamed"


def test_removed_reordered_inserted_links_are_named() -> None:
    links = chain(5)
    assert walked(links[:2] + links[3:]) == ["link 3 is missing: what was sealed there has been removed"]
    assert "links 2 to 4 are missing" in walked([links[0], links[4]])[0]
    swapped = [links[0], replace(links[2], seq=2), replace(links[1], seq=3), *links[3:]]
    assert any("sealed as link 3; links were reordered" in fault for fault in walked(swapped))
    forged = make_link(3, links[1].h, "call", NOW, SEALED, KEY)
    faults = walked([*links[:2], forged, *links[3:]])
    assert any("link 4" in fault and "does not follow" in fault for fault in faults)


def test_the_head_is_held_to_the_chain() -> None:
    links = chain(3)
    walk = ChainWalk()
    assert [says for link in links for says in walk.take(link)] == []
    assert list(walk.end(5, links[-1].h)) == [
        "links 4 to 5 are missing: what was sealed there has been removed"
    ]
    assert list(walk.end(2, links[1].h)) == ["chain head: says 2, but the last link is 3"]
    assert list(walk.end(3, links[1].h)) == ["chain head: its hash is not that of link 3"]
    assert list(walk.end("x", None)) == ["chain head: says 'x', but the last link is 3"]


def test_a_link_signed_elsewhere_is_named_but_a_new_key_is_only_noted() -> None:
    other = DeviceKey.new()
    links = chain(2)
    links.append(make_link(3, links[-1].h, "call", NOW, SEALED, other))
    assert walked(links) == []
    links.append(make_link(4, links[-1].h, "call", NOW, SEALED, KEY))
    assert "link 4" in walked(links)[0] and "another box's key" in walked(links)[0]


def test_an_unsigned_link_stays_named() -> None:
    links = chain(1, None)
    links.append(make_link(2, links[-1].h, "call", NOW, SEALED, KEY))
    (fault,) = walked(links)
    assert "link 1" in fault and "not signed" in fault


@given(st.integers(0, 63), st.integers(0, 7))
def test_no_bit_of_a_signature_is_idle(byte: int, bit: int) -> None:
    message = signed_message(7, "ab" * 32)
    sig = bytearray(KEY.sign(message))
    assert signature_holds(KEY.public, message, bytes(sig))
    sig[byte] ^= 1 << bit
    assert not signature_holds(KEY.public, message, bytes(sig))


@pytest.mark.parametrize("public", [None, 5, "", "zz" * 32, "00" * 31, b"\0" * 32])
def test_what_is_no_key_signs_nothing(public: object) -> None:
    assert not signature_holds(public, b"x", KEY.sign(b"x"))


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a is 2, sealed as 1"]),
        ({"a": 1}, {"a": 1.0}, ["a is 1.0, sealed as 1"]),
        ({"a": None}, {"a": ""}, ["a is '', sealed as None"]),
        ({"a": 1}, {}, ["a is gone, sealed as 1"]),
        ({"a": 1}, {"a": 1, "new": 0}, []),
        ({"a": 1}, {"a": 1, "new": 7}, ["new is 7, sealed as 0"]),
        ({"a": 1}, {"a": 1, "bare": None}, []),
        ({"a": 1}, {"a": 1, "bare": "x"}, ["bare is 'x', sealed as None"]),
    ],
)
def test_a_row_is_held_to_what_was_sealed(then: dict, now: dict, says: list[str]) -> None:
    assert list(row_changes(then, now, {"new": 0})) == says


# -- the key


def test_the_key_is_made_at_the_first_start_for_the_owner_only(tmp_path: Path) -> None:
    open_store(tmp_path / "branch.db").close()
    path = tmp_path / "seal.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    assert DeviceKey.from_pem(first).pem == first
    open_store(tmp_path / "branch.db").close()
    assert path.read_bytes() == first, "one key for good"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["branch.db", "seal.key"]


def test_the_key_never_shows_itself(tmp_path: Path) -> None:
    key = DeviceKey.new()
    assert "private" not in repr(key) and key.private.private_bytes_raw().hex() not in repr(key)
    box = SealedBox(tmp_path)
    box.call("call-a")
    secret = DeviceKey.from_pem((tmp_path / "seal.key").read_bytes()).private.private_bytes_raw()
    box.close()
    stored = (tmp_path / "branch.db").read_bytes()
    assert secret not in stored and secret.hex().encode() not in stored
    assert b"PRIVATE KEY" not in stored


def test_two_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    start = threading.Barrier(4)
    keys = []

    def begin() -> None:
        start.wait()
        db = open_store(tmp_path / "branch.db")
        keys.append(seals.device_key(db).public)
        db.close()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 4 and len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"nonsense", X25519], ids=["empty", "nonsense", "another kind"])
def test_a_call_is_kept_when_the_key_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    box = SealedBox(tmp_path)
    (tmp_path / "seal.key").write_bytes(content)
    box.call("call-a")
    assert seals.head_of(box.db).seq == 1
    faults = box.faults()
    assert any("link 1 (call call-a" in says and "not signed" in says for says in faults)
    assert any("cannot be read as a key" in says for says in faults)


def test_a_database_in_memory_is_sealed_without_a_key() -> None:
    db = open_store(":memory:")
    assert seals.key_path(db) is None and seals.device_key(db) is None
    assert seals.remove_deleted_files(db) == 0


# -- the chain as rows


def test_every_finished_fact_is_one_link_in_order(tmp_path: Path) -> None:
    furnish(tmp_path)
    box = SealedBox(tmp_path)
    links = list(seals.links_from(box.db))
    kinds = [(json.loads(link.header)["kind"], link.subject) for link in links]
    assert kinds == [("call", "call-a"), ("call", "call-b"), ("call", "call-c"),
                     ("recording", "rec-a"), ("recording", "rec-b"), ("recording", "rec-c")]  # fmt: skip
    assert seals.head_of(box.db) == seals.Head(6, links[-1].h)
    data = json.loads(links[3].data)
    assert data["how"] == "live" and data["parts"] == {"gaps": [[10, 20, "overrun"]]}
    assert data["row"] == dict(box.db.execute("SELECT * FROM recordings WHERE id = 'rec-a'").fetchone())
    assert len({json.loads(link.data)["salt"] for link in links}) == 6


def test_fact_and_seal_are_saved_together_or_not_at_all(tmp_path: Path) -> None:
    box = SealedBox(tmp_path)
    box.db.execute(
        "CREATE TEMP TRIGGER full BEFORE UPDATE ON seal_head BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        box.call("call-a")
    assert not box.db.execute("SELECT * FROM calls").fetchall()
    assert not box.db.execute("SELECT * FROM outbox").fetchall()
    assert seals.head_of(box.db).seq == 0
    box.db.execute("DROP TRIGGER full")
    box.call("call-a")
    assert box.faults() == []


def test_a_seal_outside_a_transaction_is_refused(tmp_path: Path) -> None:
    box = SealedBox(tmp_path)
    with pytest.raises(seals.NoTransaction):
        seals.seal_call(box.db, "call-a", NOW)
    with pytest.raises(seals.NoTransaction):
        seals.bury_recording(box.db, "rec-a", "law", "li", NOW)
    with pytest.raises(seals.SealError, match="call nobody has no row"), write(box.db):
        seals.seal_call(box.db, "nobody", NOW)


def test_a_recording_that_becomes_another_file_is_sealed_again(tmp_path: Path) -> None:
    furnish(tmp_path)
    box = SealedBox(tmp_path)
    old = box.audio / "rec-a.flac"
    new = box.audio / "rec-a.opus"
    new.write_bytes(b"packed")
    with write(box.db):
        box.db.execute(
            "UPDATE recordings SET file = ?, size_bytes = 6, sha256 = ?, codec = 'opus' WHERE id = 'rec-a'",
            (new.name, sha256(b"packed")),
        )
        seals.seal_recording(box.db, "rec-a", NOW)
    old.unlink()
    assert box.faults() == []
    assert [json.loads(one.data)["row"]["codec"] for one in seals.links_of(box.db, "rec-a")] == [
        "flac",
        "opus",
    ]


# -- deletion


def test_a_deletion_leaves_a_signed_tombstone_and_a_whole_chain(tmp_path: Path) -> None:
    furnish(tmp_path)
    box = SealedBox(tmp_path)
    before = dict(box.db.execute("SELECT * FROM recordings WHERE id = 'rec-a'").fetchone())
    seals.delete_recording(box.db, "rec-a", "caller asked for it", "李经理", NOW)
    assert not (box.audio / "rec-a.flac").exists() and (box.audio / "rec-b.flac").exists()
    after = dict(box.db.execute("SELECT * FROM recordings WHERE id = 'rec-a'").fetchone())
    assert after == before | {"state": "deleted"}
    stone = seals.links_of(box.db, "rec-a")[-1]
    header, data = json.loads(stone.header), json.loads(stone.data)
    assert (header["kind"], header["at"]) == ("deletion", NOW)
    assert (data["user"], data["reason"], data["sha256"]) == (
        "李经理",
        "caller asked for it",
        before["sha256"],
    )
    assert signature_holds(header["key"], signed_message(stone.seq, stone.h), stone.sig)
    assert (
        box.db.execute("SELECT state FROM outbox_files WHERE recording_id = 'rec-a'").fetchone()[0]
        == "deleted"
    )
    assert box.faults() == []


def test_a_file_head_office_has_stays_marked_so(tmp_path: Path) -> None:
    furnish(tmp_path)
    box = SealedBox(tmp_path)
    box.harm("UPDATE outbox_files SET state = 'stored'")
    seals.delete_recording(box.db, "rec-a", "age", "box", NOW)
    assert {row[0] for row in box.db.execute("SELECT state FROM outbox_files")} == {"stored"}


@pytest.mark.parametrize(
    ("recording", "says"),
    [("rec-c", "recording rec-c is lost"), ("rec-x", "rec-x is unknown"), ("rec-a", "rec-a is deleted")],
)
def test_only_finished_audio_can_be_deleted(tmp_path: Path, recording: str, says: str) -> None:
    furnish(tmp_path)
    box = SealedBox(tmp_path)
    if recording == "rec-a":
        seals.delete_recording(box.db, "rec-a", "age", "box", NOW)
    head = seals.head_of(box.db)
    with pytest.raises(seals.NotDeletable, match=says):
        seals.delete_recording(box.db, recording, "age", "box", NOW)
    assert seals.head_of(box.db) == head
    assert box.faults() == []


def test_a_deletion_that_does_not_commit_removes_nothing(tmp_path: Path) -> None:
    furnish(tmp_path)
    box = SealedBox(tmp_path)
    box.db.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON seal_links BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        seals.delete_recording(box.db, "rec-a", "age", "box", NOW)
    assert (box.audio / "rec-a.flac").exists()
    assert box.faults() == []


KILLED = """
import os, signal, sys
from pathlib import Path
from edge.store import seals
from edge.store.schema import open_store
seals.remove_deleted_files = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
seals.delete_recording(open_store(Path(sys.argv[1])), "rec-a", "age", "box", "2026-03-02T09:00:30.000Z")
"""


def test_a_kill_between_commit_and_removal_is_explained_and_finished(tmp_path: Path) -> None:
    furnish(tmp_path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "branch.db")], cwd=ROOT, check=False)
    assert done.returncode == -9
    box = SealedBox(tmp_path)
    assert (box.audio / "rec-a.flac").exists()
    (fault,) = box.faults()
    assert "recording rec-a" in fault and "deleted by 'box' ('age')" in fault and "cut short" in fault
    assert seals.remove_deleted_files(box.db) == 1
    assert box.faults() == []
    assert seals.remove_deleted_files(box.db) == 0


# -- a database from before


def before_seals(folder: Path) -> SealedBox:
    """A furnished box as an older program left it."""
    furnish(folder)
    box = SealedBox(folder)
    box.harm(
        "DROP TABLE seal_links", "DROP TABLE seal_head",
        "DELETE FROM _sqlite_migrations WHERE migration_set = 'seals'",
    )  # fmt: skip
    os.remove(folder / "seal.key")
    return box


def test_an_old_database_is_adopted_and_says_so(tmp_path: Path) -> None:
    old = before_seals(tmp_path)
    assert old.faults() == ["this database has no seals yet; start the recorder once"]
    box = SealedBox(tmp_path)
    links = list(seals.links_from(box.db))
    assert [link.subject for link in links] == ["call-a", "call-b", "call-c", "rec-a", "rec-b", "rec-c"]
    assert {json.loads(link.data)["how"] for link in links} == {"found"}
    assert box.faults() == []
    box.call("call-e")
    assert json.loads(seals.links_of(box.db, "call-e")[0].data)["how"] == "live"


def test_only_the_first_start_adopts(tmp_path: Path) -> None:
    before_seals(tmp_path)
    SealedBox(tmp_path).close()
    box = copy_of(tmp_path, tmp_path.parent / f"{tmp_path.name}-again")
    box.harm(
        "CREATE TEMP TABLE one AS SELECT * FROM calls WHERE id = 'call-a'",
        "UPDATE one SET id = 'call-z'",
        "INSERT INTO calls SELECT * FROM one",
    )
    box.close()
    box = SealedBox(box.folder)
    assert box.faults() == ["call call-z was never sealed: it was put in beside the recorder"]
