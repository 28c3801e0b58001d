"""What becomes of a delivery after each try: done, tried again later, given up, or its hook taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

PAUSES_S = (10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400)  # after the first try, the second ...
JITTER = 0.2  # of a pause, more or less: what failed together is not tried together
GONE = 410  # RFC 9110, 15.5.11: the receiver wants no more of these


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"  # given up; a person may have it sent again
    GONE = "gone"  # the receiver has left, and the hook with it


@dataclass(frozen=True, slots=True)
class Answer:
    """What a try brought: the receiver's status, or why there is none."""

    status: int = 0  # 0: no answer
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to note of a delivery. `due`: when it is tried again, if it waits."""

    state: State
    due: datetime | None = None


def outcome(answer: Answer, tries: int, now: datetime, chance: float) -> Outcome:
    """What follows from `answer`, the `tries`th one (1, 2, ...); `chance` is random from 0 to 1.

    A redirection is not followed: whoever can redirect could send customers' data anywhere.
    """
    if 200 <= answer.status < 300:
        return Outcome(State.DONE)
    if answer.status == GONE:
        return Outcome(State.GONE)
    if tries > len(PAUSES_S):
        return Outcome(State.DEAD)
    pause_s = PAUSES_S[tries - 1] * (1 + JITTER * (2 * chance - 1))
    return Outcome(State.WAITING, now + timedelta(seconds=pause_s))
