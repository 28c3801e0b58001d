"""When a connection is tried again: later each time, at chance, and never late where nobody was asked."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import cast

import pytest

from sync.reach import Reach
from sync.reasons import LinkError
from sync.transport import Arrived, Link

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class NoWay:
    """A link that cannot be made, always for the same reason."""

    connecting = False

    def __init__(self, code: str) -> None:
        self.code, self.attempts = code, 0

    def connect(self, now: datetime) -> None:
        self.attempts += 1
        raise LinkError(self.code, "here:8883", "")

    def step(self) -> list[Arrived]:
        raise AssertionError("there is nothing to read from")


def waits_s(code: str, chance: float) -> list[float]:
    """Seconds between the first nine attempts."""
    link = NoWay(code)
    reach = Reach(cast(Link, link), chance=lambda: chance)
    tried: list[float] = []
    quarters = 0
    while len(tried) < 9:
        before = link.attempts
        reach.step(quarters / 4, NOW)
        tried += [quarters / 4] * (link.attempts - before)
        quarters += 1
    return [later - earlier for earlier, later in pairwise(tried)]


@pytest.mark.parametrize("chance", [1.0, 0.5])
def test_reconnects_are_spread_over_a_minute_and_over_4_s_where_nobody_answers(chance: float) -> None:
    refused = [1, 2, 4, 8, 16, 32, 60, 60]
    assert waits_s("not_accepted", chance) == [chance * one for one in refused]
    for code in ("connection_refused", "unreachable", "timeout", "name_unknown"):
        assert waits_s(code, chance) == [chance * min(4, one) for one in refused]
