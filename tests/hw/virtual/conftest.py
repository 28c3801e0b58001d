"""A virtual card per test, opened through libasound as the product does; speech that needs no espeak-ng."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import alsaaudio
import numpy as np
import pytest
from numpy.typing import NDArray

from hw.virtual.build import alsa_config, build, playback_path
from hw.virtual.ring import Ring

OpenCard = Callable[..., Any]


@pytest.fixture(scope="session")
def plugin() -> Path:
    """The compiled ALSA plug-in."""
    return build()


class Card:
    """Two rings and the ALSA device over them."""

    def __init__(self, name: str, capture: Ring, playback: Ring) -> None:
        self.name = name
        self.capture = capture
        self.playback = playback

    def open(self, kind: int = alsaaudio.PCM_CAPTURE, **changes: Any) -> Any:
        """A PCM with 20 ms periods and 50 of them, unless told otherwise."""
        wanted = {
            "rate": self.capture.rate_hz,
            "channels": self.capture.channels,
            "format": alsaaudio.PCM_FORMAT_S16_LE,
            "periodsize": self.capture.rate_hz // 50,
            "periods": 50,
        }
        return alsaaudio.PCM(kind, alsaaudio.PCM_NORMAL, device=self.name, **wanted | changes)

    def pass_frames(self, frames: int) -> None:
        """Let the card move on by so many frames, fast."""
        for ring in (self.capture, self.playback):
            until, speed = ring.position() + frames, ring.speed
            ring.set_speed(100.0)
            while ring.position() < until:
                Event().wait(0.001)
            ring.set_speed(speed)


@pytest.fixture
def make_card(plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Card]]:
    """Makes cards, five times as fast as real ones if nothing is said; their rings play round and round."""
    rings: list[Ring] = []

    def make(channels: int = 2, rate_hz: int = 8000, speed: float = 5.0, frames: int | None = None) -> Card:
        frames = frames or min(4 * rate_hz, 65520)  # as long as the pattern never repeats
        name = f"hat{len(rings)}"
        path = Path(f"/dev/shm/vhat-test-{os.getpid()}-{name}")
        epoch_ns = time.monotonic_ns()
        capture = Ring.create(path, rate_hz, channels, frames, speed, epoch_ns)
        playback = Ring.create(playback_path(path), rate_hz, channels, frames, speed, epoch_ns)
        rings.extend((capture, playback))
        capture.write(0, pattern(frames, channels))
        capture.declare_written(2**62)
        config = tmp_path / f"{name}.conf"
        config.write_text(alsa_config(plugin, {name: path}))
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
        return Card(name, capture, playback)

    yield make
    for ring in rings:
        ring.remove()
        ring.close()


def pattern(frames: int, channels: int) -> NDArray[np.int16]:
    """Frames that tell where they are: channel c of frame n holds something only it has."""
    n = np.arange(frames)[:, None]
    c = np.arange(channels)[None, :]
    return ((n * 7919 + c * 104729) % 65521 - 32760).astype(np.int16)


def read_frames(pcm: Any, periods: int) -> NDArray[np.int16]:
    """Read so many whole periods, which must all succeed."""
    blocks = []
    for _ in range(periods):
        frames, data = pcm.read()
        assert frames > 0, frames
        blocks.append(np.frombuffer(data, np.int16).reshape(frames, -1))
    return np.concatenate(blocks)


def murmur(voice: str, text: str, rate_hz: int) -> NDArray[np.float32]:
    """Stands for speech: 0 dBm0 of noise as long as the text, different for each voice."""
    noise = np.random.default_rng(len(voice) * 1000 + len(text)).normal(0, 0.49, rate_hz * len(text) // 20)
    return np.asarray(noise, np.float32)
