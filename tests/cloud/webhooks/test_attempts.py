"""What follows from each answer of a receiver, and how long an unanswered delivery is tried."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud.webhooks.attempts import JITTER, PAUSES_S, Answer, Outcome, State, outcome
from tests.cloud.house import NOON

TRIES = len(PAUSES_S) + 1


@pytest.mark.parametrize(
    ("status", "tries", "state"),
    [
        (200, 1, State.DONE),
        (204, 1, State.DONE),
        (299, TRIES, State.DONE),
        (410, 1, State.GONE),
        (301, 1, State.WAITING),  # never followed
        (400, 1, State.WAITING),
        (500, 1, State.WAITING),
        (0, 1, State.WAITING),
        (0, TRIES - 1, State.WAITING),
        (0, TRIES, State.DEAD),
        (302, TRIES, State.DEAD),
    ],
)
def test_states(status: int, tries: int, state: State) -> None:
    assert outcome(Answer(status), tries, NOON, 0.5).state is state


def test_pauses_grow_to_a_day_and_are_jittered() -> None:
    waits = [outcome(Answer(500), tries, NOON, 0.5) for tries in range(1, TRIES)]
    assert waits == [Outcome(State.WAITING, NOON + timedelta(seconds=pause)) for pause in PAUSES_S]
    early, late = (outcome(Answer(500), 1, NOON, chance).due for chance in (0.0, 1.0))
    assert early is not None and late is not None
    assert late - early == timedelta(seconds=2 * JITTER * PAUSES_S[0])
    assert sum(PAUSES_S) > 86_400, "a receiver may be away for a day"
