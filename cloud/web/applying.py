"""The form of an application, and breaking the glass: what was typed becomes a wish, or sentences about it.

A refusal's link fills the form in (`cloud.access.decision.refusal`): nobody copies what they asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends
from starlette.datastructures import FormData, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.applications import (
    REFERENCES,
    REFERENCES_OF,
    Application,
    State,
    Wish,
    faults_of,
    levels_for,
)
from cloud.access.approval import NotPossible
from cloud.access.grades import HIGHEST_BY_GRANT, PERSONAL, SENSITIVE
from cloud.access.granting import break_glass
from cloud.access.guard import Person
from cloud.access.kinds import KINDS
from cloud.access.log import Action, Deed
from cloud.access.purposes import PURPOSES, default_purpose
from cloud.access.subjects import subject_of_number
from cloud.access.verbs import Clarity, Verb
from cloud.store import applications, boxes, identity_checks, people
from cloud.store.applications import Case
from cloud.store.database import read, write
from cloud.store.reading_rules import read_rules
from cloud.web.answers import channels_of, local_path, page, see_other, translate
from cloud.web.door import actor_of, append_deed, person_of, session_token
from cloud.web.parts import parts_of
from cloud.web.views import Day
from sync.ids import new_id
from sync.locale import marked
from sync.moment import from_text, to_text
from sync.phone import read_number

HOURS = {
    "2": marked("2 hours"),
    "8": marked("8 hours"),
    "24": marked("1 day"),
    "72": marked("3 days"),
    "168": marked("7 days"),
    "720": marked("30 days"),
}
VERB_NAMES = {
    "view": marked("View"),
    "listen": marked("Listen"),
    "export": marked("Export"),
    "change": marked("Change"),
}
LONGEST_FIELD = 20_000
USUAL_SPAN = timedelta(days=180)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SEPARATORS = re.compile(r"[\r\n,;，；、]+")

NOT_A_NUMBER = marked("Not a number or an id: %(what)s")
NOT_A_DAY = marked("A day is written such as 2026-02-03.")


async def _form_of(request: Request) -> FormData:
    return await request.form()


Form = Annotated[FormData, Depends(_form_of)]


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as it was filled in; several values of one field only where there are boxes to tick."""

    kind: str = "calls"
    purpose: str = ""
    reason: str = ""
    about: str = ""
    branches: tuple[str, ...] = ()
    from_day: str = ""
    until_day: str = ""
    actions: tuple[str, ...] = ("view",)
    clarity: str = "clear"
    sensitive: bool = False
    rows: str = "20"
    hours: str = "8"
    references: tuple[tuple[str, str], ...] = ()


def new_application(request: Request) -> Response:
    """The form, filled in by the link of a refusal."""
    person, parts = person_of(request), parts_of(request)
    filled = _prefilled(request.query_params, person, parts.settings.zone, parts.clock.now())
    return _form(request, filled, [], 200)


def submit(request: Request, form: Form) -> Response:
    """Hand in an application, or show the form again with what is wrong."""
    return _hand_in(request, _typed(form))


def break_glass_page(request: Request) -> Response:
    """The form to read at once, with a reason, and be looked into afterwards."""
    return page(request, "break_glass.html", reason="", about="", faults=[])


def broken_glass(request: Request, form: Form) -> Response:
    """Take a grant of two hours; every approver is told."""
    reason, about = _text(form, "reason"), _text(form, "about")
    subjects, strange = read_subjects(about)
    faults = [translate(request, NOT_A_NUMBER, what=what[:40]) for what in strange]
    if not subjects and not strange:
        faults.append(translate(request, marked("Name the numbers or the customer.")))
    if not faults:
        try:
            return _take(request, reason, subjects)
        except NotPossible as refused:
            faults.append(translate(request, refused.text, **refused.values))
    return page(request, "break_glass.html", 422, reason=reason, about=about, faults=faults)


