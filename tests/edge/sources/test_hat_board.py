"""The link against the firmware itself: versions, events, time, commands, loss and return."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from edge.sources.hat import TIME_S, HatLink
from edge.sources.hat_commands import NO_ANSWER, Commands
from edge.sources.hat_events import EventInbox, EventMark
from edge.sources.hat_fit import TimeFit
from hw import wire
from tests.firmware.cable import Cable


@pytest.fixture
def cable() -> Cable:
    made = Cable()
    made.run(1500)
    return made


def test_status_tells_board_versions_and_volts(cable: Cable) -> None:
    cable.bench.hal.volts[2] = 8.0
    cable.run(1000)
    status = cable.link.status()
    assert (status.board, status.protocol, status.firmware) == ("bench", "1.1", "0.1.0")
    assert status.trouble is None and status.boots == 1 and status.times_opened == 1
    assert status.voltages_v == pytest.approx((48.0, 8.0), abs=0.02)
    assert (status.refused, status.refused_there, status.missed, status.events_lost) == (0, 0, 0, 0)


def test_events_are_kept_with_lines_and_places(cable: Cable) -> None:
    cable.run(4000)
    at = cable.bench.ms * 8
    cable.bench.hal.volts[2] = 8.0
    cable.run(300)
    lifted = cable.kept[-1]
    assert (lifted.line, lifted.kind, lifted.data) == (2, wire.OFF_HOOK, 0)
    assert lifted.position == pytest.approx(at, abs=20 * 8)
    assert list(cable.link.events) == cable.kept
    assert cable.mark == EventMark(cable.bench.app._journal.id, lifted.number)


def test_events_come_back_after_the_cable_was_cut(cable: Cable) -> None:
    cable.run(2000)
    cable.is_cut = True
    at = cable.bench.ms * 8
    cable.bench.hal.volts[1] = 8.0
    cable.run(1000)
    cable.bench.hal.volts[1] = 48.0
    cable.run(4000)
    assert cable.link.trouble and "nothing heard" in cable.link.trouble
    cable.is_cut = False
    cable.run(1500)
    assert cable.link.trouble is None
    assert [one.kind for one in cable.kept[-2:]] == [wire.OFF_HOOK, wire.ON_HOOK]
    assert cable.kept[-2].position == pytest.approx(at, abs=30 * 8)


def test_events_from_before_a_reset_are_placed_by_the_former_clock(cable: Cable) -> None:
    cable.run(3000)
    cable.is_cut = True
    at = cable.bench.ms * 8
    cable.bench.hal.volts[1] = 8.0
    cable.run(500)
    cable.bench.reset(cause=1)
    cable.is_cut = False
    cable.run(1000)
    lifted = next(one for one in cable.kept if one.kind == wire.OFF_HOOK)
    assert lifted.position == pytest.approx(at, abs=30 * 8)
    assert cable.link.status().boots == 2


def test_a_box_that_did_not_see_the_start_does_not_guess_the_place(cable: Cable) -> None:
    cable.is_cut = True
    cable.bench.hal.volts[1] = 8.0
    cable.run(500)
    cable.bench.reset()
    cable.restart_box()
    cable.is_cut = False
    cable.run(1000)
    lifted = next(one for one in cable.kept if one.kind == wire.OFF_HOOK)
    assert lifted.position is None


def test_a_board_without_memory_starts_a_new_journal_and_it_is_said(cable: Cable) -> None:
    cable.run(500)
    before = len(cable.kept)
    cable.bench.memory[:] = bytes(len(cable.bench.memory))
    cable.bench.reset()
    cable.run(2000)
    assert [one.number for one in cable.kept[before:]] == [1, 2]
    assert cable.link.status().journals_forgotten == 1


def test_a_lost_greeting_does_not_end_the_talk(cable: Cable) -> None:
    cable.link.setup = ((wire.LED, b"\x02\x02"),)
    cable.is_cut = True
    cable.bench.reset()
    cable.run(50)
    cable.is_cut = False
    cable.run(3000)
    at = cable.bench.ms * 8
    cable.bench.hal.volts[1] = 8.0
    cable.run(300)
    assert cable.kept[-1].kind == wire.OFF_HOOK
    assert cable.kept[-1].position == pytest.approx(at, abs=20 * 8)
    assert cable.bench.hal.leds[2] == 2, "a new start is set up anew"


def test_another_major_gives_readings_and_nothing_else(cable: Cable) -> None:
    cable.box_stopped = cable.is_cut = True
    cable.to_box += wire.pack(wire.HELLO, 1, wire.pack_hello("future", 2, major=2))
    cable.to_box += wire.pack(wire.ABOUT, 2, wire.pack_about(1, 1, 1, 0, (9, 9, 9)))
    cable.to_box += wire.pack(wire.EVENT, 3, wire.pack_event(1, 5, 1, wire.OFF_HOOK, 0))
    cable.to_box += wire.pack(wire.READINGS, 4, wire.pack_readings(2000, 1, [(48.0, 0)]))
    kept = len(cable.kept)
    request = cable.link.commands.ask(wire.SELFTEST)
    assert len(cable.link.step(1.6, 12_800)) == 1
    assert cable.link.trouble and "speaks protocol 2.0, this box 1.1" in cable.link.trouble
    cable.link.step(9.0, 72_000)
    sent = wire.Deframer().feed(bytes(cable.to_board))
    assert wire.COMMAND not in [kind for kind, _, body in sent if body[2:3] == bytes([wire.SELFTEST])]
    assert len(cable.kept) == kept and request


def test_lines_are_held_as_long_as_asked(cable: Cable) -> None:
    cable.link.commands.hold(1)
    cable.run(6000)
    assert cable.bench.hal.closed(1) and cable.link.status().held == (1,)
    cable.link.commands.release(1)
    cable.run(100)
    assert not cable.bench.hal.closed(1)


def test_setup_is_sent_to_every_start() -> None:
    cable = Cable()
    cable.link.setup = ((wire.LED, b"\x01\x01"),)
    cable.run(1000)
    assert cable.bench.hal.leds[1] == 1
    cable.bench.reset()
    cable.run(1000)
    assert cable.bench.hal.leds[1] == 1


def test_errors_on_the_way_are_counted(cable: Cable) -> None:
    cable.noise = random.Random(3)
    cable.run(3000)
    status = cable.link.status()
    assert status.refused > 5 and status.missed >= status.refused


def test_a_command_is_tried_three_times() -> None:
    commands = Commands()
    request = commands.ask(wire.LED, b"\x01\x01")
    sent = [len(commands.due(now / 100)) for now in range(0, 60, 5)]
    assert sum(sent) == 3 and commands.outcome(request) == NO_ANSWER and commands.unanswered == 1
    again = commands.ask(wire.LED, b"\x01\x02")
    commands.due(1.0)
    assert commands.outcome(again) is None
    commands.replied(again, wire.BAD_ARGUMENTS)
    commands.replied(again, wire.OK)
    assert commands.outcome(again) == "bad arguments" and commands.due(9.0) == []


INBOX = [
    # (mark, ABOUT, arrivals) -> (mark, taken, lost)
    ((5, 10), (5, 8, 12), [11, 12], (12, [11, 12], 0)),
    ((5, 10), (5, 8, 12), [12, 11, 11, 12], (12, [11, 12], 0)),
    ((5, 10), (5, 20, 21), [(11, 19), 20, 21], (21, [20, 21], 9)),
    ((5, 10), (5, 20, 21), [20, (12, 19)], (10, [], 0)),
    ((5, 10), (6, 1, 2), [1, 2], (2, [1, 2], 0)),
    ((5, 10), (5, 1, 3), [4], (4, [4], 0)),
    (None, (5, 7, 9), [7, 8], (8, [7, 8], 0)),
]


@pytest.mark.parametrize(("mark", "about", "arrivals", "wanted"), INBOX)
def test_each_event_is_taken_once(mark, about, arrivals, wanted) -> None:  # type: ignore[no-untyped-def]
    inbox = EventInbox(EventMark(*mark) if mark else None)
    inbox.about(*about)
    taken = []
    for one in arrivals:
        if isinstance(one, tuple):
            inbox.skip(*one)
        elif inbox.take(one):
            taken.append(one)
    assert inbox.mark and (inbox.mark.number, taken, inbox.lost) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_time_fit_is_better_than_5_ms(seed: int) -> None:
    """20 ms periods seen 1.5 ms late at most, slipping steps, 50 ppm, 0.4 ms of wire, a board that polls."""
    rng = random.Random(seed)
    rate, drift, ahead_ms = 8000, 1 + rng.uniform(-50e-6, 50e-6), rng.uniform(0, 9e6)
    fit, now, newest_before, asked_ms, worst = TimeFit(rate), 0.0, 0, 0.0, 0.0
    audio_late_ms = rng.uniform(0, 1.5)
    while now < 60_000:
        now += 20 + rng.expovariate(1)  # what the loop does between its waits
        newest = int((now - audio_late_ms) // 20 * 160)
        mcu = (ahead_ms + (now - 1) * drift, ahead_ms + (now + rng.uniform(0.4, 1.6)) * drift)
        fit.look(int(mcu[0]) % 2**32, newest)
        if now >= asked_ms and newest != newest_before:
            fit.answered(int(mcu[1]) % 2**32, newest)
            asked_ms = now + 1000 * TIME_S
        newest_before = newest
        if now > 20_000:
            worst = max(worst, abs(fit.position(int(ahead_ms + now * drift) % 2**32) - now * 8) / 8)
    assert worst < 5.0


def test_a_stamp_from_before_the_wrap_keeps_its_place() -> None:
    fit = TimeFit(8000)
    fit.look(2**32 - 20, 160)
    fit.look(0, 320)
    fit.look(20, 480)
    assert fit.position(2**32 - 1000) == fit.position(20) - 8160
    assert not fit.is_before(2**32 - 100) and fit.is_before(2**32 - 1000)


def test_hook_lease_on_the_wire_is_the_longest_allowed() -> None:
    commands = Commands()
    commands.hold(2)
    (body,) = commands.due(0.0)
    assert wire.unpack_request(body)[1:] == (wire.HOOK, struct.pack("<BH", 2, wire.MAX_LEASE_MS))
    assert commands.due(0.05) == [] and len(commands.due(0.5)) == 2


def test_a_link_that_was_never_opened_has_a_status(tmp_path: Path) -> None:
    link = HatLink(str(tmp_path / "none"), 1, 2, 8000)
    link.step(0.0, 0)
    status = link.status()
    assert (
        status.board is None
        and status.voltages_v == (None, None)
        and "No such file" in (status.trouble or "")
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_lifted_phone_is_placed_within_5_ms(seed: int) -> None:
    """The whole way: volts change between ticks, the board dates it, the box finds the sample."""
    rng = random.Random(seed)
    cable = Cable()
    cable.run(10_000 + rng.randrange(20))
    for _ in range(10):
        cable.run(rng.randrange(1000, 1100))
        at_ms = cable.bench.ms
        cable.bench.hal.volts[1] = 8.0
        cable.run(rng.randrange(300, 400))
        lifted = next(one for one in reversed(cable.kept) if one.kind == wire.OFF_HOOK)
        assert lifted.position is not None and abs(lifted.position / 8 - at_ms) <= 5
        cable.bench.hal.volts[1] = 48.0
