"""The object store, in a folder and in a bucket: whole under its hash, or not there at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.config import S3Settings
from cloud.objects import BLOCK, FolderObjects, NoSuchObject, Objects, StoreUnreachable
from cloud.s3 import S3Objects, open_objects
from tests.cloud.house import open_house
from tests.s3 import S3Server

AUDIO = bytes(range(256)) * 2000
KEY = hashlib.sha256(AUDIO).hexdigest()


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return open_objects("", tmp_path / "objects", S3Settings())
    s3: S3Server = request.getfixturevalue("s3")
    return open_objects(s3.make_bucket(), tmp_path / "objects", s3.settings)


@pytest.fixture
def arrived(tmp_path: Path) -> Callable[[bytes], Path]:
    """A file that is all there."""

    def write(audio: bytes) -> Path:
        file = tmp_path / "objects" / "arrived"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(audio)
        return file

    return write


@pytest.fixture
def stored(objects: Objects, arrived: Callable[[bytes], Path]) -> Objects:
    file = arrived(AUDIO)
    assert objects.take(file, KEY) == KEY
    file.unlink()
    return objects


def test_stored_and_read(stored: Objects) -> None:
    assert stored.size(KEY) == len(AUDIO)
    assert b"".join(stored.read(KEY, 0, len(AUDIO))) == AUDIO


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (5, 300), (BLOCK - 1, 2), (len(AUDIO) - 3, 3), (len(AUDIO) - 3, 10), (0, 0)]
)
def test_parts_are_read(stored: Objects, start: int, length: int) -> None:
    assert b"".join(stored.read(KEY, start, length)) == AUDIO[start : start + length]


def test_taking_it_twice_is_the_same_as_once(objects: Objects, arrived: Callable[[bytes], Path]) -> None:
    file = arrived(AUDIO)
    for _ in range(2):
        assert objects.take(file, KEY) == KEY
        assert file.read_bytes() == AUDIO
    assert objects.size(KEY) == len(AUDIO)


def cut_short(objects: Objects) -> None:
    """As a disk or a person may have done to it."""
    if isinstance(objects, S3Objects):
        objects.client.put_object(Bucket=objects.bucket, Key=objects._name(KEY), Body=AUDIO[:-1])
    elif isinstance(objects, FolderObjects):
        file = objects._object(KEY)
        file.unlink()  # else its other name would be cut short as well
        file.write_bytes(AUDIO[:-1])


def test_what_was_cut_short_is_replaced_when_it_comes_again(
    stored: Objects, arrived: Callable[[bytes], Path]
) -> None:
    cut_short(stored)
    assert stored.size(KEY) == len(AUDIO) - 1
    assert stored.take(arrived(AUDIO), KEY) == KEY
    assert b"".join(stored.read(KEY, 0, len(AUDIO))) == AUDIO
    if isinstance(stored, FolderObjects):
        assert [file.name for file in stored._object(KEY).parent.iterdir()] == [KEY], (
            "and nothing else is left"
        )


def test_the_same_audio_of_two_boxes_is_kept_once(stored: Objects, arrived: Callable[[bytes], Path]) -> None:
    assert stored.take(arrived(AUDIO), KEY) == KEY
    stored.delete(KEY)
    assert stored.size(KEY) is None


def test_no_bytes_are_an_object_too(objects: Objects, arrived: Callable[[bytes], Path]) -> None:
    key = hashlib.sha256(b"").hexdigest()
    assert objects.take(arrived(b""), key) == key
    assert objects.size(key) == 0


def test_deleted_is_gone(stored: Objects) -> None:
    for _ in range(2):
        stored.delete(KEY)
    assert stored.size(KEY) is None
    with pytest.raises(NoSuchObject):
        stored.read(KEY, 0, 1)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", KEY.upper(), KEY + "/..", KEY[:-1], KEY + "\n"])
def test_keys_refused(stored: Objects, key: str) -> None:
    for door in (stored.size, stored.delete, lambda key: stored.read(key, 0, 1)):
        with pytest.raises(NoSuchObject):
            door(key)


def test_a_folder_keeps_the_same_audio_in_one_file(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(AUDIO)
        objects.take(tmp_path / name, KEY)
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == [KEY]


def test_half_an_object_is_not_taken_for_a_whole_one(
    objects: Objects, arrived: Callable[[bytes], Path]
) -> None:
    """What another program left under that name is written over where the store can tell."""
    if isinstance(objects, S3Objects):
        objects.client.put_object(Bucket=objects.bucket, Key=objects._name(KEY), Body=AUDIO[:100])
        objects.take(arrived(AUDIO), KEY)
        assert b"".join(objects.read(KEY, 0, len(AUDIO))) == AUDIO


def test_a_large_recording_goes_up_in_parts(objects: Objects, arrived: Callable[[bytes], Path]) -> None:
    audio = AUDIO * 20  # 10 MB
    key = hashlib.sha256(audio).hexdigest()
    objects.take(arrived(audio), key)
    assert hashlib.sha256(b"".join(objects.read(key, 0, len(audio)))).hexdigest() == key


@pytest.mark.parametrize("place", ["s3://no-such-bucket", "s3://recordings-1/x"])
def test_a_store_that_cannot_be_used_is_an_error_of_the_disk(
    s3: S3Server, tmp_path: Path, place: str
) -> None:
    """The box is asked again, as when a disk is full."""
    settings = s3.settings if place == "s3://no-such-bucket" else S3Settings(
        endpoint="http://127.0.0.1:9", region="us-east-1", access_key="x",
        secret_key_file=s3.settings.secret_key_file,
    )  # fmt: skip
    objects = open_objects(place, tmp_path, settings)
    (tmp_path / "a").write_bytes(AUDIO)
    with pytest.raises(OSError) as refused:
        objects.take(tmp_path / "a", KEY)
    assert isinstance(refused.value, StoreUnreachable)


@pytest.mark.parametrize("place", ["folder", "s3"])
@pytest.mark.parametrize(
    ("header", "status", "body"),
    [(None, 200, AUDIO), ("bytes=100-299", 206, AUDIO[100:300]), ("bytes=-7", 206, AUDIO[-7:])],
)
def test_the_player_gets_its_ranges_from_either(
    tmp_path: Path, s3: S3Server, place: str, header: str | None, status: int, body: bytes
) -> None:
    keys = {"objects": s3.make_bucket(), "s3": s3.settings} if place == "s3" else {}
    house = open_house(tmp_path, **keys)
    recording_id = house.add_recording(house.add_call(), AUDIO)
    headers = {"Range": header} if header else {}
    answer = house.visitor("manager").get(f"/api/v1/recordings/{recording_id}/audio", headers=headers)
    assert (answer.status_code, answer.content) == (status, body)
