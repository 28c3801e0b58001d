"""Takes in the customers that branches have saved, through the ways of every customer.

Numbers that several customers have are found as duplicates afterwards (`cloud.store.customer_merges`);
nothing is merged by itself. A number written at a branch is vouched for by nobody here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, select

from cloud.customers.from_branch import particulars_of, with_changes
from cloud.customers.record import Record, check
from cloud.field_keys import Keyring
from cloud.store import branch_customers as store
from cloud.store import happenings
from cloud.store.customer_rows import Whose
from cloud.store.customer_tables import customers
from cloud.store.customer_writes import (
    New,
    Stamp,
    add_customers,
    delete_customers,
    read_record,
    save_customer,
)
from cloud.store.database import read, write
from cloud.webhooks.kinds import CUSTOMER_SAVED
from sync.particulars import Particulars, Unfit

AT_ONCE = 100
WHY_DELETED = "deleted at the branch"


class NotTakenIn(ValueError):
    """A word of `cloud.customers.from_branch.FAULTS`."""


def take_in(engine: Engine, ring: Keyring, now_utc: str, box_id: str = "", limit: int = AT_ONCE) -> int:
    """Take in up to `limit` customers that wait, of that box or of all (""); how many were looked at."""
    with read(engine) as db:
        if not store.waiting(db, box_id, 1):
            return 0
    with write(engine) as db:
        rows = store.waiting(db, box_id, limit)
        faults = {row["id"]: _fault(db, ring, row, now_utc) for row in rows}
        for row in rows:
            store.settle(db, row, now_utc, faults[row["id"]])
        happenings.note(db, CUSTOMER_SAVED, [one for one, fault in faults.items() if not fault], now_utc)
    return len(rows)


def _fault(db: Connection, ring: Keyring, row: RowMapping, now_utc: str) -> str:
    """Why it could not be taken in; "": it was."""
    said = json.loads(row["said"])
    by = Stamp(said["saved_by"] or row["box_id"], now_utc, vouches=False)
    found = db.execute(select(customers).where(customers.c.id == row["id"])).mappings().one_or_none()
    try:
        if found is None:
            _add(db, ring, row, said, by)
        else:
            _change(db, ring, row, said, found, by)
    except NotTakenIn as why:
        return str(why)
    except Unfit:
        return "unfit"
    return ""


def _add(db: Connection, ring: Keyring, row: RowMapping, said: Mapping[str, Any], by: Stamp) -> None:
    if said["is_deleted"]:
        return
    record = check(Record(particulars_of(said)))
    new = New(Whose(row["id"], row["box_id"]), record, said["creator_name"], said["created_utc"])
    add_customers(db, ring, [new], by)


def _change(
    db: Connection, ring: Keyring, row: RowMapping, said: Mapping[str, Any], found: RowMapping, by: Stamp
) -> None:
    if found["box_id"] != row["box_id"]:
        raise NotTakenIn("other_record")
    if found["deleted_utc"] is not None:
        if said["is_deleted"]:
            return
        raise NotTakenIn("deleted_here")
    if said["is_deleted"]:
        delete_customers(db, ring, [row["id"]], WHY_DELETED, by, None)
        return
    here, before = read_record(db, ring, found), _before(row)
    if before is None and found["changed_utc"] > said["saved_utc"]:
        return  # it came by a sheet, and was changed here after the branch had saved it
    record = with_changes(here, before, particulars_of(said))
    save_customer(db, ring, found, found["version"], check(record), by, "branch")


def _before(row: RowMapping) -> Particulars | None:
    return particulars_of(json.loads(row["taken_said"])) if row["taken_said"] else None
