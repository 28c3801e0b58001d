"""Manual review before release (CDR-45): which files wait, who may let them go, and for how long they lie.

    made --small, masked--> handed over at once
      |
      +--> waiting --release--> released --> opened by who asked, for KEPT_FOR
                   --withhold-> withheld     (its file goes at once)

Nobody reviews a file of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access.grades import SENSITIVE
from sync.locale import marked
from sync.moment import from_text

WAITING, RELEASED, WITHHELD = "waiting", "released", "withheld"
STATES: dict[str, str] = {
    WAITING: marked("Waits for review"),
    RELEASED: marked("Released"),
    WITHHELD: marked("Withheld"),
}
KEPT_FOR = timedelta(days=7)
LONGEST_REMARK = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Files with more rows than these wait."""

    rows: int
    clear_rows: int  # when a grant showed private fields clear


LIMITS: dict[str, Limits] = {  # by the form of the file
    "xlsx": Limits(1000, 50),
    "csv": Limits(1000, 50),
    "zip": Limits(50, 10),  # recordings
}
WHY: dict[str, str] = {
    "many": marked("It holds many rows."),
    "clear": marked("It shows private fields clear in more than a few rows."),
    "sensitive": marked("It shows sensitive fields clear."),
}


BROKE_OFF = marked("The export broke off. Nothing was kept of it; ask for it again.")
QUICKER = marked("Somebody else was quicker. Load the page again.")


class ReviewRefused(ValueError):
    """A step that cannot be taken; the text is a marked sentence."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a reviewer can do."""

    name: str  # a marked text
    after: str
    says_why: bool


STEPS: dict[str, Step] = {
    "release": Step(marked("Release"), RELEASED, says_why=False),
    "withhold": Step(marked("Withhold"), WITHHELD, says_why=True),
}


def why_review(form: str, rows: int, clear_grade: int) -> tuple[str, ...]:
    """Keys of WHY a file has to be reviewed; none: it may go. `clear_grade`: the highest shown clear, or 0.

    A form that LIMITS does not know is reviewed whatever is in it.
    """
    limits = LIMITS.get(form, Limits(0, 0))
    found = {
        "many": rows > limits.rows,
        "clear": clear_grade > 0 and rows > limits.clear_rows,
        "sensitive": clear_grade >= SENSITIVE and rows > 0,
    }
    return tuple(code for code, waits in found.items() if waits)


def after(step: str, state: str, is_own: bool, remark: str) -> str:
    """The state after `step`; ReviewRefused when it does not lead on, or not for this person."""
    wanted = STEPS.get(step)
    if wanted is None or state != WAITING:
        raise ReviewRefused(QUICKER)
    if is_own:
        raise ReviewRefused(marked("Nobody reviews a file of their own."))
    if wanted.says_why and not remark.strip():
        raise ReviewRefused(marked("Say why, please."))
    return wanted.after


def may_open(state: str, is_own: bool, decided_utc: str | None, now: datetime) -> bool:
    """Whether the file may be opened now by this person."""
    released = state == RELEASED and decided_utc is not None
    return is_own and released and now - from_text(decided_utc or "") < KEPT_FOR
