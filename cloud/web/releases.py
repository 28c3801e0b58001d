"""Files that wait for a review: laid aside when they are made, looked at by another, opened by who asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Form
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloud import reading
from cloud.access import releases as release_shape
from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.access.subjects import call_place
from cloud.reading import NOT_THERE, Found, Look, Outcome
from cloud.releases.files import BLOCK, lay_aside, path_of
from cloud.releases.rules import (
    LONGEST_REMARK,
    STATES,
    STEPS,
    WAITING,
    ReviewRefused,
    may_open,
    why_review,
)
from cloud.store import calls, customers, export_jobs, releases, trail
from cloud.store.database import read, write
from cloud.store.releases import Lying
from cloud.web.answers import page, see_other
from cloud.web.asking import ask_of, check_change, desk_of, given
from cloud.web.customer_reading import Gathered, gather, shape_all
from cloud.web.door import actor_of, note_deed, person_of
from cloud.web.export_file import ExportFile
from cloud.web.parts import parts_of
from sync.ids import new_id
from sync.locale import marked

MOST = 100
LOOKED_AT = 20  # rows of a file that its reviewer is shown
KIND = "releases"
NO_SUCH = marked("There is no such file.")
NOT_OPEN = marked("This file cannot be opened: not released, or no longer to be had.")
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Laid:
    """What is in a file that was made."""

    kind: str  # calls | customers
    form: str  # a key of cloud.releases.rules.LIMITS
    asked: Mapping[str, str]  # the filter, as the audit keeps it
    purpose: str


@dataclass(frozen=True, slots=True)
class Whole:
    """A file and the first of the records in it."""

    row: RowMapping
    calls: Sequence[RowMapping] = ()
    customers: Gathered | None = None


def held_back(request: Request, laid: Laid, made: ExportFile) -> str | None:
    """Lay a file aside if it has to be reviewed; its id, None when it may be handed over."""
    why = _why(request, laid, made)
    if not why:
        return None
    with made.file:
        return _lay(request, laid, made, why)


def lay(request: Request, laid: Laid, made: ExportFile) -> str:
    """Lay a file aside for who asked, to be opened at once unless it has to be reviewed; its id."""
    return _lay(request, laid, made, _why(request, laid, made))


def _why(request: Request, laid: Laid, made: ExportFile) -> tuple[str, ...]:
    with read(parts_of(request).engine) as db:
        return why_review(laid.form, made.rows, releases.clearest(db, made.grants))


def _lay(request: Request, laid: Laid, made: ExportFile, why: tuple[str, ...]) -> str:
    parts, release_id = parts_of(request), new_id()
    size_bytes, sha256 = lay_aside(parts.settings.data, release_id, made.file)
    one = Lying(
        id=release_id, kind=laid.kind, form=laid.form, name=made.name, media_type=made.media_type,
        size_bytes=size_bytes, sha256=sha256, rows=made.rows, why=why, asked=dict(laid.asked),
        purpose=laid.purpose, grants=made.grants, audit_id=made.audit_id,
    )  # fmt: skip
    with write(parts.engine) as db:
        releases.keep(db, one, actor_of(request), parts.clock.now_utc())
        _audit(request, db, Action.CREATE, release_id, {"why": " ".join(why)})
    return release_id


def releases_page(request: Request) -> Response:
    """One's own files, and for a reviewer those of others."""
    state = request.query_params.get("state", "")
    if state not in ("", *STATES):
        raise HTTPException(422, marked("There is no such page."))
    person = person_of(request)
    with read(parts_of(request).engine) as db:
        making = export_jobs.of_person(db, person.user_id)

    def fetch(db: Connection, _verdict: Verdict) -> Found[Sequence[RowMapping]]:
        return Found(releases.newest(db, person.user_id, _reviews(request), state, MOST), [])

    def shaped(rows: Sequence[RowMapping], verdict: Verdict) -> list[dict[str, Any]]:
        return [_item(request, row, verdict) for row in rows]

    look = Look(query={"page": KIND, "state": state})
    items = given(request, ask_of(request, Verb.VIEW, KIND), look, fetch, shaped)
    return page(request, "releases.html", items=items, making=making, state=state, most=MOST)


def release_page(request: Request, release_id: str) -> Response:
    """One file: why it waits, and for its reviewer the first rows, as the reviewer may see them."""
    ring = parts_of(request).ring
    kind = _kind_looked_at(request, release_id)

    def fetch(db: Connection, verdict: Verdict) -> Found[Whole] | None:
        row = _theirs(request, db, release_id)
        if row is None or kind == KIND:
            return None if row is None else Found(Whole(row), [])
        listed = trail.find_row(db, row["audit_id"])
        return LOOKS[kind](db, row, trail.ids_in(listed["ids"])[:LOOKED_AT] if listed else ())

    def shaped(whole: Whole, verdict: Verdict) -> dict[str, Any]:
        shown = (shape.call(row, (), (), verdict) for row in whole.calls)
        customers = shape_all(whole.customers, verdict, ring) if whole.customers else []
        found = {"calls": [one for one in shown if one is not None], "customers": customers}
        return found | {"item": _item(request, whole.row, verdict)}

    look = Look(query={KIND: release_id})
    shown = given(request, ask_of(request, Verb.VIEW, kind), look, fetch, shaped, no_such=NO_SUCH)
    return page(request, "release.html", **shown)


