"""The form that an identity check is noted on; a refusal leads here with everything filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.identity import DOCUMENTS, FACE_TO_FACE, LASTS, MOST_WRONG, Outcome, compare, last_four
from cloud.access.log import Action
from cloud.access.windows import CHANNEL_NAMES
from cloud.field_keys import KeyFault
from cloud.store import identity_checks
from cloud.store.database import read, write
from cloud.web.answers import local_path, page, see_other, translate
from cloud.web.applying import Form, read_subjects
from cloud.web.customer_reading import NO_KEY
from cloud.web.door import channel_of, note_deed, person_of
from cloud.web.parts import parts_of
from sync.locale import marked

WRONG_CHANNEL = marked("Choose at the top whether the subscriber is on the hotline or at the counter.")
NOBODY = marked("Name the subscriber's number.")
NO_DOCUMENT = marked("Choose the document, and give the last four characters of its number.")
DIFFERS = marked("This is not the document on record. Nothing may be read for this person.")
TOO_MANY = marked("Too many documents that were not those on record. Wait an hour.")
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as it was filled in."""

    about: str = ""  # numbers, or the id of a customer or call that the page before was about
    document: str = "identity_card"
    last4: str = ""
    back: str = "/calls"


def check_form(request: Request, about: str = "", back: str = "/calls") -> Response:
    """The form."""
    return _form(request, 200, Typed(about[:LONGEST], back=local_path(back)), [])


def note_check(request: Request, form: Form) -> Response:
    """Note a check, compared with what is on record, and go back to what was asked."""
    typed, person = _typed(form), person_of(request)
    parts, channel = parts_of(request), channel_of(request)
    last4 = last_four(typed.last4)
    about, strange = read_subjects(typed.about)
    with read(parts.engine) as db:
        numbers = identity_checks.numbers_meant(db, about)
        wrong = identity_checks.wrong_lately(db, person.user_id, parts.clock.now())
    faults = [
        *([WRONG_CHANNEL] if channel not in FACE_TO_FACE else []),
        *([NOBODY] if strange or not numbers else []),
        *([NO_DOCUMENT] if typed.document not in DOCUMENTS or not last4 else []),
    ]
    if faults:
        return _form(request, 422, typed, [translate(request, fault) for fault in faults])
    if wrong >= MOST_WRONG:
        with write(parts.engine) as db:
            note_deed(request, db, Action.CREATE, "identity_checks", refusal="too_often")
        raise HTTPException(429, TOO_MANY, {"Retry-After": "3600"})
    outcome = _noted(request, numbers, (typed.document, last4))
    if outcome is Outcome.DIFFERS:
        return _form(request, 403, typed, [translate(request, DIFFERS)])
    return see_other(typed.back)


def _noted(request: Request, numbers: frozenset[str], document: tuple[str, str]) -> Outcome:
    parts, person = parts_of(request), person_of(request)
    with write(parts.engine) as db:
        try:
            on_record = identity_checks.identities_of(db, parts.ring, numbers)
        except KeyFault as error:
            raise HTTPException(503, NO_KEY) from error
        outcome = compare(document[1], on_record)
        channel, now = channel_of(request), parts.clock.now()
        check_id = identity_checks.keep(db, person, channel, numbers, document, outcome, now)
        refusal = "identity" if outcome is Outcome.DIFFERS else ""
        changes = {"document": (None, document[0]), "outcome": (None, outcome.value)}
        note_deed(
            request,
            db,
            Action.CREATE,
            "identity_checks",
            "" if refusal else check_id,
            changes=changes,
            refusal=refusal,
        )
    return outcome


def _form(request: Request, status: int, typed: Typed, faults: Sequence[str]) -> Response:
    """The form; by an id, the numbers themselves are not for everybody to see."""
    return page(
        request,
        "identity_check.html",
        status,
        typed=typed,
        by_id="-" in typed.about and not faults,
        faults=faults,
        documents=DOCUMENTS,
        channel_name=CHANNEL_NAMES.get(channel_of(request), ""),
        face_to_face=channel_of(request) in FACE_TO_FACE,
        minutes=LASTS.seconds // 60,
    )


def _typed(form: FormData) -> Typed:
    said = {name: str(form.get(name) or "")[:LONGEST].replace("\0", "") for name in Typed.__slots__}
    return Typed(said["about"], said["document"], said["last4"], local_path(said["back"] or "/calls"))
