"""Files that are still arriving: bytes where they belong, a map that never promises what is not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cloud.incoming import MOST_OPEN, Incoming

NAME = "branch-1.0192f1de-7a3c-7000-8000-000000000001"


def open_below(folder: Path) -> list[str]:
    """Files in `folder` that this process has open."""
    handles = [f"/proc/self/fd/{handle}" for handle in os.listdir("/proc/self/fd")]
    return [file for handle in handles if (file := os.path.realpath(handle)).startswith(f"{folder}/")]


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


def test_only_a_file_with_a_hole_has_a_map_and_nothing_remains_of_either(incoming: Incoming) -> None:
    for offset in (0, 5, 3):  # what comes twice makes no hole
        incoming.put(NAME, offset, b"hello")
    assert [file.name for file in incoming.folder.iterdir()] == [NAME]
    assert incoming.held(NAME) == ((0, 10),)
    incoming.put(NAME, 11, b"world")
    assert incoming.held(NAME) == ((0, 10), (11, 16))
    assert Incoming(incoming.folder).held(NAME) == ((0, 10), (11, 16))
    incoming.drop(NAME)
    assert list(incoming.folder.iterdir()) == []


def test_a_map_whose_file_is_gone_means_nothing(incoming: Incoming) -> None:
    incoming.put(NAME, 9, b"hello")
    incoming.path(NAME).unlink()
    assert incoming.held(NAME) == ()
    incoming.put(NAME, 0, b"hello world, here is another")
    incoming.keep(NAME, ((0, 11),))
    incoming.put(NAME, 20, b"!")
    assert incoming.held(NAME) == ((0, 11), (20, 21))


def test_what_is_cool_is_still_there(incoming: Incoming) -> None:
    incoming.put(NAME, 0, b"hello")
    incoming.cool(NAME)
    incoming.cool("nothing")
    assert incoming.whole(NAME)[0].read_bytes() == b"hello"


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


def test_what_is_written_after_another_has_stored_the_file_is_not_written_into_the_store(
    incoming: Incoming,
) -> None:
    incoming.put(NAME, 0, b"hello")
    stored = incoming.folder / "stored"
    stored.hardlink_to(incoming.path(NAME))
    Incoming(incoming.folder).drop(NAME)
    incoming.put(NAME, 0, b"HELLO")
    assert (stored.read_bytes(), incoming.path(NAME).read_bytes()) == (b"hello", b"HELLO")
    assert incoming.held(NAME) == ((0, 5),)


def test_only_so_many_files_are_kept_open(incoming: Incoming) -> None:
    def opened() -> int:
        return len(open_below(incoming.folder))

    names = [f"box.{number}" for number in range(MOST_OPEN + 3)]
    for part in (b"hello", b"world"):
        for name in names:
            incoming.put(name, 5 * (part == b"world"), part)
    assert opened() == MOST_OPEN
    for name in names:
        assert incoming.whole(name)[0].read_bytes() == b"helloworld"
        incoming.drop(name)
    assert opened() == 0


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "A", "x" * 101, "a\0b", "a\n", "x.map"])
def test_names_refused(incoming: Incoming, name: str) -> None:
    for door in (incoming.held, incoming.drop, lambda name: incoming.put(name, 0, b"x")):
        with pytest.raises(ValueError, match="not a name for an unfinished file"):
            door(name)
