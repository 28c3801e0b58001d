"""What is written down at a branch goes to head office: its entry is saved with it, or neither is."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from edge.store import communications
from sync.events import CommunicationAdded
from tests.edge.customers.conftest import BY, Shop


def told(shop: Shop) -> list[dict[str, Any]]:
    rows = shop.db.execute("SELECT body FROM outbox WHERE kind LIKE 'communication%' ORDER BY seq")
    return [json.loads(row[0])["data"] for row in rows]


def test_an_added_communication_is_told_with_who_wrote_it(shop: Shop) -> None:
    made = shop.communication("答应周五送合同", of="ann", kind="visit", number="138 0013 8000")
    (fact,) = told(shop)
    known = {name: getattr(made.told, name) for name in ("kind", "content", "number", "at_utc")}
    assert fact | known == fact
    assert fact["communication_id"] == made.id
    assert fact["creator_name"] == "ann"
    assert fact["created_utc"] == made.created_utc


def test_a_cleared_one_is_told_once(shop: Shop) -> None:
    made = shop.communication("x")
    for _ in range(2):
        communications.delete_communications(shop.db, [made.no], BY, shop.now)
    assert [set(fact) for fact in told(shop)][1:] == [{"communication_id", "cleared_utc"}]


def test_without_its_entry_nothing_is_written_down(shop: Shop) -> None:
    shop.db.execute("DROP TABLE outbox_streams")  # as on a damaged disk
    with pytest.raises(sqlite3.Error):
        shop.communication("x")
    assert shop.db.execute("SELECT count(*) FROM communications").fetchone()[0] == 0


def test_every_field_of_the_event_is_a_column_of_the_record(shop: Shop) -> None:
    columns = {row[1] for row in shop.db.execute("PRAGMA table_info(communications)")}
    assert set(CommunicationAdded.__slots__) - {"communication_id"} <= columns
