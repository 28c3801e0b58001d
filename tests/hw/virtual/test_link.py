"""The pseudo-terminal: frames that hw/wire reads, a greeting for whoever opens it, and no stale bytes."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw import wire
from hw.virtual.exchange import Reading
from hw.virtual.link import Link

Frame = tuple[int, int, bytes]


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    made = Link(tmp_path / "port", 4)
    yield made
    made.close()


class Box:
    """The other end, as a box opens it."""

    def __init__(self, path: Path) -> None:
        self.handle = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.deframer = wire.Deframer()

    def frames(self) -> list[Frame]:
        """All that has arrived."""
        found: list[Frame] = []
        while select.select([self.handle], [], [], 0.05)[0]:
            found += self.deframer.feed(os.read(self.handle, 4096))
        return found


def readings(lines: int) -> list[Reading]:
    return [Reading(160, line, 48.0 - line, line % 2) for line in range(1, lines + 1)]


def test_whoever_opens_is_greeted_once(link: Link, tmp_path: Path) -> None:
    link.step()
    box = Box(tmp_path / "port")
    link.step()
    link.step()
    ((kind, _, body),) = box.frames()
    assert kind == wire.HELLO
    assert wire.unpack_hello(body) == (1, 0, 4, 0, 0, "virtual-hat")


def test_readings_and_beats_arrive_whole(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.step()
    link.send_readings(20, readings(4))
    link.send_beat(1000)
    _, (kind, _, body), (beat, _, beat_body) = box.frames()
    assert (kind, beat) == (wire.READINGS, wire.BEAT)
    assert wire.unpack_readings(body) == (20, 1, [(47.0, 1), (46.0, 0), (45.0, 1), (44.0, 0)])
    assert wire.unpack_beat(beat_body) == (1000, 1, 0)
    assert box.deframer.refused == 0


def test_many_lines_take_several_frames(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.step()
    link.send_readings(20, readings(64))
    parts = [wire.unpack_readings(body) for _, _, body in box.frames()[1:]]
    assert [(first, len(rows)) for _, first, rows in parts] == [(1, 38), (39, 26)]
    assert parts[1][2][0] == (48.0 - 39, 1)


def test_what_nobody_heard_is_lost_not_kept(link: Link, tmp_path: Path) -> None:
    for number in range(1000):
        link.step()
        link.send_readings(number, readings(4))
    box = Box(tmp_path / "port")
    link.step()
    link.send_readings(5000, readings(4))
    kinds = [kind for kind, _, _ in box.frames()]
    assert kinds == [wire.HELLO, wire.READINGS]


def test_closing_and_opening_again_starts_afresh(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.step()
    link.send_readings(20, readings(4))
    os.close(box.handle)  # without having read
    link.step()
    link.send_readings(40, readings(4))
    again = Box(tmp_path / "port")
    link.step()
    link.send_readings(60, readings(4))
    hello, (_, _, body) = again.frames()
    assert hello[0] == wire.HELLO
    assert wire.unpack_readings(body)[0] == 60


def test_a_box_that_does_not_read_costs_frames_not_the_board(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.step()
    for number in range(2000):
        link.send_readings(number, readings(4))
    early = [wire.unpack_readings(body)[0] for kind, _, body in box.frames() if kind == wire.READINGS]
    assert early == sorted(set(early)) and 0 < len(early) < 2000
    link.send_readings(9999, readings(4))
    link.send_beat(9999)
    (kind, _, _), *_ = box.frames()[-1:]
    assert kind == wire.BEAT


def test_frames_from_the_box_are_read_and_bad_ones_counted(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.step()
    os.write(box.handle, wire.pack(0x20, 1, b"whatever") + b"\x05rubbish\x00")
    link.step()
    link.send_beat(2000)
    (_, _, body) = box.frames()[-1]
    assert wire.unpack_beat(body) == (2000, 2, 1)


def test_bytes_pass_the_port_unchanged(link: Link, tmp_path: Path) -> None:
    """Raw mode: no line feeds added, no control characters eaten, whatever the readings are."""
    box = Box(tmp_path / "port")
    link.step()
    box.frames()
    for centivolts in range(0, 7000, 7):
        link.send_readings(centivolts, [Reading(160, 1, centivolts / 100, centivolts % 256)])
        (frame,) = box.deframer.feed(os.read(box.handle, 4096))
        assert wire.unpack_readings(frame[2]) == (centivolts, 1, [(centivolts / 100, centivolts % 256)])


def test_close_removes_only_its_own_link(tmp_path: Path) -> None:
    path = tmp_path / "port"
    old = Link(path, 1)
    new = Link(path, 1)
    old.close()
    assert str(path.readlink()) == new.device
    new.close()
    assert not path.is_symlink()


def test_a_file_in_the_way_is_replaced_but_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("left behind")
    made = Link(tmp_path / "port", 1)
    made.close()
    (tmp_path / "port").mkdir()
    with pytest.raises(OSError):
        Link(tmp_path / "port", 1)
