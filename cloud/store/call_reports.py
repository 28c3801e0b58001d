"""Reports that a call's record is wrong, and what became of each (`cloud.calls.reports`)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, select

from cloud.access.log import Actor
from cloud.calls import reports
from cloud.calls.flags import REPORT
from cloud.calls.reports import OPEN, StepRefused
from cloud.store import happenings
from cloud.store.call_notes import Call, set_flag
from cloud.store.call_tables import call_report_steps, call_reports
from cloud.store.schema import calls
from cloud.webhooks.kinds import REPORT_SETTLED
from sync.ids import new_id
from sync.locale import marked

REPORTED = "report"  # the first step of each


def make(db: Connection, call: Call, text: str, by: Actor, now_utc: str) -> str:
    """Report the record of a call; returns the report's id."""
    row = {"id": new_id(), "call_id": call.id, "box_id": call.box_id, "state": OPEN, "text": text}
    who = {"by_id": by.user_id, "by_name": by.name, "at_utc": now_utc}
    db.execute(call_reports.insert().values(**row, **who, changed_utc=now_utc))
    _note(db, str(row["id"]), REPORTED, text, by, now_utc)
    set_flag(db, call, REPORT)
    return str(row["id"])


def take_step(db: Connection, report_id: str, step: str, text: str, by: Actor, now_utc: str) -> RowMapping:
    """Take a step with a report; StepRefused. Of two who do it at once, one is refused. The row before."""
    row = find(db, report_id)
    if row is None:
        raise StepRefused(marked("There is no such report."))
    state = reports.after(step, row["state"], text, is_own=row["by_id"] == by.user_id)
    mine = (call_reports.c.id == report_id, call_reports.c.state == row["state"])
    values: dict[str, str | None] = {"state": state, "changed_utc": now_utc}
    if state != reports.ANSWERED:
        values["assigned_to"] = by.name if state == reports.LOOKED_INTO else None
    if db.execute(call_reports.update().where(*mine).values(values)).rowcount != 1:
        raise StepRefused(marked("Somebody else was quicker. Load the page again."))
    _note(db, report_id, step, text, by, now_utc)
    if state == reports.ANSWERED:
        happenings.note(db, REPORT_SETTLED, [report_id], now_utc)
    return row


def find(db: Connection, report_id: str) -> RowMapping | None:
    """The report of that id."""
    return db.execute(select(call_reports).where(call_reports.c.id == report_id)).mappings().one_or_none()


def newest(db: Connection, state: str, box_ids: frozenset[str] | None, limit: int) -> Sequence[RowMapping]:
    """Reports in that state with what is known of their calls, those that changed last first."""
    within = [] if box_ids is None else [call_reports.c.box_id.in_(sorted(box_ids))]
    about = (calls.c.started_utc, calls.c.caller_number, calls.c.dialled, calls.c.direction)
    query = (
        select(call_reports, *about)
        .outerjoin(calls, calls.c.id == call_reports.c.call_id)
        .where(call_reports.c.state == state, *within)
        .order_by(call_reports.c.changed_utc.desc(), call_reports.c.id.desc())
    )
    return db.execute(query.limit(limit)).mappings().all()


def of_call(db: Connection, call_id: str) -> Sequence[RowMapping]:
    """The reports of a call, the newest first."""
    query = select(call_reports).where(call_reports.c.call_id == call_id)
    return db.execute(query.order_by(call_reports.c.id.desc())).mappings().all()


def steps_of(db: Connection, report_ids: Sequence[str]) -> Sequence[RowMapping]:
    """What became of those reports, in order."""
    table = call_report_steps
    query = select(table).where(table.c.report_id.in_(report_ids)).order_by(table.c.report_id, table.c.n)
    return db.execute(query).mappings().all()


def counts(db: Connection, box_ids: frozenset[str] | None) -> dict[str, int]:
    """How many reports are in each state."""
    within = [] if box_ids is None else [call_reports.c.box_id.in_(sorted(box_ids))]
    query = select(call_reports.c.state, func.count()).where(*within).group_by(call_reports.c.state)
    found = {state: int(count) for state, count in db.execute(query)}
    return {state: found.get(state, 0) for state in reports.STATES}


def _note(db: Connection, report_id: str, step: str, text: str, by: Actor, now_utc: str) -> None:
    table = call_report_steps
    last = db.execute(select(func.max(table.c.n)).where(table.c.report_id == report_id)).scalar() or 0
    row = {"report_id": report_id, "n": last + 1, "step": step, "text": text}
    db.execute(table.insert().values(**row, by_name=by.name, at_utc=now_utc))
