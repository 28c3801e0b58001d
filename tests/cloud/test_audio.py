"""Byte ranges and the recording route: what is sent, to whom, and that every play is logged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cloud.store.database import read
from cloud.store.schema import access_log
from cloud.web.ranges import RangeNotSatisfiable, parse_range
from tests.cloud.house import House

AUDIO = bytes(range(256)) * 4  # 1024 bytes


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 1023)),
        ("bytes=0-0", (0, 0)),
        ("bytes=10-19", (10, 19)),
        ("bytes=1000-5000", (1000, 1023)),
        ("bytes=-24", (1000, 1023)),
        ("bytes=-5000", (0, 1023)),
        (" bytes=5-6 ", (5, 6)),
        ("bytes=1024-", "416"),
        ("bytes=-0", "416"),
        ("bytes=99999999999-", "416"),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٠-٩", None),
        ("bytes=1-1" + "0" * 400, None),
        ("", None),
    ],
)
def test_parse_range(header: str | None, expected: tuple[int, int] | str | None) -> None:
    if expected == "416":
        with pytest.raises(RangeNotSatisfiable):
            parse_range(header, 1024)
        return
    part = parse_range(header, 1024)
    assert (part and (part.first, part.last)) == expected


@given(st.text(max_size=30), st.integers(0, 5000))
def test_whatever_is_asked_for_lies_within_the_file(header: str, size_bytes: int) -> None:
    for text in (header, "bytes=" + header):
        try:
            part = parse_range(text, size_bytes)
        except RangeNotSatisfiable:
            continue
        assert part is None or 0 <= part.first <= part.last < size_bytes


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        (None, 200, AUDIO, None),
        ("bytes=0-", 206, AUDIO, "bytes 0-1023/1024"),
        ("bytes=100-199", 206, AUDIO[100:200], "bytes 100-199/1024"),
        ("bytes=-1", 206, AUDIO[-1:], "bytes 1023-1023/1024"),
        ("bytes=2000-", 416, b"", "bytes */1024"),
        ("bytes=0-1,5-6", 200, AUDIO, None),
    ],
)
def test_the_route_sends_what_was_asked_for(
    house: House, header: str | None, status: int, body: bytes, content_range: str | None
) -> None:
    recording_id = house.add_recording(house.add_call(), AUDIO)
    headers = {"Range": header} if header else {}
    answer = house.visitor("agent").get(f"/api/v1/recordings/{recording_id}/audio", headers=headers)
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("content-range") == content_range
    assert answer.headers["content-length"] == str(len(body))
    if status != 416:
        assert answer.headers["content-type"] == "audio/flac"
        assert answer.headers["accept-ranges"] == "bytes"
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["content-disposition"] == f'inline; filename="{recording_id}.flac"'


def test_bytes_of_something_else_are_not_continued(house: House) -> None:
    recording_id = house.add_recording(house.add_call(), AUDIO)
    client, path = house.visitor("agent"), f"/api/v1/recordings/{recording_id}/audio"
    etag = client.get(path).headers["etag"]
    for if_range, status in ((etag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=5-9", "If-Range": if_range}
        assert client.get(path, headers=headers).status_code == status


@pytest.mark.parametrize("fields", [{}, {"state": "lost"}])
def test_audio_that_has_not_arrived_is_not_found(house: House, fields: dict[str, str]) -> None:
    recording_id = house.add_recording(house.add_call(), **fields)
    assert house.visitor("agent").get(f"/api/v1/recordings/{recording_id}/audio").status_code == 404


def test_a_file_missing_from_the_store_is_said_so(house: House) -> None:
    recording_id = house.add_recording(house.add_call(), state="stored", object_key="a" * 64)
    answer = house.visitor("agent").get(f"/api/v1/recordings/{recording_id}/audio")
    assert answer.status_code == 404 and "录音文件不在存储中" in answer.json()["detail"]


@pytest.mark.parametrize(
    "recording_id", ["none", "..%2f..%2fetc%2fpasswd", "%00", "a" * 300, "0' OR '1'='1", "/etc/passwd"]
)
def test_no_id_leads_out_of_the_store(house: House, recording_id: str) -> None:
    house.add_recording(house.add_call(), AUDIO)
    answer = house.visitor("agent").get(f"/api/v1/recordings/{recording_id}/audio")
    assert answer.status_code in (404, 422)


def plays(house: House) -> list[tuple[str, str]]:
    with read(house.parts.engine) as connection:
        statement = select(access_log).where(access_log.c.action == "play", access_log.c.result == "done")
        rows = connection.execute(statement.order_by(access_log.c.id)).mappings()
        return [(row["actor_name"].split()[0], row["object_id"]) for row in rows]


def test_every_play_is_logged_once_whatever_ranges_it_takes(house: House) -> None:
    recording_id = house.add_recording(house.add_call(), AUDIO)
    path = f"/api/v1/recordings/{recording_id}/audio"
    agent, manager = house.visitor("agent"), house.visitor("manager")
    for header in ("bytes=1-", "bytes=0-99", "bytes=500-"):  # not beginning at 0 hides nothing
        agent.get(path, headers={"Range": header})
    assert plays(house) == [("agent", recording_id)]
    manager.get(path)
    assert plays(house) == [("agent", recording_id), ("manager", recording_id)]
    house.clock.advance(601)
    agent.get(path)
    assert plays(house)[2:] == [("agent", recording_id)]


def test_what_was_refused_is_no_play(house: House) -> None:
    recording_id = house.add_recording(house.add_call(), AUDIO)
    path = f"/api/v1/recordings/{recording_id}/audio"
    house.visitor("maintainer").get(path)
    house.visitor().get(path)
    house.visitor("agent").get(path, headers={"Range": "bytes=5000-"})
    house.visitor("agent").get("/api/v1/recordings/none/audio")
    assert plays(house) == []
