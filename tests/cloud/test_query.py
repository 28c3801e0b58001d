"""What was typed into the filter, days across changes of the clock, cursors."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.store.calls import CallFilter, Position, like_pattern
from cloud.web.query import PAGE, SENTENCES, FilterRefused, make_cursor, parse_cursor, read_query
from sync.moment import to_text

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def test_an_empty_filter_wants_every_call() -> None:
    query = read_query({}, SHANGHAI)
    assert (query.wanted, query.after, query.limit, query.typed) == (CallFilter(), None, PAGE, {})


def test_fields_that_are_none_of_the_filter_are_passed_over() -> None:
    assert read_query({"seen": "x", "party": " 138* "}, SHANGHAI).typed == {"party": "138*"}


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
    wanted = read_query({"from": day, "to": day}, zone).wanted
    assert (wanted.from_utc, wanted.until_utc) == (begins, ends)


def test_refused_fields_come_in_the_order_of_the_form_each_with_a_sentence() -> None:
    with pytest.raises(FilterRefused) as refused:
        read_query({"limit": "x", "to": "x", "direction": "x", "cursor": "x"}, SHANGHAI)
    assert refused.value.fields == ["direction", "to", "cursor", "limit"]
    assert set(refused.value.fields) <= set(SENTENCES)


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("138", "%138%"),
        ("138*", "138%"),
        ("*5678", "%5678"),
        ("1*8", "1%8"),
        ("*", "%"),
        ("50%", r"%50\%%"),
        ("a_b", r"%a\_b%"),
        ("a\\b", r"%a\\b%"),
        (r"\%*", r"\\\%%"),
    ],
)
def test_like_pattern(typed: str, pattern: str) -> None:
    assert like_pattern(typed) == pattern


moments = st.integers(0, 4_000_000_000_000).map(lambda ms: to_text(datetime.fromtimestamp(ms / 1000, UTC)))
ids = st.text(st.characters(codec="utf-8", exclude_characters=" \n"), min_size=1, max_size=40)


@given(moments, ids)
def test_a_cursor_leads_back_to_its_place(started_utc: str, call_id: str) -> None:
    cursor = make_cursor(started_utc, call_id)
    assert parse_cursor(cursor) == Position(started_utc, call_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=80))
def test_a_made_up_cursor_is_refused_or_a_place(cursor: str) -> None:
    try:
        position = parse_cursor(cursor)
    except ValueError:
        return
    assert position.started_utc.endswith("Z") and position.call_id
