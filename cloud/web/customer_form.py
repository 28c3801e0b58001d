"""Adding and changing a customer: a form by template; of two people who save at once the second is told.

The form carries the version it was opened with. If another is saved meanwhile, nothing is overwritten: both
are shown side by side, and saving again is a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.customers.form import TEMPLATES, Clear, Typed, as_record, as_typed, check_new
from cloud.customers.record import Record, check
from cloud.store import boxes, customer_tags, happenings
from cloud.store import customers as store
from cloud.store.customer_rows import Whose
from cloud.store.customer_writes import ChangedSince, New, add_customers, read_record, save_customer
from cloud.store.database import read, write
from cloud.web import customer_words as words
from cloud.web.answers import page, see_other
from cloud.web.customer_handing import Changes, NobodyServes, hand_over, servers
from cloud.web.customer_reading import One, bounds, fetch_one, note_in, stamp_of
from cloud.web.customers import rights_shown
from cloud.web.door import person_of
from cloud.web.parts import parts_of
from cloud.webhooks.kinds import CUSTOMER_SAVED
from sync.ids import new_id
from sync.locale import marked
from sync.particulars import Particulars, Unfit

BLANK_ROWS = 2
CONTACT_CELLS = ("name", "title", "numbers", "level")
PACKAGE_CELLS = ("service", "name", "started_on", "expires_on")
NEITHER = Typed({})


async def form_of(request: Request) -> FormData:
    """The form that was sent."""
    return await request.form()


Sent = Annotated[FormData, Depends(form_of)]


def blank_form(request: Request, template: str = "individual") -> Response:
    """The form of a new customer."""
    chosen = TEMPLATES.get(template)
    if chosen is None:
        raise HTTPException(404, marked("There is no such page."))
    typed = Typed({"kind": chosen.kind, "state": "active"}, (), ({"service": chosen.service},))
    return _form(request, 200, typed, form_template=template)


def add(request: Request, sent: Sent, template: str = "individual") -> Response:
    """Save a new customer."""
    chosen, typed = TEMPLATES.get(template), read_form(sent)
    if chosen is None:
        raise HTTPException(404, marked("There is no such page."))
    try:
        customer_id = create(request, typed, chosen.kind, _served_by(sent))
    except Unfit as fault:
        return _form(request, 422, typed, form_template=template, fault=words.FAULTS[str(fault)])
    return see_other(f"/customers/{customer_id}")


def create(request: Request, typed: Typed, kind: str, served_by: str | None) -> str:
    """Save a new customer as typed; its id. `served_by`: None: nothing is said of it. Unfit."""
    parts = parts_of(request)
    record = check_new(check(as_record(typed, Record(Particulars("", kind=kind)), Clear())))
    verdict = bounds(request, Verb.CHANGE)
    with write(parts.engine) as db:
        _check_class(db, record)
        whose = Whose(new_id(), _box(db, typed.texts.get("box_id", ""), verdict))
        add_customers(db, parts.ring, [New(whose, record)], stamp_of(request))
        handed = _serve(request, db, whose.id, served_by)
        customer_tags.apply_to(db, whose.id, _today(request))
        deed = {"object_id": whose.id, "box_id": whose.box_id or "", "changes": handed}
        happenings.note(db, CUSTOMER_SAVED, [whose.id], parts.clock.now_utc())
        note_in(db, request, Action.CREATE, verdict.ask, **deed)
    return whose.id


def edit_form(request: Request, customer_id: str) -> Response:
    """The form of a customer, filled in as far as the person may see it."""
    found = fetch_one(request, customer_id, Verb.CHANGE)
    with read(parts_of(request).engine) as db:
        record = read_record(db, parts_of(request).ring, found.row)
    return _form(request, 200, as_typed(record, clear_of(found)), found)


def save(request: Request, customer_id: str, sent: Sent) -> Response:
    """Save changes, unless somebody else saved some since the form was opened."""
    typed, version = read_form(sent), _version(sent)
    found = fetch_one(request, customer_id, Verb.CHANGE, noted=False)
    try:
        change(request, found, version, lambda _before, _clear: typed, _served_by(sent))
    except Unfit as fault:
        return _form(request, 422, typed, found, fault=words.FAULTS[str(fault)], version=version)
    except ChangedSince:
        return _conflict(request, fetch_one(request, customer_id, Verb.CHANGE), typed)
    return see_other(f"/customers/{customer_id}")


def change(
    request: Request,
    found: One,
    version: int,
    typed_of: Callable[[Record, Clear], Typed],
    served_by: str | None,
) -> None:
    """Save what `typed_of` makes of the record as it is, if it still has `version`; Unfit, ChangedSince."""
    parts, verdict, customer_id = parts_of(request), found.verdict, found.row["id"]
    with write(parts.engine) as db:
        row = store.find_customer(db, customer_id, verdict.box_ids)
        if row is None:
            raise HTTPException(404, marked("There is no such customer."))
        before, seen = read_record(db, parts.ring, row), clear_of(found)
        record = check(as_record(typed_of(before, seen), before, seen))
        _check_class(db, record)
        changed = save_customer(db, parts.ring, row, version, record, stamp_of(request))
        handed = _serve(request, db, customer_id, served_by)
        customer_tags.apply_to(db, customer_id, _today(request))
        deed = {"object_id": customer_id, "box_id": row["box_id"] or "", "fields": tuple(changed)}
        deed |= {"changes": handed}
        if changed:
            happenings.note(db, CUSTOMER_SAVED, [customer_id], parts.clock.now_utc())
        note_in(db, request, Action.UPDATE, verdict.ask, **deed)


def read_form(sent: FormData) -> Typed:
    """What was typed, cell by cell; rows as long as their longest column."""
    texts = {name: _text(value) for name, value in sent.items() if "." not in name}
    return Typed(texts, _rows(sent, "contact", CONTACT_CELLS), _rows(sent, "package", PACKAGE_CELLS))


def _rows(sent: FormData, name: str, cells: Sequence[str]) -> tuple[dict[str, str], ...]:
    columns = {cell: [_text(one) for one in sent.getlist(f"{name}.{cell}")] for cell in cells}
    count = max(len(column) for column in columns.values())
    return tuple(
        {cell: column[at] if at < len(column) else "" for cell, column in columns.items()}
        for at in range(count)
    )


def _text(value: object) -> str:
    return value.replace("\0", "") if isinstance(value, str) else ""


def _conflict(request: Request, found: One, typed: Typed) -> Response:
    """The form as typed, beside what somebody else saved meanwhile."""
    with read(parts_of(request).engine) as db:
        theirs = as_typed(read_record(db, parts_of(request).ring, found.row), clear_of(found))
    differing = [
        (name, text, typed.texts.get(name, ""))
        for name, text in theirs.texts.items()
        if name in words.FIELDS and text.strip() != typed.texts.get(name, "").strip().replace("\r\n", "\n")
    ]
    return _form(request, 409, typed, found, differing=differing)


def _form(request: Request, status: int, typed: Typed, found: One | None = None, **facts: Any) -> Response:
    verdict = bounds(request, Verb.CHANGE)
    with read(parts_of(request).engine) as db:
        chosen: dict[str, Any] = {
            "boxes": shape.box_names(boxes.list_boxes(db), verdict),
            "sees_all": verdict.box_ids is None,
            "classes": customer_tags.list_classes(db),
            "known_tags": [row["name"] for row in customer_tags.list_tags(db)],
            "servers": servers(db),
        }
    template = facts.pop("form_template", None) or (found.shown.fields["kind"] if found else "individual")
    plain: dict[str, Any] = {"fault": "", "differing": [], "version": found.row["version"] if found else 0}
    return page(
        request,
        "customer_form.html",
        status,
        typed=typed,
        contacts=[*typed.contacts, *({},) * BLANK_ROWS],
        packages=[*typed.packages, *({},) * (BLANK_ROWS - (not found))],
        customer=found.shown if found else None,
        clear=clear_of(found) if found else Clear(),
        form_template=template,
        templates=TEMPLATES,
        fields=TEMPLATES[template].fields,
        served_by=found.row["served_by"] if found else "",
        customer_words=words,
        **(plain | facts),
        **chosen,
        **rights_shown(request),
    )


def clear_of(found: One) -> Clear:
    """What the person sees clear of a customer."""
    return Clear(found.shown.personal, found.shown.sensitive)


def _version(sent: Mapping[str, Any]) -> int:
    text = str(sent.get("version", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _check_class(db: Connection, record: Record) -> None:
    known = {row["id"] for row in customer_tags.list_classes(db)}
    if record.class_id and record.class_id not in known:
        raise Unfit("no_such_class")


def _served_by(sent: FormData) -> str | None:
    return _text(sent["served_by"]) if "served_by" in sent else None


def _serve(request: Request, db: Connection, customer_id: str, chosen: str | None) -> Changes:
    """Say who serves a customer: whoever manages says so, since it makes personal fields clear to them."""
    if chosen is None or not person_of(request).may(Right.MANAGE_CUSTOMERS):
        return {}
    try:
        return hand_over(request, db, [customer_id], chosen)
    except NobodyServes as nobody:
        raise Unfit("no_such_person") from nobody


def _box(db: Connection, chosen: str, verdict: Verdict) -> str | None:
    """The branch of a new customer; head office's own if none is chosen by somebody who sees them all."""
    if not chosen and verdict.box_ids is None:
        return None
    if chosen not in {one.id for one in shape.box_names(boxes.list_boxes(db), verdict)}:
        raise Unfit("no_such_branch")
    return chosen


def _today(request: Request) -> Any:
    parts = parts_of(request)
    return parts.clock.now().astimezone(parts.settings.zone).date()
