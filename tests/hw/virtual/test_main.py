"""`python -m hw.virtual` as a process: a box captures and reads what the exchange says, to the sample."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alsaaudio
import numpy as np
import pytest

from hw import wire
from hw.virtual.board import BY_PIN
from hw.virtual.build import alsa_config
from hw.virtual.exchange import Exchange
from hw.virtual.ring import Ring
from hw.virtual.script import read_script
from tests.hw.virtual.conftest import read_frames

ROOT = Path(__file__).parents[3]
ONE_CALL = """
[[lines]]
steps = [
  { do = "wait", s = 3 },
  { do = "ring", bursts = 1 },
  { do = "pick_up", after_s = 1 },
  { do = "say", who = "staff", s = 2 },
  { do = "hang_up", who = "far", staff_after_s = 1 },
]
"""
SPEED = 5.0

Rows = list[tuple[float, int]]


class Board:
    """A running virtual HAT and where it can be found."""

    def __init__(self, folder: Path, script: str, *options: str) -> None:
        self.ring = Path(f"/dev/shm/vhat-test-{os.getpid()}-main")
        self.port = folder / "port"
        self.script = folder / "lines.toml"
        self.script.write_text(script)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hw.virtual"),
                *("--script", self.script, "--ring", self.ring, "--readings", self.port),
                *options,
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> str:
        """Wait for the line that says so."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Stop it; return its code and what it complained about."""
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=20)
        return self.process.returncode, complaints


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Callable[..., Board]]:
    started: list[Board] = []

    def start(script: str = ONE_CALL, *options: str) -> Board:
        started.append(Board(tmp_path, script, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()


def test_audio_and_readings_are_those_of_the_exchange(
    board: Callable[..., Board], plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = board(ONE_CALL, "--speed", str(SPEED), "--lines", "3", "--story", str(tmp_path / "story"))
    assert one.ready() == f"virtual HAT: 3 lines at 8000 Hz, ring {one.ring}, port {one.port}\n"
    config = tmp_path / "asound.conf"
    config.write_text(alsa_config(plugin, {"linehat0": one.ring}))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    port = os.open(one.port, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    with Ring.open(one.ring) as ring:
        pcm = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE, device="linehat0", rate=8000, channels=3, periodsize=160, periods=50
        )
        begin = ring.position()
        heard = read_frames(pcm, 9 * 50)
        pcm.close()
        late_ms, frames = _readings(port, ring, until_ms=10_000)
        assert ring.starved == 0
    assert one.end() == (0, "")
    exchange = Exchange(read_script(one.script), 3, window_ms=10)
    _assert_found(heard, exchange, begin)
    for ms, rows in frames:
        if ms < 20:
            continue
        window = exchange.readings(ms * 8 - 160, ms * 8)  # the firmware looks every 10 ms and tells every 20
        for (volts, half_waves), early, late in zip(rows, window[:3], window[3:], strict=True):
            assert volts == pytest.approx((early.voltage_v + late.voltage_v) / 2, abs=0.02)
            assert half_waves == early.ring_half_waves + late.ring_half_waves
    assert 0 <= min(late_ms) <= 4 * SPEED  # never early; how late depends on who else uses the machine
    _check_story(tmp_path / "story")


def _assert_found(heard: np.ndarray[Any, Any], exchange: Exchange, begin: int) -> None:
    """What was heard is what the exchange says from some position shortly after `begin`."""
    wanted = exchange.audio(begin, len(heard) + 8000)
    starts = np.flatnonzero((wanted[:8000] == heard[0]).all(axis=1))
    assert any(np.array_equal(wanted[start : start + len(heard)], heard) for start in starts)


def _readings(port: int, ring: Ring, until_ms: int) -> tuple[list[float], list[tuple[int, Rows]]]:
    """(how late those from now on come, in ms of the card's time; all of them, and those that waited)."""
    deframer, since_ms = wire.Deframer(), ring.position() / 8
    late_ms: list[float] = []
    frames: list[tuple[int, Rows]] = []
    while not frames or frames[-1][0] < until_ms:
        assert select.select([port], [], [], 5)[0], "no readings for 5 s"
        for kind, _, body in deframer.feed(os.read(port, 4096)):
            if kind == wire.READINGS:
                ms, first, rows = wire.unpack_readings(body)
                assert first == 1
                frames.append((ms, rows))
                late_ms += [ring.position() / 8 - ms] if ms > since_ms else []
    os.close(port)
    return late_ms, frames


def _check_story(path: Path) -> None:
    calls = [json.loads(row) for row in path.read_text().splitlines()]
    assert [(call["line"], call["outcome"]) for call in calls] == [
        (1, "answered"),
        (2, "answered"),
        (3, "answered"),
    ]
    for call in calls:
        length_s = (call["end"] - call["begin"]) / 8000
        assert (call["end_ns"] - call["begin_ns"]) / 1e9 == pytest.approx(length_s / SPEED, abs=1e-6)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_leaves_nothing(board: Callable[..., Board], number: int) -> None:
    one = board()
    one.ready()
    assert one.ring.exists() and one.port.is_symlink()
    assert one.end(number) == (0, "")
    assert list(one.ring.parent.glob(f"*{one.ring.name}*")) == []
    assert not one.port.is_symlink()


def test_stopping_unplugs_the_card(
    board: Callable[..., Board], plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = board()
    one.ready()
    config = tmp_path / "asound.conf"
    config.write_text(alsa_config(plugin, {"gone0": one.ring}))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    pcm = alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE, device="gone0", rate=8000, channels=1, periodsize=160, periods=50
    )
    read_frames(pcm, 2)
    one.end()
    with pytest.raises(alsaaudio.ALSAAudioError, match="No such device"):
        pcm.read()


REFUSED = {
    "script": (
        "[[lines]]\nsteps = [{ do = 'sing' }, { do = 'wait' }]",
        (),
        ["step 1: do is one of", "step 2: s is missing"],
    ),
    "voice": (
        "voices = { far = 'xx-nobody' }\n[[lines]]\nsteps = [{ do = 'dial', digits = '1' }, "
        "{ do = 'say', who = 'far', s = 1 }, { do = 'hang_up', who = 'far' }]",
        (),
        ["espeak-ng does not speak 'xx-nobody'"],
    ),
    "speed": (ONE_CALL, ("--speed", "0"), ["wanted 0.01-100, got 0"]),
    "speed that is no number": (ONE_CALL, ("--speed", "fast"), ["--speed: invalid number value: 'fast'"]),
    "lines": (ONE_CALL, ("--lines", "65"), ["--lines"]),
    "rate": (ONE_CALL, ("--rate", "11025"), ["--rate"]),
    "story folder": (ONE_CALL, ("--story", "/nowhere/at/all"), ["/nowhere/at/all"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_sentence_and_code_2(board: Callable[..., Board], name: str) -> None:
    script, options, sentences = REFUSED[name]
    one = board(script, *options)
    output, complaints = one.process.communicate(timeout=20)
    assert (one.process.returncode, output) == (2, "")
    assert all(sentence in complaints for sentence in sentences), complaints
    assert "Traceback" not in complaints
    assert not one.ring.exists() and not one.port.is_symlink()


def _ask(port: int) -> tuple[int, int, int, int, int, str]:
    """HELLO of whoever is at the port, by the box's own words."""
    os.write(port, wire.pack(wire.ASK, 1))
    deframer = wire.Deframer()
    while True:
        assert select.select([port], [], [], 5)[0], "no greeting for 5 s"
        for kind, _, body in deframer.feed(os.read(port, 4096)):
            if kind == wire.HELLO:
                return wire.unpack_hello(body)


def test_faults_of_the_script_and_by_order(
    board: Callable[..., Board], plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = ONE_CALL + '[[faults]]\nkind = "board_resets"\nat_s = 0\n'
    orders = tmp_path / "orders"
    one = board(script, "--speed", "5", "--orders", str(orders))
    one.ready()
    config = tmp_path / "asound.conf"
    config.write_text(alsa_config(plugin, {"faulty0": one.ring}))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    port = os.open(one.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    assert _ask(port)[3:] == (BY_PIN, 2, "virtual-hat")

    pcm = alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE, device="faulty0", rate=8000, channels=1, periodsize=160, periods=50
    )
    orders.write_text("unplug for_s=1\nsing\n")
    with pytest.raises(alsaaudio.ALSAAudioError, match="No such device"):
        read_frames(pcm, 2000)
    pcm.close()
    with Ring.open(one.ring) as ring:
        plugged_in = ring.position() + 3 * 8000
        while ring.position() < plugged_in:
            select.select([], [], [], 0.02)
    pcm = alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE, device="faulty0", rate=8000, channels=1, periodsize=160, periods=50
    )
    assert len(read_frames(pcm, 5)) == 800
    pcm.close()
    os.close(port)
    code, complaints = one.end()
    assert code == 0 and "fault: Invalid enum value 'sing'" in complaints
    assert not orders.exists()


def test_a_fault_on_a_line_that_is_not_there_is_refused(board: Callable[..., Board]) -> None:
    one = board(ONE_CALL + '[[faults]]\nkind = "noise"\nline = 3\n')
    output, complaints = one.process.communicate(timeout=20)
    assert (one.process.returncode, output) == (2, "")
    assert "fault noise: wanted a line of 1-1, got 3" in complaints
