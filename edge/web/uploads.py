"""The uploads to head office: whether audio is paused, cap and month, what waits, what was set aside there.

The pause is a row that the syncer reads; cap and month stand in the settings file. Call records always go.
"""

from __future__ import annotations

from dataclasses import dataclass

from bottle import HTTPError, HTTPResponse

from edge.store import set_aside
from edge.store.listing import line_names
from edge.store.operations import add_operation
from edge.store.set_aside import SetAside, SetAsideError
from edge.web.operators import operation
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.db import write
from sync.locale import marked
from sync.moment import to_text
from sync.outbox import Waiting, waiting
from sync.uploads import Pause, month_bytes, pause, pause_of, resume

GB = 10**9
SHOWN = 50  # of what was set aside; the command lists all of it
LONGEST_REASON = 200
WHATS = {  # of sync.events.EVENT_TYPES, what an entry tells
    "call_ended": marked("Call record"),
    "recording_ready": marked("A recording was finished"),
    "recording_lost": marked("A recording was lost"),
    "clock_measured": marked("The clock was set"),
    "communication_added": marked("A communication was noted"),
    "communication_cleared": marked("A communication was cleared"),
    "order_answered": marked("Answer to an order"),
    "customer_saved": marked("A customer was saved"),
    "entry_erased": marked("A message was erased by order"),
}
CODES = {  # why, by head office's word for it
    "unknown_kind": marked("Head office is of an older version and does not know this yet"),
    "not_as_agreed": marked("Not in the form that was agreed"),
    "apply_failed": marked("Head office could not file it"),
    "wrong_hash": marked("The file is no longer what was recorded"),
    "other_file": marked("Head office holds another file of this name"),
}
SAID = {  # after an act
    "pause": marked("Recordings wait from now on."),
    "resume": marked("Recordings are sent again."),
    "again": marked("It will be sent again."),
    "dismiss": marked("It was dismissed; head office keeps a copy."),
    "gone": marked("That was settled before."),
}


@dataclass(frozen=True, slots=True)
class UploadsNow:
    """How the uploads stand."""

    paused: Pause | None
    cap_kbit_s: int  # now; 0: none
    window: str  # that sets it; "": none does
    month: str  # 2026-11
    month_bytes: int  # used, as far as it is counted: only when there is a limit
    month_limit_bytes: int  # 0: none
    waiting: Waiting
    set_aside: tuple[SetAside, ...]  # what head office could not use, the oldest first
    set_aside_count: int


def show(visit: Visit) -> HTTPResponse:
    """The page."""
    return visit.page(
        "uploads.html",
        strip=strip(visit),
        line=0,
        line_names=line_names(visit.db),
        now=uploads_now(visit),
        rules=visit.site.settings.uploads,
        said=SAID.get(visit.query.get("saved", ""), ""),
        whats=WHATS,
        codes=CODES,
    )


def save(visit: Visit) -> HTTPResponse:
    """Pause or resume; send again or dismiss what was set aside."""
    return see_other(f"/settings/uploads?saved={changed(visit)}")


def changed(visit: Visit) -> str:
    """Do what the field `act` says and return it; "gone" if somebody else had settled that item."""
    act = visit.form.get("act", "")
    if act in ("pause", "resume"):
        _pause(visit, act)
    elif act in ("again", "dismiss"):
        return _settled(visit, act)
    else:
        raise HTTPError(400)
    return act


def _pause(visit: Visit, act: str) -> None:
    """Whoever paused first is the one who did."""
    with write(visit.db):
        if (pause_of(visit.db) is None) == (act == "pause"):
            if act == "pause":
                pause(visit.db, visit.user.name if visit.user else "", to_text(visit.now))
            else:
                resume(visit.db)
            add_operation(visit.db, operation(visit, f"{act}_uploads"), to_text(visit.now))


def _settled(visit: Visit, act: str) -> str:
    item_id, reason = visit.form.get("id", ""), visit.form.get("reason", "").strip()
    if act == "dismiss" and not 0 < len(reason) <= LONGEST_REASON:
        raise HTTPError(400)
    by, now_utc = visit.user.name if visit.user else "", to_text(visit.now)
    try:
        with write(visit.db):
            if act == "again":
                set_aside.send_again(visit.db, item_id, by, now_utc, visit.address)
            else:
                set_aside.dismiss(visit.db, item_id, reason, by, now_utc, visit.address)
    except SetAsideError:
        return "gone"
    return act


def uploads_now(visit: Visit) -> UploadsNow:
    """How they stand at this moment."""
    rules, local = visit.site.settings.uploads, visit.now.astimezone(visit.site.settings.zone)
    window, month = rules.window_at(local), f"{local:%Y-%m}"
    aside = set_aside.items(visit.db)
    return UploadsNow(
        paused=pause_of(visit.db),
        cap_kbit_s=window.cap_kbit_s if window else rules.cap_kbit_s,
        window=window.when if window else "",
        month=month,
        month_bytes=month_bytes(visit.db, month),
        month_limit_bytes=round(rules.month_gb * GB),
        waiting=waiting(visit.db),
        set_aside=tuple(aside[:SHOWN]),
        set_aside_count=len(aside),
    )
