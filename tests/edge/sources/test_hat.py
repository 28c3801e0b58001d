"""The link to the HAT over a real pty: readings on the audio's time line, every kind of silence a state."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.sources.hat import HatLink
from edge.sources.hat_fit import TimeFit
from hw import wire

RATE_HZ = 8000


class Mcu:
    """The other end of the port: a pty whose slave the link opens by name."""

    def __init__(self, link_path: Path) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path = link_path
        self.path.symlink_to(os.ttyname(slave))
        self._slave = slave
        self._seq = 0

    def send(self, kind: int, body: bytes) -> None:
        self._seq += 1
        os.write(self.master, wire.pack(kind, self._seq, body))

    def readings(self, ms: int, *rows: tuple[float, int], first: int = 1) -> None:
        self.send(wire.READINGS, wire.pack_readings(ms, first, list(rows)))

    def unplug(self) -> None:
        os.close(self._slave)
        os.close(self.master)
        self.path.unlink()


@pytest.fixture
def mcu(tmp_path: Path) -> Iterator[Mcu]:
    mcu = Mcu(tmp_path / "port")
    yield mcu
    if mcu.path.is_symlink():
        mcu.unplug()


@pytest.fixture
def link(mcu: Mcu) -> Iterator[HatLink]:
    link = HatLink(str(mcu.path), first_line=5, lines=2, rate_hz=RATE_HZ)
    assert link.step(0.0, 0) == []
    yield link
    link.close()


def test_readings_keep_the_boards_line_numbers(mcu: Mcu, link: HatLink) -> None:
    mcu.readings(1000, (48.0, 0), (-7.5, 2))
    readings = link.step(0.1, 0)
    assert [(one.line, one.voltage_v, one.ring_half_waves) for one in readings] == [
        (1, 48.0, 0),
        (2, -7.5, 2),
    ]
    assert link.trouble is None


def test_lines_the_box_was_not_told_of_are_left_out(mcu: Mcu, link: HatLink) -> None:
    mcu.readings(1000, (1.0, 0), (2.0, 0), (3.0, 0), first=2)
    assert [one.line for one in link.step(0.1, 0)] == [2]


def test_board_is_known_after_hello(mcu: Mcu, link: HatLink) -> None:
    mcu.send(wire.HELLO, wire.pack_hello("virtual-4", 4))
    link.step(0.1, 0)
    assert link.board == "virtual-4"


@pytest.mark.parametrize("noise", [b"\x00" * 5, b"garbage\x00", bytes(range(256)), b"\x02\x01\x00"])
def test_noise_on_the_line_costs_only_itself(mcu: Mcu, link: HatLink, noise: bytes) -> None:
    os.write(mcu.master, noise + b"\x00")
    mcu.readings(1000, (48.0, 0))
    assert len(link.step(0.1, 0)) == 1


def test_wrong_bodies_are_refused_and_counted(mcu: Mcu, link: HatLink) -> None:
    mcu.send(wire.READINGS, b"\x01\x02")
    mcu.send(wire.HELLO, b"\x01\x00\x04\x00\x00\x00\xff\xff")
    assert link.step(0.1, 0) == []
    assert link._deframer.refused == 2


def test_silence_is_a_state_that_ends(mcu: Mcu, link: HatLink) -> None:
    mcu.readings(1000, (48.0, 0))
    link.step(0.1, 0)
    link.step(3.0, 24_000)
    assert link.trouble is None
    link.step(3.2, 25_600)
    assert link.trouble and "nothing heard for 3 s" in link.trouble
    mcu.readings(5000, (48.0, 0))
    assert link.step(5.0, 40_000) and link.trouble is None


def test_missing_port_is_opened_when_it_appears(tmp_path: Path) -> None:
    link = HatLink(str(tmp_path / "port"), 1, 1, RATE_HZ)
    link.step(0.0, 0)
    assert link.trouble and "No such file" in link.trouble
    mcu = Mcu(tmp_path / "port")
    link.step(0.5, 0)
    mcu.readings(1000, (48.0, 0))
    assert link.step(0.9, 0) == [], "not tried again before a second is over"
    link.step(1.1, 0)
    mcu.readings(1020, (48.0, 0))
    assert link.step(1.2, 0) and link.trouble is None
    link.close()
    mcu.unplug()


def test_unplugged_port_is_a_state(mcu: Mcu, link: HatLink) -> None:
    mcu.readings(1000, (48.0, 0))
    link.step(0.1, 0)
    mcu.unplug()
    link.step(0.2, 0)
    assert link.trouble
    assert link.step(0.3, 0) == []


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "port").write_bytes(b"")
    link = HatLink(str(tmp_path / "port"), 1, 1, RATE_HZ)
    link.step(0.0, 0)
    assert link.trouble and "ioctl" in link.trouble


def test_time_fit_is_right_within_half_a_period() -> None:
    fit = TimeFit(RATE_HZ)
    for ms in range(0, 2000, 20):
        newest = (ms + 7 + 3000) * 8 // 160 * 160  # 7 ms on the way, audio in whole periods, 3 s ahead
        fit.look(ms, newest)
    assert abs(fit.position(1500) - (4500 * 8)) <= 160


def test_time_fit_goes_on_when_the_milliseconds_wrap() -> None:
    fit = TimeFit(RATE_HZ)
    last = (1 << 32) - 100
    for step in range(0, 400, 20):
        fit.look((last + step) & 0xFFFFFFFF, 1_000_000 + step * 8)
    assert abs(fit.position((last + 380) & 0xFFFFFFFF) - (1_000_000 + 380 * 8)) <= 80
