"""How private a field is, who sees it clear, and what the others see instead (SEC-21).

grade           seen clear by                                       the others see
1 public        everybody admitted                                  -
2 internal      our own people                                      nothing
3 personal      who serves the customer, whose it is, by a grant    its mask
4 sensitive     by a grant for grade 4 only                         its mask, or nothing
5 secret        nobody, ever                                        nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloud.access.roles import Right
from sync.mask import MASKS

PUBLIC, INTERNAL, PERSONAL, SENSITIVE, SECRET = 1, 2, 3, 4, 5

_OURS = frozenset({PUBLIC, INTERNAL})
_OUTSIDE = frozenset({PUBLIC})

CLEAR_GRADES: Mapping[str, frozenset[int]] = MappingProxyType(  # without a grant
    {
        "agent": _OURS,
        "senior_agent": _OURS,
        "manager": _OURS,
        "maintainer": _OURS,
        "account_manager": _OURS,
        "admin": _OURS,
        "approver_1": _OURS,
        "approver_2": _OURS,
        "partner": _OUTSIDE,
        "regulator": _OURS,
        "judicial": _OURS,
        "subscriber": _OUTSIDE,
        "authorised_person": _OUTSIDE,
    }
)
HIGHEST_BY_GRANT: Mapping[str, int] = MappingProxyType(  # the highest grade a grant can make clear
    {
        "agent": PERSONAL,
        "senior_agent": SENSITIVE,
        "manager": SENSITIVE,
        "maintainer": PERSONAL,
        "account_manager": PERSONAL,
        "admin": PERSONAL,
        "approver_1": PERSONAL,
        "approver_2": SENSITIVE,
        "partner": PUBLIC,  # masked partial data only (CDR-05)
        "regulator": SENSITIVE,
        "judicial": SENSITIVE,
        "subscriber": PERSONAL,
        "authorised_person": PERSONAL,
    }
)


@dataclass(frozen=True, slots=True)
class Graded:
    """What a field takes to be seen. `mask`: a key of MASKS; "" when nothing may be left of it."""

    grade: int
    mask: str = ""
    right: Right | None = None  # besides the right to read the record at all

    def __post_init__(self) -> None:
        if self.grade not in range(PUBLIC, SECRET + 1) or (self.mask and self.mask not in MASKS):
            raise ValueError(f"a field has grade 1 to 5 and a mask of {', '.join(MASKS)}, got {self!r}")

    def hidden(self, value: object) -> object:
        """What stands in the field's place for those who may not see `value`."""
        return MASKS[self.mask](value) if self.mask and isinstance(value, str) else None


Grades = Mapping[str, Graded]  # column -> what it takes
