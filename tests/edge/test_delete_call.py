"""A call that head office has deleted: nothing says any more who spoke, and every proof still holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from cloud.access.log import Action, Deed
from cloud.audit import Auditor
from cloud.orders import erasing, keeping
from cloud.store import releases, trail
from cloud.store.database import write
from cloud.store.releases import Lying
from edge.evidence import EvidenceError, read_case
from edge.store import orders as branch_orders
from edge.store.call_search import catch_up
from edge.store.erasures import erasure_of
from edge.store.manifest_making import make_next
from edge.store.marks import Mark, add_mark
from edge.store.notes import add_note
from edge.store.operations import Operation
from edge.store.retention import place_hold
from edge.store.seals import links_of
from edge.syncer.deeds import carry_out
from sync import db as sqlite_db
from sync import outbox
from sync.envelope import canonical, erased_bytes
from sync.moment import to_text
from sync.orders import DELETE_CALL, Order, Signed, fault_of
from sync.transport import utc_now
from tests.edge.sealed_box import SealedBox
from tests.edge.storage.conftest import killed_at
from tests.edge.test_orders import CALL, RECORDING, WANG, answered, arrive, order
from tests.edge.test_reconciling import ask_anew, settle
from tests.sync.station import AT, BOX, Box, Office, Station, until

OTHER = "0192f1de-7a3c-7000-8000-0000000000c2"
SECRET, NAME, NOTE, TAG = "07718889991", "赵敏敏", "她要求保密", "敏感"
SECRETS = (SECRET, SECRET[-8:], NAME, NOTE, TAG)


def furnish(branch: SealedBox) -> SealedBox:
    """A call full of what nobody may know, and one beside it."""
    with sqlite_db.write(branch.db):
        branch.db.execute("SELECT 1")
    branch.open_call(CALL)
    with sqlite_db.write(branch.db):
        add_mark(branch.db, CALL, Mark(10, "key", SECRET))
    branch.call(CALL, SECRET)
    branch.recording(RECORDING, CALL)
    branch.call(OTHER)
    add_note(branch.db, CALL, "u", NOTE, Operation("note", "done", "", "lin", CALL), utc_now())
    with sqlite_db.write(branch.db):
        branch.db.execute("INSERT INTO call_tags VALUES (?, ?)", (TAG, CALL))
        branch.db.execute("INSERT INTO peaks VALUES (?, 'x', x'00')", (RECORDING,))
    catch_up(branch.db)
    return branch


@pytest.fixture
def branch(station: Station, box: Box) -> Iterator[SealedBox]:
    """The recorder's rows and files in the folder of the box."""
    branch = furnish(SealedBox(station.folder))
    yield branch
    branch.close()


def told_of(folder: Path, name: str) -> list[str]:
    """Tables in which something of the deleted call can still be read."""
    found = []
    with closing(sqlite3.connect(folder / name)) as db:
        db.text_factory = bytes
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table.decode()}"'):
                whole = b"\0".join(one for one in row if isinstance(one, bytes))
                found += [f"{table.decode()}: {one}" for one in SECRETS if one.encode() in whole]
    return found


def close_hours(box: Box, office: Office) -> None:
    with sqlite_db.write(box.db):
        make_next(box.db, BOX, outbox.epoch_of(box.db), to_text(utc_now() + timedelta(hours=1)))
    settle(box, office)


def sweep(office: Office) -> None:
    erasing.sweep(office.engine, to_text(utc_now()))
    keeping.remove_objects(office.engine, office.objects, to_text(utc_now()))


def lay_aside(office: Office, name: str, *calls: str) -> None:
    """A file with these calls waits for its review."""
    at_utc = to_text(utc_now())
    with write(office.engine) as db:
        deed = Deed(actor=WANG, action=Action.EXPORT, kind="calls", ids=calls)
        audit_id = trail.append(db, deed, at_utc)
        one = Lying(
            name, "calls", "csv", name, "text/csv", 1, "ab", 1, ("many",), {}, "quality", (), audit_id
        )
        releases.keep(db, one, WANG, at_utc)


