"""The ring file from Python: round trips, the clock, the switches, and what is no ring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.virtual.ring import HEADER, HEADER_BYTES, Ring, RingError, unplug
from tests.hw.virtual.conftest import pattern

SECOND_NS = 1_000_000_000


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    with Ring.create(tmp_path / "ring", 8000, 3, 1000, epoch_ns=5 * SECOND_NS) as made:
        yield made


def test_header_lies_where_the_plugin_reads_it(ring: Ring) -> None:
    ring.write(0, pattern(10, 3))
    ring.overrun()
    ring.set_gone(True)
    raw = ring.path.read_bytes()
    assert raw[:4] == b"VHAT"
    assert np.frombuffer(raw, "<u4", 6).tolist() == [0x54414856, 1, 8000, 3, 1000, 0]
    assert np.frombuffer(raw, "<u8", 2, 24).tolist() == [5 * SECOND_NS, 0]
    assert np.frombuffer(raw, "<f8", 1, 40).tolist() == [1.0]
    assert np.frombuffer(raw, "<u8", 1, 48).tolist() == [10]
    assert np.frombuffer(raw, "<u4", 2, 56).tolist() == [1, 1]
    assert np.frombuffer(raw, "<i2", 30, HEADER_BYTES).tolist() == pattern(10, 3).ravel().tolist()
    assert len(raw) == HEADER_BYTES + 1000 * 3 * 2 and HEADER.itemsize == HEADER_BYTES


@given(position=st.integers(0, 10**12), frames=st.integers(0, 1000))
def test_what_is_written_is_read_wherever_it_wraps(position: int, frames: int) -> None:
    with TemporaryDirectory() as folder, Ring.create(Path(folder, "ring"), 8000, 2, 1000) as ring:
        samples = pattern(frames, 2)
        ring.write(position, samples)
        assert np.array_equal(ring.read(position, frames), samples)
        assert ring.written == position + frames


@pytest.mark.parametrize("speed", [1.0, 10.0, 1.0001, 0.5])
def test_position_and_time_agree(tmp_path: Path, speed: float) -> None:
    with Ring.create(tmp_path / "ring", 8000, 1, 100, speed, epoch_ns=SECOND_NS) as ring:
        assert ring.position(SECOND_NS) == 0
        assert ring.position(0) == 0  # before the epoch nothing has passed
        assert ring.position(11 * SECOND_NS) == int(80_000 * speed)
        for position in (0, 1, 159, 160, 8000, 10**9):
            assert ring.position(ring.time_ns(position)) in (position, position + 1)
            assert ring.position(ring.time_ns(position) - 2_000_000) < max(1, position)


def test_speed_change_keeps_the_position(ring: Ring) -> None:
    before = ring.position()
    ring.set_speed(50.0)
    after = ring.position()
    assert before <= after < before + 8000
    assert ring.speed == 50.0


@pytest.mark.parametrize(
    ("rate_hz", "channels", "frames", "speed"),
    [
        (3999, 1, 64, 1),
        (192_001, 1, 64, 1),
        (8000, 0, 64, 1),
        (8000, 65, 64, 1),
        (8000, 1, 63, 1),
        (8000, 1, 64, 0),
    ],
)
def test_create_refuses(tmp_path: Path, rate_hz: int, channels: int, frames: int, speed: float) -> None:
    with pytest.raises(RingError, match="4000-192000 Hz, 1-64 channels"):
        Ring.create(tmp_path / "ring", rate_hz, channels, frames, speed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "samples",
    [np.zeros((5, 3), np.int32), np.zeros((5, 2), np.int16), np.zeros(15, np.int16)],
    ids=["int32", "2 channels", "flat"],
)
def test_write_refuses_other_shapes(ring: Ring, samples: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(RingError, match=r"wanted int16 \(frames, 3\)"):
        ring.write(0, samples)


def test_write_refuses_more_than_the_ring(ring: Ring) -> None:
    with pytest.raises(RingError, match="1000 frames cannot take 1001"):
        ring.write(0, pattern(1001, 3))


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_speed_is_above_zero(ring: Ring, speed: float) -> None:
    with pytest.raises(RingError, match="above 0"):
        ring.set_speed(speed)
    assert ring.speed == 1.0


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(b"", "0 bytes"), (bytes(HEADER_BYTES), "4096 bytes"), (bytes(HEADER_BYTES + 8), "not a ring")],
)
def test_open_refuses(tmp_path: Path, raw: bytes, reason: str) -> None:
    path = tmp_path / "no-ring"
    path.write_bytes(raw)
    with pytest.raises(RingError, match=reason):
        Ring.open(path)


def test_open_refuses_a_ring_cut_short(ring: Ring) -> None:
    ring.path.write_bytes(ring.path.read_bytes()[:-2])
    with pytest.raises(RingError, match="shorter than its header says"):
        Ring.open(ring.path)


def test_two_mappings_share_everything(ring: Ring) -> None:
    with Ring.open(ring.path) as other:
        ring.write(990, pattern(20, 3))
        assert np.array_equal(other.read(990, 20), pattern(20, 3))
        other.set_speed(3.0)
        assert ring.speed == 3.0


def test_remove_leaves_a_successor_alone(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    with Ring.create(path, 8000, 1, 100) as old, Ring.create(path, 8000, 1, 200) as new:
        old.remove()
        with Ring.open(path) as found:
            assert found.frames == 200
        new.remove()
        assert not path.exists()


def test_unplug_takes_anything_away(tmp_path: Path) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(b"rubbish")
    unplug(path)
    assert not path.exists()
    unplug(path)  # nothing there: nothing to do
