"""A number somebody looks for: whole, its last four or eight digits, or the ends that a mask leaves visible.

The two columns `last4` and `last8` of calls find it; `party` (the other side's digits as the line sent them)
decides. One number comes in several dresses, with and without country code or trunk 0.

    13800138000 · +86 138 0013 8000    whole
    8000 · *8000                       last four
    00138000 · *00138000               last eight; only for those who see numbers clear
    138*8000                           what a masked number shows
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync.phone import indexed_digits, read_number

LAST4, LAST8 = 4, 8
SHOWN_FIRST, SHOWN_LAST = 3, 4  # of a masked mobile number (sync.mask)
_ENDS = re.compile(r"([0-9]{0,12})\*+([0-9]{4,12})")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class NumberWish:
    """Which numbers are wanted: those that end in `last`, and are one of `forms` or begin with `first`."""

    last: str  # 4 digits, or up to 8: a key of one of the two columns
    forms: frozenset[str] = frozenset()  # empty: any
    first: str = ""
    more_last: str = ""  # all digits asked for at the end, where those are more than `last`
    reveals: bool = False  # asks about digits that a masked number does not show

    @property
    def by_last4(self) -> bool:
        """Whether `last` is a key of `last4`; else of `last8`."""
        return len(self.last) == LAST4 and not self.forms


def party_of(direction: str, caller_number: str | None, dialled: str | None) -> str | None:
    """The digits of the other side as the line sent them; None when it sent none."""
    first, second = (dialled, caller_number) if direction == "out" else (caller_number, dialled)
    if first and first.isdigit() and first.isascii():  # as nearly all are
        return first
    return digits_of(first or "") or digits_of(second or "") or None


def digits_of(said: str) -> str:
    """The ASCII digits of `said`."""
    if said.isdigit() and said.isascii():
        return said
    return "".join(one for one in said if "0" <= one <= "9")


def read_numbers(typed: str) -> tuple[NumberWish, ...]:
    """What `typed` asks for, any of it; empty when it is no number, or too little of one."""
    text = "".join(one for one in typed if one not in " -()+")
    if ends := _ENDS.fullmatch(text):
        return (_by_ends(*ends.groups()),)
    if not _DIGITS.fullmatch(text) or len(text) < 3:
        return ()
    if len(text) == LAST4:
        return (NumberWish(last=text), *_whole(typed))
    if len(text) == LAST8:
        return (NumberWish(last=text, reveals=True), *_whole(typed))
    return _whole(typed)


def whole_number(typed: str) -> tuple[NumberWish, ...]:
    """Calls with exactly that number, in any of its dresses."""
    return _whole(typed)


def _by_ends(first: str, last: str) -> NumberWish:
    reveals = len(first) > SHOWN_FIRST or len(last) > SHOWN_LAST
    key = last[-LAST8:] if len(last) >= LAST8 else last[-LAST4:]
    return NumberWish(last=key, first=first, more_last=last, reveals=reveals)


def _whole(typed: str) -> tuple[NumberWish, ...]:
    """One wish for each ending that the dresses of the number have."""
    forms = _forms(typed)
    endings = sorted({form[-LAST8:] for form in forms})
    return tuple(
        NumberWish(last=ending, forms=frozenset(form for form in forms if form.endswith(ending)))
        for ending in endings
    )


def _forms(typed: str) -> set[str]:
    number = read_number(typed)
    plain = indexed_digits(number) or digits_of(typed)
    forms = {digits_of(typed), plain}
    if number.kind == "mobile":
        forms |= {f"0{plain}", f"86{plain}", f"0086{plain}"}
    elif number.kind == "fixed" and number.normal:
        forms |= {plain[1:], f"86{plain[1:]}", f"0086{plain[1:]}"}
    elif number.kind == "foreign":
        forms |= {f"00{plain}"}
    return {form for form in forms if form}
