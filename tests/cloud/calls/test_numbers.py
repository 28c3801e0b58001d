"""Numbers somebody looks for: in which dresses they are found, and what a masked one must not tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.calls.numbers import NumberWish, party_of, read_numbers
from sync.mask import mask_number


def fits(wish: NumberWish, party: str) -> bool:
    """What the database decides by the columns of a call."""
    if (party[-4:] if wish.by_last4 else party[-8:]) != wish.last:
        return False
    in_form = not wish.forms or party in wish.forms
    return in_form and party.startswith(wish.first) and party.endswith(wish.more_last)


def found(typed: str, party: str) -> bool:
    return any(fits(wish, party) for wish in read_numbers(typed))


@pytest.mark.parametrize(
    ("typed", "party", "is_found"),
    [
        ("13800138000", "13800138000", True),
        ("+86 138-0013-8000", "13800138000", True),
        ("13800138000", "013800138000", True),
        ("13800138000", "8613800138000", True),
        ("13800138000", "13900138000", False),
        ("0871-65123456", "087165123456", True),
        ("0871 6512 3456", "87165123456", True),
        ("087165123456", "68165123456", False),
        ("95588", "95588", True),
        ("95588", "1395588", False),
        ("8001", "8001", True),
        ("8000", "13800138000", True),
        ("*8000", "13800138000", True),
        ("8000", "13800138001", False),
        ("00138000", "13800138000", True),
        ("65123456", "087165123456", True),
        ("65123456", "65123456", True),
        ("138*8000", "13800138000", True),
        ("138****8000", "13800138000", True),
        ("139*8000", "13800138000", False),
        ("*0138000", "13800138000", True),
        ("*1138000", "13800138000", False),
        ("13800*138000", "13800138000", True),
    ],
)
def test_found_by(typed: str, party: str, is_found: bool) -> None:
    assert found(typed, party) is is_found


@pytest.mark.parametrize("typed", ["", "*", "12", "138*", "*800", "wang", "138x", "1*2*3", "%", "'; --"])
def test_no_number(typed: str) -> None:
    assert read_numbers(typed) == ()


MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
TYPED = st.from_regex(r"[0-9]{0,6}\*?[0-9]{3,8}", fullmatch=True)


@given(MOBILES, TYPED)
def test_only_a_whole_number_tells_two_apart_that_are_masked_alike(number: str, typed: str) -> None:
    """Else a masked number could be guessed digit by digit."""
    other = number[:3] + str((int(number[3:7]) + 1) % 10_000).zfill(4) + number[7:]
    assert mask_number(number) == mask_number(other)
    wishes = read_numbers(typed)
    if not any(wish.reveals or wish.forms for wish in wishes):
        assert found(typed, number) == found(typed, other)


@pytest.mark.parametrize(
    ("direction", "caller", "dialled", "party"),
    [
        ("in", "138 0013 8000", None, "13800138000"),
        ("out", None, "9,0871-65123456", "9087165123456"),
        ("out", "1", "2", "2"),
        ("unknown", None, "2", "2"),
        ("in", None, None, None),
        ("in", "P", None, None),
        ("in", "\u0663", None, None),  # a digit, not one of a telephone
    ],
)
def test_the_other_side(direction: str, caller: str | None, dialled: str | None, party: str | None) -> None:
    assert party_of(direction, caller, dialled) == party
