"""What is done to many customers: imports, merges, rules of tags, a new key; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, func, select

from cloud.customers.merging import merged
from cloud.customers.tag_rules import make_rule
from cloud.field_keys import FieldKey, Keyring
from cloud.store import customer_imports as imports
from cloud.store import customer_merges as merges
from cloud.store import customer_tags
from cloud.store.customer_rows import Whose
from cloud.store.customer_tables import customer_tags as given_tags
from cloud.store.customer_tables import customers, org_nodes, tags
from cloud.store.customer_writes import ChangedSince, New, Stamp, history_of, read_record, save_customer
from cloud.store.customers import CustomerFilter, find_customer, list_customers
from cloud.store.database import read, write
from cloud.store.field_rotation import rotate_batch, rows_left
from sync.ids import new_id
from tests.cloud.customers.people import AT, BY, IDENTITY, RING, add, full_record, record

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
LATER = Stamp("li", "2026-03-03T04:00:00.000Z")


def count(engine: Engine) -> int:
    with read(engine) as db:
        return int(db.execute(select(func.count()).select_from(customers)).scalar_one())


def checked(engine: Engine) -> str:
    with write(engine) as db:
        return imports.keep_sheet(db, RING, "user", None, b"PK sheet", 3, AT)


def newcomers(*names: str) -> list[New]:
    return [New(Whose(new_id(), None), record(name)) for name in names]


def test_a_sheet_is_kept_sealed_until_it_is_taken_in(engine: Engine) -> None:
    first, second = checked(engine), checked(engine)
    with read(engine) as db:
        old, kept = imports.find_import(db, "user", first), imports.find_import(db, "user", second)
        assert old and kept
        assert imports.sheet_of(old, RING) is None
        assert imports.sheet_of(kept, RING) == b"PK sheet"
        assert b"sheet" not in kept["sealed"]
        assert imports.find_import(db, "somebody else", second) is None


def test_an_import_is_added_once_and_undone(engine: Engine) -> None:
    import_id = checked(engine)
    many = newcomers("王一", "王二", "王三")
    assert imports.add_all(engine, RING, import_id, many, BY, NOW)
    assert not imports.add_all(engine, RING, import_id, newcomers("王四"), BY, NOW)
    assert count(engine) == 3
    with write(engine) as db:
        row = find_customer(db, many[0].whose.id, None)
        assert row is not None
        save_customer(db, RING, row, 1, record("改了"), LATER)
        done = imports.last_done(db, "user")
        assert done is not None and done["id"] == import_id and done["sealed"] is None
    assert imports.undo(engine, import_id) == (2, 1)
    assert count(engine) == 1
    with read(engine) as db:
        assert imports.last_done(db, "user") is None
        assert imports.known_ids(db, [one.whose.id for one in many]) == {many[0].whose.id}


def test_an_import_that_fails_leaves_nothing(engine: Engine) -> None:
    many = newcomers("王一", "王二", "王三")
    many.append(replace(many[0]))  # the same id again, which the database refuses
    import_id = checked(engine)
    with pytest.raises(Exception, match=r"(?i)unique"):
        imports.add_all(engine, RING, import_id, many, BY, NOW, batch=2)
    assert count(engine) == 0


def test_an_import_whose_process_ended_is_taken_out_again(engine: Engine) -> None:
    import_id = checked(engine)
    assert imports.add_all(engine, RING, import_id, newcomers("王一"), BY, NOW)
    with write(engine) as db:  # as a process that was killed before its last step leaves it
        db.execute(imports.customer_imports.update().values(state="adding"))
    imports.undo_stale(engine, NOW + imports.STALE_AFTER)
    assert count(engine) == 1
    imports.undo_stale(engine, NOW + imports.STALE_AFTER * 2)
    assert count(engine) == 0


def test_customers_who_share_a_number_an_identity_or_a_company_name_are_found(engine: Engine) -> None:
    one = add(engine, record("王小明", "13800138000"), "box-01")
    two = add(engine, record("王晓明", "+86 138 0013 8000", identity=IDENTITY), "box-01")
    three = add(engine, record("别人", "95588", identity=IDENTITY), "box-02")
    four = add(engine, record("某公司", "95588", kind="enterprise"), "box-02")
    five = add(engine, record("某公司", kind="enterprise"), "box-02")
    add(engine, record("王小明", "13911112222"), "box-02")  # people are often called the same
    with read(engine) as db:
        assert merges.find_groups(db, None) == [
            merges.Group("identity", (two, three)),
            merges.Group("number", (one, two)),
            merges.Group("company", (four, five)),
        ]
        assert merges.find_groups(db, frozenset({"box-01"})) == [merges.Group("number", (one, two))]


def merge(engine: Engine, kept: str, other: str, version: int = 1) -> str:
    with write(engine) as db:
        rows = [find_customer(db, one, None) for one in (kept, other)]
        assert rows[0] and rows[1]
        whole = merged(read_record(db, RING, rows[0]), read_record(db, RING, rows[1]), {})
        return merges.merge(db, RING, rows[0], rows[1], version, whole, LATER)


def test_a_merge_and_its_undoing_lose_nothing(engine: Engine) -> None:
    one, two = record("王小明", "13800138000"), full_record()
    kept, other = add(engine, one), add(engine, two)
    with write(engine) as db:
        db.execute(
            org_nodes.insert().values(
                id="n", customer_id=other, kind="department", name="采购部", position=1, parent_id=None
            )
        )
    merge_id = merge(engine, kept, other)
    with read(engine) as db:
        assert find_customer(db, other, None) is None
        row = find_customer(db, kept, None)
        assert row is not None and row["version"] == 2
        assert read_record(db, RING, row) == merged(one, two, {})
        assert [
            found["id"] for found in list_customers(db, CustomerFilter(words="小明"), None, "newest", None, 9)
        ] == [kept]
        assert merges.ids_within(db, kept) == [kept, other]
        assert [line["name"] for line in merges.merges_of(db, kept)] == [two.what.name]
    with write(engine) as db:
        found = merges.find_merge(db, merge_id)
        assert found is not None
        merges.part(db, RING, found, BY, None)
    with read(engine) as db:
        for customer_id, before in ((kept, one), (other, two)):
            row = find_customer(db, customer_id, None)
            assert row is not None
            assert read_record(db, RING, row) == before
        assert db.execute(select(org_nodes.c.customer_id)).scalar_one() == other
        assert merges.find_merge(db, merge_id) is None
        assert [line["what"] for line in history_of(db, RING, kept)] == ["unmerge", "merge", "add"]
        assert [
            row["id"] for row in list_customers(db, CustomerFilter(words="东风"), None, "newest", None, 9)
        ] == [other]


def test_a_merge_is_not_undone_over_a_later_change(engine: Engine) -> None:
    kept, other = add(engine, record("王小明")), add(engine, record("王晓明", "13800138000"))
    merge_id = merge(engine, kept, other)
    with write(engine) as db:
        row = find_customer(db, kept, None)
        assert row is not None
        save_customer(db, RING, row, 2, record("王大明"), LATER)
    with write(engine) as db:
        found = merges.find_merge(db, merge_id)
        assert found is not None
        with pytest.raises(merges.CannotPart):
            merges.part(db, RING, found, BY, None)


def test_a_merge_of_a_record_changed_meanwhile_is_refused(engine: Engine) -> None:
    kept, other = add(engine, record("王小明")), add(engine, record("王晓明"))
    with pytest.raises(ChangedSince):
        merge(engine, kept, other, version=3)


def tagged(engine: Engine) -> set[tuple[str, str, bool]]:
    with read(engine) as db:
        rows = db.execute(
            select(customers.c.name, tags.c.name, given_tags.c.by_rule)
            .join(given_tags, given_tags.c.customer_id == customers.c.id)
            .join(tags, tags.c.id == given_tags.c.tag_id)
        )
        return {(name, tag, by_rule) for name, tag, by_rule in rows}


def test_rules_give_tags_and_take_only_their_own_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, level in (("甲", "high"), ("乙", "low"), ("丙", "high"), ("丁", "high")):
        add(engine, record(name, consumption=level, tags=("高净值",) if name == "丁" else ()))
    add(engine, record("戊", tags=("高净值",)))
    with write(engine) as db:
        tag = customer_tags.tag_named(db, "高净值")
        assert tag is not None
        customer_tags.save_tag(db, tag["id"], "高净值", make_rule([("consumption", "is", "high")]))
    assert customer_tags.apply_rules(engine, TODAY, AT, batch=2) == {"高净值": 3}
    by_hand = {("丁", "高净值", False), ("戊", "高净值", False)}
    assert tagged(engine) == {("甲", "高净值", True), ("丙", "高净值", True)} | by_hand
    with write(engine) as db:
        db.execute(customers.update().where(customers.c.name == "甲").values(consumption="low"))
    customer_tags.apply_rules(engine, TODAY, AT)
    assert tagged(engine) == {("丙", "高净值", True)} | by_hand
    with read(engine) as db:
        assert [(row["name"], row["customers"]) for row in customer_tags.list_tags(db)] == [("高净值", 3)]


def test_a_changed_customer_gets_what_rules_give(engine: Engine) -> None:
    customer_id = add(engine, record("甲"))
    with write(engine) as db:
        customer_tags.save_tag(db, "", "云南", make_rule([("region", "contains", "云南")]))
        row = find_customer(db, customer_id, None)
        assert row is not None
        save_customer(db, RING, row, 1, record("甲", region="云南昆明"), LATER)
        customer_tags.apply_to(db, customer_id, TODAY)
    assert tagged(engine) == {("甲", "云南", True)}


def test_tags_are_given_and_taken_by_hand(engine: Engine) -> None:
    ids = [add(engine, record(name)) for name in ("甲", "乙")]
    with write(engine) as db:
        tag_id = customer_tags.save_tag(db, "", "家庭用户", ())
        assert customer_tags.give_tag(db, tag_id, ids[:1]) == ids[:1]
        assert customer_tags.give_tag(db, tag_id, ids) == ids[1:]
        assert customer_tags.take_tag(db, tag_id, ids[:1]) == ids[:1]
    assert tagged(engine) == {("乙", "家庭用户", False)}
    with write(engine) as db:
        customer_tags.delete_tag(db, tag_id)
    assert tagged(engine) == set()


def test_classes_are_kept_in_order_and_leave_nobody_behind(engine: Engine) -> None:
    customer_id = add(engine, record("甲"))
    with write(engine) as db:
        first, second = customer_tags.add_class(db, "重点"), customer_tags.add_class(db, "一般")
        customer_tags.set_class(db, second, [customer_id])
        customer_tags.rename_class(db, first, "战略")
        assert [row["name"] for row in customer_tags.list_classes(db)] == ["战略", "一般"]
        row = find_customer(db, customer_id, None)
        assert row is not None and (row["class_name"], row["version"]) == ("一般", 2)
        customer_tags.delete_class(db, second)
        row = find_customer(db, customer_id, None)
        assert row is not None and (row["class_name"], row["class_id"]) == ("", "")


def test_a_new_key_may_be_taken_in_steps_and_nothing_is_lost_on_the_way(engine: Engine) -> None:
    ids = [add(engine, full_record()) for _ in range(3)]
    merge(engine, ids[0], ids[1])
    checked(engine)
    both = Keyring((*RING.keys, FieldKey.new(AT)))
    total = rows_left(engine, both)
    assert total == 3 + 5 + 1 + 1  # customers, lines of history, a merge, a sheet
    left = total
    while done := rotate_batch(engine, both, limit=2):  # each step may be the last before a power cut
        left -= done
        assert rows_left(engine, both) == left
        with read(engine) as db:
            row = find_customer(db, ids[2], None)
            assert row is not None
            assert read_record(db, both, row) == full_record()
            wanted = CustomerFilter(tokens=tuple(both.tokens(IDENTITY)))
            assert len(list_customers(db, wanted, None, "newest", None, 9)) == 2
    assert left == 0
    alone = Keyring(both.keys[1:])  # what is sealed needs the old key no more
    with write(engine) as db:
        row = find_customer(db, ids[2], None)
        assert row is not None
        assert read_record(db, alone, row) == full_record()
        assert history_of(db, alone, ids[2])
        kept = find_customer(db, ids[0], None)
        assert kept is not None
        found = merges.find_merge(db, merges.merges_of(db, ids[0])[0]["id"])
        assert found is not None
        merges.part(db, alone, found, BY, None)
