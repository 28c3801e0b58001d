"""Presence, clocks and quotas over a real mosquitto: what head office knows of a box, and when it says no."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.store import allowed, presences, troubles
from cloud.store.allowed import EVERY_BOX, Quota
from cloud.store.database import read, write
from sync import db as sqlite_db
from sync import outbox, topics
from sync.moment import from_text, to_text
from sync.presence import Death, Seen, pack
from sync.transport import utc_now
from tests.sync.station import BOX, Box, Office, Station, Steps, call_ended, until

BOOTED_1970 = datetime.fromisoformat("1970-01-01T00:00:10+00:00")


@pytest.fixture
def box(station: Station) -> Iterator[Box]:
    box = station.box(boot="b0")
    yield box
    box.close()


def seen(office: Office) -> Seen | None:
    with read(office.engine) as db:
        return presences.find(db, BOX)


def wrong(office: Office) -> list[str]:
    """What head office says is wrong with the box."""
    with read(office.engine) as db:
        return [row["kind"] for row in troubles.open_troubles(db, BOX)]


def is_online(office: Office) -> bool:
    found = seen(office)
    return found is not None and found.online


def test_a_box_that_comes_and_goes_is_seen(box: Box, office: Office) -> None:
    until(lambda: is_online(office), box, office)
    (row,) = office.rows("presence")
    assert '"heads":{"crit":0,"evt":0' in str(row["born"])
    box.syncer.close()  # says goodbye
    until(lambda: not is_online(office), office)


def test_a_birth_is_retained_and_only_the_death_of_its_own_connection_counts(
    station: Station, box: Box, office: Office
) -> None:
    until(lambda: is_online(office), box, office)
    office.cut()
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM presence")
    until(lambda: is_online(office), office)  # the box says nothing now
    link = box.syncer._entries_reach.link
    topic = topics.build(BOX, "up", "b")
    nonce = box.syncer.presence._nonce
    assert [row["nonce"] for row in office.rows("presence")] == [nonce]
    link.publish(topic, pack(Death(nonce="0" * 16)))
    box.put(call_ended())
    until(lambda: box.owes == 0, box, office)  # came after it
    assert is_online(office)
    link.publish(topic, pack(Death(nonce=nonce)))
    until(lambda: not is_online(office), box, office)


def test_the_will_speaks_for_a_box_that_lost_its_power(station: Station, box: Box, office: Office) -> None:
    until(lambda: is_online(office), box, office)
    client = box.syncer._entries_reach.link._client
    assert client is not None
    client.socket().close()  # type: ignore[union-attr]
    until(lambda: not is_online(office), office)


def test_two_boxes_with_one_identity_are_both_held_back_until_a_person_says_so(
    station: Station, box: Box, office: Office
) -> None:
    """A card was copied; both copies are switched on, in turn, as the broker lets only one in at a time."""
    box.put(call_ended())
    until(lambda: box.owes == 0, box, office)
    copy = station.folder / "copy.db"
    box.db.execute("VACUUM INTO ?", (str(copy),))
    box.syncer.close()
    second = station.box(database=copy, boot="b1")
    until(lambda: (now := seen(office)) is not None and now.mark[0] == "b1", second, office)
    second.syncer.close()
    first = Box(box.settings, sqlite_db.connect(box.settings.database))
    try:
        until(lambda: wrong(office) == ["two_boxes"], first, office)
        first.put(call_ended())
        until(lambda: first.troubles() != [], first, office)
        assert "two boxes use its identity" in first.troubles()[0]
        assert len(office.rows("calls")) == 1 and first.owes == 1
        with write(office.engine) as db:
            assert presences.release(db, BOX, to_text(utc_now()))
        until(lambda: first.owes == 0, first, office)
        assert wrong(office) == [] and len(office.rows("calls")) == 2
    finally:
        first.close()
        second.close()


def stamped(box: Box, at: datetime) -> str:
    """A call written when the box's clock said `at`; its id."""
    event = replace(call_ended(), started_utc=to_text(at))
    with sqlite_db.write(box.db):
        outbox.put(box.db, event, to_text(at))
    return event.call_id


def begun(office: Office, call_id: str) -> dict[str, Any]:
    (row,) = [row for row in office.rows("calls") if row["id"] == call_id]
    return dict(row)


