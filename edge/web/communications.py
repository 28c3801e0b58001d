"""The Communications page (沟通记录): what was said with whom; found, added, cleared within COM-03's scope.

Its recording plays under the two conditions of COM-05 alone, and where it does not, the page says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from bottle import HTTPError, HTTPResponse, static_file

from edge.store import communications as store
from edge.store.communications import Communication, CommunicationFilter, Told, UnfitCommunication
from edge.store.customers import NoSuchCustomer
from edge.store.customers import customer as find_customer
from edge.store.listing import RecordingRow, call_facts
from edge.store.operations import log_operation, log_play
from edge.store.scope import communications_scope, customers_scope
from edge.web import shown
from edge.web.files import MIME_TYPES
from edge.web.records import COMMUNICATION_KINDS, author, by, fault_words
from edge.web.rights import Right
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.locale import marked
from sync.moment import to_text

PAGE_SIZE = 50
LONGEST_ASKED = 64
FIELDS = ("text", "kind", "from", "to")
ONE_VIEW = timedelta(minutes=10)
NO_RIGHT = marked("You have no right to look up recordings.")
NOT_FROM_POPUP = marked("Only records made in a pop-up lead to a recording.")
NO_RECORDING = marked("The call has no finished recording.")


@dataclass(frozen=True, slots=True)
class Heard:
    """The recording of a record's call, or why there is none to hear (a marked text)."""

    recording: RecordingRow | None
    why_not: str = ""


def show(visit: Visit) -> HTTPResponse:
    """The list, the last added first."""
    asked = asked_for(visit)
    found = found_now(visit)
    more = len(found) > PAGE_SIZE
    kept = {name: value for name, value in asked.items() if value}
    records = found[:PAGE_SIZE]
    return visit.page(
        "communications.html",
        strip=strip(visit),
        records=records,
        recordings=recordings_of(visit, records),
        asked=asked,
        asked_link=urlencode(kept),
        kinds=COMMUNICATION_KINDS,
        older="/communications?" + urlencode({**kept, "older": records[-1].no}) if more else "",
        cleared=visit.query.get("cleared", ""),
    )


def asked_for(visit: Visit) -> dict[str, str]:
    """What the address asks for, by field."""
    return {name: visit.query.get(name, "").strip() for name in FIELDS}


def found_now(visit: Visit) -> tuple[Communication, ...]:
    """What the address asks for, one more than a page has when there is one more; the look is logged."""
    asked, older = asked_for(visit), visit.query.get("older", "")
    wanted, scope = read_filter(visit, asked), communications_scope(visit.user)
    before = int(older) if re.fullmatch("[0-9]{1,15}", older) else None
    log_play(visit.db, by(visit, "list_communications", asked["text"]), visit.now, ONE_VIEW)
    return store.communications_page(visit.db, scope, wanted, PAGE_SIZE + 1, before)


def read_filter(visit: Visit, asked: Mapping[str, str]) -> CommunicationFilter:
    """What an address asks for; 400 for a kind or a day that is none."""
    if len(asked["text"]) > LONGEST_ASKED or (asked["kind"] and asked["kind"] not in COMMUNICATION_KINDS):
        raise HTTPError(400)
    try:
        first, last = ((date.fromisoformat(asked[name]) if asked[name] else None) for name in ("from", "to"))
    except ValueError as error:
        raise HTTPError(400) from error
    zone = visit.site.settings.zone
    try:
        return CommunicationFilter(
            asked["text"],
            asked["kind"],
            "",
            shown.midnight_utc(first, zone) if first else "",
            shown.midnight_utc(last + timedelta(days=1), zone) if last else "",
        )
    except OverflowError as error:
        raise HTTPError(400) from error


def blank(visit: Visit) -> HTTPResponse:
    """The empty form, for a customer when one is named."""
    told = Told("call", to_text(visit.now), "", customer_id=visit.query.get("customer") or None)
    return _form(visit, _with_name(visit, told))


def add(visit: Visit) -> HTTPResponse:
    """Save a record; it is never of a pop-up, whatever the form says."""
    try:
        made = added(visit)
    except UnfitCommunication as error:
        return _form(visit, _with_name(visit, _read_form(visit, lenient=True)), fault_words(error))
    customer_id = made.told.customer_id
    return see_other(f"/customers/{customer_id}" if customer_id else "/communications")


def added(visit: Visit) -> Communication:
    """A new record as the fields say; UnfitCommunication."""
    told = _with_name(visit, _read_form(visit))
    return store.add_communication(visit.db, told, author(visit), by(visit, "add_communication"), visit.now)


def delete(visit: Visit, communication_id: str) -> HTTPResponse:
    """Take one record out."""
    deleted(visit, communication_id)
    return see_other("/communications")


