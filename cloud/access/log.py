"""What is written to the access log, and when a play counts as a new one.

A browser fetches one recording in many ranges; one person listening once is one line of the log, and no way
of asking for ranges avoids it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sync.moment import from_text


class Action(StrEnum):
    """What the access log knows of."""

    LOG_IN = "log_in"
    LOG_IN_REFUSED = "log_in_refused"
    LOG_OUT = "log_out"
    PLAY = "play"
    QUARANTINE_RETRY = "quarantine_retry"
    QUARANTINE_DISMISS = "quarantine_dismiss"


ONE_PLAY = timedelta(minutes=10)


def is_new_play(last_logged_utc: str | None, now: datetime) -> bool:
    """Whether fetching audio `now` is a play of its own, when this session's last was logged then."""
    return last_logged_utc is None or not timedelta(0) <= now - from_text(last_logged_utc) < ONE_PLAY
