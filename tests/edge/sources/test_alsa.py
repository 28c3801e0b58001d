"""Capture through real libasound: sample-exact, honest about losses, patient with a device that is gone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.ring import RingWriter
from edge.sources.alsa import Capture, DeviceError, open_device
from hw.virtual.build import alsa_config, build
from hw.virtual.ring import Ring
from tests.fakes import wait_for

RATE_HZ = 8000
LINES = 4
FRAMES = 40 * RATE_HZ
pytestmark = pytest.mark.xdist_group("alsa")


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Ring]:
    """A virtual card named `testcard` whose frame n, line l carries (n x 3 + l) modulo 30,000."""
    path = tmp_path / "card.ring"
    (tmp_path / "alsa.conf").write_text(alsa_config(build(), {"testcard": path}))
    before = os.environ.get("ALSA_CONFIG_PATH")
    os.environ["ALSA_CONFIG_PATH"] = str(tmp_path / "alsa.conf")
    with plug_in(path) as ring:
        yield ring
        ring.remove()
    if before is None:
        del os.environ["ALSA_CONFIG_PATH"]
    else:
        os.environ["ALSA_CONFIG_PATH"] = before


def plug_in(path: Path) -> Ring:
    ring = Ring.create(path, RATE_HZ, LINES, FRAMES)
    ring.write(0, sound(0, FRAMES))
    return ring


def sound(position: int, frames: int) -> np.ndarray:
    rows = np.arange(position, position + frames)[:, None] * 3 + np.arange(LINES)
    return (rows % 30_000).astype(np.int16)


@pytest.fixture
def capture(card: Ring, tmp_path: Path) -> Iterator[Capture]:
    capture = Capture("testcard", RingWriter.create(tmp_path / "ring", RATE_HZ, LINES, 20), time.monotonic)
    yield capture
    capture.stop()


def heard(capture: Capture, frames: int) -> np.ndarray:
    """Wait for `frames` more frames and return everything in the ring."""
    until = capture.ring.position + frames
    wait_for(lambda: capture.ring.position >= until, what=f"{frames} more frames")
    return capture.ring.read(0, capture.ring.position)


def test_every_sample_arrives_once_in_its_column(capture: Capture) -> None:
    capture.start()
    audio = heard(capture, 4000)
    live = audio[np.argmax(audio.any(axis=1)) :]
    first = int(live[0, 0]) // 3
    np.testing.assert_array_equal(live, sound(first, len(live)))
    assert capture.trouble is None
    assert capture.take_gaps() == []


def test_overrun_is_a_gap_of_the_lost_length(capture: Capture, card: Ring) -> None:
    capture.start()
    before = len(heard(capture, 1600))
    card.overrun()
    wait_for(lambda: capture._gaps, what="a gap")
    (gap,) = capture.take_gaps()
    assert gap.reason == "overrun" and gap.position >= before - 1600
    audio = heard(capture, 1600)
    assert not audio[gap.position : gap.position + gap.length].any()
    after = audio[gap.position + gap.length :]
    after = after[np.argmax(after.any(axis=1)) :]
    live = audio[np.argmax(audio.any(axis=1)) : gap.position]
    lost = (int(after[0, 0]) - int(live[-1, 0])) // 3 - 1
    silent = len(audio) - len(after) - np.argmax(audio.any(axis=1)) - len(live)
    assert abs(lost - silent) < 0.06 * RATE_HZ, "positions stay times"


def test_unplugged_card_is_a_state_that_ends(capture: Capture, card: Ring) -> None:
    capture.start()
    heard(capture, 1600)
    card.set_gone(True)
    wait_for(lambda: capture.trouble, what="trouble")
    assert "testcard" in (capture.trouble or "")
    card.set_gone(False)
    wait_for(lambda: capture.trouble is None, what="the return of the card")
    gaps = capture.take_gaps()
    assert {gap.reason for gap in gaps} == {"device_lost"}
    assert sum(gap.length for gap in gaps) >= 0.5 * RATE_HZ
    heard(capture, 800)


def test_missing_card_is_waited_for(card: Ring, tmp_path: Path) -> None:
    card.remove()
    capture = Capture("testcard", RingWriter.create(tmp_path / "ring", RATE_HZ, LINES, 20), time.monotonic)
    capture.start()
    wait_for(lambda: "No such" in (capture.trouble or ""), what="trouble")
    with plug_in(tmp_path / "card.ring"):
        wait_for(lambda: capture.trouble is None, what="the card")
        assert heard(capture, 800)[-1].any()
        capture.stop()
    assert capture.take_gaps() == [] or capture.ring.position > 0


def test_busy_card_says_so(card: Ring) -> None:
    first = open_device("testcard", RATE_HZ, LINES)
    first.read()
    with pytest.raises(DeviceError, match="testcard is busy: another program"):
        open_device("testcard", RATE_HZ, LINES)
    first.close()


@pytest.mark.parametrize(
    ("rate_hz", "lines", "says"),
    [(16_000, LINES, "rate 8000 instead of 16000"), (RATE_HZ, 2, "channels 4 instead of 2")],
)
def test_a_card_that_gives_something_else_is_refused(card: Ring, rate_hz: int, lines: int, says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        open_device("testcard", rate_hz, lines)


def test_unknown_device_is_refused(card: Ring) -> None:
    with pytest.raises(DeviceError, match="nocard"):
        open_device("nocard", RATE_HZ, LINES)
