"""Recordings by id and the page's own files: ranges, and no way to any other file."""

from __future__ import annotations

import os

import pytest

from edge.web.site import ROOM
from tests.edge.web.conftest import Branch, Browser

CONTENT = bytes(range(256)) * 4


@pytest.fixture(autouse=True)
def one_recording(branch: Branch) -> None:
    branch.recording("rec-1", branch.call("call-1"), CONTENT)


def test_a_recording_is_sent_whole(staff: Browser) -> None:
    answer = staff.get("/recordings/rec-1/audio")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "audio/flac", CONTENT)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Cache-Control"] == "private, no-store"


RANGES = [
    ("bytes=0-", 206, (0, 1024)),
    ("bytes=100-199", 206, (100, 200)),
    ("bytes=1023-5000", 206, (1023, 1024)),
    ("bytes=-24", 206, (1000, 1024)),
    ("bytes=1024-", 416, None),
    ("bytes=9-3", 416, None),
    ("bytes=x-y", 416, None),
    ("bytes=0-0,2-2," + ",".join(f"{at}-{at}" for at in range(4, 400, 2)), 206, (0, 1)),
]


@pytest.mark.parametrize(("wanted", "status", "part"), RANGES)
def test_ranges(staff: Browser, wanted: str, status: int, part: tuple[int, int] | None) -> None:
    answer = staff.get("/recordings/rec-1/audio", HTTP_RANGE=wanted)
    assert answer.status == status
    if part:
        first, end = part
        assert answer.body == CONTENT[first:end]
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/1024"


def test_head_sends_no_body(staff: Browser) -> None:
    answer = staff.ask("HEAD", "/recordings/rec-1/audio")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "1024", b"")


NO_IDS = [
    "rec-2",
    "rec-1.flac",
    "..%2f..%2fbranch.db",
    "%2e%2e%2fbranch.db",
    "..\\branch.db",
    "rec-1%00",
    "%ff%fe",
    "x" * 300,
    "' OR '1'='1",
    "*",
]


@pytest.mark.parametrize("recording_id", NO_IDS)
def test_only_ids_in_the_database_lead_to_audio(staff: Browser, recording_id: str) -> None:
    assert staff.get(f"/recordings/{recording_id}/audio").status == 404


@pytest.mark.parametrize("file", ["../branch.db", "/etc/passwd", "a/../../branch.db"])
def test_a_row_that_names_a_file_outside_leads_nowhere(branch: Branch, staff: Browser, file: str) -> None:
    branch.recording("rec-out", "call-1", file=file)
    assert staff.get("/recordings/rec-out/audio").status == 404


def test_a_link_in_the_folder_leads_nowhere(branch: Branch, staff: Browser) -> None:
    branch.recording("rec-link", "call-1")
    link = branch.recordings / "rec-link.flac"
    link.unlink()
    os.symlink(branch.settings.database, link)
    assert staff.get("/recordings/rec-link/audio").status == 404


@pytest.mark.parametrize("state", ["recording", "part", "lost"])
def test_only_finished_recordings_play(branch: Branch, staff: Browser, state: str) -> None:
    branch.recording("rec-3", "call-1", state=state)
    assert staff.get("/recordings/rec-3/audio").status == 404


def test_a_file_that_is_gone_is_not_there_and_no_play(branch: Branch, staff: Browser) -> None:
    (branch.recordings / "rec-1.flac").unlink()
    assert staff.get("/recordings/rec-1/audio").status == 404
    assert "play" not in [row[0] for row in branch.operations()]


def plays(branch: Branch) -> int:
    return sum(row == ("play", "done", "lin", "rec-1") for row in branch.operations())


def test_a_play_is_logged_once_however_many_ranges_it_takes(branch: Branch, staff: Browser) -> None:
    for wanted in ("bytes=0-99", "bytes=100-", "bytes=500-"):
        staff.get("/recordings/rec-1/audio", HTTP_RANGE=wanted)
    assert plays(branch) == 1
    branch.clock.advance(601)
    staff.get("/recordings/rec-1/audio", HTTP_RANGE="bytes=1-")
    assert plays(branch) == 2


STATIC = ["page.css", "lines.js", "player.js", "call.js", "icons.svg", "mark.svg"]


@pytest.mark.parametrize("name", STATIC)
def test_own_files_are_sent(branch: Branch, name: str) -> None:
    assert branch.browser().get(f"/static/{name}").body == (ROOM / "static" / name).read_bytes()


@pytest.mark.parametrize(
    "path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "vendor/../../app.py", "nothing.css"]
)
def test_nothing_beside_them_is_sent(branch: Branch, path: str) -> None:
    assert branch.browser().get(f"/static/{path}").status in {403, 404}
