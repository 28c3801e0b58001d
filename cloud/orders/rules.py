"""An order as a state table: who may take which step, what it becomes, and when it is overdue.

    waiting --approve---> ordered --> sent --> taken --> done | refused (by the box)
            --decline---> declined
            --withdraw--> withdrawn

What makes audio or a call go waits for a second person; nobody approves an order of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.locale import marked
from sync.moment import from_text
from sync.orders import DELETE, DELETE_CALL, HOLD, RELEASE, RETENTION, TAKES_TWO

WAITING, DECLINED, WITHDRAWN = "waiting", "declined", "withdrawn"
ORDERED, SENT, TAKEN, DONE, REFUSED = "ordered", "sent", "taken", "done", "refused"
STATES: dict[str, str] = {
    WAITING: marked("Waits for approval"),
    ORDERED: marked("Ordered"),
    SENT: marked("Sent"),
    TAKEN: marked("Received by the branch"),
    DONE: marked("Carried out"),
    REFUSED: marked("Refused by the branch"),
    DECLINED: marked("Declined"),
    WITHDRAWN: marked("Withdrawn"),
}
ON_THE_WAY = (ORDERED, SENT, TAKEN)
KIND_NAMES: dict[str, str] = {
    HOLD: marked("Legal hold"),
    RELEASE: marked("End of a hold"),
    DELETE: marked("Deletion of audio"),
    DELETE_CALL: marked("Deletion of a call"),
    RETENTION: marked("How long audio is kept"),
}
CLASS_NAMES: dict[str, str] = {  # of calls, as retention knows them
    "in": marked("Incoming"),
    "out": marked("Outgoing"),
    "missed": marked("Missed"),
    "voicemail": marked("Voicemail"),
    "unknown": marked("Unknown"),
}
CODES: dict[str, str] = {  # what a box says of an order
    "done": marked("Done."),
    "nothing_left": marked("There was nothing left to delete."),
    "branch_holds": marked("Done; the branch itself still holds this call."),
    "on_hold": marked("The call is on hold at the branch, so nothing was deleted."),
    "no_such_call": marked("The branch has no such call."),
    "not_on_hold": marked("The call was not on hold at the branch."),
    "not_approved": marked("Nobody else had approved it."),
    "unknown_kind": marked("The branch's version does not know such an order."),
    "wrong_certificate": marked("The branch does not accept our certificate; its clock may be wrong."),
    "wrong_signature": marked("The branch found the signature wrong."),
    "wrong_box": marked("The order reached another box."),
}
SIGNED: dict[str, str] = {  # what the signature of a receipt is worth
    "good": marked("Signed with the branch's key"),
    "other_key": marked("Signed with another key than the branch's manifests"),
    "bad": marked("The signature does not hold"),
    "none": marked("Not signed"),
}
OVERDUE_AFTER = timedelta(days=1)
LONGEST_REASON = 500


QUICKER = marked("Somebody else was quicker. Load the page again.")
SAY_WHY = marked("Say why, please.")
ON_HOLD = marked("The call is on hold: its audio may not be deleted.")
HELD_ALREADY = marked("The call is on hold already.")
NOT_HELD = marked("The call is not on hold.")
DELETED_ALREADY = marked("Its deletion has been ordered already.")
BAD_DAYS = marked("Give at least one number of days, from 0 (for ever) to 36500.")
TOO_LONG = marked("The text is too long.")
NO_SUCH = marked("There is no such order.")


class OrderRefused(ValueError):
    """An order, or a step with one, that cannot be; the text is a marked sentence."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something a person can do with an order that waits."""

    name: str  # a marked text
    after: str
    own: bool | None  # by who ordered it (True), by anybody else (False)
    says_why: bool = False


STEPS: dict[str, Step] = {
    "approve": Step(marked("Approve"), ORDERED, own=False),
    "decline": Step(marked("Decline"), DECLINED, own=False, says_why=True),
    "withdraw": Step(marked("Withdraw"), WITHDRAWN, own=True),
}


def first_state(kind: str) -> str:
    """What a new order is."""
    return WAITING if kind in TAKES_TWO else ORDERED


def after(step: str, state: str, is_own: bool, remark: str) -> str:
    """The state after `step`; OrderRefused when it does not lead on, or not for this person."""
    wanted = STEPS.get(step)
    if wanted is None or state != WAITING:
        raise OrderRefused(QUICKER)
    if wanted.own is not is_own:
        own = marked("Only who ordered it can withdraw it.")
        raise OrderRefused(marked("Nobody approves an order of their own.") if is_own else own)
    if wanted.says_why and not remark.strip():
        raise OrderRefused(SAY_WHY)
    return wanted.after


def steps_from(state: str, is_own: bool) -> dict[str, Step]:
    """What somebody can do with an order in that state."""
    return {key: one for key, one in STEPS.items() if state == WAITING and one.own is is_own}


def is_overdue(state: str, since_utc: str | None, now: datetime) -> bool:
    """Whether a branch should have answered by now; `since_utc`: when it was ordered, or approved."""
    return state in ON_THE_WAY and since_utc is not None and now - from_text(since_utc) > OVERDUE_AFTER
