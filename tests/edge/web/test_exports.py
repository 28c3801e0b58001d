"""What is taken from the Calls page: sheets, CSV, zip, print; what people add to a call; how loud it is."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import soundfile
from python_calamine import CalamineWorkbook

from edge.store.operations import MOST_HEARD, Operation, add_operation
from edge.store.rights import LEVEL_RIGHTS, Right
from edge.web import exports
from sync.db import write
from sync.sheets import CALLS, harmless
from tests.edge.web.conftest import Branch, Browser

EVIL = ["=1+1", "+86123", "-1", "@SUM(A1)", "\tx", "\r=1"]


@pytest.fixture
def leader(branch: Branch) -> Browser:
    """A browser of somebody who may take everything away, from lines 1 to 8."""
    branch.user("chen", "ordinary", rights=LEVEL_RIGHTS["leader"])
    browser = branch.browser()
    assert browser.log_in("chen").status == 303
    return browser


def take(browser: Browser, kind: str, **fields: str) -> tuple[int, dict[str, str], bytes]:
    answer = browser.post(f"/calls/{kind}", {"form_token": browser.form_token(), **fields})
    return answer.status, answer.headers, answer.body


def csv_rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))


@pytest.mark.parametrize("cell", EVIL)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["13800138000", "", "王=小明", "a-b"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


def test_csv_has_what_the_filter_lets_pass(branch: Branch, leader: Browser) -> None:
    branch.call("a", 60, caller_name="=HYPERLINK(1)", caller_number="+8613800138000")
    branch.call("b", 120, outcome="missed")
    branch.call("other", 30, line=9)
    status, headers, body = take(leader, "csv", outcome="answered")
    assert status == 200 and headers["Content-Disposition"] == 'attachment; filename="calls-2026-11-22.csv"'
    rows = csv_rows(body)
    assert rows[0] == [column.en for column in CALLS.columns]
    assert [row[0] for row in rows[1:]] == ["a"]
    assert rows[1][1] == "2026-11-22 11:59:00" and rows[1][6:8] == ["'+8613800138000", "'=HYPERLINK(1)"]
    assert branch.operations()[-1] == ("export", "done", "chen", "1 csv")


def test_xlsx_opens_and_formulas_in_it_are_text(branch: Branch, leader: Browser) -> None:
    branch.call("a", caller_name="=1+1", caller_number="13800138000")
    _, _, body = take(leader, "xlsx")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert rows[0][0] == "Call id" and rows[1][6:8] == ["13800138000", "=1+1"]
    with zipfile.ZipFile(io.BytesIO(body)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_what_is_ticked_is_taken_and_nothing_else(branch: Branch, leader: Browser) -> None:
    for at in range(4):
        branch.call(f"call-{at}", 60 + at)
    branch.call("foreign", 30, line=9)
    _, _, body = take(leader, "csv", **{"call-call-1": "1", "call-call-3": "1", "call-foreign": "1"})
    assert [row[0] for row in csv_rows(body)[1:]] == ["call-1", "call-3"]


def test_the_zip_has_the_recordings_and_a_list_of_them(branch: Branch, leader: Browser) -> None:
    branch.recording("r1", branch.call("a", 60, caller_number="../../etc/138"), b"one")
    branch.recording("r2", branch.call("b", 90, direction="out", dialled="95588"), b"two")
    branch.recording("r3", branch.call("c", 95), state="lost")
    branch.recording("r9", branch.call("foreign", 30, line=9), b"nine")
    status, headers, body = take(leader, "zip")
    assert status == 200 and int(headers["Content-Length"]) == len(body)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = archive.namelist()
        assert names == [
            "20261122-115900-line1-138-1.flac", "20261122-115830-line1-95588-2.flac", "calls.csv",
        ]  # fmt: skip
        assert [archive.read(name) for name in names[:2]] == [b"one", b"two"]
        assert len(csv_rows(archive.read("calls.csv"))) == 3
    assert [row for row in branch.operations() if row[0] == "download"] == [
        ("download", "done", "chen", subject) for subject in ("2 zip", "r1", "r2")
    ]


def test_nothing_to_take_is_said(branch: Branch, leader: Browser) -> None:
    branch.call("a")
    status, _, body = take(leader, "zip")
    assert status == 400 and b"None of these calls has a recording" in body


def test_too_many_calls_are_refused_not_cut(
    branch: Branch, leader: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_ROWS", 2)
    for at in range(3):
        branch.call(f"call-{at}")
    status, _, body = take(leader, "csv")
    assert status == 400 and b"Too many calls at once" in body
    assert take(leader, "csv", line="x")[0] == 400


def test_the_printed_list(branch: Branch, leader: Browser) -> None:
    branch.call("a", caller_name="<b>Wang</b>")
    status, _, body = take(leader, "print")
    assert status == 200 and b"Printed 2026-11-22 12:00:00 by chen" in body
    assert b"&lt;b&gt;Wang" in body and branch.operations()[-1][0] == "print"


# --- notes, tags, stars ---------------------------------------------------------------------------


def act(browser: Browser, path: str, **fields: str) -> int:
    return browser.post(path, {"form_token": browser.form_token(), **fields}).status


def test_a_note_stands_until_its_writer_strikes_it(branch: Branch, staff: Browser, leader: Browser) -> None:
    branch.call("a")
    assert act(staff, "/calls/a/notes", text=" call back\r\n<b>today</b> ") == 303
    page = staff.get("/calls/a").text
    assert "call back\n&lt;b&gt;today&lt;/b&gt;" in page and "1 note" in staff.get("/calls").text
    note = branch.db.execute("SELECT id FROM call_notes").fetchone()[0]
    assert act(leader, f"/calls/a/notes/{note}/strike") == 403
    assert act(staff, "/calls/a/notes/other/strike") == 404
    assert act(staff, f"/calls/a/notes/{note}/strike") == 303
    assert "call back" not in staff.get("/calls/a").text
    assert [row[:1] + row[3:] for row in branch.operations() if row[0] == "note"] == [("note", "a")] * 2


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
def test_what_is_no_note_is_refused(branch: Branch, staff: Browser, text: str) -> None:
    branch.call("a")
    assert act(staff, "/calls/a/notes", text=text) == 400


def test_tags_and_stars_are_found_again(branch: Branch, staff: Browser) -> None:
    branch.call("a")
    branch.call("b")
    assert act(staff, "/calls/a/tags", tag="complaint") == act(staff, "/calls/b/star", starred="1") == 303
    tagged, starred = staff.get("/calls?tag=complaint").text, staff.get("/calls?starred=1").text
    assert 'name="call-a"' in tagged and 'name="call-b"' not in tagged
    assert 'name="call-b"' in starred and 'name="call-a"' not in starred
    assert act(staff, "/calls/a/tags", tag="complaint", remove="1") == act(staff, "/calls/b/star") == 303
    assert 'name="call-a"' not in staff.get("/calls?tag=complaint").text
    assert 'name="call-b"' not in staff.get("/calls?starred=1").text


@pytest.mark.parametrize("tag", ["", "x" * 33, "a\nb"])
def test_what_is_no_tag_is_refused(branch: Branch, staff: Browser, tag: str) -> None:
    branch.call("a")
    assert act(staff, "/calls/a/tags", tag=tag) == 400


def test_a_call_has_no_more_than_twelve_tags(branch: Branch, staff: Browser) -> None:
    branch.call("a")
    assert [act(staff, "/calls/a/tags", tag=f"t{at}") for at in range(13)] == [303] * 12 + [400]


# --- how loud -------------------------------------------------------------------------------------


def test_peaks_follow_the_sound_and_are_read_once(branch: Branch, staff: Browser) -> None:
    quiet, loud = np.full(8000, 0.1), np.full(8000, 0.8)
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([quiet, loud]), 8000, format="FLAC")
    branch.recording("r1", branch.call("a"), file.getvalue(), samples=16000)
    for _ in range(2):
        body = json.loads(staff.get("/recordings/r1/peaks").body)
        assert body["length_s"] == 2.0 and 1000 <= len(body["peaks"]) <= 1200
        assert body["peaks"][10] == pytest.approx(0.1, abs=0.01)
        assert body["peaks"][-10] == pytest.approx(0.8, abs=0.01)
        (branch.recordings / "r1.flac").write_bytes(b"not read again")


def test_what_is_no_audio_has_no_peaks(branch: Branch, staff: Browser) -> None:
    branch.recording("r1", branch.call("a"))
    assert json.loads(staff.get("/recordings/r1/peaks").body)["peaks"] == []


def test_who_listened_stands_on_the_page(branch: Branch, staff: Browser) -> None:
    branch.recording("r1", branch.call("a"))
    assert "Nobody yet." in staff.get("/calls/a").text
    staff.get("/recordings/r1/audio")
    heard = staff.get("/calls/a").text.split("Who listened")[1]
    assert "lin" in heard and "2026-11-22 12:00:00" in heard
    assert "The last 20" not in heard


def test_a_long_list_of_who_listened_says_that_it_is_cut(branch: Branch, staff: Browser) -> None:
    call_id = branch.call("a")
    with write(branch.db):
        for _ in range(MOST_HEARD):
            add_operation(branch.db, Operation("play", "done", "", "wu", call_id), "2026-11-22T04:00:00.000Z")
    heard = staff.get("/calls/a").text.split("Who listened")[1]
    assert heard.count("wu") == MOST_HEARD and "The last 20; all of them are in the operation log." in heard


def test_a_user_without_the_right_sees_no_player_and_no_buttons(branch: Branch) -> None:
    branch.user("wu", "ordinary", rights=frozenset({Right.LIST}))
    browser = branch.browser()
    browser.log_in("wu")
    branch.recording("r1", branch.call("a"))
    for path in ("/calls", "/calls/a", "/lines"):
        page = browser.get(path).text
        assert "/recordings/" not in page and "/calls/zip" not in page and "/calls/xlsx" not in page


@pytest.mark.parametrize(
    ("presentation", "words"),
    [
        ("withheld", "Number withheld"),
        ("unavailable", "Number not available"),
        ("failed", "Caller ID not readable"),
        (None, "No number"),
    ],
)
def test_why_there_is_no_number(
    branch: Branch, leader: Browser, presentation: str | None, words: str
) -> None:
    branch.call("call-1", caller_number=None, caller_presentation=presentation)
    assert words in leader.post("/calls/csv", {"form_token": leader.form_token()}).body.decode()


def test_the_printed_list_says_what_was_asked_for(branch: Branch, leader: Browser) -> None:
    branch.line(1, name="Front")
    branch.call("a")
    asked = {"text": "138*", "line": "1", "outcome": "answered", "from": "2026-11-20", "starred": ""}
    head = take(leader, "print", **asked)[2].decode().split("print-asked")[1].split("</p>")[0]
    for words in ("138*", "1 · Front", "Answered", "2026-11-20"):
        assert f"<strong><bdi>{words}</bdi></strong>" in head
    assert head.count("<strong>") == 4
    assert "All calls" in take(leader, "print")[2].decode()
    assert "Only the ticked calls" in take(leader, "print", text="138*", **{"call-a": "1"})[2].decode()
