"""Communications from a box: kept once, found with the customer, cleared when the branch clears them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from cloud.apply import APPLY
from cloud.store.communications import communications_of
from cloud.store.database import read, write
from sync.arriving import Origin
from sync.events import CommunicationAdded, CommunicationCleared, SyncEvent
from sync.inbox import Told
from tests.cloud.customers.people import AT

LATER = "2026-03-02T05:00:00.000Z"
VISIT = CommunicationAdded(
    "c1", "visit", AT, "答应周五送合同", AT, customer_id="a", customer_name="王", number="138 0013 8000"
)


def tell(engine: Engine, kind: str, event: SyncEvent, box_id: str = "box-01") -> None:
    with write(engine) as db:
        APPLY[kind](db, [Told(Origin(box_id, LATER), event, "0123456789abcdef", 1)])


def contents(
    engine: Engine, ids: list[str], keys: list[str], box_ids: frozenset[str] | None = None
) -> list[str]:
    with read(engine) as db:
        return [row["content"] for row in communications_of(db, ids, keys, box_ids)]


@pytest.mark.parametrize(
    ("ids", "keys", "box_ids", "found"),
    [
        (["a"], [], None, True),
        ([], ["+8613800138000"], None, True),
        (["a"], ["+8613800138000"], frozenset({"box-01"}), True),
        (["a"], ["+8613800138000"], frozenset({"box-02"}), False),
        (["b"], ["+8613800138001"], None, False),
        ([], [""], None, False),
    ],
)
def test_it_is_found_with_its_customer_or_its_number(
    engine: Engine, ids: list[str], keys: list[str], box_ids: frozenset[str] | None, found: bool
) -> None:
    tell(engine, "communication_added", VISIT)
    assert contents(engine, ids, keys, box_ids) == (["答应周五送合同"] if found else [])


def test_told_twice_it_is_kept_once_and_the_last_telling_counts(engine: Engine) -> None:
    for content in ("first", "second"):
        tell(engine, "communication_added", replace(VISIT, content=content))
    assert contents(engine, ["a"], []) == ["second"]


def test_a_box_neither_writes_over_nor_clears_what_is_another_boxs(engine: Engine) -> None:
    tell(engine, "communication_added", VISIT)
    with pytest.raises(ValueError, match="another box"):
        tell(engine, "communication_added", replace(VISIT, content="forged"), "box-02")
    tell(engine, "communication_cleared", CommunicationCleared("c1", LATER), "box-02")
    assert contents(engine, ["a"], []) == ["答应周五送合同"]


def test_what_the_branch_clears_is_shown_no_more(engine: Engine) -> None:
    tell(engine, "communication_added", VISIT)
    tell(engine, "communication_cleared", CommunicationCleared("c1", LATER))
    tell(engine, "communication_cleared", CommunicationCleared("never told of", LATER))
    assert contents(engine, ["a"], []) == []


def test_the_last_is_first(engine: Engine) -> None:
    for number, at_utc in enumerate((AT, LATER, AT)):
        tell(
            engine,
            "communication_added",
            replace(VISIT, communication_id=f"c{number}", at_utc=at_utc, content=str(number)),
        )
    assert contents(engine, ["a"], []) == ["1", "2", "0"]
