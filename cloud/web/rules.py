"""The page of the rules of reading: windows, purposes and the ladder of approval, each change audited."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.applications import LADDER, NO_END
from cloud.access.log import Action
from cloud.access.purposes import PURPOSES
from cloud.access.rules import MEASURES, SETTINGS, faults_of_values
from cloud.access.windows import CHANNEL_NAMES
from cloud.store.database import read, write
from cloud.store.reading_rules import set_rules, values_now
from cloud.web.answers import page, see_other
from cloud.web.applying import Form
from cloud.web.door import note_deed, person_of
from cloud.web.parts import parts_of
from sync.locale import marked

STALE = marked("Somebody has changed the rules meanwhile. Load the page again.")
NOT_ALL = marked("The form is not whole. Load the page again.")
RUNGS = (marked("Nobody else has to agree"), marked("One level"), marked("Two levels"))


def rules_page(request: Request) -> Response:
    """The rules as they are set."""
    with read(parts_of(request).engine) as db:
        values = values_now(db)
    return _shown(request, 200, values, values, ())


def set_rules_by_form(request: Request, form: Form) -> Response:
    """Set what was changed, all of it or nothing."""
    typed, parts = _typed(form), parts_of(request)
    if typed is None:
        raise HTTPException(422, NOT_ALL)
    faults = faults_of_values(typed)
    with write(parts.engine) as db:
        before = values_now(db)
        if form.get("seen") != _digest(before):
            raise HTTPException(409, STALE)
        changed = {key: value for key, value in typed.items() if value != before[key]}
        if changed and not faults:
            set_rules(db, changed, person_of(request).name, parts.clock.now_utc())
            changes = {key: (before[key], value) for key, value in changed.items()}
            note_deed(request, db, Action.UPDATE, "reading_rules", changes=changes)
    return _shown(request, 422, before, typed, faults) if faults else see_other("/rules")


def _typed(form: FormData) -> dict[str, str] | None:
    """Every rule as the form has it; None when one is missing. An empty number is one without end."""
    found = {}
    for key, setting in SETTINGS.items():
        if setting.choices:
            found[key] = " ".join(setting.in_order([*setting.kept, *map(str, form.getlist(key))]))
        elif key not in form:
            return None
        else:
            found[key] = str(form[key]).strip() or (str(NO_END) if setting.most == NO_END else "")
    return found


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]


def _shown(
    request: Request, status: int, now: Mapping[str, str], typed: Mapping[str, str], faults: Sequence[str]
) -> Response:
    windows = [key.split("/") for key in SETTINGS if key.startswith("window/")]
    return page(
        request,
        "rules.html",
        status,
        seen=_digest(now),
        values={key: "" if value == str(NO_END) else value for key, value in typed.items()},
        settings=SETTINGS,
        faults=faults,
        roles=list(dict.fromkeys(role for _, role, _ in windows)),
        channels=[one for one in CHANNEL_NAMES if any(channel == one for _, _, channel in windows)],
        channel_words=CHANNEL_NAMES,
        purpose_words=PURPOSES,
        purposed=[key.split("/")[1] for key in SETTINGS if key.startswith("purposes/")],
        measures=MEASURES,
        rungs=RUNGS,
        rung_count=len(LADDER),
        no_end=NO_END,
    )
