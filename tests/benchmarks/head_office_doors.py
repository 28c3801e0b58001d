"""How much of head office stands behind the guard: every route of the application x every role, counted.

The questions and the checks are those of `tests/cloud/test_doors.py`: planted secrets are looked for in every
answer, and every answer that gave out rows must have left its rows in the audit trail.
DOORS_ROLES=agent,regulator asks as fewer.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud.access.roles import ROLES
from cloud.web.app import ROUTES
from tests.benchmarks.building import Progress
from tests.benchmarks.figures import Figure
from tests.cloud.planting import path_of
from tests.cloud.test_doors import (
    NO_READS,
    OWN_THINGS,
    ask,
    check_ids,
    check_rows,
    leaks,
    plant,
    trail_rows,
)
from tests.cloud.test_routes import built_routes

ASKERS = tuple(filter(None, os.environ.get("DOORS_ROLES", "").split(","))) or tuple(ROLES)
LAST = "POST /log-out"  # ends the session of whoever asks


def measure() -> list[Figure]:
    """Every role in a head office of its own."""
    progress, found = Progress("doors"), Counter[str]()
    for role in ASKERS:
        with TemporaryDirectory(prefix="bench-") as folder:
            found += visits(Path(folder), role)
        progress.done(role)
    pairs = len(ROUTES) * len(ASKERS)
    return [
        Figure(f"routes x roles asked, of {len(ROUTES)} x {len(ASKERS)}", 100 * found["asked"] / pairs, "%",
               target=100, at_least=True),
        Figure("secrets told to a role that may not know them", found["leaks"], "answers", target=0),
        Figure(f"answers that gave out records and stand in the audit trail, of {found['reads']}",
               100 * found["audited"] / found["reads"], "%", target=100, at_least=True),
    ]  # fmt: skip


def visits(folder: Path, role: str) -> Counter[str]:
    """Every route asked once by somebody of `role`."""
    planted, found = plant(folder), Counter[str]()
    house = planted.house
    client = house.visitor(role)
    addresses = sorted((address for address, _ in built_routes(house)), key=lambda one: one == LAST)
    for address in addresses:
        path, before = path_of(house, address), len(trail_rows(house))
        answer = ask(planted, client, address, role, path)
        fresh = trail_rows(house)[before:]
        found["asked"] += address in ROUTES
        found["leaks"] += bool(leaks(answer, role))
        if not address.startswith("GET") or address in NO_READS | OWN_THINGS or not answer.is_success:
            continue
        found["reads"] += 1
        with suppress(AssertionError):
            check_rows(address, role, answer, fresh)
            check_ids(house, answer, fresh, address)
            found["audited"] += 1
    house.parts.engine.dispose()
    return found