def deleted(visit: Visit, communication_id: str) -> None:
    """404 when the user's scope has none."""
    found = the_communication(visit, communication_id)
    store.delete_communications(visit.db, [found.no], by(visit, "delete_communication"), visit.now)


def clear(visit: Visit) -> HTTPResponse:
    """Take out everything that the search finds (清除), when the user has said so."""
    return see_other(f"/communications?cleared={cleared(visit)}")


def cleared(visit: Visit) -> int:
    """How many were taken out; 400 unless `sure` is yes."""
    if visit.form.get("sure") != "yes":
        raise HTTPError(400)
    wanted = read_filter(visit, asked_for(visit))
    count = 0
    while batch := store.communications_page(visit.db, communications_scope(visit.user), wanted, 200):
        count += store.delete_communications(
            visit.db, [one.no for one in batch], by(visit, "clear_communications"), visit.now
        )
    return count


def recording(visit: Visit, communication_id: str) -> HTTPResponse:
    """查询语音文件: the recording of the call a record came from; 403 when a condition of COM-05 fails."""
    found = the_communication(visit, communication_id)
    heard = _heard(visit, found)
    if heard.recording is None:
        refused = by(visit, "play", communication_id, heard.why_not, "refused")
        log_operation(visit.db, refused, visit.now)
        raise HTTPError(403)
    log_play(visit.db, by(visit, "play", heard.recording.id, communication_id), visit.now, ONE_VIEW)
    return _send(visit, heard.recording)


def _send(visit: Visit, row: RecordingRow) -> HTTPResponse:
    """The audio, whole or in the range asked for."""
    folder = visit.site.settings.recordings.resolve()
    file = (folder / row.file).resolve()
    if not file.is_relative_to(folder):
        raise HTTPError(404)
    return static_file(
        str(file.relative_to(folder)),
        root=str(folder),
        mimetype=MIME_TYPES.get(row.codec or "", "application/octet-stream"),
        headers={"Cache-Control": "private, no-store"},
    )


def the_communication(visit: Visit, communication_id: str) -> Communication:
    """The record of that id; 404, and a refusal in the log, when the user's scope has none."""
    found = store.communication(visit.db, communications_scope(visit.user), communication_id)
    if found is None:
        refused = by(visit, "view_communication", communication_id[:64], "not in scope", "refused")
        log_operation(visit.db, refused, visit.now)
        raise HTTPError(404)
    return found


def recordings_of(visit: Visit, records: Sequence[Communication]) -> dict[str, Heard]:
    """For each record its recording, or why there is none to hear."""
    return {one.id: _heard(visit, one) for one in records}


def _heard(visit: Visit, one: Communication) -> Heard:
    if not one.told.from_popup or not one.told.call_id:
        return Heard(None, NOT_FROM_POPUP)
    if not visit.may(Right.RECORDINGS):
        return Heard(None, NO_RIGHT)
    facts = call_facts(visit.db, one.told.call_id)
    ready = [row for row in facts.recordings if row.state == "ready"] if facts else []
    return Heard(ready[0]) if ready else Heard(None, NO_RECORDING)


def _with_name(visit: Visit, told: Told) -> Told:
    """The customer's name as it is now; a customer outside the user's scope is none."""
    if told.customer_id is None:
        return told
    try:
        found = find_customer(visit.db, customers_scope(visit.user), told.customer_id)
    except NoSuchCustomer as error:
        raise HTTPError(404) from error
    return Told(
        told.kind, told.at_utc, told.content, told.subject, told.feedback, found.id, found.particulars.name,
        told.number or (found.particulars.numbers or ("",))[0],
    )  # fmt: skip


def _read_form(visit: Visit, lenient: bool = False) -> Told:
    given = visit.form.get
    try:
        local = datetime.fromisoformat(given("at", ""))
        at_utc = to_text(local.replace(tzinfo=visit.site.settings.zone))
    except (ValueError, OverflowError) as error:
        if not lenient:
            raise UnfitCommunication("no_time") from error
        at_utc = to_text(visit.now)
    return Told(
        given("kind", "call"), at_utc, given("content", ""), given("subject", ""), given("feedback", ""),
        given("customer_id") or None, "", given("number", ""),
    )  # fmt: skip


def _form(visit: Visit, told: Told, fault: str = "") -> HTTPResponse:
    at = shown.local(told.at_utc, visit.site.settings.zone).strftime("%Y-%m-%dT%H:%M")
    return visit.page(
        "communication.html",
        400 if fault else 200,
        strip=strip(visit),
        told=told,
        at=at,
        kinds=COMMUNICATION_KINDS,
        fault=fault,
    )
