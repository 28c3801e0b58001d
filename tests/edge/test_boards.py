"""Who is at a board's port: the firmware asked over a real pseudo-terminal, or what a recorder shows."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.boards import ask, meeting, shown_status
from edge.config import Config, read_config
from edge.doctor import readings
from edge.flash import Met
from edge.sources.hat_status import HatStatus, read_status, write_status
from hw.virtual.board import Board
from hw.virtual.link import Link

LINES = 2
STEP_S = 0.005


class Running:
    """A virtual board that lives in a thread of its own."""

    def __init__(self, port: Path) -> None:
        self.board, self.link = Board(LINES), Link(port)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._live)
        self.thread.start()

    def _live(self) -> None:
        while not self.stop.wait(STEP_S):
            self.board.receive(self.link.receive())
            self.board.live(self.board.ms + 10, [48.0, -47.5], [0, 0])
            self.link.send(self.board.sent())

    def close(self) -> None:
        self.stop.set()
        self.thread.join()
        self.link.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "port")
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "box.toml"
    file.write_text(
        f'[box]\nid = "branch-1"\ndata_dir = "{tmp_path}"\nring_dir = "{tmp_path}"\n'
        f'[[hats]]\nname = "hat0"\nalsa_device = "none0"\nlines = {LINES}\n'
        f'readings_port = "{tmp_path}/port"\n'
    )
    return read_config(file)


def test_a_board_says_who_it_is_and_what_its_lines_have(running: Running, config: Config) -> None:
    status = ask(config.hats[0], 1, 10.0)
    assert status
    assert (status.board, status.lines, status.firmware, status.protocol) == (
        "virtual-hat",
        2,
        "0.1.0",
        "1.1",
    )
    assert status.voltages_v == (pytest.approx(48.0, abs=0.05), pytest.approx(-47.5, abs=0.05))


def test_doctor_tells_all_of_it(running: Running, config: Config) -> None:
    finding = readings(config, config.hats[0])
    assert finding.well, finding
    assert finding.says.startswith(
        "virtual-hat, firmware 0.1.0, protocol 1.1, start 1; 48.0 -47.5 V; held: none;"
    )
    assert "0 and 0 frames refused here and there, 0 missed, 0 events lost" in finding.says


def test_doctor_says_what_to_do(tmp_path: Path, config: Config) -> None:
    assert readings(config, config.hats[0]).says == f"{tmp_path}/port cannot be opened"
    link = Link(tmp_path / "port")
    silent = readings(config, config.hats[0])
    link.close()
    assert not silent.well and silent.says == f"nobody answers at {tmp_path}/port" and silent.advice
    alone = replace(config.hats[0], readings_port="")
    assert readings(config, alone).well


def test_doctor_sees_that_the_settings_are_of_another_board(running: Running, config: Config) -> None:
    other = replace(config.hats[0], lines=1)
    finding = readings(replace(config, hats=(other,)), other)
    assert (finding.well, finding.says) == (False, "virtual-hat has 2 lines, the settings say 1")


def status(**facts: object) -> HatStatus:
    """A board in good health."""
    made = HatStatus(
        "port", None, "linehat-l2", 2, "1.1", "0.1.0", 1, 1, 3, 1, 0, 0, 0, 0, 7, 0, 0, (2,), (48.0, None)
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def test_a_status_comes_back_as_it_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "hat.status.json"
    write_status(path, status())
    assert read_status(path) == status()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "[]", '{"port": 1}', "{", '{"held": 5, "voltages_v": []}'])
def test_what_is_no_status_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "status").write_text(text)
    assert read_status(tmp_path / "status") is None


def test_an_old_status_is_of_a_recorder_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "status"
    assert shown_status(path) is None
    write_status(path, status())
    assert shown_status(path) == status()
    os.utime(path, (1, 1))
    assert shown_status(path) is None


def test_the_doctor_reads_what_the_recorder_shows(tmp_path: Path, config: Config) -> None:
    (tmp_path / "port").touch()
    write_status(config.status_path(config.hats[0]), status())
    assert (
        "linehat-l2, firmware 0.1.0, protocol 1.1, start 1; 48.0 - V; held: 2;"
        in readings(config, config.hats[0]).says
    )
    write_status(config.status_path(config.hats[0]), status(trouble="port: nothing heard for 3 s"))
    assert readings(config, config.hats[0]).says == "port: nothing heard for 3 s"


def test_meeting_asks_the_board_itself_when_nobody_records(running: Running, config: Config) -> None:
    assert meeting(config, config.hats[0])(None, 10.0) == Met("virtual-hat", "0.1.0", 0)


def test_meeting_waits_for_a_greeting_after_the_one_that_was(tmp_path: Path, config: Config) -> None:
    path, meet = config.status_path(config.hats[0]), meeting(config, config.hats[0])
    write_status(path, status())
    before = meet(None, 5.0)
    assert before == Met("linehat-l2", "0.1.0", 3)
    assert meet(before, 0.1) is None, "that is still the old greeting"
    write_status(path, status(firmware="0.2.0", starts_seen=4))
    assert meet(before, 5.0) == Met("linehat-l2", "0.2.0", 4)


@pytest.mark.parametrize("name, found", [("hat0", True), ("", True), ("hat9", False)])
def test_a_board_is_named_or_the_only_one(name: str, found: bool, config: Config) -> None:
    if found:
        assert config.hat(name).name == "hat0"
    else:
        with pytest.raises(ValueError, match="wanted one of the boards hat0, got hat9"):
            config.hat(name)
