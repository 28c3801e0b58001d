"""The Lines page and its live stream, the status strip, the recorder's pulse."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.ring import RingWriter
from edge.web.meter import Meter
from edge.web.pulse import Pulse
from edge.web.shown import LINE_STATES
from edge.web.site import MOST_STREAMS
from edge.web.stream import Board
from tests.edge.web.conftest import Branch, Browser


@pytest.mark.parametrize("state", LINE_STATES)
def test_every_state_has_its_word_and_icon(branch: Branch, staff: Browser, state: str) -> None:
    branch.line(1, state)
    page = staff.get("/lines").text
    tile = re.search(r'<article id="line-1".*?</article>', page, re.DOTALL)
    assert tile and LINE_STATES[state].text in tile[0] and f"#{LINE_STATES[state].icon}" in tile[0]


def test_a_tile_shows_who_is_calling(branch: Branch, staff: Browser) -> None:
    branch.call("call-1", state="open", outcome="open", caller_name="王小明", ring_count=3)
    branch.line(1, "ringing", call_id="call-1")
    page = staff.get("/lines").text
    assert all(text in page for text in ("13800138000", "王小明", "3 rings", 'data-since="2026-11-22T04:00'))


def test_a_tile_shows_what_is_dialled(branch: Branch, staff: Browser) -> None:
    branch.call("call-1", state="open", outcome="open", direction="out", dialled="955", caller_number=None)
    branch.line(1, "dialling", call_id="call-1")
    assert "955" in staff.get("/lines").text


def test_an_idle_tile_shows_the_last_call_that_ended(branch: Branch, staff: Browser) -> None:
    branch.call("older", 90, caller_number="111")
    branch.call("newer", 60, caller_number="222", outcome="missed")
    branch.line(1)
    tile = staff.get("/lines").text.split("<article")[1].split("</article>")[0]
    assert "222" in tile and "111" not in tile and 'aria-label="Missed"' in tile


def test_what_a_line_does_not_know_is_said(branch: Branch, staff: Browser) -> None:
    branch.line(1, "talking", hook_known=0, audio_known=0)
    tile = staff.get("/lines").text.split("</article>")[0]
    assert "From audio only" in tile and "No audio" in tile


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"messages_waiting": 1, "message_count": 3}, ["3 messages waiting"]),
        ({"messages_waiting": 1, "message_count": 1}, ["1 message waiting"]),
        ({"messages_waiting": 1}, ["Messages waiting"]),
        ({}, []),
    ],
)
def test_messages_at_the_exchange_are_on_the_tile(
    branch: Branch, staff: Browser, columns: dict[str, int], said: list[str]
) -> None:
    branch.line(1, **columns)
    tile = staff.get("/lines").text.split("</article>")[0]
    assert re.findall("(?:[0-9]+ m|M)essages? waiting", tile) == said


def test_todays_missed_calls_are_on_top_and_yesterdays_are_not(branch: Branch, staff: Browser) -> None:
    branch.call("answered", 10, caller_number="111")
    branch.call("missed", 20, caller_number="222", outcome="missed")
    branch.call("late", 12 * 3600 + 1, caller_number="333")  # one second before midnight
    today = staff.get("/lines").text.split('id="today"')[1]
    assert "2 calls" in today and "1 missed" in today and "333" not in today
    assert today.index("222") < today.index("111")


def test_a_box_without_lines_says_so(staff: Browser) -> None:
    page = staff.get("/lines").text
    assert "No lines yet" in page and "No calls yet today." in page


# --- the stream -----------------------------------------------------------------------------------


class Stream:
    """A live stream, read message by message while the clock is moved between its looks."""

    def __init__(self, branch: Branch, browser: Browser) -> None:
        self.answer, self._chunks = browser.start("GET", "/lines/stream", HTTP_ACCEPT="text/event-stream")
        self.messages: Iterator[tuple[str, Any]] = self._read()

    def _read(self) -> Iterator[tuple[str, Any]]:
        for chunk in self._chunks:
            found = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", chunk.decode())
            if found:
                yield found[1], json.loads(found[2])

    def close(self) -> None:
        self._chunks.close()


@pytest.fixture
def open_stream(branch: Branch, staff: Browser) -> Iterator[Callable[[], Stream]]:
    opened: list[Stream] = []

    def start() -> Stream:
        opened.append(Stream(branch, staff))
        return opened[-1]

    watchdog = threading.Timer(20, branch.stop.set)  # a stream that never speaks again must not hang the test
    watchdog.start()
    yield start
    watchdog.cancel()
    for stream in opened:
        stream.close()


def test_a_stream_begins_with_everything(branch: Branch, open_stream: Callable[[], Stream]) -> None:
    branch.line(1)
    branch.line(2)
    stream = open_stream()
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    assert set(next(stream.messages)[1]) == {"line-1", "line-2", "today", "strip"}


def test_then_only_what_changed(branch: Branch, open_stream: Callable[[], Stream]) -> None:
    branch.line(1)
    branch.line(2)
    stream = open_stream()
    next(stream.messages)
    branch.call("call-1", state="open", outcome="open", line=2, caller_number="555")
    branch.db.execute("UPDATE lines SET state = 'ringing', call_id = 'call-1' WHERE line = 2")
    name, parts = next(stream.messages)
    assert name == "parts" and "line-1" not in parts and "555" in parts["line-2"]


def test_a_commit_that_changes_nothing_sends_nothing(
    branch: Branch, open_stream: Callable[[], Stream]
) -> None:
    branch.line(1)
    stream = open_stream()
    next(stream.messages)
    branch.db.execute("UPDATE lines SET name = name")
    branch.db.execute("UPDATE lines SET name = 'Shop'")
    assert set(next(stream.messages)[1]) == {"line-1"}


def test_a_quiet_stream_has_a_heartbeat(branch: Branch, open_stream: Callable[[], Stream]) -> None:
    stream = open_stream()
    next(stream.messages)
    branch.clock.advance(11)
    assert next(stream.messages)[0] == "beat"


def test_a_stream_ends_after_its_time(branch: Branch, open_stream: Callable[[], Stream]) -> None:
    stream = open_stream()
    next(stream.messages)
    branch.clock.advance(601)
    assert list(stream.messages) == []
    assert not branch.stop.is_set()


def test_a_stream_ends_with_the_server(branch: Branch, open_stream: Callable[[], Stream]) -> None:
    stream = open_stream()
    next(stream.messages)
    branch.stop.set()
    assert list(stream.messages) == []


def test_a_stream_ends_with_the_session(
    branch: Branch, staff: Browser, open_stream: Callable[[], Stream]
) -> None:
    stream = open_stream()
    next(stream.messages)
    staff.post("/log-out", {"form_token": staff.form_token()})
    assert list(stream.messages) == []
    assert not branch.stop.is_set()


def test_streams_are_bounded_and_a_closed_one_makes_room(
    staff: Browser, open_stream: Callable[[], Stream]
) -> None:
    streams = [open_stream() for _ in range(MOST_STREAMS)]
    refused = staff.get("/lines/stream")
    assert refused.status == 503
    streams[0].close()
    assert open_stream().answer.status == 200


def test_many_streams_share_the_rendering_of_a_change(
    branch: Branch, open_stream: Callable[[], Stream]
) -> None:
    branch.line(1)
    streams = [open_stream() for _ in range(3)]
    first = [next(stream.messages)[1] for stream in streams]
    assert first[0] == first[1] == first[2]
    branch.db.execute("UPDATE lines SET name = 'Shop'")
    assert all("Shop" in next(stream.messages)[1]["line-1"] for stream in streams)


def test_a_board_renders_once_per_version() -> None:
    rendered, version = list[int](), [1]

    def render() -> dict[str, str]:
        rendered.append(version[0])
        return {"a": str(version[0])}

    board = Board(lambda: version[0], render)
    first = board.parts()
    assert board.parts() is first
    version[0] = 2
    assert board.parts() == {"a": "2"} and rendered == [1, 2]


def test_midnight_empties_todays_list(branch: Branch, staff: Browser) -> None:
    for _ in range(2):  # to 23:59, in steps shorter than the session's idle time
        branch.clock.advance(6 * 3600 - 30)
        staff.get("/calls")
    branch.call("call-1")
    stream = Stream(branch, staff)
    assert "1 call" in next(stream.messages)[1]["today"]
    branch.clock.advance(60)
    assert "No calls yet today." in next(stream.messages)[1]["today"]
    stream.close()


# --- levels ---------------------------------------------------------------------------------------


def tone(amplitude: float, frames: int = 8000) -> NDArray[np.int16]:
    return (amplitude * 32767 * np.sin(np.arange(frames) * 0.3)).astype(np.int16)


def test_levels_are_dbm0_numbered_through_the_rings(tmp_path: Path) -> None:
    first, second = (RingWriter.create(tmp_path / name, 8000, 2, 2.0) for name in "ab")
    first.write(np.stack([tone(1.0), tone(0.1)], axis=1))
    second.write(np.stack([tone(0.0), tone(0.5)], axis=1))
    assert Meter((tmp_path / "a", tmp_path / "b")).levels(0.0) == {1: 3, 2: -17, 3: -50, 4: -3}


def test_levels_are_read_no_more_than_five_times_a_second(tmp_path: Path) -> None:
    ring = RingWriter.create(tmp_path / "a", 8000, 1, 2.0)
    meter = Meter((tmp_path / "a",))
    assert meter.levels(0.0) == {1: -50}
    ring.write(tone(1.0)[:, None])
    assert meter.levels(0.1) == {1: -50}
    assert meter.levels(0.3) == {1: 3}


def test_a_ring_that_is_gone_has_no_levels(tmp_path: Path) -> None:
    RingWriter.create(tmp_path / "b", 8000, 1, 2.0)
    assert Meter((tmp_path / "a", tmp_path / "b")).levels(0.0) == {}
    assert Meter(()).levels(0.0) == {}


def test_the_stream_sends_levels_that_change(tmp_path: Path) -> None:
    ring = RingWriter.create(tmp_path / "ring", 8000, 1, 2.0)
    branch = Branch(tmp_path, rings=(tmp_path / "ring",))
    branch.user("lin", "ordinary")
    browser = branch.browser()
    browser.log_in()
    stream = Stream(branch, browser)
    next(stream.messages)
    ring.write(tone(1.0)[:, None])
    branch.clock.advance(0.5)
    assert next(stream.messages) == ("levels", {"1": 3})
    stream.close()


# --- the strip ------------------------------------------------------------------------------------


def strip_of(browser: Browser) -> str:
    page = browser.get("/calls").text
    found = re.search(r'<div id="strip".*?</div>', page, re.DOTALL)
    assert found
    return found[0]


def test_all_is_well(staff: Browser) -> None:
    strip = strip_of(staff)
    assert "Recording works" in strip and "Head office has everything" in strip


TROUBLES = [
    ("audio:hat0", "No audio from hat0"),
    ("readings:hat1", "No line voltage from hat1"),
    ("head_office", "Head office cannot be reached"),
    ("disk", "Not working: disk"),
]


@pytest.mark.parametrize(("part", "words"), TROUBLES)
def test_what_is_lost_is_said_with_its_time(branch: Branch, staff: Browser, part: str, words: str) -> None:
    branch.insert("health", part=part, state="lost", since_utc="2026-11-22T03:00:00.000Z", detail="<why>")
    strip = strip_of(staff)
    assert words in strip and "since 11:00:00" in strip and "&lt;why&gt;" in strip
    assert ("Recording works" in strip) is (part == "head_office")


def test_what_was_lost_and_is_back_is_not_said(branch: Branch, staff: Browser) -> None:
    branch.insert("health", part="audio:hat0", state="lost", since_utc="a", until_utc="b")
    assert "Recording works" in strip_of(staff)


def test_what_head_office_lacks_is_counted(branch: Branch, staff: Browser) -> None:
    for at in range(2):
        branch.insert("outbox_files", recording_id=f"r{at}", file=f"r{at}", size_bytes=1, sha256="00" * 32)
    strip = strip_of(staff)
    assert "2 recordings wait for head office" in strip and "has everything" not in strip


def test_a_ring_that_moves_beats_and_one_that_stands_still_does_not(tmp_path: Path) -> None:
    ring = RingWriter.create(tmp_path / "ring", 8000, 2, 1.0)
    pulse = Pulse((tmp_path / "ring",))
    for second in range(5):
        ring.write(np.zeros((800, 2), np.int16))
        assert pulse.beats(float(second))
    assert pulse.beats(6.9)
    assert not pulse.beats(8.0)
    ring.write(np.zeros((800, 2), np.int16))
    assert pulse.beats(9.0)


def test_a_missing_ring_does_not_beat_and_no_ring_is_none_to_watch(tmp_path: Path) -> None:
    assert not Pulse((tmp_path / "none",)).beats(0.0)
    assert Pulse(()).beats(0.0)


def test_a_dead_recorder_is_on_every_page(tmp_path: Path) -> None:
    branch = Branch(tmp_path, rings=(tmp_path / "none",))
    branch.user("lin", "ordinary")
    browser = branch.browser()
    browser.log_in()
    assert "The recorder is not running" in strip_of(browser)
