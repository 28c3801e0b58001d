"""What an audit row says: who did what to what, from where, for which purpose, and whether it was allowed.

A browser fetches one recording in many ranges; one person listening once is one row, and no way of asking for
ranges avoids it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sync.moment import from_text


class Action(StrEnum):
    """What the audit trail knows of."""

    LOG_IN = "log_in"
    LOG_IN_REFUSED = "log_in_refused"
    LOG_OUT = "log_out"
    VIEW = "view"
    SEARCH = "search"
    SEARCH_NUMBER = "search_number"
    REVEAL = "reveal"
    PLAY = "play"
    DOWNLOAD = "download"
    EXPORT = "export"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    GRANT = "grant"
    REVOKE = "revoke"
    BREAK_GLASS = "break_glass"
    RETENTION = "retention"
    QUARANTINE_RETRY = "quarantine_retry"
    QUARANTINE_DISMISS = "quarantine_dismiss"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and by which way they came; all empty for somebody who is not known."""

    user_id: str = ""
    name: str = ""
    role: str = ""
    unit_id: str = ""
    session: str = ""  # the first characters of the session's hash
    address: str = ""
    user_agent: str = ""
    channel: str = ""
    trace_id: str = ""  # of the request


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What becomes one audit row. The trail keeps no clear value of grade 4 or 5, not even in `changes`."""

    actor: Actor
    action: Action
    kind: str = ""  # of the object: calls, recordings, customers ...
    object_id: str = ""  # "": a list
    box_id: str = ""  # the branch concerned
    fields: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  # old, new
    purpose: str = ""
    grants: tuple[str, ...] = ()
    row_count: int = 0
    ids: tuple[str, ...] = ()  # of the rows returned
    refusal: str = ""  # code of why not; "": it was done


ONE_PLAY = timedelta(minutes=10)


def is_new_play(last_logged_utc: str | None, now: datetime) -> bool:
    """Whether fetching audio `now` is a play of its own, when this session's last was logged then."""
    return last_logged_utc is None or not timedelta(0) <= now - from_text(last_logged_utc) < ONE_PLAY
