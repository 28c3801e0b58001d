"""Files that are still arriving: bytes where they belong, a map that never promises what is not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloud.incoming import Incoming

NAME = "branch-1.0192f1de-7a3c-7000-8000-000000000001"


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    return Incoming(tmp_path / "incoming")


def test_bytes_stand_where_they_belong_in_any_order(incoming: Incoming) -> None:
    assert incoming.held(NAME) == ()
    incoming.put(NAME, 6, b"world")
    assert incoming.held(NAME) == ((6, 11),)
    incoming.put(NAME, 0, b"hello")
    assert incoming.held(NAME) == ((0, 5), (6, 11))
    incoming.put(NAME, 5, b" ")
    assert incoming.held(NAME) == ((0, 11),)
    path, sha256 = incoming.whole(NAME)
    assert path.read_bytes() == b"hello world"
    assert sha256 == hashlib.sha256(b"hello world").hexdigest()


def test_a_map_torn_by_a_crash_says_what_it_still_says(incoming: Incoming) -> None:
    incoming.put(NAME, 0, b"hello")
    incoming.put(NAME, 9, b"world")
    noted = incoming.folder / f"{NAME}.map"
    noted.write_bytes(noted.read_bytes()[:-3])
    assert incoming.held(NAME) == ((0, 5),)


def test_a_file_cut_by_a_crash_is_not_longer_than_it_is(incoming: Incoming) -> None:
    incoming.put(NAME, 0, b"hello world")
    incoming.path(NAME).write_bytes(b"hell")
    assert incoming.held(NAME) == ((0, 4),)
    incoming.path(NAME).unlink()
    assert incoming.held(NAME) == ()


def test_what_is_not_kept_is_cut_off_and_forgotten(incoming: Incoming) -> None:
    incoming.put(NAME, 0, b"hello world")
    incoming.keep(NAME, ((0, 2), (4, 8)))
    assert incoming.held(NAME) == ((0, 2), (4, 8))
    assert incoming.path(NAME).read_bytes() == b"hello wo"
    incoming.keep(NAME, ())
    assert incoming.held(NAME) == ()


def test_sums_of_pieces(incoming: Incoming) -> None:
    incoming.put(NAME, 0, b"hello world")
    wanted = [hashlib.sha256(piece).hexdigest() for piece in (b"hello", b"world", b"")]
    assert incoming.sums(NAME, [(0, 5), (6, 11), (11, 11)]) == wanted
    assert incoming.sums("nothing", []) == []


def test_no_bytes_are_a_file_too(incoming: Incoming) -> None:
    path, sha256 = incoming.whole(NAME)
    assert (path.read_bytes(), sha256) == (b"", hashlib.sha256(b"").hexdigest())


def test_dropped_is_gone(incoming: Incoming) -> None:
    incoming.put(NAME, 0, b"hello")
    for _ in range(2):
        incoming.drop(NAME)
    assert list(incoming.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "A", "x" * 101, "a\0b", "a\n", "x.map"])
def test_names_refused(incoming: Incoming, name: str) -> None:
    for door in (incoming.held, incoming.drop, lambda name: incoming.put(name, 0, b"x")):
        with pytest.raises(ValueError, match="not a name for an unfinished file"):
            door(name)
