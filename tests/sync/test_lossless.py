"""Nothing lost, nothing twice: both real ends over a network that loses, repeats, reorders; both crash.

Head office may be slow, either may lose its power in the midst of its work, and rows may rot at either end
(tests.sync.weather). After every step the promises of PROTOCOL.md are checked against both databases; when
the weather clears everything must be there, every hour closed, all damage mended.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync import envelope, outbox
from sync.events import STREAMS, CallEnded, ClockMeasured, RecordingLost
from sync.ids import new_id
from tests.sync.station import AT, call_ended
from tests.sync.weather import POISON_LINE, World

FATES = ("arrives", "arrives", "arrives", "arrives", "lost", "late", "twice")
CHANCE = st.integers(0, 2**32).map(random.Random)


class Weather(RuleBasedStateMachine):
    """Any order of calls, losses, repeats, delays, crashes and damage."""

    rots = True  # whether rows are damaged, too

    def __init__(self, url: str = "", tally: Counter[str] | None = None) -> None:
        super().__init__()
        self.url, self.tally = url, Counter[str]() if tally is None else tally

    @initialize(lag_s=st.sampled_from([0.0, 30.0]))
    def begin(self, lag_s: float) -> None:
        self.world = World(self.url)
        self.world.lag_s = lag_s
        self.told: set[str] = set()
        self.harmed: set[str] = set()  # eids of what was damaged at head office since the weather was good
        self.applied_again = False  # what was damaged may have been applied again

    # -- the branch

    @rule(count=st.sampled_from([1, 3, 130, 230]))
    def calls_end(self, count: int) -> None:
        events = [call_ended() for _ in range(count)]
        self.told |= {event.call_id for event in events}
        self.world.put(*events)

    @rule()
    def a_recording_is_lost(self) -> None:
        event = RecordingLost(new_id(), new_id(), "device_lost")
        self.told.add(event.recording_id)
        self.world.put(event)

    @rule()
    def poison(self) -> None:
        event = CallEnded(new_id(), POISON_LINE, "x", "in", "missed", AT, AT, 0)
        self.world.put(event)

    # -- the line

    @rule()
    def connect(self) -> None:
        self.world.up = True
        self.world.step()

    @rule(passes_s=st.sampled_from([0.0, 0.1, 3.0, 70.0, 3700.0]))
    def time_passes(self, passes_s: float) -> None:
        self.world.now_s += passes_s
        self.world.step()

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=4, max_size=40))
    def they_talk(self, fates: list[str]) -> None:
        """Some rounds in which most messages arrive."""
        self.world.up = True
        for fate in fates:
            self.world.step()
            queue = self.world.down or self.world.link.sent
            if not queue:
                self.world.now_s += 1.0
            elif fate == "lost":
                queue.pop(0)
            elif fate == "late":
                queue.append(queue.pop(0))
            else:
                if fate == "twice":
                    self.world.repeat(queue, 0)
                self.world.deliver_down() if self.world.down else self.world.deliver_up()

    @rule(at=st.integers(0, 9), answers_arrive=st.booleans())
    def head_office_reads(self, at: int, answers_arrive: bool) -> None:
        if self.world.link.sent:
            self.world.deliver_up(at % len(self.world.link.sent), answers_arrive=answers_arrive)

    @rule(at=st.integers(0, 9))
    def box_reads(self, at: int) -> None:
        if self.world.down:
            self.world.deliver_down(at % len(self.world.down))
            self.world.step()

    @rule(way=st.sampled_from(["sent", "down"]), at=st.integers(0, 9), twice=st.booleans())
    def network_drops_or_repeats(self, way: str, at: int, twice: bool) -> None:
        queue = self.world.link.sent if way == "sent" else self.world.down
        if queue and twice:
            self.world.repeat(queue, at % len(queue))
        elif queue:
            queue.pop(at % len(queue))

    @rule()
    def connection_is_cut(self) -> None:
        self.world.cut()

    @rule(lag_s=st.sampled_from([0.0, 0.6, 30.0]))
    def head_office_commits_slowly(self, lag_s: float) -> None:
        self.world.lag_s = lag_s

    # -- crashes

    @rule()
    def box_is_killed(self) -> None:
        self.world.start_box()

    @rule()
    def ingest_is_killed(self) -> None:
        self.world.start_office()

    @rule(count=st.sampled_from([1, 40, 230]), choice=CHANCE)
    def power_is_cut_while_calls_end(self, count: int, choice: random.Random) -> None:
        events = [call_ended() for _ in range(count)]
        self.world.box_loses_power(lambda: self.world.put(*events), choice)
        kept = self._kept(events)
        assert len(kept) in (0, count), "a transaction is whole or not there"
        self.told |= kept

    def _kept(self, events: list[CallEnded]) -> set[str]:
        rows = self.world.db.execute("SELECT body FROM outbox WHERE kind = 'call_ended'").fetchall()
        bodies = b"".join(body for (body,) in rows)
        return {event.call_id for event in events if event.call_id.encode() in bodies}

    @rule(choice=CHANCE)
    def power_of_the_box_is_cut(self, choice: random.Random) -> None:
        self.world.box_loses_power(self.world.step, choice)

    @rule(at=st.integers(0, 9), choice=CHANCE)
    def power_of_head_office_is_cut(self, at: int, choice: random.Random) -> None:
        if self.world.link.sent:
            self.world.office_loses_power(at % len(self.world.link.sent), choice)

    # -- damage

    @rule(choice=CHANCE)
    def a_row_of_the_box_rots(self, choice: random.Random) -> None:
        if self.rots and not self.harmed:  # what is damaged at both ends is lost
            self.world.harm_box(choice)

    @rule(choice=CHANCE)
    def a_row_of_head_office_rots(self, choice: random.Random) -> None:
        if self.rots and not self.world.rotten:
            eid = self.world.harm_office(choice, self.harmed)
            if eid is not None:
                self.harmed.add(eid)
                self.applied_again = True

    @rule()
    def the_weather_clears(self) -> None:
        self.world.clear_up()
        self.harmed.clear()
        self.world.rotten.clear()

    # -- what holds all the time

    @invariant()
    def what_the_box_ticked_off_is_at_head_office(self) -> None:
        arrived = self.world.arrived()
        owed_to = self.world.owed_to()
        ticked = {eid for eid, state in owed_to.items() if state != "new"}
        assert ticked - self.harmed <= arrived
        assert {eid.split("~")[0] for eid in arrived} <= set(owed_to)

    @invariant()
    def nothing_is_applied_twice(self) -> None:
        facts = self.world.facts()
        assert set(facts) <= self.told
        if not self.applied_again:
            assert not [row for row in self.world.inbox() if row[4] not in (None, "apply_failed")]
            poisoned = [row for row in self.world.inbox() if row[4] == "apply_failed"]
            assert len(facts) + len(poisoned) == len(self.world.inbox())
            assert set(facts.values()) <= {1}

    @invariant()
    def upto_is_the_first_hole(self) -> None:
        arrived = Counter((epoch, stream, seq) for _, epoch, stream, seq, _ in self.world.inbox())
        assert set(arrived.values()) <= {1}
        for (epoch, stream), (upto, broken_seq) in self.world.streams().items():
            assert broken_seq is None
            assert (epoch, stream, upto + 1) not in arrived
            if not self.harmed:
                assert all((epoch, stream, seq) in arrived for seq in range(1, upto + 1))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self.world.clear_up()
                assert set(self.world.facts()) == self.told
                assert set(self.world.owed_to()) == self.world.arrived()
                self.tally.update(delivered=self.world.delivered, repeated=self.world.repeated)
            finally:
                self.world.close()


def weather(url: str, examples: int) -> Counter[str]:
    """Run so many stories; how many messages were delivered, and how many of them again."""
    tally = Counter[str]()
    kept = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    run_state_machine_as_test(lambda: Weather(url, tally), settings=kept)
    return tally


def test_nothing_is_lost_and_nothing_twice_in_any_weather(database_url: str) -> None:
    tally = weather(database_url, examples=8)
    assert tally["repeated"] > tally["delivered"] / 100


def test_a_connection_that_takes_no_more_is_not_given_more() -> None:
    world = World()
    world.put(*(call_ended() for _ in range(300)))
    world.up, world.link.room = True, 0
    world.step()
    assert world.link.sent == []
    world.link.room = 100
    world.clear_up()
    assert len(world.facts()) == 300
    world.close()


def test_a_month_without_a_line_is_made_up_in_minutes_the_urgent_first() -> None:
    """Thirty days of calls wait; then all of them get there, and every hour of the month is closed."""
    world = World()
    hours = 30 * 24
    for hour in range(hours):
        world.now_s += 3600.0
        world.put(call_ended())
        world.step()
        if hour == hours // 2:
            told = RecordingLost(new_id(), new_id(), "device_lost")
            world.put(told, ClockMeasured(outbox.epoch_of(world.db), 1, None, 0, 20, "measured"))
    assert outbox.waiting(world.db).entries == hours + 2
    begun_s, world.up = world.now_s, True
    world.step()
    streams = []
    while outbox.waiting(world.db).entries:
        while world.link.sent:
            topic, payload = world.link.sent[0]
            if topic.endswith("/e"):
                streams.append(envelope.unpack_batch(payload).stream)
            world.deliver_up()
        while world.down:
            world.deliver_down()
        world.now_s += 0.1
        world.step()
    assert world.now_s - begun_s < hours * 3600 / 10_000  # F6 wants ten times as fast as it came
    assert streams == sorted(streams, key=STREAMS.index) and set(streams) == {"crit", "evt", "meta"}
    world.clear_up()
    mine, theirs = world.manifest_states()
    assert len(mine) >= hours and {*mine, *theirs} == {"closed"}
    world.close()


def test_what_was_said_while_nothing_could_be_written_still_holds() -> None:
    world = World()
    world.put(call_ended())
    world.up = True
    for _ in range(2):  # hello and welcome, batch and ack
        world.step()
        world.deliver_up()
        world.deliver_down()
    world.db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        world.step()
    world.db.execute("PRAGMA query_only = OFF")
    world.step()
    assert outbox.waiting(world.db).entries == 0
    assert not [
        topic for topic, _ in world.link.sent if topic.endswith(("/e", "/p"))
    ]  # nothing was asked again
    world.close()
