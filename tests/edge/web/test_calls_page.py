"""The Calls page and the Call page: filters, paging, hostile text, gaps, what is said of a recording."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from edge.store.call_list import CallFilter
from edge.store.listing import call_facts, recording
from edge.store.marks import marks_of
from edge.web.call import drawn_gaps, drawn_marks, timeline
from edge.web.calls import AskedBadly, read_search
from sync.moment import to_text
from tests.edge.web.conftest import Branch, Browser

SHANGHAI = ZoneInfo("Asia/Shanghai")


def shown_ids(page: str) -> list[str]:
    """The calls in the list of a page, in order, each once."""
    table = page[page.find("<table") :]
    return list(dict.fromkeys(re.findall(r'href="/calls/([\w-]+)"', table)))


@pytest.fixture
def some_calls(branch: Branch) -> None:
    branch.line(1)
    branch.line(2)
    branch.call("in-wang", 60, caller_number="13800138000", caller_name="王小明")
    branch.call("missed", 120, outcome="missed", caller_number="01062345678", line=2, duration_ms=0)
    branch.call("out", 180, direction="out", caller_number=None, caller_presentation=None, dialled="95588")
    branch.call("percent", 240, caller_number="100%_5\\", caller_name="O'Neil")
    branch.call("yesterday", 86400, caller_number="13900000000")


FILTERS = [
    ("", ["in-wang", "missed", "out", "percent", "yesterday"]),
    ("text=1380013", ["in-wang"]),
    ("text=138*", ["in-wang"]),
    ("text=*000", ["in-wang", "yesterday"]),
    ("text=13*0", ["in-wang", "yesterday"]),
    ("text=380*", []),
    ("text=*5678", ["missed"]),
    ("text=955", ["out"]),
    ("text=%E5%B0%8F", ["in-wang"]),
    ("text=%E7%8E%8B*", ["in-wang"]),
    ("text=neil", ["percent"]),
    ("text=%25", ["percent"]),
    ("text=_", ["percent"]),
    ("text=%5C", ["percent"]),
    ("text=O%27Neil", ["percent"]),
    ("text=*", ["in-wang", "missed", "out", "percent", "yesterday"]),
    ("line=2", ["missed"]),
    ("line=3", []),
    ("direction=out", ["out"]),
    ("outcome=missed", ["missed"]),
    ("from=2026-11-22", ["in-wang", "missed", "out", "percent"]),
    ("to=2026-11-21", ["yesterday"]),
    ("from=2026-11-21&to=2026-11-21", ["yesterday"]),
    ("from=2026-11-23", []),
    ("line=1&direction=in&outcome=answered&text=138*&from=2026-11-22&to=2026-11-22", ["in-wang"]),
    ("text=%ff", ["in-wang", "missed", "out", "percent", "yesterday"]),
    ("unknown=1", ["in-wang", "missed", "out", "percent", "yesterday"]),
]


@pytest.mark.parametrize(("query", "ids"), FILTERS)
def test_filters(some_calls: None, staff: Browser, query: str, ids: list[str]) -> None:
    answer = staff.get(f"/calls?{query}")
    assert answer.status == 200
    assert shown_ids(answer.text) == ids


REFUSED = [
    ("text=" + "1" * 65, "too long"),
    ("line=x", "no such line"),
    ("line=-1", "no such line"),
    ("line=9999", "no such line"),
    ("line=%C2%B2", "no such line"),
    ("direction=up", "no such choice"),
    ("outcome=Missed", "no such choice"),
    ("from=22.11.2026", "written like"),
    ("from=2026-13-01", "written like"),
    ("to=9999-12-31", "written like"),
    ("from=0001-01-01", "written like"),
    ("from=2026-11-22&to=2026-11-21", "before the first"),
    ("older=1", "no such page"),
    ("older=2026-11-22T04:00:00.000Z~", "no such page"),
    ("newer=2026-11-22T04:00:00.000Z~%27", "no such page"),
]


@pytest.mark.parametrize(("query", "words"), REFUSED)
def test_what_is_asked_badly_is_said_and_finds_nothing(
    some_calls: None, staff: Browser, query: str, words: str
) -> None:
    answer = staff.get(f"/calls?{query}")
    assert answer.status == 400
    assert words in answer.text and shown_ids(answer.text) == []


def test_days_are_the_boxs_days() -> None:
    search = read_search({"from": "2026-11-22", "to": "2026-11-22"}, SHANGHAI)
    assert search.wanted == CallFilter(
        from_utc="2026-11-21T16:00:00.000Z", until_utc="2026-11-22T16:00:00.000Z"
    )


def test_a_day_with_a_change_of_clocks_has_its_25_hours() -> None:
    search = read_search({"from": "2026-10-25", "to": "2026-10-25"}, ZoneInfo("Europe/Berlin"))
    assert search.wanted.from_utc == "2026-10-24T22:00:00.000Z"
    assert search.wanted.until_utc == "2026-10-25T23:00:00.000Z"


def test_a_refusal_is_an_error_with_words() -> None:
    with pytest.raises(AskedBadly, match="no such line"):
        read_search({"line": "one"}, SHANGHAI)


def test_the_form_keeps_what_was_asked(some_calls: None, staff: Browser) -> None:
    page = staff.get("/calls?text=138*&line=1&direction=in&from=2026-11-20").text
    assert 'name="text" value="138*"' in page
    assert '<option value="1" selected>' in page
    assert '<option value="in" selected>' in page
    assert 'name="from" value="2026-11-20"' in page


# --- paging ---------------------------------------------------------------------------------------


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    return html.unescape(found[1]) if found else None


def test_paging_through_a_thousand_calls_meets_each_once_there_and_back(
    branch: Branch, staff: Browser
) -> None:
    for at in range(1000):  # seven calls share each moment, so pages end within one
        branch.call(f"call-{at:04}", 10 + at // 7, outcome="missed" if at % 2 else "answered")
    path, down = "/calls?direction=in", []
    while path:
        last, page = path, staff.get(path).text
        down += shown_ids(page)
        path = link(page, "next") or ""
    assert len(down) == 1000 and len(set(down)) == 1000
    path, up = last, []
    while path:
        page = staff.get(path).text
        up = shown_ids(page) + up
        path = link(page, "prev") or ""
    assert up == down


def test_calls_that_arrive_meanwhile_move_nothing(branch: Branch, staff: Browser) -> None:
    for at in range(60):
        branch.call(f"call-{at:02}", 100 + at)
    older = link(staff.get("/calls").text, "next") or ""
    before = shown_ids(staff.get(older).text)
    branch.call("newest", 1)
    assert shown_ids(staff.get(older).text) == before
    assert before == [f"call-{at:02}" for at in range(50, 60)]


def test_links_keep_the_filters(branch: Branch, staff: Browser) -> None:
    for at in range(60):
        branch.call(f"call-{at:02}", 100 + at)
    assert "text=138%2A&line=1&older=" in (link(staff.get("/calls?text=138*&line=1").text, "next") or "")


def test_a_list_that_fits_has_no_links(some_calls: None, staff: Browser) -> None:
    page = staff.get("/calls").text
    assert link(page, "next") is None and link(page, "prev") is None


# --- hostile text from the line -------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% if 1 %}",
    "<!--",
    "&lt;script&gt;",
    "%(name)s %s %d",
    "\u202e000831\u202c",
    "A\r\nSet-Cookie: x=1",
    "\x1b[31mred\x07",
    "a\x00b",
    "\ufeff\u200b\u2028",
    "王" * 200,
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("path", ["/calls", "/calls/call-1", "/lines"])
def test_hostile_text_is_only_text(branch: Branch, staff: Browser, text: str, path: str) -> None:
    branch.call("call-1", caller_number=text, caller_name=text, keys=text, caller_standard=text)
    branch.line(1, "ringing", call_id="call-1")
    branch.recording("rec-1", "call-1")
    page = staff.get(path).text
    assert "49" not in re.findall(r"<bdi[^>]*>(.*?)</bdi>", page)
    assert not re.search(r"<(script>|img src=x|svg onload)|<!--", page)
    seen = "".join("\ufffd" if not one.isprintable() else one for one in text)
    assert html.escape(seen, quote=False) in page.replace("&#39;", "'").replace("&#34;", '"')
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u2028\u202e\ufeff]", page)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_the_search_comes_back_as_text(branch: Branch, staff: Browser, text: str) -> None:
    page = staff.get(f"/calls?text={quote(text)}&from={quote(text)}").text
    assert not re.search(r"<(script>|img src=x|svg onload)|<!--", page)


# --- one call -------------------------------------------------------------------------------------


def test_a_call_that_is_not_there(staff: Browser) -> None:
    assert staff.get("/calls/nothing").status == 404


def test_the_call_page_tells_all(branch: Branch, staff: Browser) -> None:
    branch.call(
        "call-1",
        started_utc="2026-11-22T03:00:00.000Z",
        answered_utc="2026-11-22T03:00:09.400Z",
        ended_utc="2026-11-22T03:01:14.400Z",
        duration_ms=65_000,
        keys="1#",
        caller_name="王小明",
        caller_standard="bell202",
        end_reason="hung_up",
        clock_quality="ntp",
    )
    branch.recording("rec-1", "call-1")
    branch.insert("gaps", recording_id="rec-1", start_sample=8000, length_samples=1600, reason="overrun")
    page = staff.get("/calls/call-1").text
    wanted = (
        "13800138000", "王小明", "11:00:00", "11:00:09", "+0:09", "11:01:14", "+1:14", "1:05", "1#",
        "bell202", "Hung up", "ab" * 32, 'src="/recordings/rec-1/audio"',
        "At 0:01, 0.2 s are missing: the box was too slow", 'class="gap" x="100.0"',
        "/calls?text=13800138000",
    )  # fmt: skip
    assert [text for text in wanted if text not in page] == []


UPLOADS = [
    ("new", "Waits for head office"),
    ("stored", "At head office"),
    ("refused", "Refused by head office"),
]


@pytest.mark.parametrize(("state", "words"), UPLOADS)
def test_whether_head_office_has_the_recording(
    branch: Branch, staff: Browser, state: str, words: str
) -> None:
    branch.recording("rec-1", branch.call("call-1"))
    branch.insert(
        "outbox_files", recording_id="rec-1", file="rec-1.flac", size_bytes=1, sha256="ab" * 32, state=state
    )
    assert words in staff.get("/calls/call-1").text


STATES = [("recording", "Being recorded"), ("part", "Being saved"), ("lost", "Recording lost")]


@pytest.mark.parametrize(("state", "words"), STATES)
def test_a_recording_that_cannot_be_played_says_why(
    branch: Branch, staff: Browser, state: str, words: str
) -> None:
    branch.recording("rec-1", branch.call("call-1"), state=state)
    for path in ("/calls", "/calls/call-1"):
        page = staff.get(path).text
        assert words in page and "/recordings/" not in page


PRESENTATIONS = [
    ("withheld", "Number withheld"),
    ("unavailable", "Number not available"),
    ("failed", "Caller ID not readable"),
    (None, "No number"),
]


@pytest.mark.parametrize(("presentation", "words"), PRESENTATIONS)
def test_why_there_is_no_number(branch: Branch, staff: Browser, presentation: str | None, words: str) -> None:
    branch.call("call-1", caller_number=None, caller_presentation=presentation)
    assert words in staff.get("/calls").text and words in staff.get("/calls/call-1").text


def test_a_state_nobody_knew_of_shows_itself(branch: Branch, staff: Browser) -> None:
    branch.call("call-1", outcome="forwarded", direction="sideways", end_reason="odd")
    page = staff.get("/calls/call-1").text
    assert "forwarded" in page and "sideways" in page and "odd" in page


def test_a_recording_without_samples_draws_no_gaps(branch: Branch) -> None:
    branch.recording("rec-1", branch.call("call-1"), samples=0)
    branch.insert("gaps", recording_id="rec-1", start_sample=0, length_samples=10, reason="overrun")
    row = recording(branch.db, "rec-1")
    assert row is not None and drawn_gaps(row) == ()


def test_what_happened_in_the_call(branch: Branch, staff: Browser) -> None:
    began = branch.clock.utc() - timedelta(seconds=60)
    branch.call("call-1", answered_utc=to_text(began), ended_utc=to_text(began + timedelta(seconds=20)))
    branch.recording("rec-1", "call-1", started_utc=to_text(began - timedelta(seconds=5)))
    marks = [
        (0, "answered", ""), (1000, "key", "1"), (1400, "key", "2"), (9000, "key", "3"),
        (10_000, "flash", ""), (11_000, "waiting", "withheld"), (12_000, "tone", "busy"),
        (13_000, "new_kind", "x\x00"),
    ]  # fmt: skip
    for at_ms, kind, detail in marks:
        branch.insert("call_marks", call_id="call-1", at_ms=at_ms, kind=kind, detail=detail)
    facts = call_facts(branch.db, "call-1")
    assert facts is not None
    happened = marks_of(branch.db, "call-1")
    moments = [(one.text, one.detail, one.after_ms) for one in timeline(facts, happened)]
    assert moments == [
        ("The line rang", "", 0), ("Answered", "", 0), ("Keys pressed", "12", 1000),
        ("Keys pressed", "3", 9000), ("Hook flash", "", 10_000),
        ("Another call waits", "Number withheld", 11_000), ("Tone heard", "busy", 12_000),
        ("new_kind", "x\N{REPLACEMENT CHARACTER}", 13_000), ("The call ended", "", 20_000),
    ]  # fmt: skip
    (row,) = facts.recordings
    ticks = [(one.x, one.kind) for one in drawn_marks(facts, row, happened)]
    assert ticks == [(500.0, "Answered"), (600.0, "Keys pressed"), (640.0, "Keys pressed")]
    page = staff.get("/calls/call-1").text
    assert page.count('class="tick"') == 3 and "Another call waits" in page and "Number withheld" in page


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"second_number": "8001", "second_presentation": "dialled"}, "8001"),
        ({"second_presentation": "withheld"}, "Number withheld"),
        ({"second_presentation": "failed"}, "Caller ID not readable"),
        ({"is_fax": 1}, "Fax"),
        ({"outcome": "voicemail"}, "Voicemail"),
        ({"outcome": "busy", "direction": "out"}, "Was busy"),
        ({"outcome": "no_answer", "direction": "out"}, "Did not answer"),
        ({"end_reason": "loop_opened"}, "The exchange let the line go"),
    ],
)
def test_words_for_what_a_call_became(branch: Branch, staff: Browser, values: dict, words: str) -> None:
    branch.call("call-1", **values)
    assert words in staff.get("/calls/call-1").text
    branch.db.execute("UPDATE users SET language = 'zh'")
    assert words == "8001" or words not in staff.get("/calls/call-1").text


def test_a_search_can_be_passed_on_as_a_short_link(some_calls: None, staff: Browser) -> None:
    page = staff.get("/calls?text=138*&line=&direction=&outcome=answered&from=&to=").text
    found = re.search(r'<a href="([^"]*)" data-copy', page)
    assert found and found[1] == "/calls?text=138%2A&amp;outcome=answered"
    assert "data-copy" not in staff.get("/calls").text  # nothing was searched for
