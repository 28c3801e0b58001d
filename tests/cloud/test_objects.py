"""The object store: whole under its hash, or not there at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloud.objects import BLOCK, FolderObjects, NoSuchObject

AUDIO = bytes(range(256)) * 2000
KEY = hashlib.sha256(AUDIO).hexdigest()


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


def arrived(objects: FolderObjects, audio: bytes = AUDIO) -> Path:
    """A file that is all there."""
    objects.folder.mkdir(exist_ok=True)
    file = objects.folder / "arrived"
    file.write_bytes(audio)
    return file


@pytest.fixture
def stored(objects: FolderObjects) -> FolderObjects:
    file = arrived(objects)
    assert objects.take(file, KEY) == KEY
    file.unlink()
    return objects


def test_stored_and_read(stored: FolderObjects) -> None:
    assert stored.size(KEY) == len(AUDIO)
    assert b"".join(stored.read(KEY, 0, len(AUDIO))) == AUDIO


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (5, 300), (BLOCK - 1, 2), (len(AUDIO) - 3, 3), (len(AUDIO) - 3, 10), (0, 0)]
)
def test_parts_are_read(stored: FolderObjects, start: int, length: int) -> None:
    assert b"".join(stored.read(KEY, start, length)) == AUDIO[start : start + length]


def test_taking_it_twice_is_the_same_as_once(objects: FolderObjects) -> None:
    file = arrived(objects)
    for _ in range(2):
        assert objects.take(file, KEY) == KEY
        assert file.read_bytes() == AUDIO
    assert objects.size(KEY) == len(AUDIO)


def test_the_same_audio_of_two_boxes_is_kept_once(stored: FolderObjects) -> None:
    assert stored.take(arrived(stored), KEY) == KEY
    assert len([path for path in (stored.folder / "objects").rglob("*") if path.is_file()]) == 1


def test_no_bytes_are_an_object_too(objects: FolderObjects) -> None:
    key = hashlib.sha256(b"").hexdigest()
    assert objects.take(arrived(objects, b""), key) == key
    assert objects.size(key) == 0


def test_deleted_is_gone(stored: FolderObjects) -> None:
    for _ in range(2):
        stored.delete(KEY)
    assert stored.size(KEY) is None
    with pytest.raises(NoSuchObject):
        stored.read(KEY, 0, 1)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", KEY.upper(), KEY + "/..", KEY[:-1], KEY + "\n"])
def test_keys_refused(stored: FolderObjects, key: str) -> None:
    for door in (stored.size, stored.delete, lambda key: stored.read(key, 0, 1)):
        with pytest.raises(NoSuchObject):
            door(key)
