"""The work bench: what waits for the person who has logged in, a tile for each matter, each with its way on.

Every figure comes by `cloud.reading`, so it is bounded as the page behind it and leaves its audit row; a tile
that the role has no use for is neither asked for nor shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.applications import STATE_NAMES, State
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.guard import Person
from cloud.access.kinds import KINDS
from cloud.access.log import Action
from cloud.access.patterns import PATTERNS
from cloud.access.purposes import PURPOSES
from cloud.access.roles import OWN_ONLY, Right, stands
from cloud.access.shape import completeness as completeness_of
from cloud.reading import Found, Look
from cloud.store import applications, call_counts, call_reports, completeness, findings
from cloud.store.applications import Case
from cloud.store.database import read, write
from cloud.store.units import read_units
from cloud.web.answers import page
from cloud.web.asking import ask_of, given
from cloud.web.door import note_deed, person_of
from cloud.web.parts import parts_of
from sync.manifest import HOUR
from sync.moment import to_text

LOOK = Look(query={"page": "bench"})
FEW = 4  # of a tile's rows
HOURS = 24
OPEN_STATES = (State.SUBMITTED, State.APPROVED_1)
BAR, HIGH = 40, 100  # units of the drawing: of an hour, and of the highest


@dataclass(frozen=True, slots=True)
class Bar:
    """An hour of the strip, in units of its drawing."""

    x: int
    hour: int
    count: int
    missed: int
    height: float
    missed_height: float


def bench_page(request: Request) -> Response:
    """The tiles of the person's role."""
    person = person_of(request)
    tiles = {name: tile(request) for name, (is_for, tile) in TILES.items() if is_for(request, person)}
    return page(request, "bench.html", tiles=tiles, state_names=STATE_NAMES, purposes=PURPOSES,
                kind_names={name: kind.name for name, kind in KINDS.items()}, patterns=PATTERNS)  # fmt: skip


def _today(request: Request) -> datetime:
    parts = parts_of(request)
    now = parts.clock.now().astimezone(parts.settings.zone)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _applications(request: Request) -> dict[str, Any]:
    """One's own: what is not decided, what was granted and still holds, what waits for one's decision."""
    parts, person = parts_of(request), person_of(request)
    now = parts.clock.now()
    with read(parts.engine) as db:
        own = applications.of_applicant(db, person.user_id, now)
        decides = applications.to_decide(db, person, now) if person.may(Right.DECIDE) else []
    granted = [one for one in own if one.grant and one.grant.is_live(now)]
    granted.sort(key=lambda one: one.grant.valid_until_utc if one.grant else "")
    open_ = [one for one in own if one.file.application.state in OPEN_STATES]
    shown: Sequence[Case] = (*granted[:FEW], *open_[:FEW], *decides[:FEW])
    ids = tuple(dict.fromkeys(one.file.application.id for one in shown))
    with write(parts.engine) as db:
        note_deed(request, db, Action.VIEW, "applications", ids=ids, row_count=len(ids), query=LOOK.query)
    return {
        "granted": granted[:FEW], "granted_count": len(granted),
        "open": open_[:FEW], "open_count": len(open_),
        "decides": decides[:FEW], "decides_count": len(decides),
    }  # fmt: skip


def _today_calls(request: Request) -> dict[str, Any]:
    first = _today(request)

    def fetch(db: Connection, verdict: Verdict) -> Found[list[Any]]:
        return Found(list(call_counts.by_hour(db, verdict, first, HOURS)), [])

    ask = ask_of(request, Verb.VIEW, "calls", from_utc=to_text(first))
    hours = given(request, ask, LOOK, fetch, lambda rows, _verdict: rows)
    highest = max((one.total() for one in hours), default=0) or 1
    bars = [
        Bar(
            at * BAR, at, one.total(), one["missed"],
            HIGH * one.total() / highest, HIGH * one["missed"] / highest,
        )
        for at, one in enumerate(hours)
    ]  # fmt: skip
    return {
        "bars": bars,
        "count": sum(one.count for one in bars),
        "missed": sum(one.missed for one in bars),
        "answered": sum(one["answered"] for one in hours),
        "now_hour": parts_of(request).clock.now().astimezone(first.tzinfo).hour,
    }


def _reports(request: Request) -> dict[str, int]:
    def fetch(db: Connection, verdict: Verdict) -> Found[dict[str, int]]:
        return Found(call_reports.counts(db, verdict.box_ids), [])

    ask = ask_of(request, Verb.VIEW, "calls")
    return given(request, ask, LOOK, fetch, lambda counts, _verdict: counts)


def _branches(request: Request) -> dict[str, Any]:
    since = to_text(_today(request) - timedelta(days=1))[:HOUR]

    def fetch(db: Connection, _verdict: Verdict) -> Found[list[completeness.Branch]]:
        rows = completeness.branches(db, since)
        return Found(rows, [(row.box_id, Place(frozenset(), row.box_id)) for row in rows])

    def shaped(rows: list[completeness.Branch], verdict: Verdict) -> list[dict[str, Any]]:
        return [one for row in rows if (one := completeness_of(row, verdict)) is not None]

    seen = given(request, ask_of(request, Verb.VIEW, "branches"), LOOK, fetch, shaped)
    late = sorted((one for one in seen if one["unreconciled"]), key=lambda one: -int(one["unreconciled"]))
    silent = [one for one in seen if not one["online"]]
    return {"count": len(seen), "late": late[:FEW], "late_count": len(late),
            "silent": silent[:FEW], "silent_count": len(silent)}  # fmt: skip


def _findings(request: Request) -> dict[str, Any]:
    def fetch(db: Connection, _verdict: Verdict) -> Found[Sequence[Any]]:
        return Found(findings.open_findings(db), [])

    ask = ask_of(request, Verb.VIEW, "audit")
    rows = given(request, ask, LOOK, fetch, lambda rows, _verdict: rows)
    return {"rows": rows[:FEW], "count": len(rows)}


def _reads_calls(_request: Request, person: Person) -> bool:
    """Whether calls are seen without a grant, of more than one's own numbers."""
    return person.may(Right.READ_CALLS) and stands(person.role, Verb.VIEW) and person.role not in OWN_ONLY


def _sees_all(request: Request, person: Person) -> bool:
    with read(parts_of(request).engine) as db:
        return read_units(db).boxes_seen_from(person.unit_id) is None


IsFor = Callable[[Request, Person], bool]
TILES: dict[str, tuple[IsFor, Callable[[Request], Any]]] = {  # name -> (who has it, what stands in it)
    "calls": (_reads_calls, _today_calls),
    "applications": (lambda _, person: person.may(Right.APPLY), _applications),
    "reports": (
        lambda request, person: person.may(Right.SETTLE_REPORTS) and _reads_calls(request, person),
        _reports,
    ),
    "branches": (lambda _, person: person.may(Right.READ_BRANCHES), _branches),
    "findings": (
        lambda request, person: person.may(Right.READ_AUDIT) and _sees_all(request, person),
        _findings,
    ),
}
