"""The weather of test_lossless, and disks that go back: either end is put back to an older copy of itself.

What neither end has any more is gone, and only that. A box that went back begins a new epoch where it has to;
entries of both lives stay. Head office that went back asks again for what it lost.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from sync.session import WIDEST
from tests.sync.test_lossless import Weather
from tests.sync.weather import POISON_LINE, World


class Copies:
    """A copy of each end's database."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.box, self.office = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
        self.take_box()
        self.take_office()

    def take_box(self) -> None:
        self.world.db.backup(self.box)

    def take_office(self) -> None:
        self._office(lambda db: db.backup(self.office))

    def put_back_box(self) -> None:
        self.box.backup(self.world.db)
        self.world.cut()
        self.world.start_box()

    def put_back_office(self) -> None:
        self._office(lambda db: self.office.backup(db))
        self.world.cut()
        self.world.start_office()

    def _office(self, work: Any) -> None:
        raw = self.world.engine.raw_connection()
        try:
            work(raw.driver_connection)
        finally:
            raw.close()


def told_by(world: World) -> set[str]:
    """The facts a box's outbox tells of, poison apart."""
    found = set()
    for (body,) in world.db.execute("SELECT body FROM outbox"):
        data = json.loads(body)["data"]
        if data.get("line") != POISON_LINE:
            found.add(data["recording_id"] if "recording_id" in data else data["call_id"])
    return found


class Restores(Weather):
    """Any order of calls, losses, crashes and old copies."""

    rots = False

    @initialize(lag_s=st.sampled_from([0.0, 30.0]))
    def begin(self, lag_s: float) -> None:
        super().begin(lag_s)
        self.world.reconciles = False  # an hour of which neither end has all is never closed
        self.copies = Copies(self.world)
        self.ever: set[str] = set()  # every entry that was ever written
        self.box_went_back = self.office_went_back = False

    @rule()
    def copies_are_made(self) -> None:
        self.copies.take_box()
        self.copies.take_office()

    @rule()
    def box_goes_back(self) -> None:
        self.copies.put_back_box()
        self.box_went_back = True
        self.forget_what_is_gone()

    @rule()
    def office_goes_back(self) -> None:
        self.copies.put_back_office()
        self.office_went_back = True
        self.forget_what_is_gone()

    def forget_what_is_gone(self) -> None:
        self.told &= told_by(self.world) | set(self.world.facts())

    @invariant()
    def what_the_box_ticked_off_is_at_head_office(self) -> None:
        if not hasattr(self, "ever"):
            return
        owed = self.world.owed_to()
        self.ever |= set(owed)
        arrived = {eid.split("~")[0] for eid, *_ in self.world.inbox()}
        assert arrived <= self.ever
        if not self.office_went_back:  # else only once it has said hello again
            assert {eid for eid, state in owed.items() if state != "new"} <= arrived

    @invariant()
    def nothing_is_applied_twice(self) -> None:
        rows = [row for row in self.world.inbox() if "~" not in row[0]]  # the others were applied before
        poisoned = [row for row in rows if row[4] == "apply_failed"]
        assert len(self.world.facts()) + len(poisoned) == len(rows)

    @invariant()
    def upto_is_the_first_hole(self) -> None:
        there = {(epoch, stream, seq) for _, epoch, stream, seq, _ in self.world.inbox()}
        for (epoch, stream), (upto, broken_seq) in self.world.streams().items():
            assert all((epoch, stream, seq) in there for seq in range(1, upto + 1))
            assert (epoch, stream, upto + 1) not in there
            assert broken_seq is None or getattr(self, "box_went_back", True)

    @invariant()
    def no_more_is_on_the_way_than_the_widest_window(self) -> None:
        assert len(self.world.box._sender._flights) <= WIDEST

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self.world.clear_up()
                assert self.told <= set(self.world.facts())
                arrived = {eid.split("~")[0] for eid, *_ in self.world.inbox()}
                assert set(self.world.owed_to()) <= arrived
            finally:
                self.world.close()


Restores.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestRestores = Restores.TestCase
