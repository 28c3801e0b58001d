"""A report that a call's record is wrong: a work item with states; who may take which step is a table.

    open --take--> looked into --answer--> answered --reopen--> open
      ^                 |
      +----give back----+

Nobody answers a report of their own (CDR-44).
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.locale import marked

OPEN, LOOKED_INTO, ANSWERED = "open", "looked_into", "answered"
STATES: dict[str, str] = {
    OPEN: marked("Open"),
    LOOKED_INTO: marked("Being looked into"),
    ANSWERED: marked("Replied"),
}
LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """Something that can be done with a report."""

    name: str  # a marked text
    before: str
    after: str
    says_why: bool  # takes a text
    own: bool = True  # whether who reported may do it


STEPS: dict[str, Step] = {
    "take": Step(marked("Look into it"), OPEN, LOOKED_INTO, says_why=False, own=False),
    "give_back": Step(marked("Give it back"), LOOKED_INTO, OPEN, says_why=False),
    "answer": Step(marked("Answer"), LOOKED_INTO, ANSWERED, says_why=True, own=False),
    "reopen": Step(marked("Open it again"), ANSWERED, OPEN, says_why=True),
}


class StepRefused(ValueError):
    """A step that cannot be taken; the text is a marked sentence."""


def after(step: str, state: str, text: str, is_own: bool) -> str:
    """The state after `step`; StepRefused when it does not lead on from `state`, or not for this person."""
    wanted = STEPS.get(step)
    if wanted is None or wanted.before != state:
        raise StepRefused(marked("Somebody else was quicker. Load the page again."))
    if is_own and not wanted.own:
        raise StepRefused(marked("Nobody answers a report of their own."))
    if wanted.says_why and not text.strip():
        raise StepRefused(marked("Say something, please."))
    return wanted.after


def steps_from(state: str, is_own: bool) -> dict[str, Step]:
    """What somebody can do with a report in that state."""
    return {key: one for key, one in STEPS.items() if one.before == state and (one.own or not is_own)}
