"""Orders in any weather: messages lost, repeated and reordered, either end restored from an old copy.

Box and head office are the real ones, with real databases; only the wire between them is made of lists.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Engine

from cloud import pki
from cloud.access.log import Actor
from cloud.orders.dispatch import OrdersDesk
from cloud.orders.receipts import order_answered
from cloud.orders.rules import OrderRefused
from cloud.store import orders as office_orders
from cloud.store.boxes import register
from cloud.store.database import open_engine, read, write
from cloud.store.orders import Wanted
from edge.store.retention import is_held
from edge.syncer.orders import OrdersEnd
from sync.arriving import Origin
from sync.envelope import read_event, unpack_entry
from sync.inbox import Told
from sync.moment import to_text
from sync.order_signing import OrderKey
from sync.orders import DELETE, DELETE_CALL, HOLD, RELEASE
from sync.transport import Arrived, Link
from tests.databases import empty_sqlite
from tests.edge.sealed_box import SealedBox
from tests.sync.station import BOX

CALLS = tuple(f"0192f1de-7a3c-7000-8000-0000000000c{n}" for n in range(3))
FILES = {call: call.replace("c", "d") for call in CALLS}  # call -> its recording
WANG, LI = Actor(user_id="w", name="wang"), Actor(user_id="l", name="li")
NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)


@dataclass
class Wire:
    """Takes what a box publishes."""

    said: list[bytes] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes) -> None:
        """See sync.transport.Link."""
        self.said.append(payload)


class Installation:
    """A branch with three calls, made once; each run begins with copies."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="orders-"))
        life = pki.Validity.days(NOW - timedelta(days=1), 30)
        pki.make_ca(self.folder / "pki", life)
        pair = pki.make_head_office(self.folder / "pki", life)
        self.key = OrderKey.read(pair.cert, pair.key)
        branch = SealedBox(self.folder / "box")
        for call, recording in FILES.items():
            branch.call(call)
            branch.recording(recording, call)
        branch.db.execute("UPDATE outbox SET state = 'acked'")  # head office was told of the calls
        branch.close()
        (self.folder / "office").mkdir()
        (self.folder / "office" / "office.db").write_bytes(empty_sqlite())


_made: list[Installation] = []


def installation() -> Installation:
    if not _made:
        _made.append(Installation())
    return _made[0]


