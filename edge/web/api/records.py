"""Customers, communications, their sheets and the pop-up for programs."""

from __future__ import annotations

from typing import Any

from edge.store import customers as customer_rows
from edge.store.communications import Communication
from edge.web import communications, customers, popup, popup_save, record_sheets
from edge.web.records import FAULT_WORDS
from edge.web.site import Visit


def customers_found(visit: Visit) -> dict[str, Any]:
    """A page of customers; `older` is what the next question takes."""
    found, size = customers.found_now(visit), customers.PAGE_SIZE
    return {"customers": found[:size], "older": found[size - 1].no if len(found) > size else None}


def customer(visit: Visit, customer_id: str) -> dict[str, Any]:
    """One customer with what was said and what was changed."""
    found = customers.viewed(visit, customer_id)
    return {
        "customer": found,
        "communications": customers.communications_with(visit, found),
        "changes": customer_rows.changes_of(visit.db, found.id),
    }


def customer_added(visit: Visit) -> dict[str, Any]:
    """A new customer."""
    return {"customer": customers.added(visit, customers.read_form(visit))}


def customer_saved(visit: Visit, customer_id: str) -> dict[str, Any]:
    """The customer as given, all fields of it; `revision` is the one it was read with."""
    found = customers.the_customer(visit, customer_id)
    return {"customer": customers.changed(visit, found, customers.read_form(visit))}


def customer_deleted(visit: Visit, customer_id: str) -> dict[str, bool]:
    """Taken out; the history stays."""
    customers.deleted(visit, customer_id)
    return {"done": True}


def customers_cleared(visit: Visit) -> dict[str, int]:
    """All that the address asks for, taken out when `sure` is yes."""
    return {"cleared": customers.cleared(visit)}


def communications_found(visit: Visit) -> dict[str, Any]:
    """A page of records, each with its recording or why there is none to hear."""
    found, size = communications.found_now(visit), communications.PAGE_SIZE
    older = found[size - 1].no if len(found) > size else None
    return {"communications": [_told(visit, one) for one in found[:size]], "older": older}


def _told(visit: Visit, one: Communication) -> dict[str, Any]:
    heard = communications.recordings_of(visit, [one])[one.id]
    recording_id = heard.recording.id if heard.recording else None
    why_not = visit.text(heard.why_not) if heard.why_not else ""
    return {"communication": one, "recording_id": recording_id, "why_not": why_not}


def communication_added(visit: Visit) -> dict[str, Any]:
    """A new record."""
    return {"communication": communications.added(visit)}


def communication_deleted(visit: Visit, communication_id: str) -> dict[str, bool]:
    """Taken out."""
    communications.deleted(visit, communication_id)
    return {"done": True}


def communications_cleared(visit: Visit) -> dict[str, int]:
    """All that the address asks for, taken out when `sure` is yes."""
    return {"cleared": communications.cleared(visit)}


def sheet_looked_at(visit: Visit) -> dict[str, Any]:
    """An uploaded sheet (a multipart form's `sheet`), judged; `reasons` says why rows cannot be added."""
    kept, reasons = record_sheets.looked_at(visit)
    told = {visit.text(FAULT_WORDS[fault]): count for fault, count in reasons.items()}
    return {"id": kept.id, "rows": kept.row_count, "reasons": told}


def sheet_confirmed(visit: Visit, import_id: str) -> dict[str, int]:
    """Every row of it added."""
    return {"added": record_sheets.confirmed(visit, import_id)}


def sheet_undone(visit: Visit) -> dict[str, int]:
    """What the last import added, taken out."""
    removed, kept = record_sheets.undone(visit)
    return {"removed": removed, "kept": kept}


def card(visit: Visit, call_id: str) -> dict[str, Any]:
    """The user's card of a call."""
    return {"card": popup.card_of_call(visit, call_id)}


def card_saved(visit: Visit, call_id: str) -> dict[str, Any]:
    """What was written in it, saved; the card as it is then."""
    popup_save.saved(visit, call_id)
    return card(visit, call_id)
