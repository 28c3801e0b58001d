"""Customers in the database, on SQLite and on PostgreSQL: kept, found, changed, deleted, restored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text

from cloud.field_keys import FieldKey, KeyMissing, Keyring
from cloud.store.customer_tables import customer_numbers, customers
from cloud.store.customer_writes import (
    ChangedSince,
    Stamp,
    bin_rows,
    delete_customers,
    history_of,
    purge,
    read_record,
    restore_customers,
    save_customer,
)
from cloud.store.customers import (
    SORTS,
    CustomerFilter,
    NumberAsked,
    Place,
    find_customer,
    list_customers,
)
from cloud.store.database import open_engine, read, write
from sync.particulars import Contact
from tests.cloud.customers.people import AT, BY, IDENTITY, RING, SECRETS, add, full_record, record
from tests.databases import new_sqlite

LATER = Stamp("li", "2026-03-03T04:00:00.000Z")


def names(engine: Engine, wanted: CustomerFilter, box_ids: frozenset[str] | None = None) -> list[str]:
    with read(engine) as db:
        return [row["name"] for row in list_customers(db, wanted, box_ids, "newest", None, 50)]


def test_a_record_comes_back_as_it_was_kept(engine: Engine) -> None:
    customer_id = add(engine, full_record())
    with read(engine) as db:
        row = find_customer(db, customer_id, None)
        assert row is not None
        assert read_record(db, RING, row) == full_record()
        assert (row["version"], row["created_by"], row["created_utc"]) == (1, "wang", AT)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("东风", True),
        ("商贸有限", True),
        ("张经", True),  # a contact
        ("批发", True),
        ("高净", True),
        ("昆明 采购", True),
        ("风东", False),
        ("昆风", False),
        ("盘龙", False),  # the address is sealed
        ("65123456", False),  # numbers are no words
        ("13", False),
    ],
)
def test_two_characters_find_a_customer(engine: Engine, asked: str, found: bool) -> None:
    add(engine, full_record())
    add(engine, record("李四"))
    assert names(engine, CustomerFilter(words=asked)) == (["昆明东风商贸有限公司"] if found else [])


WORDS = st.text("王小明东风a1 ", min_size=1, max_size=4)


def test_both_databases_find_the_same(tmp_path: Path, database_url: str) -> None:
    """What SQLite's index and PostgreSQL's answer, against a search by hand."""
    if not database_url.startswith("postgresql"):
        pytest.skip("compares the two")
    small, large = open_engine(new_sqlite(tmp_path / "small.db")), open_engine(database_url)
    for name in ("王小明", "小明王", "王东风", "东风小明", "a1 王小", "明", "小 明", "王小a1明东"):
        for engine in (small, large):
            add(engine, record(name))

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(WORDS)
    def same(asked: str) -> None:
        wanted = CustomerFilter(words=asked)
        assert names(small, wanted) == names(large, wanted), asked

    same()
    small.dispose()
    large.dispose()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (NumberAsked(key="+8613800138000"), True),
        (NumberAsked(key="+8613912345678"), True),  # a contact's
        (NumberAsked(last4="8000"), True),
        (NumberAsked(last8="65123456"), True),
        (NumberAsked(begins="+86138"), True),
        (NumberAsked(begins="+8613801"), False),
        (NumberAsked(last4="0138"), False),
    ],
)
def test_a_number_finds_its_customer(engine: Engine, asked: NumberAsked, found: bool) -> None:
    add(engine, full_record())
    assert bool(names(engine, CustomerFilter(number=asked))) is found


def test_a_sealed_value_is_found_by_its_token_alone(engine: Engine) -> None:
    add(engine, full_record())
    assert names(engine, CustomerFilter(tokens=tuple(RING.tokens(IDENTITY))))
    assert not names(engine, CustomerFilter(tokens=tuple(RING.tokens(IDENTITY[:-1]))))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (CustomerFilter(kind="enterprise"), True),
        (CustomerFilter(kind="individual"), False),
        (CustomerFilter(region="云南昆明"), True),
        (CustomerFilter(consumption="high"), True),
        (CustomerFilter(consumption="low"), False),
        (CustomerFilter(service="broadband"), True),
        (CustomerFilter(service="tv"), False),
        (CustomerFilter(box_id="box-01"), True),
        (CustomerFilter(box_id="box-02"), False),
        (CustomerFilter(state="closed"), False),
        (CustomerFilter(words="东风", box_id="box-01"), True),
        (CustomerFilter(words="东风", box_id="box-02"), False),
    ],
)
def test_filters(engine: Engine, wanted: CustomerFilter, found: bool) -> None:
    add(engine, full_record(), "box-01")
    assert bool(names(engine, wanted)) is found


@pytest.mark.parametrize("words", ["", "东风"])
@pytest.mark.parametrize(
    ("box_ids", "seen"),
    [(None, 3), (frozenset({"box-01"}), 1), (frozenset({"box-01", "box-02"}), 2), (frozenset[str](), 0)],
)
def test_customers_of_other_branches_are_not_there(
    engine: Engine, words: str, box_ids: frozenset[str] | None, seen: int
) -> None:
    ids = [add(engine, record("东风一"), box) for box in ("box-01", "box-02", None)]
    assert len(names(engine, CustomerFilter(words=words), box_ids)) == seen
    with read(engine) as db:
        assert sum(find_customer(db, one, box_ids) is not None for one in ids) == seen


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("words", ["", "东风"])
def test_pages_by_keyset_show_everybody_once(engine: Engine, sort: str, words: str) -> None:
    for name in ("东风一", "东风三", "东风二", "东风二", "东风一"):
        add(engine, record(name))
    seen: list[int] = []
    after = None
    with read(engine) as db:
        while rows := list_customers(db, CustomerFilter(words=words), None, sort, after, 2):
            seen += [row["no"] for row in rows]
            by = SORTS[sort]
            after = Place(str(rows[-1][by[0].key]) if by else "", rows[-1]["no"])
        whole = list_customers(db, CustomerFilter(words=words), None, sort, None, 50)
    assert seen == [row["no"] for row in whole]
    assert len(seen) == 5


def test_a_change_keeps_old_and_new_with_person_and_time(engine: Engine) -> None:
    customer_id = add(engine, full_record())
    new = replace(full_record(), region="云南大理", identity="")
    with write(engine) as db:
        row = find_customer(db, customer_id, None)
        assert row is not None
        save_customer(db, RING, row, 1, new, LATER)
    with read(engine) as db:
        changed, added = history_of(db, RING, customer_id)
        row = find_customer(db, customer_id, None)
        assert row is not None
        assert read_record(db, RING, row) == new
    assert changed == {
        "at_utc": LATER.at_utc,
        "user_name": "li",
        "what": "change",
        "fields": {"region": ["云南昆明", "云南大理"], "identity": [IDENTITY, ""]},
    }
    assert added["what"] == "add"
    assert row["version"] == 2


def test_nothing_changed_is_no_change(engine: Engine) -> None:
    customer_id = add(engine, full_record())
    with write(engine) as db:
        row = find_customer(db, customer_id, None)
        assert row is not None
        assert save_customer(db, RING, row, 1, full_record(), LATER) == {}
    with read(engine) as db:
        assert len(history_of(db, RING, customer_id)) == 1


@pytest.mark.parametrize("when", ["version asked", "version in the database"])
def test_of_two_changes_the_second_is_refused(engine: Engine, when: str) -> None:
    customer_id = add(engine, record("王小明"))
    with write(engine) as db:
        before = find_customer(db, customer_id, None)
        assert before is not None
        save_customer(db, RING, before, 1, record("王大明"), LATER)
    with write(engine) as db:
        row = find_customer(db, customer_id, None) if when == "version asked" else before
        assert row is not None
        with pytest.raises(ChangedSince):
            save_customer(db, RING, row, 1, record("王中明"), LATER)
    assert names(engine, CustomerFilter()) == ["王大明"]


def test_the_recycle_bin(engine: Engine) -> None:
    customer_id, other = add(engine, full_record()), add(engine, record("李四"))
    with write(engine) as db:
        assert delete_customers(db, RING, [customer_id, "no such"], "销户", LATER, None) == 1
    assert names(engine, CustomerFilter()) == ["李四"]
    assert names(engine, CustomerFilter(words="东风")) == []
    again = add(engine, full_record())  # a number that comes again does not clash
    with write(engine) as db:
        (row,) = bin_rows(db, AT, 50)
        assert (row["deleted_by"], row["deleted_why"], row["id"]) == ("li", "销户", customer_id)
        assert restore_customers(db, RING, [customer_id, other, again], AT, LATER) == 1
    assert names(engine, CustomerFilter(words="东风")) == ["昆明东风商贸有限公司"] * 2
    with read(engine) as db:
        row = find_customer(db, customer_id, None)
        assert row is not None
        assert read_record(db, RING, row) == full_record()
        assert [one["what"] for one in history_of(db, RING, customer_id)] == ["restore", "delete", "add"]


def test_what_was_deleted_too_long_ago_is_not_restored_and_goes(engine: Engine) -> None:
    customer_id = add(engine, full_record())
    with write(engine) as db:
        delete_customers(db, RING, [customer_id], "", BY, None)
        assert restore_customers(db, RING, [customer_id], LATER.at_utc, LATER) == 0
        assert purge(db, AT) == 0
        assert purge(db, LATER.at_utc) == 1
    with read(engine) as db:
        assert db.execute(select(customer_numbers)).all() == []
        assert history_of(db, RING, customer_id) == []


def test_a_person_of_one_branch_deletes_nothing_of_another(engine: Engine) -> None:
    customer_id = add(engine, record("王小明"), "box-01")
    with write(engine) as db:
        assert delete_customers(db, RING, [customer_id], "", LATER, frozenset({"box-02"})) == 0


def test_the_database_holds_no_secret(tmp_path: Path) -> None:
    """Sealed when added, changed, deleted: looked for in the bytes of the file and of its log."""
    engine = open_engine(new_sqlite(tmp_path / "ho.db"))
    customer_id = add(engine, full_record())
    with write(engine) as db:
        row = find_customer(db, customer_id, None)
        assert row is not None
        save_customer(db, RING, row, 1, replace(full_record(), identity="X9999"), LATER)
        delete_customers(db, RING, [customer_id], "", LATER, None)
        db.execute(text("SELECT 1"))
    files = [file.read_bytes() for file in tmp_path.glob("ho.db*")]
    assert any("东风".encode() in content for content in files)  # names are there, so they would be seen
    for secret in (*SECRETS, "X9999"):
        assert not any(secret.encode() in content for content in files), secret
    engine.dispose()


def test_without_its_key_a_record_is_not_read(engine: Engine) -> None:
    customer_id = add(engine, full_record())
    with read(engine) as db:
        row = find_customer(db, customer_id, None)
        assert row is not None
        with pytest.raises(KeyMissing):
            read_record(db, Keyring((FieldKey.new(AT),)), row)


def test_the_first_number_is_the_primary_one(engine: Engine) -> None:
    add(
        engine,
        record("王小明", "13800138000", "95588", contacts=(Contact("李", numbers=("0871-65123456",)),)),
    )
    with read(engine) as db:
        rows = db.execute(select(customer_numbers).order_by(customer_numbers.c.position)).mappings().all()
    assert [(row["key"], row["kind"], row["is_primary"]) for row in rows] == [
        ("+8613800138000", "mobile", True),
        ("95588", "service", False),
        ("+8687165123456", "fixed", False),
    ]
    assert rows[0]["token"] == RING.token("+8613800138000")


def test_a_table_of_customers_has_no_column_in_the_clear_for_what_is_sealed() -> None:
    assert {"address", "identity", "bank"}.isdisjoint(customers.columns.keys())