class AnyWeather(RuleBasedStateMachine):
    """What happens, in any order."""

    @initialize()
    def start(self) -> None:
        self.made = installation()
        self.folder = Path(tempfile.mkdtemp(prefix="weather-"))
        for name in ("box", "office"):
            shutil.copytree(self.made.folder / name, self.folder / name)
        self.now_s, self.down, self.up = 1000.0, list[bytes](), list[bytes]()
        self.open_box()
        self.open_office()
        with write(self.engine) as db:
            register(db, BOX, "Nanjing Road")
        for name in ("box", "office"):
            self.back_up(name)

    # -- both ends

    def open_box(self) -> None:
        self.branch, self.wire = SealedBox(self.folder / "box"), Wire()
        self.branch.db.execute("PRAGMA synchronous = OFF")
        authority = self.made.folder / "pki" / "ca.pem"
        link = cast(Link, self.wire)
        self.end = OrdersEnd(BOX, self.branch.db, link, authority, self.branch.audio, lambda: None)

    def open_office(self) -> None:
        self.engine: Engine = open_engine(f"sqlite:///{self.folder / 'office' / 'office.db'}")
        self.desk = OrdersDesk(self.engine, self.made.key)

    def back_up(self, name: str) -> None:
        self.close(name)
        shutil.rmtree(self.folder / f"{name}.old", ignore_errors=True)
        shutil.copytree(self.folder / name, self.folder / f"{name}.old")
        self.open(name)

    def close(self, name: str) -> None:
        self.branch.close() if name == "box" else self.engine.dispose()

    def open(self, name: str) -> None:
        self.open_box() if name == "box" else self.open_office()

    def step_box(self, payload: bytes | None = None) -> None:
        before = self.audio()
        if payload is not None:
            self.end.take(Arrived("x/c", payload, 0))
        held = {one for one in before if is_held(self.branch.db, one)}
        self.end.step(True, self.now_s, NOW)
        for one in held - self.audio():
            assert self.released_since(one), f"{one} was on hold"
        self.up += self.wire.said
        self.wire.said.clear()

    def released_since(self, recording: str) -> bool:
        return not is_held(self.branch.db, recording)

    def step_office(self) -> None:
        self.now_s += 1000.0
        self.down += [payload for _, payload in self.desk.step(self.now_s, to_text(NOW))]

    def audio(self) -> set[str]:
        """Recordings that are on the box's disk."""
        return {path.stem for path in self.branch.audio.iterdir()}

    # -- what happens

    @rule(kind=st.sampled_from([HOLD, RELEASE, DELETE, DELETE_CALL]), call=st.sampled_from(CALLS))
    def order(self, kind: str, call: str) -> None:
        try:
            with write(self.engine) as db:
                made = office_orders.make(db, Wanted(kind, BOX, "case", call), WANG, to_text(NOW))
                row = office_orders.find(db, made)
                if row is not None and row["state"] == "waiting":
                    office_orders.decide(db, row, "approve", "", LI, to_text(NOW))
        except OrderRefused:
            return

    @rule()
    def office_speaks(self) -> None:
        self.step_office()

    @rule(data=st.data(), keep=st.booleans())
    def something_arrives_at_the_box(self, data: st.DataObject, keep: bool) -> None:
        if self.down:
            at = data.draw(st.integers(0, len(self.down) - 1))
            self.step_box(self.down[at] if keep else self.down.pop(at))

    @rule(data=st.data(), keep=st.booleans())
    def something_arrives_at_head_office(self, data: st.DataObject, keep: bool) -> None:
        if self.up:
            at = data.draw(st.integers(0, len(self.up) - 1))
            self.hear(self.up[at] if keep else self.up.pop(at))

    @rule()
    def all_that_is_on_the_way_is_lost(self) -> None:
        self.down.clear()
        self.up.clear()

    @rule()
    def entries_arrive(self) -> None:
        self.receipts()

    @rule(rounds=st.integers(1, 4))
    def good_weather(self, rounds: int) -> None:
        """Everything that is said arrives, until nothing is said any more."""
        for _ in range(rounds):
            self.step_office()
            down, self.down = self.down, []
            for payload in down:
                self.step_box(payload)
            self.end.woken()
            self.step_box()
            up, self.up = self.up, []
            for payload in up:
                self.hear(payload)
            self.receipts()
            if not down and not up:
                return

    @rule(name=st.sampled_from(["box", "office"]))
    def a_backup_is_made(self, name: str) -> None:
        self.back_up(name)

    @rule(name=st.sampled_from(["box", "office"]))
    def a_backup_is_restored(self, name: str) -> None:
        """What is on the way is not forgotten; that of another life of the box is, with its connection."""
        self.close(name)
        shutil.rmtree(self.folder / name)
        shutil.copytree(self.folder / f"{name}.old", self.folder / name)
        self.open(name)
        self.up.clear()

    @invariant()
    def nothing_is_deleted_twice(self) -> None:
        if hasattr(self, "branch"):
            for kind in ("deletion", "erasure"):
                twice = f"SELECT subject FROM seal_links WHERE header LIKE '%\"{kind}\"%' GROUP BY subject"
                assert self.branch.db.execute(f"{twice} HAVING count(*) > 1").fetchall() == []

    def hear(self, payload: bytes) -> None:
        with write(self.engine) as db:
            self.desk.heard(db, Origin(BOX, to_text(NOW)), payload)

    def receipts(self) -> None:
        """The entries of the box reach head office: that they do, once each, is shown elsewhere."""
        told = [
            Told(Origin(BOX, to_text(NOW)), read_event(unpack_entry(bytes(body))), epoch, seq)
            for epoch, seq, body in self.branch.db.execute(
                "SELECT epoch, seq, body FROM outbox WHERE kind = 'order_answered' ORDER BY seq"
            )
        ]
        with write(self.engine) as db:
            order_answered(db, told)

    def teardown(self) -> None:
        """In good weather everything ends well, whatever was before."""
        if not hasattr(self, "branch"):
            return
        self.good_weather(40)
        self.check_the_end()
        for name in ("box", "office"):
            self.close(name)
        shutil.rmtree(self.folder)

    def check_the_end(self) -> None:
        orders = self.office_rows()
        assert all(row["state"] in ("done", "refused") and not row["owed"] for row in orders), orders
        last: dict[str, str] = {}
        for row in sorted(orders, key=lambda row: row["n"]):
            if row["state"] == "done":
                last[f"{row['kind']} {row['call_id']}"] = row["state"]
        for call, recording in FILES.items():
            if f"{DELETE_CALL} {call}" in last:
                known = "SELECT caller_number FROM calls WHERE id = ?"
                assert self.branch.db.execute(known, (call,)).fetchone()[0] is None, "it says who spoke"
            if f"{DELETE} {call}" in last or f"{DELETE_CALL} {call}" in last:
                assert recording not in self.audio(), "deleted by a receipt, and there again"
        numbers = [row["n"] for row in orders]
        assert len(set(numbers)) == len(numbers)
        assert self.branch.faults() == []

    def office_rows(self) -> list[dict[str, Any]]:
        with read(self.engine) as db:
            return [dict(row) for row in db.exec_driver_sql("SELECT * FROM orders").mappings()]


TestAnyWeather = AnyWeather.TestCase
TestAnyWeather.settings = settings(
    max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def ends() -> Iterator[AnyWeather]:
    """Both ends, nothing ordered yet; at the last all must be well."""
    both = AnyWeather()
    both.start()
    yield both
    both.teardown()


def test_a_box_restored_from_an_old_copy_is_told_again(ends: AnyWeather) -> None:
    call, recording = CALLS[0], FILES[CALLS[0]]
    ends.order(DELETE, call)
    ends.good_weather(6)
    assert recording not in ends.audio()
    ends.a_backup_is_restored("box")
    assert recording in ends.audio()
    ends.good_weather(6)
    assert recording not in ends.audio()
    assert [(row["n"], row["state"]) for row in ends.office_rows()] == [(1, "done")]


def test_head_office_restored_from_a_backup_numbers_on_and_gets_its_orders_back(ends: AnyWeather) -> None:
    ends.order(HOLD, CALLS[0])
    ends.order(HOLD, CALLS[1])
    ends.good_weather(6)
    ends.a_backup_is_restored("office")
    assert ends.office_rows() == []
    ends.order(DELETE, CALLS[2])
    ends.good_weather(6)
    found = {(row["n"], row["kind"], row["state"], row["by_name"]) for row in ends.office_rows()}
    assert found == {(1, HOLD, "done", "wang"), (2, HOLD, "done", "wang"), (3, DELETE, "done", "wang")}
    assert FILES[CALLS[2]] not in ends.audio()
