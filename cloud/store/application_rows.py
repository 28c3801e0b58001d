"""Applications as rows, and back: what of them is kept in which column."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from cloud.access.applications import Application, State, Wish
from cloud.access.approval import Act, Task, TaskState
from cloud.access.verbs import Clarity, Verb


@dataclass(frozen=True, slots=True)
class Step:
    """One thing somebody did with an application."""

    at_utc: str
    act: Act
    user_name: str
    other_name: str
    remark: str
    state: State


def read_application(row: RowMapping) -> Application:
    """The application that a row keeps."""
    boxes = row["box_ids"]
    wish = Wish(
        kind=row["kind"],
        purpose=row["purpose"],
        reason=row["reason"],
        verbs=frozenset(Verb(verb) for verb in row["verbs"].split()),
        clarity=Clarity(row["clarity"]),
        grade=row["grade"],
        rows=row["rows"],
        hours=row["hours"],
        subjects=frozenset(json.loads(row["subjects"])),
        box_ids=None if boxes is None else frozenset(json.loads(boxes)),
        from_utc=row["from_utc"],
        until_utc=row["until_utc"],
        references=json.loads(row["documents"]),
    )
    return Application(
        id=row["id"],
        applicant_id=row["applicant_id"],
        applicant_name=row["applicant_name"],
        role=row["role"],
        unit_id=row["unit_id"],
        wish=wish,
        state=State(row["state"]),
        levels=row["levels"],
        emergency=row["emergency"],
    )


def cells_of(application: Application, now_utc: str) -> dict[str, Any]:
    """The row that keeps an application handed in at `now_utc`."""
    wish = application.wish
    return {
        "id": application.id,
        "applicant_id": application.applicant_id,
        "applicant_name": application.applicant_name,
        "role": application.role,
        "unit_id": application.unit_id,
        "kind": wish.kind,
        "purpose": wish.purpose,
        "reason": wish.reason,
        "verbs": " ".join(sorted(wish.verbs)),
        "clarity": wish.clarity.value,
        "grade": wish.grade,
        "rows": wish.rows,
        "hours": wish.hours,
        "subjects": json.dumps(sorted(wish.subjects)),
        "box_ids": None if wish.box_ids is None else json.dumps(sorted(wish.box_ids)),
        "from_utc": wish.from_utc,
        "until_utc": wish.until_utc,
        "documents": json.dumps(dict(wish.references), ensure_ascii=False),
        "state": application.state.value,
        "levels": application.levels,
        "emergency": application.emergency,
        "submitted_utc": now_utc,
    }


def read_task(row: RowMapping) -> Task:
    """The task that a row keeps."""
    cells = {name: row[name] for name in Task.__dataclass_fields__}
    return Task(**cells | {"state": TaskState(row["state"])})


def read_step(row: RowMapping) -> Step:
    """The step that a row keeps."""
    cells = {name: row[name] for name in Step.__dataclass_fields__}
    return Step(**cells | {"act": Act(row["act"]), "state": State(row["state"])})
