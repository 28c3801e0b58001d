"""Steps of a report that a record is wrong: every state x every step, by oneself and by others."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.calls.flags import LONGEST_TAG, MOST_TAGS, TagsRefused, read_tags
from cloud.calls.reports import ANSWERED, LOOKED_INTO, OPEN, STATES, STEPS, StepRefused, after, steps_from

ALLOWED = {
    (OPEN, "take"): LOOKED_INTO,
    (LOOKED_INTO, "give_back"): OPEN,
    (LOOKED_INTO, "answer"): ANSWERED,
    (ANSWERED, "reopen"): OPEN,
}


@pytest.mark.parametrize(("state", "step"), list(itertools.product(STATES, [*STEPS, "destroy"])))
def test_only_what_the_table_says_leads_on(state: str, step: str) -> None:
    if (state, step) in ALLOWED:
        assert after(step, state, "why", is_own=False) == ALLOWED[state, step]
    else:
        with pytest.raises(StepRefused):
            after(step, state, "why", is_own=False)


@pytest.mark.parametrize(
    ("step", "state", "is_refused"),
    [
        ("take", OPEN, True),
        ("answer", LOOKED_INTO, True),
        ("give_back", LOOKED_INTO, False),
        ("reopen", ANSWERED, False),
    ],
)
def test_nobody_answers_a_report_of_their_own(step: str, state: str, is_refused: bool) -> None:
    assert (step not in steps_from(state, is_own=True)) is is_refused
    if is_refused:
        with pytest.raises(StepRefused, match="their own"):
            after(step, state, "why", is_own=True)


@pytest.mark.parametrize("step", ["answer", "reopen"])
def test_an_answer_says_something(step: str) -> None:
    with pytest.raises(StepRefused, match="Say something"):
        after(step, STEPS[step].before, "  \n", is_own=False)


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", ()),
        ("VIP", ("VIP",)),
        ("投诉，回访、VIP; VIP", ("投诉", "回访", "VIP")),
        ("two words, x", ("two words", "x")),
        (" , ,", ()),
    ],
)
def test_tags(typed: str, tags: tuple[str, ...]) -> None:
    assert read_tags(typed) == tags


@pytest.mark.parametrize("typed", ["x" * (LONGEST_TAG + 1), ",".join(map(str, range(MOST_TAGS + 1)))])
def test_too_many_or_too_long_tags(typed: str) -> None:
    with pytest.raises(TagsRefused):
        read_tags(typed)


@given(st.text(max_size=60))
def test_whatever_is_typed_gives_tags_that_read_the_same_again(typed: str) -> None:
    try:
        tags = read_tags(typed)
    except TagsRefused:
        return
    assert read_tags(", ".join(tags)) == tags
