"""Customers that branches save: taken in once, in any order, without undoing what is done here."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from cloud.apply import APPLY
from cloud.branch_customers import take_in
from cloud.customers.from_branch import FIELDS, particulars_of, with_changes
from cloud.customers.record import Record
from cloud.store.branch_customers import state_of
from cloud.store.customer_merges import find_groups
from cloud.store.customer_writes import Stamp, delete_customers, history_of, read_record, save_customer
from cloud.store.customers import find_customer, parts_of
from cloud.store.database import read, write
from cloud.store.schema import customer_tables
from sync.arriving import Origin
from sync.events import ContactFact, CustomerSaved
from sync.inbox import Told
from sync.particulars import Particulars
from tests.cloud.customers.conftest import Firm
from tests.cloud.customers.people import AT, record
from tests.cloud.house import House

LATER, SAVED = "2026-03-02T05:00:00.000Z", "2026-03-02T03:00:00.000Z"
FIRST = CustomerSaved(
    "c-1", 1, SAVED, "ann", "东风商行", "enterprise", ("087165123456",),
    (ContactFact("李会计", "财务", ("13800138000",), 3),), "批发", ("新",), "老客户", "ann", SAVED,
)  # fmt: skip


def arrive(house: House, *events: CustomerSaved, box_id: str = "box-01") -> None:
    with write(house.parts.engine) as db:
        APPLY["customer_saved"](
            db, [Told(Origin(box_id, LATER), one, "0123456789abcdef", 1) for one in events]
        )


def taken(house: House) -> int:
    return take_in(house.parts.engine, house.parts.ring, LATER)


def kept(house: House, customer_id: str = "c-1") -> Record | None:
    with read(house.parts.engine) as db:
        row = find_customer(db, customer_id, None)
        return None if row is None else read_record(db, house.parts.ring, row)


def change_here(house: House, **what: Any) -> None:
    """Somebody at head office saves the customer."""
    with write(house.parts.engine) as db:
        row = find_customer(db, "c-1", None)
        assert row is not None
        old = read_record(db, house.parts.ring, row)
        rest = {name: what.pop(name) for name in list(what) if name not in Particulars.__slots__}
        new = replace(old, what=replace(old.what, **what), **rest)
        save_customer(db, house.parts.ring, row, row["version"], new, Stamp("wang", LATER))


def fault(house: House) -> str:
    with read(house.parts.engine) as db:
        row = state_of(db, "c-1")
    assert row is not None
    return str(row["fault"])


def test_a_customer_saved_at_a_branch_is_a_customer_here(house: House) -> None:
    arrive(house, FIRST)
    assert kept(house) is None and (taken(house), taken(house)) == (1, 0)
    one = kept(house)
    assert one is not None and (one.what.name, one.what.numbers) == ("东风商行", ("087165123456",))
    assert one.what.contacts[0].numbers == ("13800138000",) and one.what.tags == ("新",)
    with read(house.parts.engine) as db:
        row = find_customer(db, "c-1", None)
        assert row is not None
        assert (row["box_id"], row["created_by"], row["created_utc"]) == ("box-01", "ann", SAVED)
        numbers = parts_of(db, ["c-1"])["customer_numbers"]
        assert numbers and not any(number["vouched"] for number in numbers)


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_in_any_order_the_highest_revision_counts(house: House, order: tuple[int, ...]) -> None:
    saves = [replace(FIRST, revision=n + 1, remark=f"version {n + 1}") for n in range(3)]
    for n in order:
        arrive(house, saves[n])
        taken(house)
    one = kept(house)
    assert one is not None and one.what.remark == "version 3"
    arrive(house, saves[2])
    assert taken(house) == 0  # what comes again changes nothing


def test_only_what_the_branch_changed_is_changed_here(house: House) -> None:
    arrive(house, FIRST)
    taken(house)
    change_here(house, name="东风商贸有限公司", region="云南", address="盘龙区七号")
    arrive(house, replace(FIRST, revision=2, remark="搬家了", numbers=("087165123456", "13911112222")))
    taken(house)
    one = kept(house)
    assert one is not None
    assert (one.what.name, one.region, one.what.address) == ("东风商贸有限公司", "云南", "盘龙区七号")
    assert (one.what.remark, len(one.what.numbers)) == ("搬家了", 2)
    with read(house.parts.engine) as db:
        newest, *_ = history_of(db, house.parts.ring, "c-1")
    assert (newest["what"], newest["user_name"]) == ("branch", "ann")
    assert newest["fields"]["remark"] == ["老客户", "搬家了"]


def test_a_delete_at_the_branch_goes_to_the_recycle_bin(house: House) -> None:
    arrive(house, FIRST, replace(FIRST, revision=2, is_deleted=True))
    taken(house)
    assert kept(house) is None and fault(house) == ""
    arrive(house, replace(FIRST, revision=3, remark="back"))
    taken(house)
    assert kept(house) is not None  # it had never been a record here
    arrive(house, replace(FIRST, revision=4, is_deleted=True))
    taken(house)
    with read(house.parts.engine) as db:
        row = db.execute(customer_tables.customers.select()).mappings().one()
    assert (row["deleted_by"], row["deleted_why"]) == ("ann", "deleted at the branch")


def test_what_head_office_deleted_stays_deleted(house: House) -> None:
    arrive(house, FIRST)
    taken(house)
    with write(house.parts.engine) as db:
        delete_customers(db, house.parts.ring, ["c-1"], "", Stamp("wang", LATER), None)
    arrive(house, replace(FIRST, revision=2))
    assert (taken(house), taken(house)) == (1, 0)
    assert kept(house) is None and fault(house) == "deleted_here"


def test_a_branch_reaches_no_record_of_another(house: House) -> None:
    arrive(house, FIRST)
    with pytest.raises(ValueError, match="another box"):
        arrive(house, replace(FIRST, revision=9, name="forged"), box_id="box-02")
    taken(house)
    own = house.add_customer("总部客户", "13700137000")
    arrive(house, replace(FIRST, customer_id=own, name="forged"), box_id="box-02")
    taken(house)
    one, mine = kept(house), kept(house, own)
    assert one is not None and mine is not None
    assert (one.what.name, mine.what.name) == ("东风商行", "总部客户")


def test_the_same_number_is_a_duplicate_to_look_at_and_nothing_is_merged(house: House) -> None:
    own = house.add_customer("总部客户", "13800138000")
    arrive(house, FIRST)
    taken(house)
    with read(house.parts.engine) as db:
        groups = [group for group in find_groups(db, None) if group.why == "number"]
    assert [set(group.ids) for group in groups] == [{own, "c-1"}]
    assert kept(house) is not None and kept(house, own) is not None


def test_what_cannot_be_taken_is_said_and_holds_up_no_other(house: House) -> None:
    arrive(house, replace(FIRST, name=" "), replace(FIRST, customer_id="c-2"))
    assert taken(house) == 2
    assert fault(house) == "unfit" and kept(house) is None and kept(house, "c-2") is not None
    arrive(house, replace(FIRST, revision=2))
    taken(house)
    assert fault(house) == "" and kept(house) is not None


@pytest.mark.parametrize(("saved_utc", "name"), [(SAVED, "按表导入"), (LATER, "东风商行")])
def test_a_record_that_came_by_sheet_is_taken_over_unless_it_is_the_newer(
    firm: Firm, saved_utc: str, name: str
) -> None:
    customer_id = firm.add(record("按表导入", "13800138000", address="盘龙区七号"), "box-01")
    arrive(firm.house, replace(FIRST, customer_id=customer_id, saved_utc=saved_utc))
    taken(firm.house)
    one = kept(firm.house, customer_id)
    assert one is not None and (one.what.name, one.what.address) == (name, "盘龙区七号")
    arrive(firm.house, replace(FIRST, customer_id=customer_id, revision=2, remark="x"))
    taken(firm.house)
    after = kept(firm.house, customer_id)
    assert after is not None and (after.what.name, after.what.remark) == (name, "x")


def test_the_button_takes_in_what_waits_and_the_page_says_so(firm: Firm) -> None:
    counter = firm.counter("manager")
    arrive(firm.house, FIRST)
    taken(firm.house)
    arrive(firm.house, replace(FIRST, revision=2, industry="零售", remark="回电 13800138000"))
    page = counter.get("/customers/c-1").text
    assert "第 2 版正等待并入" in page and "回电" not in page
    assert counter.post("/customers/c-1/sync").status_code == 303
    page = counter.get("/customers/c-1").text
    assert "第 2 版已并入" in page and "零售" in page and "13800138000" not in page


def test_fields_only_head_office_knows_are_touched_by_no_branch() -> None:
    here = record("a", "13800138000", address="七号", region="云南", identity="530102199003071234")
    there = Particulars("b", "enterprise", ("13911112222",), (), "", "批发", ("x",), "y")
    for base in (None, here.what, Particulars("c")):
        made = with_changes(here, base, there)
        assert replace(made, what=here.what) == here and made.what.address == "七号"
        assert all(getattr(made.what, name) == getattr(there, name) for name in FIELDS)
    assert with_changes(here, there, there) == here


def test_the_event_says_all_that_a_branch_may_change() -> None:
    said = {name: getattr(FIRST, name) for name in CustomerSaved.__slots__}
    said["contacts"] = [{"name": "x", "title": "", "numbers": [], "level": 0}]
    assert set(Particulars.__slots__) - set(FIELDS) == {"address"}
    assert particulars_of(said).name == "东风商行" and AT > SAVED