def choose_purpose(request: Request, form: Form) -> Response:
    """Keep what the session reads for, and by which channel, and go back to the page before."""
    parts, person, token = parts_of(request), person_of(request), session_token(request)
    purpose = _text(form, "purpose")
    with read(parts.engine) as connection:
        rules = read_rules(connection)
    if not purpose and "channel" in form:  # of a role that has one purpose only
        purpose = person.purpose or default_purpose(person.role)
    channel = _text(form, "channel") or person.channel or "web"
    if not token or not rules.may_name(person.role, purpose):
        raise HTTPException(422, marked("Choose a purpose of your role."))
    if channel != "web" and channel not in channels_of(person):
        raise HTTPException(422, marked("Choose a channel of your role."))
    deed = Deed(
        actor=actor_of(request),
        action=Action.UPDATE,
        kind="purpose",
        purpose=purpose,
        changes={
            "purpose": (person.purpose or default_purpose(person.role), purpose),
            "channel": (person.channel or "web", channel),
        },
    )
    with write(parts.engine) as connection:
        people.set_purpose(connection, token, purpose, "" if channel == "web" else channel)
        if channel != (person.channel or "web"):
            identity_checks.end(connection, person.session, parts.clock.now())
        append_deed(request, connection, deed)
    return see_other(local_path(_text(form, "back")))


def read_subjects(text: str) -> tuple[frozenset[str], list[str]]:
    """The numbers and ids in `text`, and what of it is neither."""
    subjects, strange = set(), []
    for piece in filter(None, map(str.strip, _SEPARATORS.split(text))):
        # A number may be written in groups; several words that are no number together stand for themselves.
        whole = _ID.fullmatch(piece) or read_number(piece).kind != "unknown"
        for word in [piece] if whole else piece.split():
            if subject := _subject(word):
                subjects.add(subject)
            else:
                strange.append(word)
    return frozenset(subjects), strange


def _subject(word: str) -> str:
    return word if _ID.fullmatch(word) else subject_of_number(word.removeprefix("local:"))


def _take(request: Request, reason: str, subjects: frozenset[str]) -> Response:
    parts, person, token = parts_of(request), person_of(request), session_token(request)
    now = parts.clock.now()
    file = break_glass(person, new_id(), reason, subjects, None)
    with write(parts.engine) as connection:
        case = applications.break_glass(connection, file, person, now)
        if token:
            people.set_purpose(connection, token, "emergency")
        append_deed(request, connection, _deed(request, Action.BREAK_GLASS, case))
    return see_other(f"/applications/{case.file.application.id}")


def _hand_in(request: Request, typed: Typed) -> Response:
    handed_in, faults = hand_in(request, typed)
    if handed_in is None:
        return _form(request, typed, faults, 422)
    return see_other(f"/applications/{handed_in}")


def hand_in(request: Request, typed: Typed) -> tuple[str | None, list[str]]:
    """Hand in an application; its id, or None and sentences that say why it was not."""
    parts, person = parts_of(request), person_of(request)
    with read(parts.engine) as connection:
        rules = read_rules(connection)
    wish, faults = read_wish(request, typed, parts.settings.zone)
    if wish is not None:
        faults = [
            translate(request, sentence) for sentence in faults_of(person, wish, rules.ladder, rules.purposes)
        ]
    levels = levels_for(person.role, wish, rules.ladder) if wish else None
    if wish is None or faults or levels is None:
        return None, faults
    now = parts.clock.now()
    draft = Application(
        new_id(), person.user_id, person.name, person.role, person.unit_id, wish, State.DRAFT, levels
    )
    with write(parts.engine) as connection:
        case = applications.submit(connection, draft, person, now)
        append_deed(request, connection, _deed(request, Action.CREATE, case))
    return draft.id, []


def _deed(request: Request, action: Action, case: Case) -> Deed:
    application = case.file.application
    return Deed(
        actor=actor_of(request),
        action=action,
        kind="applications",
        object_id=application.id,
        purpose=application.wish.purpose,
        changes={"state": (None, application.state.value)},
        grants=(case.grant.id,) if case.grant else (),
    )


