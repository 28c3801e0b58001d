"""What is done to customers outside the form: batches, recycle bin, organisation chart, manual sync."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud import quarantine
from cloud.access.decision import Verb, Verdict
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.access.shapes.customers import Customer
from cloud.apply import APPLY
from cloud.branch_customers import take_in
from cloud.customers import chart
from cloud.customers.chart import ChartRefused
from cloud.quarantine import QuarantineError, Who
from cloud.store import customer_tags
from cloud.store import customers as store
from cloud.store.customer_writes import (
    KEPT_FOR,
    ChangedSince,
    bin_rows,
    delete_customers,
    note,
    purge,
    restore_customers,
)
from cloud.store.database import write
from cloud.store.schema import inbox_tables
from cloud.web import customer_words as words
from cloud.web.answers import page, see_other
from cloud.web.asking import ask_of
from cloud.web.customer_form import Sent
from cloud.web.customer_handing import NobodyServes, hand_over, vouch
from cloud.web.customer_reading import (
    One,
    bounds,
    fetch_one,
    fetch_some,
    note_in,
    reached,
    stamp_of,
)
from cloud.web.door import actor_of, person_of
from cloud.web.parts import parts_of
from sync.inbox import Inbox
from sync.locale import marked
from sync.moment import to_text

MOST_AT_ONCE = 200
LONGEST_WHY = 200
MOST_RETRIED = 100


def batch(request: Request, sent: Sent) -> Response:
    """Do one thing to all customers that were ticked; how many it was done to stands on the list."""
    ids = [str(one) for one in sent.getlist("id")][:MOST_AT_ONCE]
    act = BATCHES.get(str(sent.get("act", "")))
    if act is None or not ids:
        raise HTTPException(422, marked("Tick customers first, and choose what to do."))
    needs, deed = act
    if not person_of(request).may(needs):
        raise HTTPException(403, marked("Your role does not allow this. You can apply for it."))
    ask, ids = ask_of(request, Verb.CHANGE, "customers"), reached(request, ids)
    with write(parts_of(request).engine) as db:
        done = deed(request, db, ids, sent)
        action = Action.DELETE if deed is _delete else Action.UPDATE
        if deed is not _hand_over:  # which says itself who served them
            note_in(db, request, action, ask, ids=tuple(ids), row_count=len(ids))
    return see_other(f"/customers?done={done}")


def delete(request: Request, customer_id: str, sent: Sent) -> Response:
    """Put one customer into the recycle bin."""
    found = fetch_one(request, customer_id, Verb.CHANGE, noted=False)
    remove(request, found, str(sent.get("why", "")))
    return see_other("/customers?done=1")


def remove(request: Request, found: One, why: str, version: int | None = None) -> None:
    """Put a customer into the recycle bin, if it still has `version`; ChangedSince."""
    customer_id, stamp, ring = found.row["id"], stamp_of(request), parts_of(request).ring
    with write(parts_of(request).engine) as db:
        gone = delete_customers(db, ring, [customer_id], why.strip()[:LONGEST_WHY], stamp, None, version)
        if version is not None and not gone:
            raise ChangedSince(customer_id)
        note_in(db, request, Action.DELETE, found.verdict.ask, object_id=customer_id)


def _delete(request: Request, db: Connection, ids: Sequence[str], sent: FormData) -> int:
    why = str(sent.get("why", "")).strip()[:LONGEST_WHY]
    return delete_customers(db, parts_of(request).ring, ids, why, stamp_of(request), None)


def _tag(request: Request, db: Connection, ids: Sequence[str], sent: FormData) -> int:
    return _tagged(request, db, ids, sent, customer_tags.give_tag)


def _untag(request: Request, db: Connection, ids: Sequence[str], sent: FormData) -> int:
    return _tagged(request, db, ids, sent, customer_tags.take_tag)


def _tagged(request: Request, db: Connection, ids: Sequence[str], sent: FormData, way: Any) -> int:
    tag = customer_tags.find_tag(db, str(sent.get("tag", "")))
    if tag is None:
        raise HTTPException(422, marked("Tag: pick one of the list."))
    done: list[str] = way(db, tag["id"], ids)
    change = ["", tag["name"]] if way is customer_tags.give_tag else [tag["name"], ""]
    note(db, parts_of(request).ring, done, stamp_of(request), "tag", {"tags": change})
    return len(done)


def _classify(request: Request, db: Connection, ids: Sequence[str], sent: FormData) -> int:
    names = {row["id"]: row["name"] for row in customer_tags.list_classes(db)} | {"": ""}
    chosen = str(sent.get("class", ""))
    if chosen not in names:
        raise HTTPException(422, marked("Class: pick one of the list."))
    before = {row["id"]: row["class_name"] for row in store.customers_of(db, ids, None)}
    customer_tags.set_class(db, chosen, ids)
    for one in ids:
        changed = {"class_id": [before[one], names[chosen]]}
        note(db, parts_of(request).ring, [one], stamp_of(request), "change", changed)
    return len(ids)


def _hand_over(request: Request, db: Connection, ids: Sequence[str], sent: FormData) -> int:
    try:
        server = str(sent.get("server", "")) or "none chosen"
        changes = hand_over(request, db, ids, "" if server == "nobody" else server)
    except NobodyServes as nobody:
        raise HTTPException(422, words.FAULTS["no_such_person"]) from nobody
    ask = ask_of(request, Verb.CHANGE, "customers")
    note_in(db, request, Action.UPDATE, ask, ids=tuple(ids), fields=("served_by",), changes=changes)
    return len(ids)


def _vouch(request: Request, db: Connection, ids: Sequence[str], _sent: FormData) -> int:
    return len(vouch(request, db, ids))


BATCHES = {
    "delete": (Right.MANAGE_CUSTOMERS, _delete),
    "tag": (Right.CHANGE_CUSTOMERS, _tag),
    "untag": (Right.CHANGE_CUSTOMERS, _untag),
    "class": (Right.MANAGE_CUSTOMERS, _classify),
    "serve": (Right.MANAGE_CUSTOMERS, _hand_over),
    "vouch": (Right.MANAGE_CUSTOMERS, _vouch),
}


def recycle_bin(request: Request) -> Response:
    """What was deleted in the last days and can be restored."""
    shown = fetch_bin(request)
    return page(request, "customer_bin.html", customers=shown, kept_days=KEPT_FOR.days, customer_words=words)


def fetch_bin(request: Request) -> list[Customer]:
    """The customers in the recycle bin, the last one deleted first, at most MOST_AT_ONCE."""
    parts = parts_of(request)
    since = to_text(parts.clock.now() - KEPT_FOR)
    with write(parts.engine) as db:
        purge(db, since)
    return fetch_some(
        request, Verb.CHANGE, lambda db, _: bin_rows(db, since, MOST_AT_ONCE), {"list": "recycle bin"}
    )


def restore(request: Request, customer_id: str) -> Response:
    """Take one customer out of the recycle bin."""
    take_out(request, customer_id)
    return see_other(f"/customers/{customer_id}")


def take_out(request: Request, customer_id: str) -> None:
    """Take one customer of the person's branches out of the recycle bin; 404 when it is not in it."""
    parts = parts_of(request)
    since = to_text(parts.clock.now() - KEPT_FOR)
    verdict = bounds(request, Verb.CHANGE)
    with write(parts.engine) as db:
        if not restore_customers(db, parts.ring, [customer_id], since, stamp_of(request), verdict.box_ids):
            raise HTTPException(404, marked("It is in the recycle bin no more."))
        note_in(db, request, Action.RESTORE, verdict.ask, object_id=customer_id)


