"""The uploads of audio to head office: whether they are paused, the cap of the hour, the month, what waits.

The pause is a row that the syncer reads; cap and month stand in the settings file. Call records always go.
"""

from __future__ import annotations

from dataclasses import dataclass

from bottle import HTTPError, HTTPResponse

from edge.store.listing import line_names
from edge.store.operations import add_operation
from edge.web.operators import operation
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.db import write
from sync.moment import to_text
from sync.outbox import Waiting, waiting
from sync.uploads import Pause, month_bytes, pause, pause_of, resume

GB = 10**9


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


def show(visit: Visit) -> HTTPResponse:
    """The page."""
    return visit.page(
        "uploads.html",
        strip=strip(visit),
        line=0,
        line_names=line_names(visit.db),
        now=uploads_now(visit),
        rules=visit.site.settings.uploads,
        said=visit.query.get("saved", ""),
    )


def save(visit: Visit) -> HTTPResponse:
    """Pause or resume."""
    return see_other(f"/settings/uploads?saved={changed(visit)}")


def changed(visit: Visit) -> str:
    """Do what the field `act` says and return it; whoever paused first is the one who did."""
    act = visit.form.get("act", "")
    if act not in ("pause", "resume"):
        raise HTTPError(400)
    with write(visit.db):
        if (pause_of(visit.db) is None) == (act == "pause"):
            if act == "pause":
                pause(visit.db, visit.user.name if visit.user else "", to_text(visit.now))
            else:
                resume(visit.db)
            add_operation(visit.db, operation(visit, f"{act}_uploads"), to_text(visit.now))
    return act


def uploads_now(visit: Visit) -> UploadsNow:
    """How they stand at this moment."""
    rules, local = visit.site.settings.uploads, visit.now.astimezone(visit.site.settings.zone)
    window, month = rules.window_at(local), f"{local:%Y-%m}"
    return UploadsNow(
        paused=pause_of(visit.db),
        cap_kbit_s=window.cap_kbit_s if window else rules.cap_kbit_s,
        window=window.when if window else "",
        month=month,
        month_bytes=month_bytes(visit.db, month),
        month_limit_bytes=round(rules.month_gb * GB),
        waiting=waiting(visit.db),
    )
