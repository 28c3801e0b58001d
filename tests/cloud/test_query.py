"""What was typed into the filter, days across changes of the clock, presets, cursors."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.calls.facets import Wish
from cloud.store.call_search import CallFilter, Position
from cloud.web.cursors import CursorForged, make_cursor, parse_cursor
from cloud.web.query import PAGE, SENTENCES, CallQuery, FilterRefused, Terms, read_query, same_list
from sync.moment import to_text

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # the 3rd in Shanghai
SECRET = b"s" * 32


def read(typed: dict[str, str], zone: ZoneInfo = SHANGHAI, now: datetime = NOW) -> CallQuery:
    return read_query(typed, Terms(now, zone, SECRET))


def test_an_empty_filter_wants_every_call() -> None:
    query = read({})
    assert (query.wanted, query.after, query.limit, query.typed) == (CallFilter(), None, PAGE, {})


def test_fields_that_are_none_of_the_filter_are_passed_over() -> None:
    assert read({"seen": "x", "party": " 8000 "}).typed == {"party": "8000"}


@pytest.mark.parametrize(
    ("zone", "day", "begins", "ends"),
    [
        (SHANGHAI, "2026-03-02", "2026-03-01T16:00:00.000Z", "2026-03-02T16:00:00.000Z"),
        (SHANGHAI, "2026-12-31", "2026-12-30T16:00:00.000Z", "2026-12-31T16:00:00.000Z"),
        (BERLIN, "2026-03-29", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"),  # 23 hours
        (BERLIN, "2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"),  # 25 hours
        (SHANGHAI, "2028-02-29", "2028-02-28T16:00:00.000Z", "2028-02-29T16:00:00.000Z"),
    ],
)
def test_days_are_days_of_the_zone(zone: ZoneInfo, day: str, begins: str, ends: str) -> None:
    wanted = read({"from": day, "to": day}, zone).wanted
    assert (wanted.from_utc, wanted.until_utc) == (begins, ends)


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        ("today", "2026-03-03", "2026-03-03"),
        ("yesterday", "2026-03-02", "2026-03-02"),
        ("week", "2026-02-25", "2026-03-03"),
        ("days30", "2026-02-02", "2026-03-03"),
        ("month", "2026-03-01", "2026-03-03"),
        ("last_month", "2026-02-01", "2026-02-28"),
    ],
)
def test_presets_stand_for_days(preset: str, first: str, last: str) -> None:
    by_preset, by_days = read({"days": preset}).wanted, read({"from": first, "to": last}).wanted
    assert by_preset == by_days


def test_last_month_of_january_is_december() -> None:
    wanted = read({"days": "last_month"}, now=datetime(2026, 1, 31, tzinfo=UTC)).wanted
    assert wanted == read({"from": "2025-12-01", "to": "2025-12-31"}).wanted


def test_typed_days_go_before_a_preset() -> None:
    assert read({"days": "today", "from": "2026-01-01"}).wanted == read({"from": "2026-01-01"}).wanted


def test_everything_of_the_form_arrives() -> None:
    typed = {"branch": "b", "line": "7", "direction": "in", "outcome": "missed", "shortest": "1",
             "longest": "60", "recorded": "no", "gap": "yes", "mark": "star", "tag": "VIP",
             "sort": "started", "limit": "9"}  # fmt: skip
    query = read(typed)
    assert query.wanted == CallFilter(
        box_ids=frozenset({"b"}),
        line=7,
        wish=Wish("in", "missed", 1000, 60_999, has_audio=False, has_gap=True),
        flags=frozenset({"star", "tag:VIP"}),
        oldest_first=True,
    )
    assert query.limit == 9


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"limit": "x", "to": "x", "direction": "x", "cursor": "x"}, ["direction", "to", "cursor", "limit"]),
        ({"line": "3"}, ["line"]),  # of which branch?
        ({"line": "0", "branch": "b"}, ["line"]),
        ({"days": "ever"}, ["days"]),
        ({"shortest": "-1"}, ["shortest"]),
        ({"longest": "604801"}, ["longest"]),
        ({"recorded": "maybe"}, ["recorded"]),
        ({"gap": "1"}, ["gap"]),
        ({"sort": "duration"}, ["sort"]),
        ({"mark": "tag:x"}, ["mark"]),
        ({"tag": "x" * 25}, ["tag"]),
        ({"party": "*"}, ["party"]),
        ({"party": "138*"}, ["party"]),
        ({"party": "*567"}, ["party"]),
        ({"party": "%*"}, ["party"]),
    ],
)
def test_refused_fields_come_in_the_order_of_the_form_each_with_a_sentence(
    typed: dict[str, str], fields: list[str]
) -> None:
    with pytest.raises(FilterRefused) as refused:
        read(typed)
    assert refused.value.fields == fields
    assert set(fields) <= set(SENTENCES)


moments = st.integers(0, 4_000_000_000_000).map(lambda ms: to_text(datetime.fromtimestamp(ms / 1000, UTC)))
ids = st.text(st.characters(codec="utf-8", exclude_characters=" \n"), min_size=1, max_size=40)


@given(moments, ids, st.text(max_size=30))
def test_a_cursor_leads_back_to_its_place(started_utc: str, call_id: str, same: str) -> None:
    cursor = make_cursor(SECRET, same, Position(started_utc, call_id))
    assert parse_cursor(SECRET, same, cursor) == Position(started_utc, call_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=80))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorForged):
        parse_cursor(SECRET, "", text)


@given(st.integers(0, 200), st.integers(1, 255))
@example(-1, 1).via("bits of the last character that say nothing")
def test_a_cursor_with_one_byte_changed_is_refused(at: int, by: int) -> None:
    cursor = make_cursor(SECRET, "", Position("2026-03-02T04:00:00.000Z", "call"))
    spot = at % len(cursor)
    forged = cursor[:spot] + chr((ord(cursor[spot]) + by) % 128) + cursor[spot + 1 :]
    if forged != cursor:
        with pytest.raises(CursorForged):
            parse_cursor(SECRET, "", forged)


def test_a_cursor_belongs_to_its_list_and_its_head_office() -> None:
    missed, all_ = same_list({"outcome": "missed", "limit": "5"}), same_list({})
    cursor = make_cursor(SECRET, missed, Position("2026-03-02T04:00:00.000Z", "call"))
    assert parse_cursor(SECRET, same_list({"outcome": "missed", "cursor": cursor}), cursor)
    for secret, same in ((SECRET, all_), (b"t" * 32, missed)):
        with pytest.raises(CursorForged):
            parse_cursor(secret, same, cursor)
