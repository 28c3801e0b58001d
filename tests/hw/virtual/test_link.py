"""The pseudo-terminal: bytes pass unchanged, a port nobody reads costs bytes only, nothing stale is left."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.virtual.link import Link


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    made = Link(tmp_path / "port")
    yield made
    made.close()


class Box:
    """The other end, as a box opens it."""

    def __init__(self, path: Path) -> None:
        self.handle = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def read(self) -> bytes:
        """All that has arrived."""
        found = b""
        while select.select([self.handle], [], [], 0.05)[0]:
            found += os.read(self.handle, 4096)
        return found


def test_every_byte_passes_both_ways_unchanged(link: Link, tmp_path: Path) -> None:
    """Raw mode: no line feeds added, no control characters eaten."""
    box = Box(tmp_path / "port")
    assert link.receive() == b""
    link.send(bytes(range(256)))
    assert box.read() == bytes(range(256))
    os.write(box.handle, bytes(range(256)))
    assert link.receive() == bytes(range(256))


def test_what_nobody_heard_is_lost_not_kept(link: Link, tmp_path: Path) -> None:
    for number in range(1000):
        link.receive()
        link.send(b"%4d" % number)
    box = Box(tmp_path / "port")
    link.receive()
    link.send(b"new")
    assert box.read() == b"new"


def test_closing_and_opening_again_starts_afresh(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.receive()
    link.send(b"not read")
    os.close(box.handle)
    link.receive()
    link.send(b"nobody there")
    again = Box(tmp_path / "port")
    link.receive()
    link.send(b"fresh")
    assert again.read() == b"fresh"


def test_a_box_that_does_not_read_costs_bytes_not_the_board(link: Link, tmp_path: Path) -> None:
    box = Box(tmp_path / "port")
    link.receive()
    for number in range(20_000):
        link.send(b"%8d" % number)
    early = box.read()
    assert 0 < len(early) < 160_000 and early[:16] == b"%8d%8d" % (0, 1)
    link.send(b"after all")
    assert box.read() == b"after all"


def test_close_removes_only_its_own_link(tmp_path: Path) -> None:
    path = tmp_path / "port"
    old = Link(path)
    new = Link(path)
    old.close()
    assert str(path.readlink()) == new.device
    new.close()
    assert not path.is_symlink()


def test_a_file_in_the_way_is_replaced_but_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("left behind")
    made = Link(tmp_path / "port")
    made.close()
    (tmp_path / "port").mkdir()
    with pytest.raises(OSError):
        Link(tmp_path / "port")
