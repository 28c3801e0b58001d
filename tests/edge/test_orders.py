"""Orders of head office over a real mosquitto: taken, carried out once, answered with a signed receipt."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest
from sqlalchemy import RowMapping

from cloud.access.log import Actor
from cloud.audit import Auditor
from cloud.orders import keeping
from cloud.orders.dispatch import order_of
from cloud.store import orders as office_orders
from cloud.store.database import read, write
from cloud.store.orders import Wanted
from edge.store import orders as branch_orders
from edge.store.manifest_making import make_next
from edge.store.retention import hold_on, place_hold
from edge.store.seals import links_of
from edge.syncer.deeds import carry_out
from sync import db as sqlite_db
from sync import outbox
from sync.envelope import canonical
from sync.moment import to_text
from sync.orders import DELETE, HOLD, RELEASE, RETENTION, Order, Signed, pack
from sync.transport import Arrived, Link, utc_now
from tests.edge.sealed_box import SealedBox
from tests.edge.storage.conftest import killed_at
from tests.sync.station import AT, BOX, Box, Office, Station, Steps, until

WANG, LI = Actor(user_id="w", name="wang"), Actor(user_id="l", name="li")
CALL, RECORDING = "0192f1de-7a3c-7000-8000-0000000000c1", "0192f1de-7a3c-7000-8000-0000000000d1"


@pytest.fixture
def branch(station: Station, box: Box) -> Iterator[SealedBox]:
    """The recorder's rows and files in the folder of the box."""
    branch = SealedBox(station.folder)
    branch.call(CALL)
    branch.recording(RECORDING, CALL)
    yield branch
    branch.close()


def order(office: Office, kind: str, **more: object) -> str:
    """An order as the page gives it; approved where that is needed."""
    about = {"call_id": None if kind == RETENTION else CALL} | more
    with write(office.engine) as db:
        made = office_orders.make(db, Wanted(kind, BOX, "case 7", **about), WANG, to_text(utc_now()))  # type: ignore[arg-type]
        row = office_orders.find(db, made)
        assert row is not None
        if row["state"] == "waiting":
            office_orders.decide(db, row, "approve", "", LI, to_text(utc_now()))
    return made


def state(office: Office, order_id: str) -> str:
    with read(office.engine) as db:
        row = office_orders.find(db, order_id)
    assert row is not None
    return str(row["state"])


def answered(office: Office, order_id: str, box: Box) -> dict[str, object]:
    until(lambda: state(office, order_id) in ("done", "refused"), box, office)
    return next(row for row in office.rows("orders") if row["id"] == order_id)


def arrive(office: Office, box: Box) -> None:
    """The call's audio is at head office."""
    until(lambda: [row["state"] for row in office.rows("recordings")] == ["stored"], box, office)


def test_a_hold_reaches_the_branch_and_ends_by_order_alone(
    box: Box, office: Office, branch: SealedBox
) -> None:
    row = answered(office, order(office, HOLD), box)
    assert (row["state"], row["code"], row["n"], row["signed"]) == ("done", "done", 1, "good")
    hold = hold_on(branch.db, CALL)
    assert hold is not None and (hold.reason, hold.ordered) == ("case 7", True)
    assert answered(office, order(office, RELEASE), box)["state"] == "done"
    assert hold_on(branch.db, CALL) is None


def test_audio_is_deleted_there_and_here_and_the_chain_still_verifies(
    box: Box, office: Office, branch: SealedBox
) -> None:
    arrive(office, box)
    (before,) = office.rows("recordings")
    row = answered(office, order(office, DELETE), box)
    assert (row["state"], row["code"]) == ("done", "done")
    assert not list(branch.audio.iterdir())
    assert branch.faults() == []
    (receipt,) = office.rows("order_receipts")
    assert str(before["sha256"]).encode() in receipt["body"]  # type: ignore[operator]
    (there,) = office.rows("recordings")
    assert (there["state"], there["object_key"]) == ("deleted", None)
    assert [row["id"] for row in office.rows("calls")] == [CALL]


