"""Customers that may be one and the same: found, compared field by field, merged, and parted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb, Verdict
from cloud.access.log import Action
from cloud.access.shapes.customers import Customer
from cloud.customers.merging import CHOSEN, differences, merged
from cloud.customers.record import check
from cloud.store import customer_merges as merges
from cloud.store import customers as store
from cloud.store.customer_merges import CannotPart, Group
from cloud.store.customer_writes import ChangedSince, read_record
from cloud.store.database import read, write
from cloud.web import customer_words as words
from cloud.web.answers import page, see_other
from cloud.web.customer_form import Sent
from cloud.web.customer_reading import NONE_SUCH, One, fetch_one, fetch_some, note_in, stamp_of
from cloud.web.parts import parts_of
from sync.locale import marked
from sync.particulars import Unfit


def duplicates_page(request: Request) -> Response:
    """Groups of customers that share what only one should have."""
    groups: list[Group] = []

    def choose(db: Connection, verdict: Verdict) -> Sequence[RowMapping]:
        groups.extend(merges.find_groups(db, verdict.box_ids))
        ids = {one for group in groups for one in group.ids}
        return store.customers_of(db, sorted(ids), verdict.box_ids)

    found = fetch_some(request, Verb.CHANGE, choose, {"list": "duplicates"})
    shown = {one.fields["id"]: one for one in found}
    told = [(group.why, [shown[one] for one in group.ids if one in shown]) for group in groups]
    return page(
        request, "customer_duplicates.html", groups=[one for one in told if len(one[1]) > 1],
        most=merges.MOST_GROUPS, customer_words=words,
    )  # fmt: skip


def compare(request: Request, customer_id: str, other_id: str) -> Response:
    """Two records side by side, with a choice for each field in which they differ."""
    return _compare(request, 200, customer_id, other_id, "")


def merge(request: Request, customer_id: str, other_id: str, sent: Sent) -> Response:
    """Make the other part of the kept one."""
    seen = (str(sent.get("version")), str(sent.get("other_version")))
    try:
        merge_pair(request, (customer_id, other_id), seen, _choices(sent))
    except ChangedSince:
        sentence = marked("One of the two was changed meanwhile. Look again, then merge.")
        return _compare(request, 409, customer_id, other_id, sentence)
    except Unfit as fault:
        return _compare(request, 422, customer_id, other_id, words.FAULTS[str(fault)])
    return see_other(f"/customers/{customer_id}")


def merge_pair(
    request: Request, ids: tuple[str, str], versions: tuple[str, str], choices: Mapping[str, str]
) -> str:
    """Make the second part of the first, if both still have the versions that were seen; the merge's id.

    ChangedSince, Unfit; 404 for what is not there or not theirs.
    """
    parts = parts_of(request)
    kept, other = _pair(request, *ids, noted=False)
    if versions != (str(kept.row["version"]), str(other.row["version"])):
        raise ChangedSince(ids[0])
    with write(parts.engine) as db:
        whole = merged(read_record(db, parts.ring, kept.row), read_record(db, parts.ring, other.row), choices)
        made = check(whole), stamp_of(request)
        merge_id = merges.merge(db, parts.ring, kept.row, other.row, int(versions[0]), *made)
        deed = {"object_id": ids[0], "ids": ids, "fields": ("merge", merge_id)}
        note_in(db, request, Action.UPDATE, kept.verdict.ask, **deed)
    return merge_id


def undo(request: Request, merge_id: str) -> Response:
    """Part two records again, as they were."""
    return see_other(f"/customers/{part_again(request, merge_id)}")


def part_again(request: Request, merge_id: str) -> str:
    """Part two records again; the id of the one that was kept. 404, or 409 when it was changed since."""
    parts = parts_of(request)
    try:
        with read(parts.engine) as db:
            row = merges.find_merge(db, merge_id)
        if row is None:
            raise HTTPException(404, marked("There is no such merge any more."))
        verdict = fetch_one(request, row["kept_id"], Verb.CHANGE, noted=False).verdict
        with write(parts.engine) as db:
            merges.part(db, parts.ring, row, stamp_of(request), verdict.box_ids)
            note_in(db, request, Action.UPDATE, verdict.ask, object_id=row["kept_id"], fields=("unmerge",))
    except CannotPart as error:
        raise HTTPException(409, CHANGED_ON) from error
    return str(row["kept_id"])


CHANGED_ON = marked("The record was changed after the merge, so it can no longer be undone as a whole.")


def _pair(request: Request, customer_id: str, other_id: str, noted: bool) -> tuple[One, One]:
    if customer_id == other_id:
        raise HTTPException(404, NONE_SUCH)
    return (
        fetch_one(request, customer_id, Verb.CHANGE, noted),
        fetch_one(request, other_id, Verb.CHANGE, noted),
    )


def _compare(request: Request, status: int, customer_id: str, other_id: str, fault: str) -> Response:
    parts = parts_of(request)
    kept, other = _pair(request, customer_id, other_id, noted=True)
    with read(parts.engine) as db:
        differing = differences(read_record(db, parts.ring, kept.row), read_record(db, parts.ring, other.row))
    names = {one.field for one in differing}
    return page(
        request, "customer_compare.html", status, kept=kept.shown, other=other.shown, fault=fault,
        rows=[(name, _value(kept.shown, name), _value(other.shown, name), name in names) for name in CHOSEN],
        customer_words=words,
    )  # fmt: skip


def _value(shown: Customer, name: str) -> object:
    """A field as it may be seen; a class by its name."""
    return shown.fields["class_name" if name == "class_id" else name]


def _choices(sent: FormData) -> dict[str, str]:
    return {name: str(sent.get(f"take.{name}", "kept")) for name in CHOSEN}
