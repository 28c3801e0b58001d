"""What a hook may be told of: a line in TOLD for each kind of happening, and what it says about the object.

What it says went through the same decision and serialiser as every page, for the hook's owner, now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from cloud.access import shape
from cloud.access.decision import Ask, Verb, judge
from cloud.access.guard import Person
from cloud.store import calls
from cloud.store.units import read_units
from cloud.webhooks.kinds import CALL_ENDED, RECORDING_STORED

CHANNEL = "webhook"


@dataclass(frozen=True, slots=True)
class Said:
    """What a delivery says of its object, and what the audit trail keeps of that."""

    data: dict[str, Any]
    kind: str
    box_id: str
    purpose: str


# None: the hook's owner may not see it, or it is there no more.
Telling = Callable[[Connection, Person, str, datetime], Said | None]


def tell_call(db: Connection, owner: Person, call_id: str, now: datetime) -> Said | None:
    """The call with its recordings, as it stands now."""
    row = calls.find_call(db, call_id)
    if row is None:
        return None
    box_ids = frozenset({row["box_id"]})
    ask = Ask(owner, Verb.VIEW, "calls", "", CHANNEL, box_ids=box_ids)
    verdict = judge(ask, (), read_units(db), now)
    if not verdict.admitted:
        return None
    recordings = calls.recordings_of(db, [call_id])
    gaps = calls.gaps_of(db, [one["id"] for one in recordings])
    shown = shape.call(row, recordings, gaps, verdict)
    return None if shown is None else Said(asdict(shown), "calls", row["box_id"], ask.reason)


def tell_recording(db: Connection, owner: Person, recording_id: str, now: datetime) -> Said | None:
    """The call whose recording it is."""
    row = calls.find_recording(db, recording_id)
    return None if row is None else tell_call(db, owner, row["call_id"], now)


TOLD: Mapping[str, Telling] = MappingProxyType({CALL_ENDED: tell_call, RECORDING_STORED: tell_recording})
