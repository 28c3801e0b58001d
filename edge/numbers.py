"""Numbers that are never recorded (特殊号码表): patterns with wildcards, decided as early as digits allow.

    *  any digits, also none        ?  exactly one digit        everything else is itself

A number is compared as the line gave it, blanks and dashes left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.marked import SaidError, marked

_ALLOWED = re.compile(r"[0-9*?+#]+")
_LEFT_OUT = str.maketrans("", "", " -()")


class PatternError(SaidError):
    """A pattern with something in it that no number has."""


@dataclass(frozen=True, slots=True)
class NumberList:
    """The patterns of one box."""

    patterns: tuple[str, ...] = ()
    _whole: tuple[re.Pattern[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_whole", tuple(re.compile(_regex(one)) for one in self.patterns))

    def has(self, number: str | None) -> bool:
        """Whether `number` is on the list."""
        plain = _plain(number)
        return bool(plain) and any(pattern.fullmatch(plain) for pattern in self._whole)

    def may_become(self, digits: str) -> bool:
        """Whether more digits after `digits` could put the number on the list."""
        plain = _plain(digits)
        return any(_begins(pattern, plain) for pattern in self.patterns)


def read_patterns(patterns: Iterable[str]) -> NumberList:
    """Check and keep the patterns; PatternError names the first that is none."""
    kept = []
    for pattern in patterns:
        plain = _plain(pattern)
        if not _ALLOWED.fullmatch(plain):
            raise PatternError(marked("a number has digits, * and ?, got “%(number)s”"), number=pattern)
        if not plain.strip("*"):
            raise PatternError(
                marked("“%(number)s” would match every number; switch recording off instead"), number=pattern
            )
        kept.append(plain)
    return NumberList(tuple(kept))


def _plain(number: str | None) -> str:
    return (number or "").translate(_LEFT_OUT)


def _regex(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)


def _begins(pattern: str, digits: str) -> bool:
    """Whether `digits` is a beginning of something `pattern` matches."""
    if not digits or pattern.startswith("*"):
        return True
    return pattern[:1] in (digits[0], "?") and _begins(pattern[1:], digits[1:]) if pattern else False
