"""Record button, live listening, deletion, hold, and what else a call's page says."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.ring import RingWriter
from edge.store.requests import new_requests, take_requests
from edge.store.retention import place_hold, removals
from edge.store.rights import LEVEL_RIGHTS, Right
from edge.store.seals import seal_recording
from edge.web.listen import tap
from edge.web.settings import KeepRule
from sync.db import write
from tests.edge.web.conftest import Branch, Browser

RATE_HZ = 8000


@pytest.fixture
def ring(tmp_path: Path) -> RingWriter:
    """Two lines; the second has a ramp on it."""
    made = RingWriter.create(tmp_path / "hat0.ring", RATE_HZ, 2, 4.0)
    made.write(np.stack([np.zeros(4000), np.arange(4000)], axis=1).astype(np.int16))
    return made


@pytest.fixture
def branch(tmp_path: Path, ring: RingWriter) -> Iterator[Branch]:
    folder = tmp_path / "box"
    folder.mkdir()
    made = Branch(folder, rings=(ring.path,), keep=(KeepRule(0, "in", 30), KeepRule(0, "any", 0)))
    made.user("lin", "ordinary")
    made.user("chief", "super")
    made.line(1)
    made.call("call-2", line=2, state="open", outcome="open")
    made.line(2, "talking", call_id="call-2")
    yield made
    made.stop.set()
    made.db.close()


@pytest.fixture
def chief(branch: Branch) -> Browser:
    browser = branch.browser()
    browser.log_in("chief")
    return browser


def post(browser: Browser, path: str, **fields: str) -> int:
    return browser.post(path, fields | {"form_token": browser.form_token()}).status


# --- the record button


def test_a_press_is_a_row_and_only_by_hand_is_taken_back(branch: Branch, staff: Browser) -> None:
    assert post(staff, "/lines/2/record", keep="") == 409  # nothing was begun by hand
    assert post(staff, "/lines/2/record", keep="1") == 303
    (asked,) = new_requests(branch.db)
    assert (asked.line, asked.keep) == (2, True)
    assert "Asked to record" in staff.get("/lines").text
    with write(branch.db):
        take_requests(branch.db, [asked], "2026-11-22T04:00:00.000Z")
        branch.recording("rec-2", "call-2", state="recording")
    assert "Stop recording" in staff.get("/lines").text
    assert post(staff, "/lines/2/record", keep="") == 303
    assert [one.keep for one in new_requests(branch.db)] == [False]
    assert ("record_on", "done", "lin", "call-2") in branch.operations()


def test_what_the_settings_record_nobody_stops(branch: Branch, staff: Browser) -> None:
    branch.recording("rec-2", "call-2", state="recording")
    tile = staff.get("/lines").text.split('id="line-2"')[1].split("</article>")[0]
    assert "Being recorded" in tile and "Stop recording" not in tile


@pytest.mark.parametrize(("line", "status"), [("1", 409), ("3", 404), ("x", 404), ("0002", 404), ("-1", 404)])
def test_lines_that_cannot_be_recorded_or_heard(
    branch: Branch, chief: Browser, line: str, status: int
) -> None:
    assert post(chief, f"/lines/{line}/record", keep="1") == status
    assert chief.get(f"/lines/{line}/listen").status == status


# --- live listening


def test_a_listener_hears_the_line_as_it_talks(branch: Branch, chief: Browser, ring: RingWriter) -> None:
    answer, chunks = chief.start("GET", "/lines/2/listen")
    header = next(chunks)
    assert answer.headers["Content-Type"] == "audio/wav"
    assert header[:4] == b"RIFF" and struct.unpack("<I", header[24:28])[0] == RATE_HZ and len(header) == 44
    heard = np.frombuffer(next(chunks), "<i2")
    assert heard.tolist() == list(range(4000 - 2400, 4000))  # the last 0.3 s
    ring.write(np.full((800, 2), 7, np.int16))
    assert np.frombuffer(next(chunks), "<i2").tolist() == [7] * 800
    branch.db.execute("UPDATE lines SET call_id = NULL, state = 'idle' WHERE line = 2")
    branch.clock.advance(2)
    assert list(chunks) == []
    chunks.close()
    assert ("listen", "done", "chief", "call-2") in branch.operations()
    assert "Listening live" in chief.get("/calls/call-2").text


def test_a_listener_who_is_overtaken_goes_on_with_what_is_new(ring: RingWriter) -> None:
    source = tap((ring.path,), 2)
    assert source is not None
    ring.skip(ring.frames)  # more than the ring holds
    sound, position = source.read(0)
    assert sound == b"" and position == ring.position
    ring.write(np.full((80, 2), 9, np.int16))
    assert source.read(position) == (np.full(80, 9, "<i2").tobytes(), position + 80)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM sessions",
        "DELETE FROM user_rights WHERE right = 'listen'",
        "UPDATE users SET level = 'ordinary'",
    ],
)
def test_listening_ends_with_the_right_to_it(branch: Branch, chief: Browser, change: str) -> None:
    _, chunks = chief.start("GET", "/lines/2/listen")
    next(chunks), next(chunks)
    branch.db.execute(change)
    branch.clock.advance(2)
    assert list(chunks) == []
    chunks.close()


def test_listening_ends_when_the_recorder_does(branch: Branch, chief: Browser) -> None:
    _, chunks = chief.start("GET", "/lines/2/listen")
    next(chunks), next(chunks)
    threading.Timer(0.2, branch.clock.advance, [4]).start()
    assert list(chunks) == []
    chunks.close()


def test_a_listener_never_writes_into_the_ring(branch: Branch, ring: RingWriter, tmp_path: Path) -> None:
    source = tap((ring.path,), 2)
    assert source is not None and source.column == 1 and tap((ring.path,), 3) is None
    assert not source.ring._samples.flags.writeable
    assert tap((tmp_path / "none",), 1) is None


# --- deletion and hold


def ready(branch: Branch) -> None:
    """A finished recording that head office has, sealed."""
    call = branch.call("call-1", ended_utc="2026-11-22T03:59:05.000Z")
    with write(branch.db):
        branch.recording("rec-1", call)
        seal_recording(branch.db, "rec-1", "2026-11-22T04:00:00.000Z")


def stored(branch: Branch) -> None:
    values = {"file": "rec-1.flac", "size_bytes": 10, "sha256": "ab" * 32, "state": "stored"}
    branch.insert("outbox_files", recording_id="rec-1", **values)
    manifest = {
        "span": "2026-11-22T03",
        "body": b"",
        "h": "",
        "sig": "",
        "made_utc": "2026-11-22T04:00:00.000Z",
    }
    branch.insert("manifests", epoch="e", n=1, state="closed", **manifest)
    branch.insert("manifest_files", recording_id="rec-1", epoch="e", n=1)


def test_audio_goes_with_a_tombstone_and_the_call_stays(branch: Branch, chief: Browser) -> None:
    ready(branch)
    stored(branch)
    assert post(chief, "/recordings/rec-1/delete") == 409  # not ticked
    assert post(chief, "/recordings/rec-1/delete", sure="yes") == 303
    page = chief.get("/calls/call-1").text
    assert "Audio deleted by a person" in page and "13800138000" in page
    assert removals(branch.db, 9) == ["rec-1.flac"]
    assert ("delete_audio", "done", "chief", "rec-1") in branch.operations()
    (kind,) = branch.db.execute("SELECT header FROM seal_links ORDER BY seq DESC LIMIT 1").fetchone()
    assert b'"kind":"deletion"' in kind


REFUSED = [
    (lambda branch: None, "Head office has not agreed yet"),
    (lambda branch: branch.db.execute("UPDATE recordings SET state = 'lost'"), "no finished recording"),
    (
        lambda branch: branch.insert(
            "holds", call_id="call-1", reason="x", placed_by="y", placed_utc="2026-11-22T04:00:00.000Z"
        ),
        "This call is on hold",
    ),
]


@pytest.mark.parametrize(("before", "says"), REFUSED)
def test_audio_that_may_not_go_stays(branch: Branch, chief: Browser, before, says: str) -> None:  # type: ignore[no-untyped-def]
    ready(branch)
    before(branch)
    answer = chief.post("/recordings/rec-1/delete", {"sure": "yes", "form_token": chief.form_token()})
    assert answer.status == 409 and says in answer.text
    assert ("delete_audio", "refused", "chief", "rec-1") in branch.operations()
    assert removals(branch.db, 9) == []


def test_a_hold_is_placed_and_ended(branch: Branch, chief: Browser) -> None:
    ready(branch)
    assert post(chief, "/calls/call-1/hold", reason=" ") == 409
    assert post(chief, "/calls/call-1/hold", lift="1") == 400  # there is none
    assert post(chief, "/calls/call-1/hold", reason="complaint 12") == 303
    page = chief.get("/calls/call-1").text
    assert "complaint 12" in page and "the hold ends" in page
    assert post(chief, "/calls/call-1/hold", lift="1") == 303
    page = chief.get("/calls/call-1").text
    assert "complaint 12" not in page and "2026-12-22" in page  # 30 days after it was made


def test_what_head_office_holds_only_it_ends(branch: Branch, chief: Browser) -> None:
    ready(branch)
    with write(branch.db):
        place_hold(
            branch.db, "call-1", "case 7", "head office: wang", "2026-11-22T04:00:00.000Z", ordered=True
        )
    page = chief.get("/calls/call-1").text
    assert "case 7" in page and "only head office ends that" in page and "End the hold" not in page
    assert post(chief, "/calls/call-1/hold", lift="1") == 409
    assert "case 7" in chief.get("/calls/call-1").text


@pytest.mark.parametrize(("days", "shown"), [(60, "2027-01-21"), (0, "2026-12-22")])
def test_head_offices_days_are_shown_before_the_branchs(
    branch: Branch, chief: Browser, days: int, shown: str
) -> None:
    ready(branch)
    branch.insert("ordered_days", calls="in", keep_days=days, order_id="x")
    assert (shown in chief.get("/calls/call-1").text) == (days > 0)


def test_a_box_without_head_office_deletes_what_nobody_else_has(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    alone = Branch(folder, is_alone=True)
    alone.user("chief", "super")
    browser = alone.browser()
    browser.log_in("chief")
    ready(alone)
    assert post(browser, "/recordings/rec-1/delete", sure="yes") == 303
    alone.db.close()


# --- the badge and the customer


def test_the_badge_says_when_something_was_changed(branch: Branch, chief: Browser) -> None:
    ready(branch)
    assert "Sealed and unchanged" in chief.get("/calls/call-1").text
    branch.db.execute("UPDATE recordings SET samples = 1")
    assert "Changed since it was sealed" in chief.get("/calls/call-1").text


def test_the_customer_of_the_number_stands_beside_the_call(branch: Branch, chief: Browser) -> None:
    ready(branch)
    assert "No customer has this number." in chief.get("/calls/call-1").text
    post(chief, "/customers/new", name="王小明", numbers="138 0013 8000", remark="likes tea")
    page = chief.get("/calls/call-1").text
    assert "王小明" in page and "likes tea" in page
    branch.user("other", "ordinary", rights=LEVEL_RIGHTS["ordinary"] | {Right.LIST})
    other = branch.browser()
    other.log_in("other")
    assert "王小明" not in other.get("/calls/call-1").text  # added by somebody else (POP-24)