def read_wish(request: Request, typed: Typed, zone: ZoneInfo) -> tuple[Wish | None, list[str]]:
    """What `typed` wants, and sentences about what cannot be understood."""
    subjects, strange = read_subjects(typed.about)
    faults = [translate(request, NOT_A_NUMBER, what=what[:40]) for what in strange]
    try:
        from_utc = to_text(Day(typed.from_day).begins(zone)) if typed.from_day else None
        until_utc = to_text(Day(typed.until_day).ends(zone)) if typed.until_day else None
    except (ValueError, OverflowError):
        return None, [*faults, translate(request, NOT_A_DAY)]
    if faults:
        return None, faults
    clarity = Clarity.CLEAR if typed.clarity == Clarity.CLEAR else Clarity.MASKED
    return Wish(
        kind=typed.kind,
        purpose=typed.purpose,
        reason=typed.reason.strip(),
        verbs=frozenset(Verb(action) for action in typed.actions if action in VERB_NAMES),
        clarity=clarity,
        grade=SENSITIVE if typed.sensitive and clarity is Clarity.CLEAR else PERSONAL,
        rows=_whole(typed.rows),
        hours=_whole(typed.hours),
        subjects=subjects,
        box_ids=frozenset(typed.branches) or None,
        from_utc=from_utc,
        until_utc=until_utc,
        references={key: value.strip() for key, value in typed.references if value.strip()},
    ), []


def _form(request: Request, typed: Typed, faults: Sequence[str], status: int) -> Response:
    person = person_of(request)
    with read(parts_of(request).engine) as connection:
        allowed = read_rules(connection).purposes.get(person.role, ())
        names = [(row["id"], row["name"]) for row in boxes.list_boxes(connection)]
    return page(
        request,
        "application_new.html",
        status,
        typed=typed,
        faults=faults,
        boxes=names,
        kinds=_kinds_of(person),
        verbs=_verbs_of(person),
        verb_names=VERB_NAMES,
        hours=HOURS,
        purposes={key: PURPOSES[key] for key in allowed if key != "emergency"},
        highest=HIGHEST_BY_GRANT.get(person.role, 0),
        references={key: REFERENCES[key] for key in REFERENCES_OF.get(person.role, ())},
        given=dict(typed.references),
    )


def _kinds_of(person: Person) -> dict[str, str]:
    """The kinds that can be applied for by somebody of this role, with their names."""
    private = {name: kind for name, kind in KINDS.items() if kind.is_private and not kind.granted_as}
    return {name: kind.name for name, kind in private.items() if any(map(person.may, kind.rights.values()))}


def _verbs_of(person: Person) -> list[Verb]:
    """What somebody of this role can ever be granted."""
    rights = {
        verb: right for kind in KINDS.values() if kind.is_private for verb, right in kind.rights.items()
    }
    return [verb for verb in Verb if verb in rights and person.may(rights[verb])]


def _prefilled(query: QueryParams, person: Person, zone: ZoneInfo, now: datetime) -> Typed:
    given: Mapping[str, str] = {key: value[:LONGEST_FIELD] for key, value in query.items()}
    about = "\n".join(given.get("about", "").split())
    highest = HIGHEST_BY_GRANT.get(person.role, 0)
    return Typed(
        kind=given.get("kind", "calls"),
        purpose=given.get("purpose", default_purpose(person.role)),
        about=about,
        branches=tuple(given.get("branches", "").split()),
        from_day=_day_of(given.get("from", to_text(now - USUAL_SPAN)), zone),
        until_day=_day_of(given.get("until", to_text(now)), zone, last=True),
        actions=tuple(given.get("actions", "view").split()),
        clarity="clear" if highest >= PERSONAL else "masked",
    )


def _day_of(utc: str, zone: ZoneInfo, last: bool = False) -> str:
    try:
        moment = from_text(utc) - timedelta(milliseconds=1 if last else 0)
        return f"{moment.astimezone(zone):%Y-%m-%d}"
    except (ValueError, OverflowError):
        return ""


def _typed(form: FormData) -> Typed:
    return Typed(
        kind=_text(form, "kind"),
        purpose=_text(form, "purpose"),
        reason=_text(form, "reason"),
        about=_text(form, "about"),
        branches=tuple(str(one) for one in form.getlist("branches")),
        from_day=_text(form, "from"),
        until_day=_text(form, "until"),
        actions=tuple(str(one) for one in form.getlist("actions")),
        clarity=_text(form, "clarity"),
        sensitive=_text(form, "sensitive") == "yes",
        rows=_text(form, "rows"),
        hours=_text(form, "hours"),
        references=tuple((key, _text(form, key)) for key in REFERENCES if _text(form, key)),
    )


def _text(form: FormData, field: str) -> str:
    return str(form.get(field) or "")[:LONGEST_FIELD].replace("\0", "")


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