@pytest.mark.parametrize("ordered", [False, True], ids=["by the branch", "by head office"])
def test_what_is_on_hold_is_not_deleted(box: Box, office: Office, branch: SealedBox, ordered: bool) -> None:
    with sqlite_db.write(branch.db):
        place_hold(branch.db, CALL, "court", "lin", to_text(utc_now()), ordered=ordered)
    row = answered(office, order(office, DELETE), box)
    assert (row["state"], row["code"]) == ("refused", "on_hold")
    assert [file.name for file in branch.audio.iterdir()] == [f"{RECORDING}.flac"]


@dataclass(slots=True)
class Losing(Link):
    """A link that loses the first order."""

    lost: int = 0

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, at_once: bool = True, certain: bool = True
    ) -> None:
        if b'"t":"signed"' in payload and not self.lost:
            self.lost += 1
        else:
            super(Losing, self).publish(topic, payload, retain=retain, at_once=at_once, certain=certain)


class Ahead(Steps):
    """Head office, so many seconds later."""

    def __init__(self, office: Office, seconds: float) -> None:
        self.office, self.seconds = office, seconds

    def step(self) -> None:
        self.office.ingest.step(time.monotonic() + self.seconds, utc_now())


def test_orders_wait_for_a_box_that_is_away_and_are_sent_until_they_are_taken(
    station: Station, box: Box, branch: SealedBox
) -> None:
    office = station.office(link_of=Losing)
    assert isinstance(office.link, Losing)
    try:
        first = order(office, HOLD)
        office.orders._next_s = 0.0
        for _ in range(3):  # to nobody: the box is not there
            office.step()
        assert state(office, first) == "ordered"
        until(lambda: office.link.lost == 1, box, office)
        for _ in range(10):
            box.step()
            office.step()
        assert state(office, first) == "sent"
        until(lambda: state(office, first) == "done", box, Ahead(office, 10.0))
        made = [first, order(office, RELEASE), order(office, DELETE)]
        until(lambda: {state(office, one) for one in made} == {"done"}, box, Ahead(office, 20.0))
        assert [row["n"] for row in office.rows("orders")] == [1, 2, 3]
        assert not list(branch.audio.iterdir())
        again = [dict(row) for row in branch.db.execute("SELECT n, state FROM orders ORDER BY n")]
        assert again == [{"n": n, "state": "done"} for n in (1, 2, 3)]
    finally:
        office.close()


def sent_again(office: Office, box: Box, order_id: str) -> list[tuple[int, str]]:
    """What the box says to an order that is sent once more as it was."""
    (row,) = (row for row in office.rows("orders") if row["id"] == order_id)
    signed = office.orders.key.sign(order_of(cast(RowMapping, row), 0))
    end, said = box.syncer.orders, []
    before = branch_state(box)
    for _ in range(2):
        refused = end._taken(Arrived("x", pack(signed), 0), utc_now())
        assert refused is not None
        said.append(refused)
    assert branch_state(box) == before
    return said


def branch_state(box: Box) -> list[tuple[object, ...]]:
    """Everything that an order changes."""
    tables = ("orders", "orders_upto", "holds", "seal_head", "outbox_streams", "recordings")
    return [tuple(row) for table in tables for row in box.db.execute(f"SELECT * FROM {table}")]


def test_an_order_that_comes_again_does_nothing(box: Box, office: Office, branch: SealedBox) -> None:
    made = order(office, HOLD)
    answered(office, made, box)
    answered(office, order(office, RELEASE), box)
    assert sent_again(office, box, made) == [(1, "replayed")] * 2
    assert hold_on(branch.db, CALL) is None


def test_a_kill_between_any_two_steps_ends_the_same(tmp_path: Path) -> None:
    point, finished = 0, False
    while not finished:
        branch = SealedBox(tmp_path / str(point))
        branch.call(CALL)
        branch.recording(RECORDING, CALL)
        take_deletion(branch)
        branch.close()

        def work(count: object, branch: SealedBox = branch) -> None:
            branch.db.set_trace_callback(count)  # type: ignore[arg-type]
            carry_out(branch.db, branch.audio, AT)

        finished = not killed_at(point, work)
        carry_out(branch.db, branch.audio, AT)
        assert branch.faults() == []
        assert not list(branch.audio.iterdir())
        receipts = "SELECT count(*) FROM outbox WHERE kind = 'order_answered'"
        assert branch.db.execute(receipts).fetchone()[0] == 1
        assert sum(b'"deletion"' in link.header for link in links_of(branch.db, RECORDING)) == 1
        branch.close()
        point += 4
    assert point > 20