def _kind_looked_at(request: Request, release_id: str) -> str:
    """Records of which kind the page shows: of a file of somebody else what is in it, to its reviewer."""
    with read(parts_of(request).engine) as db:
        row = _theirs(request, db, release_id)
    if row is None or not _reviews(request) or row["by_id"] == person_of(request).user_id:
        return KIND
    return str(row["kind"])


def _some_calls(db: Connection, row: RowMapping, ids: Sequence[str]) -> Found[Whole]:
    rows = calls.calls_of(db, ids)
    return Found(Whole(row, rows), [(one["id"], call_place(one)) for one in rows])


def _some_customers(db: Connection, row: RowMapping, ids: Sequence[str]) -> Found[Whole]:
    gathered = gather(db, customers.customers_of(db, ids, None))
    return Found(Whole(row, customers=gathered), gathered.found().places)


LOOKS: dict[str, Callable[[Connection, RowMapping, Sequence[str]], Found[Whole]]] = {
    "calls": _some_calls,
    "customers": _some_customers,
}


def decide(request: Request, release_id: str, step: Text = "", remark: Text = "") -> Response:
    """Release or withhold a file of somebody else."""
    parts, said = parts_of(request), remark.strip().replace("\0", "")
    with read(parts.engine) as db:
        row = releases.find(db, release_id)
    if row is None:
        raise HTTPException(404, NO_SUCH)
    if len(said) > LONGEST_REMARK:
        raise HTTPException(422, marked("The text is too long."))
    look = Look(action=Action.UPDATE, object_id=release_id)
    check_change(request, ask_of(request, Verb.CHANGE, KIND), look, Place(frozenset({release_id})))
    with write(parts.engine) as db:
        try:
            releases.decide(db, row, step, said, actor_of(request), parts.clock.now_utc())
        except ReviewRefused as refused:
            raise HTTPException(422, str(refused)) from refused
        _audit(request, db, Action.UPDATE, release_id, {"step": step})
    return see_other(f"/releases/{release_id}")


def open_file(request: Request, release_id: str) -> Response:
    """The file, for who asked for it, once it was released."""
    parts = parts_of(request)
    now_utc = parts.clock.now_utc()
    with read(parts.engine) as db:
        row = _theirs(request, db, release_id)
        opens = row is not None and _opens(request, row) and not releases.is_barred(db, row, now_utc)
    path = path_of(parts.settings.data, release_id)
    if row is None or not opens or not path.is_file():
        ask, look = ask_of(request, Verb.VIEW, KIND), Look(action=Action.DOWNLOAD, object_id=release_id)
        reading.note(desk_of(request), ask, look, Outcome(refused=NOT_THERE))
        raise HTTPException(404, NOT_OPEN)
    with write(parts.engine) as db:
        releases.note_opened(db, release_id, now_utc)
        _audit(request, db, Action.DOWNLOAD, release_id, {"name": row["name"]})
    headers = {
        "Content-Disposition": f'attachment; filename="{row["name"]}"',
        "Content-Length": str(row["size_bytes"]),
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_blocks(path), headers=headers, media_type=row["media_type"])


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _reviews(request: Request) -> bool:
    return person_of(request).may(Right.REVIEW_RELEASES)


def _theirs(request: Request, db: Connection, release_id: str) -> RowMapping | None:
    """The file if it is the person's own, or the person reviews those of others."""
    row = releases.find(db, release_id)
    mine = row is not None and row["by_id"] == person_of(request).user_id
    return row if mine or _reviews(request) else None


def _opens(request: Request, row: RowMapping) -> bool:
    person = person_of(request)
    own = row["by_id"] == person.user_id and person.may(Right.EXPORT)
    return may_open(row["state"], own, row["decided_utc"], parts_of(request).clock.now())


def _item(request: Request, row: RowMapping, verdict: Verdict) -> dict[str, Any]:
    own = row["by_id"] == person_of(request).user_id
    steps = STEPS if row["state"] == WAITING and not own and _reviews(request) else {}
    opens = _opens(request, row) and row["gone_utc"] is None
    return release_shape.release(row, verdict) | {"own": own, "steps": steps, "opens": opens}


def _audit(request: Request, db: Connection, action: Action, release_id: str, query: dict[str, str]) -> None:
    reason = ask_of(request, Verb.CHANGE, KIND).reason
    note_deed(request, db, action, KIND, release_id, query=query, purpose=reason)
