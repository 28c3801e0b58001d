"""The page where tags, their rules and the classes of customers are kept."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.exc import IntegrityError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb
from cloud.access.log import Action
from cloud.customers.tag_rules import FIELDS, MOST_CONDITIONS, Rule, RuleRefused, from_text, make_rule
from cloud.store import customer_tags as store
from cloud.store.database import read, write
from cloud.web import customer_words as words
from cloud.web.answers import page, see_other, translate
from cloud.web.customer_form import Sent
from cloud.web.customer_reading import bounds, note, note_in
from cloud.web.parts import parts_of
from sync.locale import marked

_SEPARATORS = frozenset(";；|\n\r\t\0")


def tags_page(request: Request) -> Response:
    """Every tag and class."""
    return _page(request, 200)


def save_tag(request: Request, sent: Sent) -> Response:
    """Add a tag, or change the one that `tag` names; with its rule."""
    try:
        name, rule = _name(sent), _rule(request, sent)
    except RuleRefused as refused:
        return _page(request, 422, words.RULE_FAULTS[str(refused)], sent)
    tag_id = str(sent.get("tag", ""))
    ask = bounds(request, Verb.CHANGE).ask
    with write(parts_of(request).engine) as db:
        known = store.tag_named(db, name)
        if known is not None and known["id"] != tag_id:
            return _page(request, 422, words.RULE_FAULTS["known_name"], sent)
        if tag_id and store.find_tag(db, tag_id) is None:
            raise HTTPException(404, marked("There is no such tag."))
        saved = store.save_tag(db, tag_id, name, rule)
        note_in(db, request, Action.UPDATE, ask, object_id=saved, fields=("tag",))
    return see_other("/customers/tags")


def delete_tag(request: Request, tag_id: str) -> Response:
    """Delete a tag; whoever had it has it no more."""
    ask = bounds(request, Verb.CHANGE).ask
    with write(parts_of(request).engine) as db:
        store.delete_tag(db, tag_id)
        note_in(db, request, Action.DELETE, ask, object_id=tag_id, fields=("tag",))
    return see_other("/customers/tags")


def apply_rules(request: Request) -> Response:
    """Evaluate every rule for every customer now."""
    parts, ask = parts_of(request), bounds(request, Verb.CHANGE).ask
    counts = store.apply_rules(parts.engine, _today(request), parts.clock.now_utc())
    note(request, Action.UPDATE, ask, fields=("tags",), row_count=sum(counts.values()))
    return see_other("/customers/tags?done=1")


def save_class(request: Request, sent: Sent) -> Response:
    """Add a class, or rename the one that `class` names."""
    ask = bounds(request, Verb.CHANGE).ask
    try:
        name = _name(sent)
        with write(parts_of(request).engine) as db:
            class_id = str(sent.get("class", ""))
            if class_id:
                store.rename_class(db, class_id, name)
            else:
                class_id = store.add_class(db, name)
            note_in(db, request, Action.UPDATE, ask, object_id=class_id, fields=("class",))
    except RuleRefused as refused:
        return _page(request, 422, words.RULE_FAULTS[str(refused)])
    except IntegrityError:
        return _page(request, 422, words.RULE_FAULTS["known_name"])
    return see_other("/customers/tags")


def delete_class(request: Request, class_id: str) -> Response:
    """Delete a class; its customers have none then."""
    ask = bounds(request, Verb.CHANGE).ask
    with write(parts_of(request).engine) as db:
        store.delete_class(db, class_id)
        note_in(db, request, Action.DELETE, ask, object_id=class_id, fields=("class",))
    return see_other("/customers/tags")


def _page(request: Request, status: int, fault: str = "", sent: FormData | None = None) -> Response:
    bounds(request, Verb.CHANGE)
    with read(parts_of(request).engine) as db:
        tags = [dict(row) | {"conditions": from_text(row["rule"])} for row in store.list_tags(db)]
        classes = store.list_classes(db)
    chosen = request.query_params.get("tag", "") or str(sent.get("tag", "") if sent is not None else "")
    edited: Any = next((tag for tag in tags if tag["id"] == chosen), None)
    conditions = (
        [(one.field, one.comparison, str(one.value)) for one in edited["conditions"]] if edited else []
    )
    if sent is not None:
        conditions, edited = _rows(request, sent), {"id": chosen, "name": str(sent.get("name", ""))}
    return page(
        request,
        "customer_tags.html",
        status,
        tags=tags,
        classes=classes,
        edited=edited,
        conditions=[*conditions, *[("", "", "")] * max(0, 3 - len(conditions))],
        rule_fields=FIELDS,
        choices=[translate(request, one) for table in words.RULE_CHOICES.values() for one in table.values()],
        customer_words=words,
        fault=fault,
        done=request.query_params.get("done", "") == "1",
    )


def _name(sent: FormData) -> str:
    name = str(sent.get("name", "")).strip()
    if not 0 < len(name) <= store.LONGEST_NAME or _SEPARATORS & set(name):
        raise RuleRefused("no_tag_name")
    return name


def _rule(request: Request, sent: FormData) -> Rule:
    """The rule of the form; none when no condition is chosen."""
    rows = [row for row in _rows(request, sent) if row[0]]
    return make_rule(rows) if rows else ()


def _rows(request: Request, sent: FormData) -> list[tuple[str, str, str]]:
    columns = ([str(one) for one in sent.getlist(name)] for name in ("field", "is", "value"))
    rows = list(zip(*columns, strict=False))[: MOST_CONDITIONS + 1]
    return [(field, how, _key(request, field, value.strip())) for field, how, value in rows]


def _key(request: Request, field: str, value: str) -> str:
    """The value that a word stands for, in the reader's language; any other as it is."""
    table = words.RULE_CHOICES.get(field, {})
    return next((key for key, text in table.items() if translate(request, text) == value), value)


def _today(request: Request) -> date:
    parts = parts_of(request)
    return parts.clock.now().astimezone(parts.settings.zone).date()