def test_calls_of_a_box_that_booted_in_1970_get_a_corrected_time(box: Box, office: Office) -> None:
    """It cannot connect while its clock is wrong; then the network sets the clock, and it can."""
    box.syncer.step(time.monotonic(), BOOTED_1970)
    early, true = stamped(box, BOOTED_1970), utc_now()
    assert "is this clock right?" in box.troubles()[0]
    until(lambda: len(office.rows("calls")) == 1 and box.owes == 0, box, office)
    late = stamped(box, utc_now())
    until(lambda: len(office.rows("calls")) == 2 and box.owes == 0, box, office)
    row = begun(office, early)
    assert row["started_utc"] == to_text(BOOTED_1970)
    error = timedelta(milliseconds=row["clock_error_ms"])
    assert abs(from_text(row["corrected_utc"]) - true) <= error <= timedelta(seconds=3)
    assert begun(office, late)["corrected_utc"] is None
    assert wrong(office) == []


def test_calls_of_a_box_whose_clock_is_an_hour_fast_are_corrected_whenever_they_come(
    box: Box, office: Office
) -> None:
    def step() -> None:
        box.syncer.step(time.monotonic(), utc_now() + timedelta(hours=1))

    fast = Turned(step)
    before = stamped(box, utc_now() + timedelta(hours=1))
    until(lambda: wrong(office) == ["clock"] and box.owes == 0, fast, office)
    after = stamped(box, utc_now() + timedelta(hours=1))
    until(lambda: box.owes == 0 and len(office.rows("calls")) == 2, fast, office)
    for call_id in (before, after):
        moment = from_text(begun(office, call_id)["corrected_utc"])
        assert abs(moment - utc_now()) < timedelta(seconds=10)
    assert "+3600." in box.troubles("clock_off")[0]


JUMPS = (
    timedelta(days=1),
    timedelta(hours=-1),
    BOOTED_1970 - datetime.now(UTC),
    timedelta(days=1),
    timedelta(),
)


def test_a_clock_that_jumps_costs_neither_the_line_nor_the_order_nor_many_words(
    box: Box, office: Office
) -> None:
    """A day ahead, an hour back, 1970, and right again, while TLS is up: no timer runs wild."""
    jump = timedelta()
    turned = Turned(lambda: box.syncer.step(time.monotonic(), utc_now() + jump))
    link = box.syncer._entries_reach.link
    told = [stamped(box, utc_now())]
    until(lambda: box.owes == 0, turned, office)
    connection = link._client
    for jump in JUMPS:
        told.append(stamped(box, utc_now() + jump))
        until(lambda: box.owes == 0, turned, office)
        before = link.published_bytes
        for _ in range(300):
            turned.step()
            office.step()
        assert link.published_bytes - before < 10_000, f"after a jump of {jump}"
    assert link._client is connection is not None, "the connection was kept"
    rows = {str(row["id"]): row for row in office.rows("calls")}
    assert set(rows) == set(told) and wrong(office) in ([], ["clock"])
    entries = sorted(
        (row["seq"], bytes(row["body"])) for row in office.rows("inbox") if row["kind"] == "call_ended"
    )
    assert [call in body.decode() for call, (_, body) in zip(told, entries, strict=True)] == [True] * len(
        told
    )


class Turned(Steps):
    """A box whose loop the test turns itself."""

    def __init__(self, turn: Callable[[], None]) -> None:
        self.turn = turn

    def step(self) -> None:
        self.turn()


QUOTAS = {
    "entries": Quota(entries_a_day=3),
    "bytes": Quota(bytes_a_day=10),
    "quarantine": Quota(quarantine_rows=0),
}


@pytest.mark.parametrize("what", QUOTAS)
def test_a_box_over_its_quota_is_refused_with_a_reason_and_goes_on_after(
    station: Station, office: Office, what: str
) -> None:
    box = station.box(boot="b0")
    try:
        with write(office.engine) as db:
            allowed.set_quota(db, EVERY_BOX, QUOTAS[what])
        for number in range(5):
            box.put(call_ended(str(number)))
            until(lambda: box.owes == 0 or wrong(office) == ["over_quota"], box, office)
        until(lambda: any("sent more than" in text for text in box.troubles()), box, office)
        assert box.owes > 0 and office.rows("quarantine") == []
        with write(office.engine) as db:
            allowed.set_quota(db, BOX, Quota())
        until(lambda: box.owes == 0, box, office)
        until(lambda: wrong(office) == [], box, office)
        assert len(office.rows("calls")) == 5
    finally:
        box.close()
