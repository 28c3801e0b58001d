"""Old recordings packed to Opus: as long to the sample, about the rate asked for, never a damaged one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.opus import NotPacked, encode_opus
from tests.edge.storage.conftest import RATE_HZ, speech


def flac(folder: Path, samples: int, rate_hz: int = RATE_HZ) -> tuple[Path, str]:
    path = folder / "x.flac"
    soundfile.write(path, speech(samples), rate_hz, subtype="PCM_16")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("rate_hz", [8000, 16_000])
@pytest.mark.parametrize("samples", [1, 159, 160, 4000, 80_001])
def test_length_rate_and_hash(tmp_path: Path, samples: int, rate_hz: int) -> None:
    path, sha256 = flac(tmp_path, samples, rate_hz)
    encoded = encode_opus(path, tmp_path / "x.opus", sha256, samples, 24)
    content = (tmp_path / encoded.file).read_bytes()
    assert (encoded.samples, encoded.size_bytes) == (samples, len(content))
    assert encoded.sha256 == hashlib.sha256(content).hexdigest()
    info = soundfile.info(tmp_path / "x.opus")
    assert (info.format, info.subtype, info.samplerate, info.frames) == ("OGG", "OPUS", rate_hz, samples)
    assert path.exists()
    assert {file.name for file in tmp_path.iterdir()} == {"x.flac", "x.opus"}


@pytest.mark.parametrize("kbit_s", [16, 24, 48])
def test_bit_rate_is_about_what_was_asked_for(tmp_path: Path, kbit_s: int) -> None:
    path, sha256 = flac(tmp_path, 30 * RATE_HZ)
    encoded = encode_opus(path, tmp_path / "x.opus", sha256, 30 * RATE_HZ, kbit_s)
    assert encoded.size_bytes * 8 / 30 / 1000 == pytest.approx(kbit_s, rel=0.35)
    assert encoded.size_bytes < path.stat().st_size / 1.5


def test_a_moment_stays_where_it_was(tmp_path: Path) -> None:
    """Gaps and timeline count samples: the packed audio must not be shifted by as much as 5 ms."""
    path, sha256 = flac(tmp_path, 40_000)
    encode_opus(path, tmp_path / "x.opus", sha256, 40_000, 24)
    before = np.abs(soundfile.read(path)[0])
    after = np.abs(soundfile.read(tmp_path / "x.opus")[0])
    window = np.ones(80) / 80
    before, after = (np.convolve(one, window, "same") for one in (before, after))
    shifts = range(-200, 201, 5)
    likeness = [float(np.dot(before[400:-400], np.roll(after, shift)[400:-400])) for shift in shifts]
    assert abs(shifts[int(np.argmax(likeness))]) <= 40


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda content: content[:-1], "damaged"),
        (lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:], "damaged"),
        (lambda content: b"", "damaged"),
    ],
)
def test_a_damaged_original_is_never_packed(tmp_path: Path, spoil: object, says: str) -> None:
    path, sha256 = flac(tmp_path, 8000)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(NotPacked, match=says):
        encode_opus(path, tmp_path / "x.opus", sha256, 8000, 24)
    assert {file.name for file in tmp_path.iterdir()} == {"x.flac"}


def test_another_length_than_the_rows_is_refused(tmp_path: Path) -> None:
    path, sha256 = flac(tmp_path, 8000)
    with pytest.raises(NotPacked, match="has 8001 samples, packed 8000"):
        encode_opus(path, tmp_path / "x.opus", sha256, 8001, 24)
    assert {file.name for file in tmp_path.iterdir()} == {"x.flac"}


@pytest.mark.parametrize("rate_hz", [11_025, 44_100])
def test_a_rate_opus_does_not_know_stays_flac(tmp_path: Path, rate_hz: int) -> None:
    path, sha256 = flac(tmp_path, 8000, rate_hz)
    with pytest.raises(NotPacked, match="cannot be packed"):
        encode_opus(path, tmp_path / "x.opus", sha256, 8000, 24)
    assert {file.name for file in tmp_path.iterdir()} == {"x.flac"}
