"""What is written down at a branch goes to head office: its entry is saved with it, or neither is."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from edge.store import communications, customers, imports
from edge.store.popup_settings import NumberRules, number_rules, save_number_rules
from edge.web.app import build_app
from sync.events import CommunicationAdded
from sync.particulars import Contact
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


def test_what_an_undone_sheet_had_written_down_is_told_as_cleared_once(shop: Shop) -> None:
    made = [shop.communication(text) for text in "abc"]
    one = imports.keep_file(shop.db, "communications", shop.users["boss"].id, b"x", 2, shop.now)
    shop.db.execute("UPDATE communications SET import_id = ? WHERE no <= ?", (one.id, made[1].no))
    communications.delete_communications(shop.db, [made[0].no], BY, shop.now)
    assert imports.undo(shop.db, one, BY, shop.now) == imports.Undone(1, 1)
    cleared = [fact["communication_id"] for fact in told(shop) if "cleared_utc" in fact]
    assert cleared == [made[0].id, made[1].id]


def test_an_undo_that_cannot_be_told_takes_nothing_out(shop: Shop) -> None:
    shop.communication("a")
    one = imports.keep_file(shop.db, "communications", shop.users["boss"].id, b"x", 1, shop.now)
    shop.db.execute("UPDATE communications SET import_id = ?", (one.id,))
    shop.db.execute("DROP TABLE outbox_streams")  # as on a damaged disk
    with pytest.raises(sqlite3.Error):
        imports.undo(shop.db, one, BY, shop.now)
    assert shop.db.execute("SELECT count(*) FROM communications").fetchone()[0] == 1


def test_without_its_entry_nothing_is_written_down(shop: Shop) -> None:
    shop.db.execute("DROP TABLE outbox_streams")  # as on a damaged disk
    with pytest.raises(sqlite3.Error):
        shop.communication("x")
    assert shop.db.execute("SELECT count(*) FROM communications").fetchone()[0] == 0


def test_every_field_of_the_event_is_a_column_of_the_record(shop: Shop) -> None:
    columns = {row[1] for row in shop.db.execute("PRAGMA table_info(communications)")}
    assert set(CommunicationAdded.__slots__) - {"communication_id"} <= columns


# -- customers


def saves(shop: Shop) -> list[dict[str, Any]]:
    rows = shop.db.execute("SELECT body FROM outbox WHERE kind = 'customer_saved' ORDER BY seq")
    return [json.loads(row[0])["data"] for row in rows]


def save(shop: Shop, one: customers.Customer, **what: Any) -> customers.Customer:
    particulars = replace(one.particulars, **what)
    return customers.change_customer(shop.db, one, particulars, number_rules(shop.db), BY, shop.now)


def test_a_customer_is_told_whole_with_each_save(shop: Shop) -> None:
    save_number_rules(shop.db, NumberRules("0871"), BY, shop.now)
    contact = Contact("李会计", "财务", ("138 0013 8000",), 3)
    made = shop.customer(
        "东风", "65123456", of="ann", contacts=(contact,), tags=("新",), address="秘密巷七号"
    )
    save(shop, made, remark="老客户")
    customers.delete_customers(shop.db, [made.no], BY, shop.now)
    added, changed, gone = saves(shop)
    assert (added["customer_id"], added["name"], added["creator_name"]) == (made.id, "东风", "ann")
    assert added["numbers"] == ["087165123456"]  # whole, with the branch's area
    (told_contact,) = added["contacts"]
    assert told_contact == {"name": "李会计", "title": "财务", "numbers": ["138 0013 8000"], "level": 3}
    assert [one["revision"] for one in (added, changed, gone)] == [1, 2, 3]
    assert (changed["remark"], changed["saved_by"]) == ("老客户", BY.user_name)
    assert [one.get("is_deleted", False) for one in (added, changed, gone)] == [False, False, True]
    assert "秘密巷七号" not in str(saves(shop)), (
        "an entry is kept as it came, and head office seals addresses"
    )


def test_a_save_that_changes_nothing_is_not_told(shop: Shop) -> None:
    save(shop, shop.customer("东风", "65123456"))
    assert len(saves(shop)) == 1


def test_without_its_entry_no_customer_is_saved(shop: Shop) -> None:
    made = shop.customer("东风", "65123456")
    shop.db.execute("DROP TABLE outbox_streams")
    for deed in (
        lambda: shop.customer("x", "65123457"),
        lambda: save(shop, made, remark="x"),
        lambda: customers.delete_customers(shop.db, [made.no], BY, shop.now),
    ):
        with pytest.raises(sqlite3.Error):
            deed()
    rows = shop.db.execute("SELECT name, remark, revision, deleted_utc FROM customers").fetchall()
    assert [tuple(row) for row in rows] == [("东风", "", 1, None)]


def test_customers_from_before_are_told_once(shop: Shop) -> None:
    for n in range(3):
        shop.customer(f"客户{n}", f"6512345{n}")
    shop.db.execute("DELETE FROM outbox")
    shop.db.execute("UPDATE customers SET told_revision = 0")  # as they are after the upgrade
    counts = [customers.tell_untold(shop.db, shop.now, 2) for _ in range(3)]
    assert counts == [2, 1, 0] and {one["name"] for one in saves(shop)} == {"客户0", "客户1", "客户2"}
    shop.db.execute("DELETE FROM outbox")
    shop.db.execute("UPDATE customers SET told_revision = 0")
    for _ in range(2):  # the page starts
        build_app(shop.branch.settings, shop.branch.clock)
        assert len(saves(shop)) == 3


def test_what_an_undone_sheet_had_added_is_told_as_deleted(shop: Shop) -> None:
    kept, changed = shop.customer("a", "65123456"), shop.customer("b", "65123457")
    one = imports.keep_file(shop.db, "customers", shop.users["boss"].id, b"x", 2, shop.now)
    shop.db.execute("UPDATE customers SET import_id = ?", (one.id,))
    save(shop, changed, remark="since")
    assert imports.undo(shop.db, one, BY, shop.now) == imports.Undone(1, 1)
    newest = saves(shop)[-1]
    assert (newest["customer_id"], newest["revision"], newest["is_deleted"]) == (kept.id, 2, True)
