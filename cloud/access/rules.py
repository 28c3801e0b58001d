"""The rules of reading as the administrator set them, over the defaults in code, and the floors under them.

    window/role/channel -> days      purposes/role -> which      ladder/rung/measure -> at most so many

What is no setting cannot be lifted: nobody decides their own, who may decide at all, that people from
outside, sensitive fields and whatever is taken out need two levels, and that a role keeps its daily work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from cloud.access.applications import LADDER, NO_END, Rung
from cloud.access.purposes import PURPOSES_OF
from cloud.access.roles import is_outside
from cloud.access.windows import WINDOWS
from sync.locale import marked

LONGEST_WINDOW = 1100  # days: what is older has left the retention of call records, or takes a grant
MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "rows": marked("How many records"),
        "subjects": marked("Numbers or customers"),
        "days": marked("Days of records"),
        "hours": marked("Hours of validity"),
    }
)
_MOST: tuple[Mapping[str, int], ...] = (  # rung -> how far its bounds may be moved
    {"rows": 100, "subjects": 5, "days": 366, "hours": 24},
    {"rows": 10_000, "subjects": 200, "days": 1100, "hours": 90 * 24},
    {"rows": 100_000, "subjects": NO_END, "days": NO_END, "hours": 90 * 24},
)
# Additional purposes that may be given to somebody who works here.
_FREE = tuple(key for key in PURPOSES_OF["manager"] if key != "emergency")


@dataclass(frozen=True, slots=True)
class Setting:
    """One rule: as text, its default, and what it may be set to."""

    default: str
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()  # of purposes; the first of a role stays
    kept: tuple[str, ...] = ()

    def admits(self, value: str) -> bool:
        """Whether it may be set to `value`."""
        if self.choices:
            chosen = value.split()
            fits = set(self.kept) <= set(chosen) <= set(self.choices)
            return fits and " ".join(self.in_order(chosen)) == value
        plain = value.isascii() and value.isdigit() and len(value) < 11
        return plain and str(int(value)) == value and self.least <= int(value) <= self.most

    def in_order(self, chosen: list[str]) -> list[str]:
        """The purposes of `chosen` as they are kept: daily work first."""
        return [one for one in self.choices if one in chosen]


def _settings() -> Iterator[tuple[str, Setting]]:
    for (role, channel), days in WINDOWS.items():
        if days is not None:  # the judiciary has no bound by law (CDR-07)
            # Whoever sets the rules widens nothing for themselves.
            most = days if role == "admin" else LONGEST_WINDOW
            yield f"window/{role}/{channel}", Setting(str(days), 0, most)
    for role, purposes in PURPOSES_OF.items():
        more = () if is_outside(role) or role in ("admin", "maintainer") else _FREE
        choices = tuple(dict.fromkeys((*purposes, *more)))
        if len(choices) > 1:
            yield f"purposes/{role}", Setting(" ".join(purposes), choices=choices, kept=purposes[:1])
    for at, rung in enumerate(LADDER):
        for measure, most in _MOST[at].items():
            yield f"ladder/{at}/{measure}", Setting(str(getattr(rung, measure)), 1, most)


SETTINGS: Mapping[str, Setting] = MappingProxyType(dict(_settings()))


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds now."""

    windows: Mapping[tuple[str, str], int | None] = field(default_factory=lambda: WINDOWS)
    purposes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: PURPOSES_OF)
    ladder: tuple[Rung, ...] = LADDER

    def may_name(self, role: str, purpose: str) -> bool:
        """Whether `role` may read for `purpose`."""
        return purpose in self.purposes.get(role, ())


DEFAULTS = Rules()


def rules_of(rows: Mapping[str, str]) -> Rules:
    """The defaults with `rows` (key of SETTINGS -> value) over them; what may not be set is passed over."""
    fit = {key: value for key, value in rows.items() if key in SETTINGS and SETTINGS[key].admits(value)}
    above = set(faults_of_values(fit))  # of the ladder, which then is as it was
    fit = {key: value for key, value in fit.items() if not (above and key.startswith("ladder/"))}
    windows, purposes, ladder = dict(WINDOWS), dict(PURPOSES_OF), list(LADDER)
    for key, value in fit.items():
        what, first, *rest = key.split("/")
        if what == "window":
            windows[first, rest[0]] = int(value)
        elif what == "purposes":
            purposes[first] = tuple(value.split())
        else:
            ladder[int(first)] = _moved(ladder[int(first)], rest[0], int(value))
    return Rules(MappingProxyType(windows), MappingProxyType(purposes), tuple(ladder))


def _moved(rung: Rung, measure: str, bound: int) -> Rung:
    bounds: dict[str, Any] = {measure: bound}
    return replace(rung, **bounds)


def faults_of_values(values: Mapping[str, str]) -> list[str]:
    """Keys of `values` that may not be so: out of their bounds, or a rung that reaches above the next."""
    faults = [key for key, value in values.items() if key not in SETTINGS or not SETTINGS[key].admits(value)]
    if faults:
        return faults
    whole = {key: values.get(key, setting.default) for key, setting in SETTINGS.items()}
    for at in range(len(LADDER) - 1):
        for measure in MEASURES:
            if int(whole[f"ladder/{at}/{measure}"]) > int(whole[f"ladder/{at + 1}/{measure}"]):
                faults.append(f"ladder/{at}/{measure}")
    return faults
