"""What is written in a pop-up: a customer where there was none, and what was said, tied to the call (COM-05).

It is apart from showing cards because it writes: checked whole before anything is saved.
"""

from __future__ import annotations

import json

from bottle import HTTPError, HTTPResponse

from edge.store.communications import Told, UnfitCommunication, add_communication, check
from edge.store.customers import Customer, add_customer
from edge.store.popup_settings import number_rules
from edge.web.popup import Card, card_of_call
from edge.web.records import author, by, fault_words, translated
from edge.web.rights import Right
from edge.web.site import Visit
from sync.moment import to_text
from sync.particulars import CustomerError, Particulars


def save(visit: Visit, call_id: str) -> HTTPResponse:
    """Save a card: 200 with the card anew, or 400 with what was wrong in words. Nothing is half saved."""
    try:
        saved(visit, call_id)
    except (CustomerError, UnfitCommunication) as error:
        return _answer(400, {"fault": translated(visit, fault_words(error))})
    return _answer(200, {"html": visit.render("_popup.html", card=card_of_call(visit, call_id), saved=True)})


def saved(visit: Visit, call_id: str) -> None:
    """Save what the fields say, all or nothing; 403 without the rights, CustomerError, UnfitCommunication."""
    card = card_of_call(visit, call_id)
    if card.is_minimal:
        raise HTTPError(403)
    says = bool(visit.form.get("content", "").strip())
    if says and not visit.may(Right.COMMUNICATIONS):
        raise HTTPError(403)
    if says:
        check(_told(visit, card, None))
    chosen = _customer(visit, card)
    if says:
        by_user = by(visit, "add_communication")
        add_communication(visit.db, _told(visit, card, chosen), author(visit), by_user, visit.now)


def _told(visit: Visit, card: Card, chosen: Customer | None) -> Told:
    return Told(
        kind="call",
        at_utc=card.call.started_utc if card.call.started_utc < to_text(visit.now) else to_text(visit.now),
        content=visit.form.get("content", ""),
        customer_id=chosen.id if chosen else None,
        customer_name=chosen.particulars.name if chosen else "",
        number=card.number.shown,
        call_id=card.call.id,
        from_popup=True,
    )


def _customer(visit: Visit, card: Card) -> Customer | None:
    """The customer that was chosen among those shown, or a new one when a name was given."""
    wanted = visit.form.get("customer_id", "")
    for one in card.matches:
        if one.customer.id == wanted:
            return one.customer
    name = visit.form.get("name", "").strip()
    if wanted or not name:
        return None
    if not visit.may(Right.CUSTOMERS):
        raise HTTPError(403)
    particulars = Particulars(
        name=name,
        kind=visit.form.get("kind", "individual"),
        numbers=(card.number.shown,),
        remark=visit.form.get("remark", ""),
    )
    return add_customer(
        visit.db, particulars, author(visit), number_rules(visit.db), by(visit, "add_customer"), visit.now
    )


def _answer(status: int, fields: dict[str, str]) -> HTTPResponse:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return HTTPResponse(json.dumps(fields, ensure_ascii=False), status=status, headers=headers)
