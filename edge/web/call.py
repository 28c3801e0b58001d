"""The Call page: everything known of one call, its recording with the gaps drawn, and how safe it is."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from bottle import HTTPResponse

from edge.store.listing import CallFacts, RecordingRow
from edge.store.notes import notes_of, tags_of
from edge.store.operations import Operation, heard_by, log_play
from edge.web import shown
from edge.web.door import allow_style
from edge.web.guard import the_call
from edge.web.remarks import may_strike
from edge.web.site import Visit
from edge.web.strip import strip
from sync.locale import marked

DRAWN_WIDTH = 1000  # units across the strip that shows gaps
ONE_VIEW = timedelta(minutes=10)
SPEEDS = (0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in the call, for its timeline."""

    at_utc: str
    icon: str
    text: str  # marked
    after_ms: int  # since the call began


@dataclass(frozen=True, slots=True)
class DrawnGap:
    """A gap as a box on a strip DRAWN_WIDTH wide."""

    x: float
    width: float
    start_ms: int
    length_ms: int
    reason: str


def show(visit: Visit, call_id: str) -> HTTPResponse:
    """The page of one call; 404 when there is none that the user sees."""
    facts = the_call(visit, call_id)
    if visit.user is not None:
        viewed = Operation("view", "done", visit.address, visit.user.name, call_id)
        log_play(visit.db, viewed, visit.now, ONE_VIEW)
    nonce = secrets.token_urlsafe(12)
    answer = visit.page(
        "call.html",
        style_nonce=nonce,
        strip=strip(visit),
        call=facts.row,
        facts=facts,
        timeline=timeline(facts),
        recordings=[(row, drawn_gaps(row)) for row in facts.recordings],
        drawn_width=DRAWN_WIDTH,
        speeds=SPEEDS,
        notes=[(note, may_strike(visit, note)) for note in notes_of(visit.db, call_id)],
        tags=tags_of(visit.db, call_id),
        heard=heard_by(visit.db, tuple(row.id for row in facts.recordings)),
    )
    return allow_style(answer, nonce)


def timeline(facts: CallFacts) -> tuple[Moment, ...]:
    """What happened when, in order."""
    row = facts.row
    incoming = row.direction == "in"
    began = marked("The line rang") if incoming else marked("A phone was lifted")
    ended = marked("Nobody answered") if row.outcome == "missed" else marked("The call ended")
    candidates = (
        (row.started_utc, "ringing" if incoming else "talking", began),
        (row.answered_utc if incoming else None, "talking", marked("Answered")),
        (row.ended_utc, "missed" if row.outcome == "missed" else "on-hook", ended),
    )
    return tuple(
        Moment(at_utc, icon, text, shown.between_ms(row.started_utc, at_utc))
        for at_utc, icon, text in candidates
        if at_utc
    )


def drawn_gaps(row: RecordingRow) -> tuple[DrawnGap, ...]:
    """The gaps of a recording as boxes; one too short to be seen is drawn a little wider."""
    if row.samples <= 0 or row.rate_hz <= 0:
        return ()
    scale = DRAWN_WIDTH / row.samples
    return tuple(
        DrawnGap(
            x=round(gap.start_sample * scale, 1),
            width=max(3.0, round(gap.length_samples * scale, 1)),
            start_ms=gap.start_sample * 1000 // row.rate_hz,
            length_ms=gap.length_samples * 1000 // row.rate_hz,
            reason=gap.reason,
        )
        for gap in row.gaps
    )
