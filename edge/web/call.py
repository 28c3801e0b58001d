"""The Call page: everything known of one call, its recording with the gaps drawn, and how safe it is."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from bottle import HTTPResponse

from edge.store.customers import Match, by_number, has
from edge.store.erasures import erasure_of
from edge.store.listing import CallFacts, CallRow, RecordingRow
from edge.store.marks import Mark, marks_of
from edge.store.notes import notes_of, tags_of
from edge.store.operations import MOST_HEARD, Operation, heard_by, log_play
from edge.store.orders import ordered_days
from edge.store.popup_settings import number_rules
from edge.store.proof import proof_of
from edge.store.retention import hold_on
from edge.store.scope import customers_scope
from edge.web import shown
from edge.web.door import allow_style
from edge.web.guard import the_call
from edge.web.remarks import may_strike
from edge.web.rights import Right
from edge.web.site import Visit
from edge.web.strip import strip
from sync.locale import marked
from sync.moment import from_text, to_text
from sync.phone import read_number

DRAWN_WIDTH = 1000  # units across the strip that shows gaps
KEYS_APART_MS = 3000  # keys closer than this belong together
ONE_VIEW = timedelta(minutes=10)
SPEEDS = (0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in the call, for its timeline."""

    at_utc: str
    icon: str
    text: str  # marked
    after_ms: int  # since the call began
    detail: str = ""  # of a mark: keys, a number, or a marked text


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """Something that happened in the call, as a tick on the same strip."""

    x: float
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class DrawnGap:
    """A gap as a box on a strip DRAWN_WIDTH wide."""

    x: float
    width: float
    start_ms: int
    length_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """How long the branch's rules keep a recording; what comes first counts, nothing means no rule does."""

    until_utc: str | None = None
    newest_gb: float = 0.0  # it goes when newer recordings fill so much
    newest_recordings: int = 0  # it goes when there are so many newer ones


def show(visit: Visit, call_id: str, fault: str = "") -> HTTPResponse:
    """The page of one call; 404 when there is none that the user sees. `fault` (marked): what was refused."""
    facts = the_call(visit, call_id)
    if visit.user is not None:
        viewed = Operation("view", "done", visit.address, visit.user.name, call_id)
        log_play(visit.db, viewed, visit.now, ONE_VIEW)
    happened = marks_of(visit.db, call_id)
    nonce = secrets.token_urlsafe(12)
    answer = visit.page(
        "call.html",
        409 if fault else 200,
        fault=fault,
        style_nonce=nonce,
        strip=strip(visit),
        call=facts.row,
        facts=facts,
        timeline=timeline(facts, happened),
        recordings=[
            (
                row,
                drawn_gaps(row),
                drawn_marks(facts, row, happened),
                proof_of(visit.db, "recording", row.id),
                kept_until(visit, facts.row, row),
            )
            for row in facts.recordings
        ],
        hold=hold_on(visit.db, call_id),
        erasure=erasure_of(visit.db, call_id),
        customers=customers_of(visit, facts.row),
        drawn_width=DRAWN_WIDTH,
        speeds=SPEEDS,
        notes=[(note, may_strike(visit, note)) for note in notes_of(visit.db, call_id)],
        tags=tags_of(visit.db, call_id),
        heard=heard_by(visit.db, (call_id, *(row.id for row in facts.recordings))),
        most_heard=MOST_HEARD,
    )
    return allow_style(answer, nonce)


def kept_until(visit: Visit, call: CallRow, row: RecordingRow) -> Kept:
    """What the rules say of a recording: head office's for its class, else the branch's first that fits."""
    kind = call.outcome if call.outcome in ("missed", "voicemail") else call.direction
    days, kinds = ordered_days(visit.db).get(kind), {"any", kind}
    if days is not None:
        return Kept(to_text(from_text(row.started_utc) + timedelta(days=days)) if days else None)
    for rule in visit.site.settings.keep:
        if rule.line in (0, call.line) and rule.calls in kinds:
            until = from_text(row.started_utc) + timedelta(days=rule.keep_days)
            return Kept(to_text(until) if rule.keep_days else None, rule.keep_gb, rule.keep_recordings)
    return Kept()


def customers_of(visit: Visit, call: CallRow) -> tuple[Match, ...]:
    """The customers with the number of a call, as far as the user's scope goes."""
    number = shown.other_party(call)
    if not number or not visit.may(Right.CUSTOMERS):
        return ()
    rules, scope = number_rules(visit.db), customers_scope(visit.user)
    found = by_number(visit.db, read_number(number, rules.area_code, rules.access_digit))
    return tuple(one for one in found if has(visit.db, scope, one.customer.id))


def timeline(facts: CallFacts, happened: tuple[Mark, ...]) -> tuple[Moment, ...]:
    """What happened when, in order; keys pressed one after another are one moment."""
    row = facts.row
    incoming = row.direction == "in"
    began = marked("The line rang") if incoming else marked("A phone was lifted")
    ended = marked("Nobody answered") if row.outcome == "missed" else marked("The call ended")
    first = Moment(row.started_utc, "ringing" if incoming else "talking", began, 0)
    within = _joined(row.started_utc, happened)
    if row.answered_utc and not any(one.kind == "answered" for one in happened):
        after_ms = shown.between_ms(row.started_utc, row.answered_utc)
        within.append(Moment(row.answered_utc, "talking", shown.MARKS["answered"].text, after_ms))
    within.sort(key=lambda one: one.after_ms)
    if row.ended_utc is None:
        return (first, *within)
    icon = "missed" if row.outcome == "missed" else "on-hook"
    last = Moment(row.ended_utc, icon, ended, shown.between_ms(row.started_utc, row.ended_utc))
    return (first, *within, last)


def _joined(started_utc: str, happened: tuple[Mark, ...]) -> list[Moment]:
    moments: list[Moment] = []
    last_key_ms = -KEYS_APART_MS
    for mark in happened:
        if mark.kind == "key":
            near, last_key_ms = mark.at_ms - last_key_ms < KEYS_APART_MS, mark.at_ms
            if near and moments and moments[-1].text == shown.MARKS["key"].text:
                moments[-1] = replace(moments[-1], detail=moments[-1].detail + mark.detail)
                continue
        word = shown.word(shown.MARKS, mark.kind)
        at_utc = to_text(from_text(started_utc) + timedelta(milliseconds=mark.at_ms))
        detail = shown.MARK_DETAILS.get(mark.detail, shown.visible(mark.detail))
        moments.append(Moment(at_utc, word.icon, word.text, mark.at_ms, detail))
    return moments


def drawn_marks(facts: CallFacts, row: RecordingRow, happened: tuple[Mark, ...]) -> tuple[DrawnMark, ...]:
    """What happened while this recording ran, as ticks on its strip."""
    length_ms = row.samples * 1000 / row.rate_hz if row.rate_hz > 0 else 0
    if length_ms <= 0:
        return ()
    before_ms = shown.between_ms(facts.row.started_utc, row.started_utc)
    return tuple(
        DrawnMark(
            round((mark.at_ms - before_ms) * DRAWN_WIDTH / length_ms, 1),
            shown.word(shown.MARKS, mark.kind).text,
            shown.MARK_DETAILS.get(mark.detail, shown.visible(mark.detail)),
        )
        for mark in happened
        if 0 <= mark.at_ms - before_ms <= length_ms
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
