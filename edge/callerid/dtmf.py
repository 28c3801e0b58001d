"""Caller ID as DTMF keys, sent on hook before or between rings: China in part, India, Taiwan, the Nordics.

    A number C       D number C       A number #           C or # ends it; D too, if a pause follows
    A number D redirecting number B code C                 any part may be left out
    B 0 0 C  not available      B 1 0 C  withheld          codes of absence with an end of C ...
    D 1 #    withheld           D 2 #, D 3 #  not available                 ... and with an end of #

There is no checksum and no name, so the confidence is never full, and only the line's state (on hook)
tells it from dialling. Some exchanges start with *, # or C. A redirecting number is kept as 0x1A, as in MDMF.
"""

from __future__ import annotations

import re

from edge.callerid.caller import CallerId, NotPlausible, NotThisStandard, WrongLength

STARTS = "ABCD*#"
ENDS = "CD#"
CONFIDENCE = 0.9
MIN_DIGITS, MAX_DIGITS = 3, 20
REDIRECTING_NUMBER = 0x1A

_ABSENT = {
    "B00": "unavailable",
    "B10": "withheld",
    "D1": "withheld",
    "D2": "unavailable",
    "D3": "unavailable",
}
_CODE = {"withheld": "B10C", "unavailable": "B00C"}
_PARTS = re.compile(r"[ABCD*#][0-9]+([ABD][0-9]+){0,2}")


def parse(digits: str, standard: str = "dtmf") -> CallerId:
    """Return the number between start and end key; raises CallerIdError."""
    if len(digits) < 3:
        raise WrongLength(f"at least a start key, a digit and an end key, got {digits!r}")
    if digits[0] not in STARTS:
        raise NotThisStandard(f"the start key is one of {STARTS}, got {digits[0]!r}")
    if digits[-1] not in ENDS:
        raise WrongLength(f"the end key is one of {ENDS}, got {digits[-1]!r}")
    keys = digits[:-1]
    if keys in _ABSENT:
        return CallerId(standard, "dtmf", presentation=_ABSENT[keys], confidence=CONFIDENCE)
    if not _PARTS.fullmatch(keys):
        raise NotPlausible(f"a start key, then digits, up to three times, got {digits!r}")
    number, *more = re.findall(r"[0-9]+", keys)
    if not MIN_DIGITS <= len(number) <= MAX_DIGITS:
        raise WrongLength(f"a number has {MIN_DIGITS}-{MAX_DIGITS} digits, got {len(number)}")
    marks = re.findall(r"[ABD]", keys[1:])
    redirecting = [value for mark, value in zip(marks, more, strict=True) if mark == "D"]
    other = tuple((REDIRECTING_NUMBER, value.encode("ascii")) for value in redirecting)
    return CallerId(standard, "dtmf", number, confidence=CONFIDENCE, other=other)


def build(caller: CallerId) -> str:
    """Return the keys as a Chinese exchange sends them: D, the number, C; or the code of its absence."""
    if caller.number is None:
        return _CODE.get(caller.presentation, _CODE["unavailable"])
    redirecting = "".join(
        f"D{value.decode('ascii')}" for kind, value in caller.other if kind == REDIRECTING_NUMBER
    )
    keys = f"A{caller.number}{redirecting}C" if redirecting else f"D{caller.number}C"
    parse(keys)
    return keys