def audit(office: Office) -> list[str]:
    return [one.detail for one in Auditor(office.reconciler).run(office.engine, to_text(utc_now()))]


def test_a_call_is_deleted_there_and_here_and_every_proof_still_holds(
    station: Station, box: Box, office: Office, branch: SealedBox
) -> None:
    arrive(office, box)
    close_hours(box, office)
    assert told_of(station.folder, "branch.db") and told_of(station.folder, "head-office.db")
    row = answered(office, order(office, DELETE_CALL), box)
    assert (row["state"], row["code"], row["signed"]) == ("done", "done", "good")
    until(lambda: box.owes == 0, box, office)
    lay_aside(office, "other", OTHER)
    lay_aside(office, "this", OTHER, CALL)
    sweep(office)
    assert [(row["id"], row["state"]) for row in office.rows("releases")] == [
        ("other", "waiting"),
        ("this", "withheld"),
    ]
    assert told_of(station.folder, "branch.db") == []
    assert told_of(station.folder, "head-office.db") == []
    assert not list(branch.audio.iterdir())
    assert branch.faults() == []
    assert audit(office) == []
    kept, other = sorted(office.rows("calls"), key=lambda one: str(one["id"]))
    same = ("line", "line_name", "outcome", "started_utc", "ended_utc", "duration_ms", "direction")
    assert [kept[name] for name in same] == [other[name] for name in same]
    assert (kept["caller_number"], kept["party"], kept["last8"]) == (None, None, None)
    assert other["caller_number"] == "02155501234"
    (receipt,) = office.rows("order_receipts")
    tombstone = links_of(branch.db, CALL)[-1]
    assert msgspec.json.decode(receipt["body"])["gone"][-1] == {  # type: ignore[call-overload]
        "recording_id": CALL,
        "sha256": msgspec.json.decode(links_of(branch.db, CALL)[0].header)["data"],
        "link": tombstone.seq,
        "h": tombstone.h,
    }
    close_hours(box, office)
    assert audit(office) == [] and office.rows("quarantine") == []


def test_head_office_restored_from_a_backup_hears_of_the_call_without_a_name(
    station: Station, box: Box, office: Office, branch: SealedBox
) -> None:
    until(lambda: office.ingest.ready, office)
    with closing(sqlite3.connect(station.folder / "head-office.db")) as db:
        db.execute("VACUUM INTO ?", (str(station.folder / "backup.db"),))
    arrive(office, box)
    answered(office, order(office, DELETE_CALL), box)
    until(lambda: box.owes == 0, box, office)
    office.close()
    (station.folder / "head-office.db").write_bytes((station.folder / "backup.db").read_bytes())
    for left in ("head-office.db-wal", "head-office.db-shm"):
        (station.folder / left).unlink(missing_ok=True)
    restored, again = station.office(), ask_anew(box)
    try:
        until(lambda: len(restored.rows("calls")) == 2 and again.owes == 0, again, restored)
        until(lambda: len(restored.rows("call_deletions")) == 1, again, restored)
        sweep(restored)
        close_hours(again, restored)
        assert told_of(station.folder, "head-office.db") == []
        assert "entry_erased" in [row["kind"] for row in restored.rows("inbox")]
        assert restored.rows("quarantine") == []
        assert audit(restored) == []
    finally:
        again.close()
        restored.close()


def test_what_the_branch_holds_is_not_deleted(tmp_path: Path) -> None:
    branch = furnish(SealedBox(tmp_path))
    with sqlite_db.write(branch.db):
        place_hold(branch.db, CALL, "court", "lin", AT)
    take(branch)
    confirmed(branch)
    assert carry_out(branch.db, branch.audio, AT) == 1
    assert outcome(branch) == ("refused", "on_hold")
    assert erasure_of(branch.db, CALL) is None and branch.faults() == []
    assert told_of(tmp_path, "branch.db")


