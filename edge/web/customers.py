"""The Customers page: find, add, change, delete to history; each user within a scope (POP-20 to 24).

Every view, change and refusal stands in the operation log; a record outside one's scope answers as if there
were none.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from bottle import HTTPError, HTTPResponse

from edge.store import customers as store
from edge.store.communications import Communication, CommunicationFilter, communications_page
from edge.store.customers import Change, ChangedSince, Customer, NoSuchCustomer
from edge.store.operations import log_operation, log_play
from edge.store.popup_settings import number_rules
from edge.store.scope import communications_scope, customers_scope
from edge.web.communications import recordings_of
from edge.web.records import COMMUNICATION_KINDS, CUSTOMER_KINDS, FIELD_WORDS, author, by, fault_words
from edge.web.rights import Right
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.cells import contacts_cell, read_contacts, split
from sync.particulars import LONGEST_NUMBER, Contact, Particulars, Unfit

PAGE_SIZE = 50
LONGEST_ASKED = 64
ONE_VIEW = timedelta(minutes=10)
MOST_COMMUNICATIONS = 100


def show(visit: Visit) -> HTTPResponse:
    """The list, newest first, or what was searched for."""
    text, kind, _ = asked(visit)
    found = found_now(visit)
    more = len(found) > PAGE_SIZE
    kept = {name: value for name, value in (("text", text), ("kind", kind)) if value}
    return visit.page(
        "customers.html",
        strip=strip(visit),
        customers=found[:PAGE_SIZE],
        text=text,
        kind=kind,
        kinds=CUSTOMER_KINDS,
        asked=urlencode(kept),
        older="/customers?" + urlencode({**kept, "older": found[PAGE_SIZE - 1].no}) if more else "",
        cleared=visit.query.get("cleared", ""),
    )


def found_now(visit: Visit) -> tuple[Customer, ...]:
    """What the address asks for, one more than a page has when there is one more; the look is logged."""
    text, kind, older = asked(visit)
    log_play(visit.db, by(visit, "list_customers", text), visit.now, ONE_VIEW)
    return store.customers_page(visit.db, customers_scope(visit.user), text, kind, PAGE_SIZE + 1, older)


def asked(visit: Visit) -> tuple[str, str, int | None]:
    """Words, kind and place that an address asks for; 400 for a kind or a place there is none of."""
    text, kind = visit.query.get("text", "").strip(), visit.query.get("kind", "")
    older = visit.query.get("older", "")
    if len(text) > LONGEST_ASKED or (kind and kind not in CUSTOMER_KINDS):
        raise HTTPError(400)
    if older and not re.fullmatch(r"[0-9]{1,15}", older):
        raise HTTPError(400)
    return text, kind, int(older) if older else None


def blank(visit: Visit) -> HTTPResponse:
    """The empty form."""
    number = visit.query.get("number", "")[:LONGEST_NUMBER]
    return _form(visit, None, Particulars("", numbers=(number,) if number else ()))


def add(visit: Visit) -> HTTPResponse:
    """Save a new customer."""
    given = read_form(visit)
    try:
        return see_other(f"/customers/{added(visit, given).id}")
    except Unfit as error:
        return _form(visit, None, given, fault_words(error))


def added(visit: Visit, given: Particulars) -> Customer:
    """A new customer; Unfit."""
    by_user = by(visit, "add_customer")
    return store.add_customer(visit.db, given, author(visit), number_rules(visit.db), by_user, visit.now)


def form(visit: Visit, customer_id: str) -> HTTPResponse:
    """One customer: particulars, communications, history."""
    found = viewed(visit, customer_id)
    return _form(visit, found, found.particulars)


def viewed(visit: Visit, customer_id: str) -> Customer:
    """The customer, and a line in the log that the user looked; 404."""
    found = the_customer(visit, customer_id)
    log_play(visit.db, by(visit, "view_customer", customer_id), visit.now, ONE_VIEW)
    return found


def save(visit: Visit, customer_id: str) -> HTTPResponse:
    """Save changes, unless somebody else saved some since this form was opened."""
    found, given = the_customer(visit, customer_id), read_form(visit)
    try:
        changed(visit, found, given)
    except (Unfit, ChangedSince) as error:
        return _form(visit, found, given, fault_words(error))
    return see_other(f"/customers/{customer_id}")


def changed(visit: Visit, found: Customer, given: Particulars) -> Customer:
    """The customer as given; Unfit, or ChangedSince when `revision` is not the one it was read with."""
    if visit.form.get("revision") != str(found.revision):
        raise ChangedSince("changed_since")
    by_user = by(visit, "change_customer")
    return store.change_customer(visit.db, found, given, number_rules(visit.db), by_user, visit.now)


def delete(visit: Visit, customer_id: str) -> HTTPResponse:
    """Take a customer out; the history stays."""
    deleted(visit, customer_id)
    return see_other("/customers")


def deleted(visit: Visit, customer_id: str) -> None:
    """404 when the user's scope has none."""
    found = the_customer(visit, customer_id)
    store.delete_customers(visit.db, [found.no], by(visit, "delete_customer"), visit.now)


