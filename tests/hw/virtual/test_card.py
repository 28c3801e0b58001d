"""The ALSA plug-in through libasound: sample exact, paced, and as unkind as a real card can be."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alsaaudio
import numpy as np
import pytest

from hw.virtual.build import alsa_config
from hw.virtual.ring import HEADER, HEADER_BYTES, Ring
from tests.hw.virtual.conftest import Card, pattern, read_frames

MakeCard = Callable[..., Card]
EPIPE = -32


def find(ring: Ring, frame: np.ndarray[Any, Any]) -> int:
    """Where in the ring this frame lies."""
    (at,) = np.flatnonzero((ring.read(0, ring.frames) == frame).all(axis=1))
    return int(at)


@pytest.mark.parametrize(
    ("channels", "rate_hz"), [(1, 8000), (2, 8000), (8, 8000), (32, 8000), (8, 16000), (2, 48000)]
)
def test_capture_is_sample_exact_on_every_channel(make_card: MakeCard, channels: int, rate_hz: int) -> None:
    card = make_card(channels, rate_hz)
    before = card.capture.position()
    pcm = card.open()
    heard = read_frames(pcm, 60)
    after = card.capture.position()
    pcm.close()
    start = find(card.capture, heard[0])
    assert np.array_equal(heard, card.capture.read(start, len(heard)))
    assert before <= start and start + len(heard) <= after  # and from the right time


def test_capture_goes_on_over_the_end_of_the_ring(make_card: MakeCard) -> None:
    card = make_card(channels=3, speed=2.0, frames=3200)
    pcm = card.open()
    heard = read_frames(pcm, 50)  # 8000 frames: two and a half times round
    start = find(card.capture, heard[0])
    assert np.array_equal(heard, card.capture.read(start, len(heard)))


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 0.4), (10.0, 4.0)])
def test_pace(make_card: MakeCard, speed: float, seconds: float) -> None:
    card = make_card(speed=speed)
    pcm = card.open()
    began = time.monotonic()
    read_frames(pcm, round(seconds * 50))
    took_s = time.monotonic() - began
    assert seconds / speed * 0.99 <= took_s <= seconds / speed + 1.0


def test_a_period_can_be_read_as_soon_as_it_is_there(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open()
    waited = []
    for _ in range(12):
        heard = read_frames(pcm, 1)
        waited.append(card.capture.position() - find(card.capture, heard[0]) - len(heard))
    assert min(waited) >= 0
    assert sum(frames < 120 for frames in waited) > 4  # of 12; most, unless others use the machine


def test_speed_changes_without_a_jump(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open()
    first = read_frames(pcm, 5)
    card.capture.set_speed(10.0)
    began = time.monotonic()
    heard = np.concatenate([first, read_frames(pcm, 100)])
    assert time.monotonic() - began < 1.5  # 2 s of audio in about 0.2 s
    start = find(card.capture, heard[0])
    assert np.array_equal(heard, card.capture.read(start, len(heard)))


def test_injected_overrun_is_reported_once_and_then_it_runs(make_card: MakeCard) -> None:
    card = make_card()
    pcm = card.open()
    read_frames(pcm, 3)
    card.capture.overrun()
    assert pcm.read() == (EPIPE, b"")
    heard = read_frames(pcm, 5)
    start = find(card.capture, heard[0])
    assert np.array_equal(heard, card.capture.read(start, len(heard)))


def test_too_slow_a_reader_overruns_and_loses_what_it_missed(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open()
    first = read_frames(pcm, 1)
    card.pass_frames(8000)
    assert pcm.read() == (EPIPE, b"")
    second = read_frames(pcm, 1)
    lost = find(card.capture, second[0]) - find(card.capture, first[-1])
    assert lost % card.capture.frames > 8000


def test_reader_just_in_time_loses_nothing(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open(periods=90)
    first = read_frames(pcm, 1)
    card.pass_frames(160 * 20)
    heard = np.concatenate([first, read_frames(pcm, 21)])
    assert np.array_equal(heard, card.capture.read(find(card.capture, heard[0]), len(heard)))


def test_unplugged_card_is_no_such_device_until_it_is_back(make_card: MakeCard) -> None:
    card = make_card()
    pcm = card.open()
    read_frames(pcm, 2)
    card.capture.set_gone(True)
    for _ in range(2):
        with pytest.raises(alsaaudio.ALSAAudioError, match="No such device"):
            pcm.read()
    pcm.close()
    with pytest.raises(alsaaudio.ALSAAudioError, match="No such device"):
        card.open()
    card.capture.set_gone(False)
    again = card.open()
    assert len(read_frames(again, 2)) == 320


def test_a_new_ring_at_the_same_path_unplugs_the_old_one(make_card: MakeCard) -> None:
    card = make_card()
    pcm = card.open()
    read_frames(pcm, 1)
    with Ring.create(card.capture.path, 8000, 2, 32000) as new:
        with pytest.raises(alsaaudio.ALSAAudioError, match="No such device"):
            pcm.read()
        pcm.close()
        new.write(0, pattern(32000, 2))
        assert len(read_frames(card.open(), 1)) == 160
        new.remove()


def test_missing_ring_is_an_error(make_card: MakeCard) -> None:
    card = make_card()
    card.capture.remove()
    with pytest.raises(alsaaudio.ALSAAudioError, match="No such file"):
        card.open()


def test_second_opener_finds_the_card_busy(make_card: MakeCard) -> None:
    card = make_card()
    pcm = card.open()
    with pytest.raises(alsaaudio.ALSAAudioError, match="busy"):
        card.open()
    playing = card.open(alsaaudio.PCM_PLAYBACK)  # the other direction is free
    with pytest.raises(alsaaudio.ALSAAudioError, match="busy"):
        card.open(alsaaudio.PCM_PLAYBACK)
    playing.close()
    pcm.close()
    assert len(read_frames(card.open(), 1)) == 160


@pytest.mark.parametrize(
    "wanted",
    [
        {"rate": 16000},
        {"channels": 33},
        {"channels": 1},
        {"format": alsaaudio.PCM_FORMAT_S24_LE},
        {"format": alsaaudio.PCM_FORMAT_FLOAT_LE},
    ],
    ids=str,
)
def test_what_the_card_cannot_do_is_silently_replaced(make_card: MakeCard, wanted: dict[str, int]) -> None:
    """This is why the product must compare info() with what it asked for."""
    info = make_card(channels=8).open(**wanted).info()
    assert (info["rate"], info["channels"], info["format_name"]) == (8000, 8, "S16_LE")


def test_buffer_is_at_most_half_of_the_ring(make_card: MakeCard) -> None:
    info = make_card(frames=3200).open(periodsize=160, periods=1000).info()
    assert info["buffer_size"] <= 1600


def test_what_was_not_written_in_time_is_silence_and_counted(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open()
    read_frames(pcm, 1)
    card.capture.declare_written(card.capture.position() + 480)
    heard = read_frames(pcm, 12)
    while heard[-1].any():  # a slow machine was further behind
        heard = np.concatenate([heard, read_frames(pcm, 1)])
    assert heard[0].any()
    silent = len(heard) - np.flatnonzero(heard.any(axis=1))[-1] - 1
    assert 0 <= silent - card.capture.starved <= 1  # one frame of the pattern may be all zero


def test_playback_is_sample_exact_and_paced(make_card: MakeCard) -> None:
    card = make_card(channels=4, speed=2.0)
    pcm = card.open(alsaaudio.PCM_PLAYBACK)
    sent = pattern(12000, 4)
    began = time.monotonic()
    for at in range(0, len(sent), 160):
        assert pcm.write(sent[at : at + 160].tobytes()) == 160
    took_s = time.monotonic() - began
    end = card.playback.written
    assert np.array_equal(card.playback.read(end - len(sent), len(sent)), sent)
    assert took_s >= 0.24  # 1.5 s of audio, 1 s of it in the buffer, twice as fast


def test_playback_that_pauses_underruns_once(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open(alsaaudio.PCM_PLAYBACK)
    block = pattern(160, 2).tobytes()
    assert [pcm.write(block) for _ in range(40)] == [160] * 40
    card.pass_frames(160 * 41)
    assert pcm.write(block) == EPIPE
    assert [pcm.write(block) for _ in range(40)] == [160] * 40


def test_drain_waits_until_all_is_played_and_burns_no_time(make_card: MakeCard) -> None:
    card = make_card(speed=1.0)
    pcm = card.open(alsaaudio.PCM_PLAYBACK, periods=10)
    for _ in range(8):
        pcm.write(pattern(160, 2).tobytes())
    end, busy_s = card.playback.written, time.process_time()
    pcm.drain()
    assert card.playback.position() >= end
    assert time.process_time() - busy_s < 0.05


def test_unplugged_while_playing(make_card: MakeCard) -> None:
    card = make_card()
    pcm = card.open(alsaaudio.PCM_PLAYBACK)
    block = pattern(160, 2).tobytes()
    pcm.write(block)
    card.playback.set_gone(True)
    with pytest.raises(alsaaudio.ALSAAudioError, match="No such device"):
        pcm.write(block)


def _spoil(field: str, value: float) -> Callable[[bytearray], None]:
    def spoil(raw: bytearray) -> None:
        header = np.frombuffer(raw, HEADER, 1)
        header[field] = value

    return spoil


def _shorten(raw: bytearray) -> None:
    del raw[-10_000:]


SPOILT = {
    "magic": _spoil("magic", 1),
    "version": _spoil("version", 2),
    "rate": _spoil("rate", 100),
    "channels": _spoil("channels", 0),
    "too many channels": _spoil("channels", 65),
    "frames": _spoil("frames", 10),
    "speed": _spoil("speed", 0.0),
    "speed not a number": _spoil("speed", float("nan")),
    "short file": _shorten,
    "header only": lambda raw: raw.__delitem__(slice(HEADER_BYTES, None)),
    "empty": lambda raw: raw.clear(),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_file_that_is_no_ring_is_refused_and_let_go(make_card: MakeCard, name: str) -> None:
    card = make_card()
    whole = card.capture.path.read_bytes()
    raw = bytearray(whole)
    SPOILT[name](raw)
    card.capture.path.write_bytes(raw)
    with pytest.raises(alsaaudio.ALSAAudioError, match="Invalid argument"):
        card.open()
    card.capture.path.write_bytes(whole)  # not busy: the failed opener kept nothing
    assert len(read_frames(card.open(), 1)) == 160


@pytest.mark.parametrize("fields", ["", "ring 5", 'ring "/dev/null"', 'ring "/dev/shm/x" colour "red"'])
def test_a_config_the_plugin_cannot_use(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: str
) -> None:
    config = tmp_path / "wrong.conf"
    config.write_text(alsa_config(plugin, {}) + f"pcm.wrong {{ type vhat {fields} }}\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    with pytest.raises(alsaaudio.ALSAAudioError, match="Invalid argument"):
        alsaaudio.PCM(alsaaudio.PCM_CAPTURE, device="wrong")


def test_opening_many_times_leaks_no_descriptor(make_card: MakeCard) -> None:
    card = make_card()
    descriptors = Path("/proc/self/fd")
    card.open().close()
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        card.open().close()
    card.capture.set_gone(True)
    for _ in range(20):
        with pytest.raises(alsaaudio.ALSAAudioError):
            card.open()
    assert len(list(descriptors.iterdir())) == before
