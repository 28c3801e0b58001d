"""The firmware's program on the bench: greeting, events, commands, leases, self-test, wrapping time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest

from firmware.linehat.app import HASTY_BOOTS, RAN_WELL_MS
from firmware.linehat.journal import SLOTS
from firmware.linehat.profile import values_of
from hw import wire
from tests.firmware.bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.hal.volts[1:] = [48.0, 48.0]
    yield made


def events(bench: Bench) -> list[tuple[int, int, int, int, int]]:
    return [wire.unpack_event(body) for kind, body in bench.heard() if kind == wire.EVENT]


def test_greets_with_versions_and_journal(bench: Bench) -> None:
    (hello_kind, hello), (about_kind, about) = bench.heard()
    assert (hello_kind, about_kind) == (wire.HELLO, wire.ABOUT)
    assert wire.unpack_hello(hello) == (wire.MAJOR, wire.MINOR, 2, 0, 1, "bench")
    journal, first, last, earlier, firmware = wire.unpack_about(about)
    assert (first, last, earlier, firmware) == (1, 0, 0, (0, 1, 0))
    assert journal == bench.app._journal.id
    bench.send(wire.ASK)
    bench.run(1)
    assert [kind for kind, _ in bench.heard() if kind < wire.READINGS] == [wire.HELLO, wire.ABOUT]


def test_readings_every_20_ms_carry_the_volts(bench: Bench) -> None:
    bench.hal.volts[2] = -7.5
    bench.run(1000)
    rows = [wire.unpack_readings(body) for kind, body in bench.heard() if kind == wire.READINGS]
    assert len(rows) == 50
    _, first, ((one_v, _), (two_v, _)) = rows[10]
    assert first == 1 and one_v == pytest.approx(48.0, abs=0.02) and two_v == pytest.approx(-7.5, abs=0.02)
    assert {b[0] - a[0] for a, b in pairwise(rows)} == {20}


def test_no_event_before_the_box_says_what_it_has(bench: Bench) -> None:
    bench.run(2000)
    assert events(bench) == []
    bench.acknowledge(0)
    bench.run(20)
    assert [(number, line, kind) for number, _, line, kind, _ in events(bench)] == [
        (1, 1, wire.STATE_KNOWN),
        (2, 2, wire.STATE_KNOWN),
    ]


def test_what_is_not_acknowledged_comes_again_and_then_no_more(bench: Bench) -> None:
    bench.acknowledge(0)
    bench.run(800)
    assert [number for number, *_ in events(bench)] == [1, 2]
    bench.run(1000)
    assert [number for number, *_ in events(bench)] == [1, 2] * 2
    bench.acknowledge(2)
    bench.run(2000)
    assert events(bench) == []


def test_an_ack_of_what_never_was_stops_nothing(bench: Bench) -> None:
    bench.acknowledge(0xFFFFFFFF)
    bench.run(800)
    assert [number for number, *_ in events(bench)] == [1, 2]


def test_what_no_longer_fits_is_told_as_lost(bench: Bench) -> None:
    bench.run(1000)
    for number in range(3, SLOTS + 11):
        bench.app._emit(1, wire.FLASHED, 0, number)
    bench.acknowledge(0)
    bench.heard()
    bench.run(20)
    heard = bench.heard()
    (lost,) = [wire.unpack_event_lost(body) for kind, body in heard if kind == wire.EVENT_LOST]
    assert lost == (1, 10)
    bench.acknowledge(10)
    bench.run(20)
    assert [number for number, *_ in events(bench)] == list(range(11, 19))


def test_journal_outlives_a_reset_but_not_a_power_loss(bench: Bench) -> None:
    bench.run(1000)
    journal = bench.app._journal.id
    bench.reset(cause=3)
    hello, about = bench.heard()[-2:]
    assert wire.unpack_hello(hello[1])[3:5] == (3, 2)
    assert wire.unpack_about(about[1])[:4] == (journal, 1, 2, 2)
    bench.memory[:] = bytes(len(bench.memory))
    bench.reset()
    assert wire.unpack_about(bench.heard()[-1][1])[1:3] == (1, 0)
    assert bench.app._journal.id != journal


def test_a_damaged_record_is_told_as_lost(bench: Bench) -> None:
    bench.run(1000)
    bench.memory[16 + 16 * 1 + 5] ^= 0x10
    bench.acknowledge(0)
    bench.heard()
    bench.run(20)
    heard = [(kind, body) for kind, body in bench.heard() if kind in (wire.EVENT, wire.EVENT_LOST)]
    assert [kind for kind, _ in heard] == [wire.EVENT_LOST, wire.EVENT]
    assert wire.unpack_event_lost(heard[0][1]) == (1, 1)


REFUSED = [
    (wire.HOOK, struct.pack("<BH", 3, 2000), wire.BAD_ARGUMENTS),
    (wire.HOOK, struct.pack("<BH", 0, 2000), wire.BAD_ARGUMENTS),
    (wire.HOOK, struct.pack("<BH", 1, 0), wire.BAD_ARGUMENTS),
    (wire.HOOK, struct.pack("<BH", 1, 2001), wire.BAD_ARGUMENTS),
    (wire.HOOK, b"\x01", wire.BAD_ARGUMENTS),
    (wire.RELEASE, b"\x03", wire.BAD_ARGUMENTS),
    (wire.LED, b"\x01\x04", wire.BAD_ARGUMENTS),
    (wire.LEVELS, struct.pack("<H", 15), wire.BAD_ARGUMENTS),
    (wire.SET_PROFILE, bytes(66), wire.BAD_ARGUMENTS),
    (wire.TIME, b"", wire.BAD_ARGUMENTS),
    (wire.CALIBRATE, struct.pack("<BHH", 1, 0, 20000), wire.BAD_ARGUMENTS),
    (99, b"", wire.UNKNOWN_COMMAND),
]


@pytest.mark.parametrize(("command", "arguments", "code"), REFUSED)
def test_commands_refused(bench: Bench, command: int, arguments: bytes, code: int) -> None:
    bench.acknowledge(0)
    assert bench.command(command, arguments) == (code, b"")
    assert bench.hal.switches == [False] * 3


@pytest.mark.parametrize("major", [0, 2, 255])
def test_another_major_is_not_obeyed(bench: Bench, major: int) -> None:
    assert bench.command(wire.HOOK, struct.pack("<BH", 1, 2000)) == (wire.REFUSED, b"")
    bench.acknowledge(0, major)
    assert bench.command(wire.HOOK, struct.pack("<BH", 1, 2000)) == (wire.REFUSED, b"")
    assert not bench.hal.closed(1)


def test_commands_obeyed(bench: Bench) -> None:
    bench.acknowledge(0)
    assert bench.command(wire.LED, b"\x02\x03") == (wire.OK, b"")
    assert bench.hal.leds == [0, 0, 3]
    assert bench.command(wire.SET_PROFILE, struct.pack("<33H", *values_of("us")))[0] == wire.OK
    assert bench.app.lines[0]._profile.flash_max_ms == 1000
    code, result = bench.command(wire.TIME, b"\x01\x02\x03\x04")
    assert (code, result) == (wire.OK, b"\x01\x02\x03\x04" + struct.pack("<I", bench.ms))
    assert bench.command(wire.LEVELS, struct.pack("<H", 0))[0] == wire.OK
    bench.run(100)
    assert wire.READINGS not in [kind for kind, _ in bench.heard()]


def test_calibration_moves_the_volts(bench: Bench) -> None:
    bench.acknowledge(0)
    assert bench.command(wire.CALIBRATE, struct.pack("<BHH", 1, 32768, 5100))[0] == wire.OK
    bench.run(40)
    row = [wire.unpack_readings(body) for kind, body in bench.heard() if kind == wire.READINGS][-1]
    assert row[2][0][0] == pytest.approx(96.0, abs=0.1)


def test_a_lease_runs_out_and_is_told(bench: Bench) -> None:
    bench.acknowledge(0)
    bench.run(1000)
    bench.command(wire.HOOK, struct.pack("<BH", 1, 2000))
    bench.hal.volts[1] = 8.0
    bench.run(1900)
    assert bench.hal.closed(1)
    bench.command(wire.HOOK, struct.pack("<BH", 1, 2000))
    bench.run(1900)
    assert bench.hal.closed(1)
    bench.heard()
    bench.run(200)
    assert not bench.hal.closed(1)
    assert wire.LEASE_ENDED in [kind for _, _, _, kind, _ in events(bench)]


def test_a_hung_program_lets_go_by_the_one_shot(bench: Bench) -> None:
    bench.acknowledge(0)
    bench.command(wire.HOOK, struct.pack("<BH", 2, 2000))
    bench.run(100)
    bench.stop()
    bench.run(299)
    assert bench.hal.switches[2] and not bench.hal.closed(2)


def test_selftest_names_what_is_wrong(bench: Bench) -> None:
    bench.acknowledge(0)
    bench.run(100)
    assert bench.command(wire.SELFTEST) == (wire.OK, struct.pack("<HHH", 0, 0, 11))
    bench.hal.volts[2] = 500.0
    bench.hal.switches[1] = True
    bench.run(20)
    assert bench.command(wire.SELFTEST) == (wire.OK, struct.pack("<HHH", 2, 1, 11))


def test_a_board_that_keeps_resetting_only_watches(bench: Bench) -> None:
    for _ in range(HASTY_BOOTS - 1):
        bench.reset()
    bench.acknowledge(0)
    assert bench.command(wire.HOOK, struct.pack("<BH", 1, 2000)) == (wire.REFUSED, b"")
    bench.run(RAN_WELL_MS + 100)
    bench.reset()
    bench.acknowledge(0)
    assert bench.command(wire.HOOK, struct.pack("<BH", 1, 2000)) == (wire.OK, b"")


@pytest.mark.parametrize("wrap", [1 << 30, 1 << 32])
def test_time_goes_on_when_the_counter_wraps(wrap: int) -> None:
    bench = Bench(start_ms=wrap - 700 if wrap == 1 << 30 else 0)
    if wrap == 1 << 32:
        bench.app._wraps, bench.ms = 3, (1 << 30) - 700
        bench.app._now = bench.app._due = bench.ms
    bench.hal.volts[1] = 48.0
    bench.run(1000)
    bench.hal.volts[1] = 8.0
    bench.run(300)
    bench.heard()
    bench.acknowledge(0)
    bench.run(20)
    (lifted,) = [one for one in events(bench) if one[3] == wire.OFF_HOOK]
    assert lifted[1] == pytest.approx((wrap + 300) % (1 << 32), abs=12)


def test_noise_from_the_box_is_counted_and_survived(bench: Bench) -> None:
    bench.acknowledge(0)
    bench.run(10)
    bench.hal.to_board += bytes(range(256)) * 4 + b"\x00"
    bench.send(wire.ACK, b"short")
    bench.send(wire.COMMAND, b"")
    bench.run(10)
    assert bench.app.link.deframer.refused >= 4
    assert bench.command(wire.RELEASE, b"\x01") == (wire.OK, b"")
