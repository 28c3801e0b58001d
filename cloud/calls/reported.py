"""Calls that another telephone system reports (CTI), step by step, in the form Zammad takes:

newCall    event, from, to, direction, callId                    it rings
answer     event, callId, direction                              somebody talks
hangup     event, callId, direction, cause                       it is over: a call is written

CtiRefused (SaidError)     the sentence names the field
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from sync.events import CallEnded
from sync.locale import marked
from sync.marked import SaidError
from sync.moment import from_text, to_text

NEW, ANSWER, HANG_UP = "newCall", "answer", "hangup"
DIRECTIONS = ("in", "out")
LONGEST = {"callId": 64, "from": 40, "to": 40, "cause": 40}
CAUSES = {"busy": "busy", "noAnswer": "no_answer"}  # of outgoing calls that nobody answered
ANONYMOUS = ("", "anonymous", "unknown", "private")


class CtiRefused(SaidError):
    """A report that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Report:
    """One step of a call, as reported."""

    event: str
    call_id: str
    direction: str
    caller: str
    called: str
    cause: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call that goes on."""

    direction: str
    caller: str
    called: str
    started_utc: str
    answered_utc: str | None = None


def read_report(fields: Mapping[str, object]) -> Report:
    """The report in `fields`, other fields (user, queue ...) are passed over; CtiRefused."""
    event, direction = fields.get("event"), fields.get("direction")
    if event not in (NEW, ANSWER, HANG_UP):
        raise CtiRefused(marked("event: newCall, answer or hangup."))
    if direction not in DIRECTIONS:
        raise CtiRefused(marked("direction: in or out."))
    texts = {name: _text(fields, name) for name in LONGEST}
    if not texts["callId"]:
        raise CtiRefused(marked("%(field)s: 1 to %(most)s plain characters."), field="callId", most=64)
    return Report(str(event), texts["callId"], str(direction), texts["from"], texts["to"], texts["cause"])


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str) or len(value) > LONGEST[name] or not value.isprintable():
        text = marked("%(field)s: 1 to %(most)s plain characters.")
        raise CtiRefused(text, field=name, most=LONGEST[name])
    return value.strip()


def after(call: Ringing | None, report: Report, now_utc: str) -> Ringing:
    """The call after `report`; one whose beginning was never reported begins with what is."""
    begun = call or Ringing(report.direction, report.caller, report.called, now_utc)
    if report.event == ANSWER and begun.answered_utc is None:
        return replace(begun, answered_utc=now_utc)
    return begun


def ended(call: Ringing, report: Report, id_: str, name: str, now_utc: str) -> CallEnded:
    """The call that `report` ends at `now_utc`, as one of the line `name`."""
    talking = timedelta(0)
    if call.answered_utc is not None:
        talking = max(talking, from_text(now_utc) - from_text(call.answered_utc))
    incoming = call.direction == "in"
    named = call.caller.casefold() not in ANONYMOUS
    return CallEnded(
        call_id=id_,
        line=0,
        line_name=name,
        direction=call.direction,
        outcome=_outcome(call, report),
        started_utc=to_text(from_text(call.started_utc)),
        answered_utc=call.answered_utc,
        ended_utc=now_utc,
        duration_ms=talking // timedelta(milliseconds=1),
        caller_number=call.caller if incoming and named else None,
        caller_presentation=None if not incoming else "available" if named else "withheld",
        dialled=call.called or None if not incoming else None,
        end_reason="hung_up" if call.answered_utc else "not_answered",
        hook_known=False,
    )


def _outcome(call: Ringing, report: Report) -> str:
    if call.answered_utc is not None:
        return "answered"
    return "missed" if call.direction == "in" else CAUSES.get(report.cause, "unknown")