def add_node(request: Request, customer_id: str, sent: Sent) -> Response:
    """Add a department, post or person to a customer's organisation chart."""
    found = fetch_one(request, customer_id, Verb.CHANGE, noted=False)
    with write(parts_of(request).engine) as db:
        nodes = store.nodes_of(db, customer_id)
        try:
            node = chart.new_node(
                nodes, str(sent.get("kind", "")), str(sent.get("name", "")), str(sent.get("parent", ""))
            )
        except ChartRefused as refused:
            raise HTTPException(422, str(refused)) from refused
        store.add_node(db, customer_id, node)
        _note_chart(request, db, found.verdict, customer_id, "", node.name)
    return see_other(f"/customers/{customer_id}?tab=chart")


def remove_node(request: Request, customer_id: str, node_id: str) -> Response:
    """Take a node out; what was below it stands where it stood."""
    found = fetch_one(request, customer_id, Verb.CHANGE, noted=False)
    with write(parts_of(request).engine) as db:
        name = store.remove_node(db, customer_id, node_id)
        if name is None:
            raise HTTPException(404, marked("There is no such entry in the chart."))
        _note_chart(request, db, found.verdict, customer_id, name, "")
    return see_other(f"/customers/{customer_id}?tab=chart")


def _note_chart(
    request: Request, db: Connection, verdict: Verdict, customer_id: str, old: str, new: str
) -> None:
    ring = parts_of(request).ring
    note(db, ring, [customer_id], stamp_of(request), "chart", {"chart": [old, new]})
    note_in(db, request, Action.UPDATE, verdict.ask, object_id=customer_id, fields=("chart",))


def sync_now(request: Request, customer_id: str) -> Response:
    """Bring up to date what head office can by itself: what was set aside, and what waits to be taken in."""
    parts = parts_of(request)
    found = fetch_one(request, customer_id, noted=False)
    box_id = found.row["box_id"]
    if box_id is None:
        raise HTTPException(409, marked("This is head office's own record; there is no branch to ask."))
    who = Who(actor_of(request), parts.clock.now_utc())
    with write(parts.engine) as db:
        inbox = Inbox(inbox_tables, APPLY)
        for item in list(quarantine.items(db, box_id))[:MOST_RETRIED]:
            try:
                quarantine.retry(db, inbox, item["id"], who)
            except QuarantineError:  # of a sort that cannot be applied, or settled meanwhile
                continue
        store.note_sync(db, customer_id, parts.clock.now_utc())
        note_in(db, request, Action.UPDATE, found.verdict.ask, object_id=customer_id, fields=("synced_utc",))
    take_in(parts.engine, parts.ring, parts.clock.now_utc(), box_id)
    return see_other(f"/customers/{customer_id}")