CARRY_OUT = f"""
import sys
from pathlib import Path
from edge.store.schema import open_store
from edge.syncer.deeds import carry_out
assert carry_out(open_store(Path(sys.argv[1])), Path(sys.argv[2]), "{AT}") == 1
"""
CALL_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += 0")


class TestWhatGoesFirst:
    """Rows, then files, durably, then the receipt."""

    @pytest.fixture
    def ordered(self, tmp_path: Path) -> Iterator[SealedBox]:
        branch = SealedBox(tmp_path)
        branch.call(CALL)
        branch.recording(RECORDING, CALL)
        take_deletion(branch)
        yield branch
        branch.close()

    @pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
    def test_as_the_kernel_saw_it(self, ordered: SealedBox, tmp_path: Path) -> None:
        log, root = tmp_path / "calls", Path(__file__).parents[2]
        watch = ["strace", "-f", "-y", "--seccomp-bpf", "-e", "trace=fsync,fdatasync,unlink", "-o", str(log)]
        words = [*watch, sys.executable, "-c", CARRY_OUT, str(ordered.database), str(ordered.audio)]
        subprocess.run(words, cwd=root, check=True, capture_output=True)
        names = {
            ("fdatasync", f"<{ordered.database}-wal>"): "rows",
            ("unlink", f'"{ordered.audio / RECORDING}.flac"'): "file",
            ("fsync", f"<{ordered.audio}>"): "folder",
        }
        calls = [match.groups() for line in log.read_text().splitlines() if (match := CALL_LINE.match(line))]
        done = [
            what
            for call, about in calls
            for (name, one), what in names.items()
            if name == call and one in about
        ]
        assert done[:3] == ["rows", "file", "folder"] and set(done[3:]) == {"rows"}
        assert sum(b'"deletion"' in link.header for link in links_of(ordered.db, RECORDING)) == 1

    def test_no_receipt_is_written_while_the_file_is_there(self, ordered: SealedBox) -> None:
        there: list[bool] = []

        def note(statement: str) -> None:
            if statement.startswith("INSERT INTO outbox ") and "order_answered" in statement:
                there.append(any(ordered.audio.iterdir()))

        ordered.db.set_trace_callback(note)
        carry_out(ordered.db, ordered.audio, AT)
        assert there == [False]


def take_deletion(branch: SealedBox) -> None:
    """The order to delete the audio of CALL is here."""
    wanted = Order(
        box=BOX,
        n=1,
        after=0,
        id=CALL,
        kind=DELETE,
        call_id=CALL,
        reason="law",
        by="wang",
        approved_by="li",
        at=AT,
    )
    signed = Signed(body=msgspec.Raw(canonical(wanted)), cert="", sig="00" * 8)
    with sqlite_db.write(branch.db):
        branch_orders.take(branch.db, wanted, signed, AT)


def test_what_was_deleted_is_not_asked_for_again(box: Box, office: Office, branch: SealedBox) -> None:
    arrive(office, box)
    answered(office, order(office, DELETE), box)

    def closed() -> bool:
        box.syncer.manifests._look_s = 0.0
        return box.owes == 0 and {row["state"] for row in office.rows("manifests")} == {"closed"}

    with sqlite_db.write(box.db):
        make_next(box.db, BOX, outbox.epoch_of(box.db), to_text(utc_now() + timedelta(hours=1)))
    until(closed, box, office)
    assert keeping.remove_objects(office.engine, office.objects, to_text(utc_now())) == 1
    (tomb,) = office.rows("audio_deletions")
    assert office.objects.size(str(tomb["sha256"])) is None
    assert list(Auditor(office.reconciler).run(office.engine, to_text(utc_now()))) == []
    for _ in range(5):
        box.step()
        office.step()
    assert [row["state"] for row in office.rows("recordings")] == ["deleted"]
