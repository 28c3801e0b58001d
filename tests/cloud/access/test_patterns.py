"""Each pattern of abnormal use on a synthetic day: found when it is there, silent on a day of plain work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.access.log import Action
from cloud.access.patterns import PATTERNS, Suspicion, Used, suspicions
from tests.cloud.house import NOON

SHANGHAI = ZoneInfo("Asia/Shanghai")
MORNING = NOON - timedelta(hours=3)  # nine o'clock there
NIGHT = NOON + timedelta(hours=11)  # eleven at night


def used(at: datetime, **fields: Any) -> Used:
    """`wang` looks at one call."""
    plain: dict[str, Any] = {
        "id": f"{at.timestamp():.3f}",
        "actor": "wang",
        "action": Action.VIEW,
        "kind": "calls",
        "question": "",
        "row_count": 1,
        "refusal": "",
        "by_grant": False,
    }
    return Used(at=at, **{**plain, **fields})


def every(seconds: float, count: int, begin: datetime = MORNING, **fields: Any) -> list[Used]:
    return [used(begin + timedelta(seconds=seconds * number), **fields) for number in range(count)]


def numbered(numbers: Sequence[int], **fields: Any) -> list[Used]:
    asked = {"action": Action.SEARCH_NUMBER, **fields}
    return [
        used(MORNING + timedelta(minutes=at), question=f'{{"party":"{number}"}}', **asked)
        for at, number in enumerate(numbers)
    ]


def plain_day(actor: str = "li") -> list[Used]:
    """Eight hours of work: lists, single calls, a few searches, one small export."""
    rows = [
        used(MORNING + timedelta(minutes=2 * number), actor=actor, question=str(UUID(int=number * 9**35)))
        for number in range(240)
    ]
    rows += every(600, 48, actor=actor, action=Action.SEARCH, row_count=50)
    rows += [used(MORNING, actor=actor, action=Action.EXPORT, row_count=300)]
    return rows


def found(rows: Sequence[Used]) -> list[Suspicion]:
    return list(suspicions([*plain_day(), *rows], SHANGHAI))


SHUFFLED = [13800138003, 13800138001, 13800138004, 7, 13800138000, 13800138002]
DAYS: dict[str, tuple[str, list[Used], int]] = {  # what happens -> (pattern, rows, how many)
    "two hundred calls in ten minutes": ("rate", every(2.9, 200), 200),
    "long lists one after the other": ("rate", every(10, 40, row_count=50), 200),
    "at night": ("off_hours", every(600, 5, NIGHT), 5),
    "before six": ("off_hours", every(60, 6, NIGHT + timedelta(hours=6)), 6),
    "over midnight": ("off_hours", every(1800, 8, NIGHT), 8),
    "people served by others": ("not_served", every(600, 10, refusal="served"), 10),
    "numbers upwards": ("sequential", numbered(range(13800138000, 13800138005)), 5),
    "numbers in any order": ("sequential", numbered(SHUFFLED), 5),
    "ids upwards": ("sequential", numbered(range(4000, 4006), refusal="not_there"), 6),
    "values made clear": ("reveals", every(200, 15, action=Action.REVEAL, kind="customers"), 15),
    "a grant used up in an hour": ("reveals", every(200, 16, by_grant=True), 16),
    "one big export": ("export", [used(MORNING, action=Action.EXPORT, row_count=5000)], 5000),
    "many small ones": ("export", every(3600, 6, action=Action.DOWNLOAD, row_count=900), 5400),
}  # fmt: skip


@pytest.mark.parametrize("name", DAYS)
def test_each_pattern_is_found_on_its_day(name: str) -> None:
    pattern, rows, count = DAYS[name]
    (one,) = found(rows)
    assert (one.pattern, one.actor, one.count) == (pattern, "wang", count)
    assert set(one.row_ids) <= {row.id for row in rows}
    assert one.first <= one.last


SILENT: dict[str, list[Used]] = {
    "a day of work": [],
    "one below the rate": every(3.0, 199),
    "the rate, but slowly": every(3.1, 190) + every(3.1, 190, MORNING + timedelta(hours=1)),
    "four at night": every(600, 4, NIGHT),
    "at ten to ten": every(100, 5, NIGHT - timedelta(minutes=70)),
    "at six": every(60, 9, NIGHT + timedelta(hours=7)),
    "branches at night": every(60, 30, NIGHT, kind="branches"),
    "refused at night": every(60, 30, NIGHT, refusal="window"),
    "nine refusals": every(600, 9, refusal="served"),
    "refused for the purpose": every(600, 40, refusal="purpose"),
    "four numbers in a row": numbered(range(13800138000, 13800138004)),
    "every other number": numbered(range(13800138000, 13800138040, 2)),
    "one number again and again": numbered([13800138000] * 30),
    "fourteen values": every(200, 14, action=Action.REVEAL),
    "fifteen over a day": every(1200, 15, action=Action.REVEAL),
    "what was refused is not taken out": [
        used(MORNING, action=Action.EXPORT, row_count=9000, refusal="grant")
    ],
    "just below": [used(MORNING, action=Action.EXPORT, row_count=4999)],
}


@pytest.mark.parametrize("name", SILENT)
def test_plain_work_is_not_suspected(name: str) -> None:
    assert found(SILENT[name]) == []


def test_people_are_looked_at_one_by_one() -> None:
    rows = [*every(6, 100, actor="wang"), *every(6, 100, actor="zhao")]
    assert found(rows) == []
    assert {one.actor for one in found([*every(2, 250), *every(2, 250, actor="zhao")])} == {"wang", "zhao"}


def test_every_pattern_has_a_day() -> None:
    assert {pattern for pattern, _, _ in DAYS.values()} == set(PATTERNS)


@given(st.lists(st.integers(0, 86_400), min_size=1, max_size=400))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_changes_nothing(seconds: list[int]) -> None:
    rows = [
        used(MORNING + timedelta(seconds=at), id=f"{number}", row_count=40)
        for number, at in enumerate(seconds)
    ]
    assert list(suspicions(rows, SHANGHAI)) == list(suspicions(rows[::-1], SHANGHAI))
