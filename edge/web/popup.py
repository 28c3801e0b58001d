"""The caller pop-up (来电弹屏): on whatever page is open, whoever the rules say sees who is calling.

    recorder commits caller number -> data_version moves -> each stream judges for its own user -> card

Everything is local, so it works with head office unreachable (POP-14). What is saved in a card has its call,
and only that leads to the recording (COM-05): so a save is judged by the same rules as the card was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta

from bottle import HTTPError, HTTPResponse

from edge.popup import Creator, Decision, Operator, RingingLine, decide
from edge.store.customers import Match, by_number
from edge.store.operations import Operation, log_operation, log_play
from edge.store.popup_settings import NumberRules, number_rules
from edge.store.sessions import session_user
from edge.store.users import User
from edge.web import sessions
from edge.web.plain import as_json
from edge.web.rights import Right, allowed, rights_of
from edge.web.site import Visit
from edge.web.stream import HEARTBEAT_S, POLL_S, RETRY_MS, STREAM_S, Fragments, message
from sync.db import data_version
from sync.locale import LANGUAGES
from sync.moment import to_text
from sync.phone import Number, read_number

OPEN_FOR = timedelta(hours=12)  # a card may be saved this long after its call began
ONE_VIEW = timedelta(hours=12)

_CALLS = """SELECT c.id, c.line, c.line_name, c.caller_number, c.caller_name, c.started_utc, g.group_id,
                   coalesce(g.pops_up, 1) AS pops_up
            FROM calls c LEFT JOIN line_groups g ON g.line = c.line
            WHERE c.direction = 'in' AND c.caller_number IS NOT NULL"""
_RINGING = f"{_CALLS} AND c.id IN (SELECT call_id FROM lines WHERE state = 'ringing') ORDER BY c.started_utc"


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call as far as a pop-up shows it."""

    id: str
    line: int
    line_name: str
    said: str
    caller_name: str | None
    started_utc: str
    rule: RingingLine


@dataclass(frozen=True, slots=True)
class Card:
    """What one user's pop-up shows."""

    call: IncomingCall
    number: Number
    matches: tuple[Match, ...]  # those the user may see
    is_minimal: bool


def card_for(db: sqlite3.Connection, user: User, call: IncomingCall, rules: NumberRules) -> Card | None:
    """The card of `call` on this user's screen, or None when the rules say no."""
    number = read_number(call.said, rules.area_code, rules.access_digit)
    found = by_number(db, number)
    creators = [Creator(one.customer.author.employee_number, one.customer.author.group_id) for one in found]
    has_number = bool(call.said.strip()) and number.kind != "withheld"
    decision: Decision = decide(operator_of(user), call.rule, has_number, creators, rules.offers_minimal_card)
    if not decision.pops_up:
        return None
    return Card(call, number, tuple(found[at] for at in decision.shown), decision.is_minimal)


def operator_of(user: User) -> Operator:
    """A user as the rules look at one."""
    return Operator(
        user.level,
        user.group_id,
        user.employee_number,
        user.lines,
        allowed(user, Right.POP_UP),
        user.shares_customers,
    )


def card_of_call(visit: Visit, call_id: str) -> Card:
    """The user's card of a call that began not long ago; 404 when the rules give the user none."""
    since_utc = to_text(visit.now - OPEN_FOR)
    row = visit.db.execute(f"{_CALLS} AND c.id = ? AND c.started_utc > ?", (call_id, since_utc)).fetchone()
    card = card_for(visit.db, visit.user, _call(row), number_rules(visit.db)) if row and visit.user else None
    if card is None:
        if visit.user:
            refused = Operation(
                "pop_up", "refused", visit.address, visit.user.name, call_id, "no rule allows"
            )
            log_operation(visit.db, refused, visit.now)
        raise HTTPError(404)
    return card


def show(visit: Visit, call_id: str) -> HTTPResponse:
    """One card as it is now: for a page that is opened while its user still works on it."""
    return visit.page("_popup.html", card=card_of_call(visit, call_id))


def stream(visit: Visit) -> HTTPResponse:
    """The user's cards from now on, as server-sent events; each has all cards of calls that ring."""
    if not visit.site.streams.acquire(blocking=False):
        raise HTTPError(503)
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    return HTTPResponse(_stream(visit), headers=headers)


def _stream(visit: Visit) -> Iterator[str]:
    try:
        with closing(visit.site.open_db()) as db:
            yield from _live(replace(visit, db=db))
    finally:
        visit.site.streams.release()


def _live(visit: Visit) -> Iterator[str]:
    """Judge anew whenever the database has changed, and say so when another card is to be seen."""
    site, clock = visit.site, visit.site.clock
    started_s = beat_s = clock.monotonic_s()
    seen: object = None
    sent: Fragments | None = None
    yield f"retry: {RETRY_MS}\n\n"
    while (now_s := clock.monotonic_s()) - started_s < STREAM_S and not site.stop.is_set():
        beat_due = now_s - beat_s >= HEARTBEAT_S
        version = data_version(visit.db)
        if version != seen or beat_due:
            seen = version
            cards = cards_now(visit)
            if cards is None:
                return
            if cards != sent:
                sent = cards
                yield message("cards", cards)
        if beat_due:
            beat_s = now_s
            yield message("beat", to_text(clock.utc()))
        site.stop.wait(POLL_S)


def cards_now(visit: Visit) -> Fragments | None:
    """The user's cards by call; None when the session has ended, or may see none any more."""
    now = visit.site.clock.utc()
    key = sessions.token_hash(visit.token or "")
    user = session_user(visit.db, key, now, sessions.IDLE, sessions.ABSOLUTE)
    if user is None or not allowed(user, Right.POP_UP):
        return None
    rows = visit.db.execute(_RINGING).fetchall()
    if not rows:
        return {}
    language = LANGUAGES.get(user.language or "", visit.language)
    reader = replace(visit, user=user, rights=rights_of(user), now=now, language=language)
    rules = number_rules(visit.db)
    cards = [card_for(visit.db, user, _call(row), rules) for row in rows]
    for card in cards:
        if card and card.matches:
            _log_view(reader, card)
    return {card.call.id: drawn(reader, card) for card in cards if card}


def drawn(visit: Visit, card: Card) -> str:
    """A card as its reader takes it: HTML, or JSON for a program."""
    return as_json(card) if visit.is_api else visit.render("_popup.html", card=card)


def _log_view(visit: Visit, card: Card) -> None:
    """That this user was shown these customers, once per call."""
    assert visit.user is not None
    names = ", ".join(one.customer.id for one in card.matches)
    seen = Operation("pop_up", "done", visit.address, visit.user.name, card.call.id, names)
    log_play(visit.db, seen, visit.now, ONE_VIEW)


def _call(row: sqlite3.Row) -> IncomingCall:
    rule = RingingLine(row["line"], row["group_id"], bool(row["pops_up"]))
    return IncomingCall(
        row["id"],
        row["line"],
        row["line_name"],
        row["caller_number"],
        row["caller_name"],
        row["started_utc"],
        rule,
    )