def clear(visit: Visit) -> HTTPResponse:
    """Take out everything that the search finds (清除), when the user has said so in words."""
    return see_other(f"/customers?cleared={cleared(visit)}")


def cleared(visit: Visit) -> int:
    """How many were taken out; 400 unless `sure` is yes."""
    if visit.form.get("sure") != "yes":
        raise HTTPError(400)
    text, kind, _ = asked(visit)
    count = 0
    while batch := store.customers_page(visit.db, customers_scope(visit.user), text, kind, 200):
        count += store.delete_customers(
            visit.db, [one.no for one in batch], by(visit, "clear_customers"), visit.now
        )
    return count


def the_customer(visit: Visit, customer_id: str) -> Customer:
    """The customer of that id; 404, and a refusal in the log, when the user's scope has none."""
    try:
        return store.customer(visit.db, customers_scope(visit.user), customer_id)
    except NoSuchCustomer as error:
        refused = by(visit, "view_customer", customer_id[:64], "not in scope", "refused")
        log_operation(visit.db, refused, visit.now)
        raise HTTPError(404) from error


def _words_of(change: Change) -> list[tuple[str, str, str]]:
    """(field as a marked text, old, new) of each field that a change touched."""
    return [(FIELD_WORDS[name], _cell(old), _cell(new)) for name, (old, new) in change.fields.items()]


def _cell(value: object) -> str:
    """A value of the history as one line."""
    if not isinstance(value, list):
        return str(value).replace("\n", " / ")
    parts = (contacts_cell([_contact(one)]) if isinstance(one, dict) else str(one) for one in value)
    return "；".join(parts) or "–"


def _contact(one: dict[str, Any]) -> Contact:
    return Contact(one["name"], one["title"], tuple(one["numbers"]))


def read_form(visit: Visit) -> Particulars:
    """What the form says; whether it can be so is for the store to judge."""
    given = visit.form.get
    return Particulars(
        name=given("name", ""),
        kind=given("kind", "individual"),
        numbers=split(given("numbers", "")),
        contacts=read_contacts(given("contacts", "")),
        address=given("address", ""),
        industry=given("industry", ""),
        tags=split(given("tags", "")),
        remark=given("remark", ""),
    )


def communications_with(visit: Visit, found: Customer) -> tuple[Communication, ...]:
    """What was said with a customer, as far as the user may read it."""
    if not visit.may(Right.COMMUNICATIONS):
        return ()
    wanted, scope = CommunicationFilter(customer_id=found.id), communications_scope(visit.user)
    return communications_page(visit.db, scope, wanted, MOST_COMMUNICATIONS)


def _form(visit: Visit, found: Customer | None, given: Particulars, fault: str = "") -> HTTPResponse:
    communications = communications_with(visit, found) if found else ()
    return visit.page(
        "customer.html",
        400 if fault else 200,
        strip=strip(visit),
        customer=found,
        given=given,
        numbers="\n".join(given.numbers),
        contacts=contacts_cell(given.contacts),
        tags="；".join(given.tags),
        kinds=CUSTOMER_KINDS,
        communication_kinds=COMMUNICATION_KINDS,
        communications=communications,
        recordings=recordings_of(visit, communications),
        changes=[(one, _words_of(one)) for one in store.changes_of(visit.db, found.id)] if found else [],
        fault=fault,
    )
