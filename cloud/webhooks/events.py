"""What a hook may be told of: a line in TOLD for each kind of happening, and what it says about the object.

What it says goes the one way to rows (`cloud.reading`): decided and masked for the hook's owner as they are
now, and noted in the audit before it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine

from cloud.access import shape
from cloud.access.decision import Ask, Verb, Verdict
from cloud.access.guard import Person
from cloud.access.log import Action, Actor
from cloud.access.subjects import call_place
from cloud.reading import Desk, Found, Look, NotGiven, NothingThere, give
from cloud.store import call_reports, calls
from cloud.store.database import read
from cloud.webhooks.kinds import CALL_ENDED, RECORDING_STORED, REPORT_SETTLED

CHANNEL = "webhook"

# What of the object the person may see, None: nothing, or it is there no more. `why` goes into the audit.
Telling = Callable[[Engine, Person, str, Mapping[str, str], datetime], dict[str, Any] | None]


def tell_call(
    engine: Engine, owner: Person, call_id: str, why: Mapping[str, str], now: datetime
) -> dict[str, Any] | None:
    """The call with its recordings, as it stands now."""

    def fetch(db: Connection, _verdict: Verdict) -> Found[Any] | None:
        row = calls.find_call(db, call_id)
        if row is None:
            return None
        recordings = calls.recordings_of(db, [call_id])
        gaps = calls.gaps_of(db, [one["id"] for one in recordings])
        return Found((row, recordings, gaps), [(call_id, call_place(row))])

    def shaped(found: Any, verdict: Verdict) -> dict[str, Any]:
        row, recordings, gaps = found
        call = shape.call(row, recordings, gaps, verdict)
        return {} if call is None else asdict(call)

    actor = Actor(owner.user_id, owner.name, owner.role, owner.unit_id, channel=CHANNEL)
    ask = Ask(owner, Verb.VIEW, "calls", "", CHANNEL)
    look = Look(action=Action.EXPORT, object_id=call_id, query=why)
    try:
        return give(Desk(engine, actor, now), ask, look, fetch, shaped) or None
    except (NotGiven, NothingThere):
        return None


def tell_recording(
    engine: Engine, owner: Person, recording_id: str, why: Mapping[str, str], now: datetime
) -> dict[str, Any] | None:
    """The call whose recording it is."""
    with read(engine) as db:
        row = calls.find_recording(db, recording_id)
    return None if row is None else tell_call(engine, owner, row["call_id"], why, now)


def tell_report(
    engine: Engine, owner: Person, report_id: str, why: Mapping[str, str], now: datetime
) -> dict[str, Any] | None:
    """The call whose record was reported as wrong."""
    with read(engine) as db:
        row = call_reports.find(db, report_id)
    return None if row is None else tell_call(engine, owner, row["call_id"], why, now)


TOLD: Mapping[str, Telling] = MappingProxyType(
    {CALL_ENDED: tell_call, RECORDING_STORED: tell_recording, REPORT_SETTLED: tell_report}
)
