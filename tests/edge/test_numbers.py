"""Numbers that are never recorded: wildcards, and deciding while digits still come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.numbers import NumberList, PatternError, read_patterns


@pytest.mark.parametrize(
    ("patterns", "number", "has"),
    [
        (["95555"], "95555", True),
        (["95555"], "9555", False),
        (["95555"], "955551", False),
        (["95555"], "9 55-55", True),
        (["9555*"], "9555", True),
        (["9555*"], "95551234", True),
        (["163?"], "1631", True),
        (["163?"], "163", False),
        (["*110"], "0110", True),
        (["163", "95555"], "163", True),
        (["95555"], None, False),
        (["95555"], "", False),
        ([], "95555", False),
    ],
)
def test_on_the_list(patterns: list[str], number: str | None, has: bool) -> None:
    assert read_patterns(patterns).has(number) is has


@pytest.mark.parametrize(
    ("patterns", "digits", "may"),
    [
        (["95555"], "", True),
        (["95555"], "95", True),
        (["95555"], "96", False),
        (["95555"], "955556", False),
        (["9?5"], "98", True),
        (["9*5"], "98123", True),
        (["163"], "1", True),
        ([], "1", False),
    ],
)
def test_may_still_become(patterns: list[str], digits: str, may: bool) -> None:
    assert read_patterns(patterns).may_become(digits) is may


PATTERNS = st.text("0123456789*?", min_size=1, max_size=8).filter(lambda text: text.strip("*"))


@given(st.lists(PATTERNS, max_size=4), st.text("0123456789", max_size=10))
def test_what_is_on_the_list_was_possible_at_every_digit(patterns: list[str], number: str) -> None:
    never = read_patterns(patterns)
    if never.has(number):
        assert all(never.may_become(number[:digits]) for digits in range(len(number) + 1))


@pytest.mark.parametrize("pattern", ["", "bank", "95555x", "*", "**"])
def test_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        read_patterns([pattern])


def test_an_empty_list_has_nothing() -> None:
    assert not NumberList().has("1") and not NumberList().may_become("")