def test_it_waits_until_head_office_has_what_it_was_told(tmp_path: Path) -> None:
    branch = furnish(SealedBox(tmp_path))
    take(branch)
    assert carry_out(branch.db, branch.audio, AT) == 0
    assert (outcome(branch), erasure_of(branch.db, CALL)) == (("waiting", ""), None)
    confirmed(branch)
    assert carry_out(branch.db, branch.audio, AT) == 1
    assert outcome(branch) == ("done", "done")
    with pytest.raises(EvidenceError, match="was deleted on"):
        read_case(branch.db, CALL)
    assert read_case(branch.db, OTHER).call["caller_number"] == "02155501234"


def test_a_kill_between_any_two_steps_ends_the_same(tmp_path: Path) -> None:
    point, finished = 0, False
    while not finished:
        branch = furnish(SealedBox(tmp_path / str(point)))
        take(branch)
        confirmed(branch)
        branch.close()

        def work(count: object, branch: SealedBox = branch) -> None:
            branch.db.set_trace_callback(count)  # type: ignore[arg-type]
            carry_out(branch.db, branch.audio, AT)

        finished = not killed_at(point, work)
        carry_out(branch.db, branch.audio, AT)
        assert branch.faults() == []
        assert told_of(branch.folder, "branch.db") == []
        erasures = [link for link in links_of(branch.db, CALL) if b'"erasure"' in link.header]
        assert (len(erasures), outcome(branch)) == (1, ("done", "done"))
        branch.close()
        point += 13
    assert point > 40


@pytest.mark.parametrize("approved_by", ["", "wang"])
def test_it_takes_two_people(approved_by: str) -> None:
    assert fault_of(wanted(approved_by)) == "not_approved"


def test_ordered_twice_it_goes_once(tmp_path: Path) -> None:
    branch = furnish(SealedBox(tmp_path))
    confirmed(branch)
    for n in (1, 2):
        take(branch, n)
        confirmed(branch)
        assert carry_out(branch.db, branch.audio, AT) == 1
    assert outcome(branch, 2) == ("done", "nothing_left")
    assert branch.faults() == []


FORGED = erased_bytes("0192f1de-7a3c-7000-8000-00000000eeee", AT, b"{}", 2, OTHER, CALL).hex()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("UPDATE seal_links SET data = x'' WHERE subject = '" + OTHER + "'", "no erasure says so"),
        ("DELETE FROM seal_links WHERE seq = (SELECT max(seq) FROM seal_links)", "no erasure says so"),
        (
            f"UPDATE outbox SET kind = 'entry_erased', body = x'{FORGED}' WHERE kind = 'call_ended'",
            "its bytes and its hash disagree",
        ),
        (f"UPDATE calls SET caller_number = '{SECRET}' WHERE id = '{CALL}'", "caller_number is"),
    ],
)
def test_what_was_emptied_without_an_order_is_found(tmp_path: Path, harm: str, says: str) -> None:
    branch = furnish(SealedBox(tmp_path))
    take(branch)
    confirmed(branch)
    carry_out(branch.db, branch.audio, AT)
    assert branch.faults() == []
    branch.harm(harm)
    assert any(says in fault for fault in branch.faults())


def wanted(approved_by: str = "li", n: int = 1) -> Order:
    return Order(
        box=BOX,
        n=n,
        after=n - 1,
        id=CALL[:-1] + str(n),
        kind=DELETE_CALL,
        call_id=CALL,
        reason="law",
        by="wang",
        approved_by=approved_by,
        at=AT,
    )


def take(branch: SealedBox, n: int = 1) -> None:
    """The order is here."""
    one = wanted(n=n)
    signed = Signed(body=msgspec.Raw(canonical(one)), cert="", sig="00" * 8)
    with sqlite_db.write(branch.db):
        branch_orders.take(branch.db, one, signed, AT)


def confirmed(branch: SealedBox) -> None:
    """Head office has all entries."""
    with sqlite_db.write(branch.db):
        branch.db.execute("UPDATE outbox SET state = 'acked'")


def outcome(branch: SealedBox, n: int = 1) -> tuple[str, str]:
    row = branch.db.execute("SELECT state, code FROM orders WHERE n = ?", (n,)).fetchone()
    return row[0], row[1]
