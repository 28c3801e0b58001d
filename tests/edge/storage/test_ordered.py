"""What head office ordered, against the branch's rules and the space ladder: holds, and days of audio."""

from __future__ import annotations

import pytest

from edge.config import KeepSettings
from edge.storage import policy
from edge.storage.ladder import Rung
from edge.store import orders
from edge.store.retention import hold_on, lift_hold, place_hold
from sync.db import write
from sync.orders import RETENTION, Order
from tests.edge.storage.conftest import NOW_UTC, Branch
from tests.edge.storage.test_keeper import full
from tests.sync.station import AT, BOX

ID = "0192f1de-7a3c-7000-8000-000000000001"


def keep_for(branch: Branch, **days: int) -> None:
    who = {"reason": "policy", "by": "wang", "approved_by": "li"}
    order = Order(box=BOX, n=1, after=0, id=ID, kind=RETENTION, days=days, at=AT, **who)
    with write(branch.db):
        orders.set_days(branch.db, order)


def hold(branch: Branch, call_id: str) -> None:
    with write(branch.db):
        place_hold(branch.db, call_id, "case 7", "head office: wang", NOW_UTC, ordered=True)


@pytest.mark.parametrize("rung", list(Rung)[1:])
def test_what_head_office_holds_survives_every_rung(branch: Branch, rung: Rung) -> None:
    branch.keep(KeepSettings(keep_days=1, keep_recordings=1))
    for number in range(6):
        branch.record(f"r{number}", 50 - number, confirmed=rung is not Rung.LAST)
    for number in range(3):
        hold(branch, f"call-r{number}")
    full(branch, (0, 81, 91, 96, 99)[rung])
    keeper = branch.keeper()
    reached = Rung.OK
    for _ in range(12):
        keeper.step(NOW_UTC)
        reached = max(reached, keeper.rung)
    assert reached is rung
    assert {"r0", "r1", "r2"} <= branch.ready()
    assert {"r0.flac", "r1.flac", "r2.flac"} <= set(branch.files())


def test_the_branch_cannot_end_what_head_office_holds(branch: Branch) -> None:
    branch.record("a", 10)
    hold(branch, "call-a")
    with pytest.raises(ValueError, match="not on hold"), write(branch.db):
        lift_hold(branch.db, "call-a", "lin", NOW_UTC)
    with write(branch.db):
        place_hold(branch.db, "call-a", "ours", "lin", NOW_UTC)
        lift_hold(branch.db, "call-a", "lin", NOW_UTC)
    left = hold_on(branch.db, "call-a")
    assert left is not None and (left.reason, left.ordered) == ("case 7", True)


def test_ordered_days_go_before_the_branchs_own(branch: Branch) -> None:
    branch.keep(KeepSettings(keep_days=30))
    keep_for(branch, **{"in": 365})
    branch.record("kept", 300)
    branch.record("gone", 400)
    keeper = branch.keeper()
    for _ in range(4):
        keeper.step(NOW_UTC)
    assert branch.ready() == {"kept"}


def test_ordered_days_delete_nothing_that_head_office_lacks(branch: Branch) -> None:
    keep_for(branch, **{"in": 30})
    branch.record("waits", 400, confirmed=False)
    branch.record("gone", 400)
    keeper = branch.keeper()
    for _ in range(4):
        keeper.step(NOW_UTC)
    assert branch.ready() == {"waits"}


@pytest.mark.parametrize(
    ("days", "line", "calls", "kept"),
    [
        ({"in": 365}, 1, "in", 365),
        ({"in": 365}, 1, "out", 30),
        ({"in": 0}, 1, "in", 0),
        ({}, 2, "missed", 7),
        ({"missed": 90}, 2, "missed", 90),
        ({"missed": 90}, 1, "missed", 90),
        ({"voicemail": 5}, 2, "in", 7),
    ],
)
def test_each_class_has_its_rule(days: dict[str, int], line: int, calls: str, kept: int) -> None:
    own = [KeepSettings(line=2, keep_days=7, opus_after_days=3), KeepSettings(keep_days=30, keep_gb=2.0)]
    rules = policy.with_ordered(own, days)
    audio = policy.Audio("r", "c", line, calls, AT, 1, "flac", True, False)
    rule = policy.rule_for(audio, rules)
    assert rule is not None and rule.keep_days == kept
    assert rule.opus_after_days == (3 if line == 2 else 0)
    assert (rule.keep_gb == 0) == (calls in days or line == 2)
