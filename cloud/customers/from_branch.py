"""What becomes of a customer that a branch has saved: head office's record with the branch's changes in it.

Both ends may change a record. Only what the branch has changed since it was last taken in is taken over,
field by field, so that it undoes nothing that was changed here; of the same field the later change stays, and
the history has both. What only head office knows (address, identity, packages ...) no branch touches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloud.customers.record import Record
from sync.marked import marked
from sync.particulars import Contact, Particulars

FIELDS = ("name", "kind", "numbers", "contacts", "industry", "tags", "remark")
FAULTS: dict[str, str] = {  # why a branch's customer is not taken in
    "other_record": marked("There is a record with this id that is not this branch's."),
    "deleted_here": marked("Head office has deleted or merged the record."),
    "unfit": marked("The branch's record has a field that head office does not take."),
}


def particulars_of(said: Mapping[str, Any]) -> Particulars:
    """What a branch says of a customer, as JSON has it."""
    contacts = tuple(
        Contact(one["name"], one["title"], tuple(one["numbers"]), one["level"]) for one in said["contacts"]
    )
    return Particulars(
        name=said["name"],
        kind=said["kind"],
        numbers=tuple(said["numbers"]),
        contacts=contacts,
        industry=said["industry"],
        tags=tuple(said["tags"]),
        remark=said["remark"],
    )


def with_changes(here: Record, base: Particulars | None, there: Particulars) -> Record:
    """`here` with what differs between `base`, as the branch had it before, and `there`; None: all of it."""
    changed = {
        name: getattr(there, name)
        for name in FIELDS
        if base is None or getattr(there, name) != getattr(base, name)
    }
    return replace(here, what=replace(here.what, **changed))
