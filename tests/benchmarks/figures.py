"""A measured figure, its baseline and its target, as `make bench` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of build/bench/<name>.json. `ratio` is value / baseline, taken in the same run."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    target: float | None = None  # at most this (for `ratio_target`, the ratio is)
    ratio_target: float | None = None
    command: str = ""
    at_least: bool = False  # the targets are floors instead

    @property
    def ratio(self) -> float | None:
        """How many times the baseline."""
        return None if not self.baseline else self.value / self.baseline

    @property
    def ok(self) -> bool | None:
        """Whether the target is kept; None without one."""
        if self.ratio_target is not None and self.ratio is not None:
            return self._kept(self.ratio, self.ratio_target)
        return None if self.target is None else self._kept(self.value, self.target)

    def _kept(self, value: float, target: float) -> bool:
        return value >= target if self.at_least else value <= target

    def row(self) -> dict[str, object]:
        """The JSON object."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "baseline": self.baseline,
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "target": self.ratio_target if self.ratio_target is not None else self.target,
            "ok": self.ok,
            "command": self.command,
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]
