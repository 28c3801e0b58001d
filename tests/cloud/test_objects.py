"""The object store: whole under its hash, or not there at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloud.objects import BLOCK, FolderObjects, NoSuchObject, WrongHash

AUDIO = bytes(range(256)) * 2000
KEY = hashlib.sha256(AUDIO).hexdigest()
TEMP = "branch-1.0192f1de-7a3c-7000-8000-000000000001"


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


@pytest.fixture
def stored(objects: FolderObjects) -> FolderObjects:
    objects.append(TEMP, 0, AUDIO)
    assert objects.commit(TEMP, KEY) == KEY
    objects.drop(TEMP)
    return objects


def test_nothing_is_there_before_it_is_whole(objects: FolderObjects) -> None:
    assert objects.temp_size(TEMP) == 0
    objects.append(TEMP, 0, AUDIO[:1000])
    objects.append(TEMP, 1000, AUDIO[1000:3000])
    assert objects.temp_size(TEMP) == 3000
    assert objects.size(KEY) is None
    with pytest.raises(WrongHash, match=KEY):
        objects.commit(TEMP, KEY)
    assert objects.size(KEY) is None


def test_stored_and_read(stored: FolderObjects) -> None:
    assert stored.size(KEY) == len(AUDIO)
    assert b"".join(stored.read(KEY, 0, len(AUDIO))) == AUDIO
    assert stored.temp_size(TEMP) == 0


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (5, 300), (BLOCK - 1, 2), (len(AUDIO) - 3, 3), (len(AUDIO) - 3, 10), (0, 0)]
)
def test_parts_are_read(stored: FolderObjects, start: int, length: int) -> None:
    assert b"".join(stored.read(KEY, start, length)) == AUDIO[start : start + length]


def test_what_is_beyond_the_offset_is_cut_off(objects: FolderObjects) -> None:
    objects.append(TEMP, 0, b"first copy, damaged")
    objects.append(TEMP, 0, b"again")
    assert objects.temp_size(TEMP) == 5


def test_a_crash_between_commit_and_drop_costs_nothing(objects: FolderObjects) -> None:
    objects.append(TEMP, 0, AUDIO)
    for _ in range(2):
        assert objects.commit(TEMP, KEY) == KEY
        assert objects.temp_size(TEMP) == len(AUDIO)


def test_the_same_audio_of_two_boxes_is_kept_once(stored: FolderObjects) -> None:
    stored.append("branch-2.x", 0, AUDIO)
    assert stored.commit("branch-2.x", KEY) == KEY
    assert len([path for path in (stored.folder / "objects").rglob("*") if path.is_file()]) == 1


def test_no_bytes_are_an_object_too(objects: FolderObjects) -> None:
    key = hashlib.sha256(b"").hexdigest()
    assert objects.commit(TEMP, key) == key
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


@pytest.mark.parametrize("temp", ["", "../x", "a/b", ".hidden", "A", "x" * 101, "a\0b", "a\n"])
def test_temporary_names_refused(objects: FolderObjects, temp: str) -> None:
    for door in (objects.temp_size, objects.drop, lambda temp: objects.append(temp, 0, b"x")):
        with pytest.raises(ValueError, match="not a name for a temporary file"):
            door(temp)
