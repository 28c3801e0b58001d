"""The ring: what was written is read back to the sample, what is gone is said to be gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ring import RingError, RingOvertaken, RingReader, RingWriter

RATE_HZ = 800


def numbered(position: int, frames: int, lines: int) -> np.ndarray:
    """Frames that carry their own position: sample = position + 100 x line, wrapped to int16."""
    rows = np.arange(position, position + frames)[:, None] + 100 * np.arange(lines)[None, :]
    return rows.astype(np.int64).astype(np.int16)


@given(st.lists(st.integers(0, 900), max_size=30), st.integers(1, 4))
def test_any_pieces_read_back_as_one(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int], lines: int
) -> None:
    path = tmp_path_factory.mktemp("ring") / "r"
    writer = RingWriter.create(path, RATE_HZ, lines, seconds=2)
    reader = RingReader.open(path)
    for frames in pieces:
        writer.write(numbered(writer.position, frames, lines))
        first, end = reader.first, reader.position
        assert end == writer.position
        np.testing.assert_array_equal(reader.read(first, end - first), numbered(first, end - first, lines))


def test_holds_at_least_the_seconds_it_was_made_for(tmp_path: Path) -> None:
    writer = RingWriter.create(tmp_path / "r", RATE_HZ, 2, seconds=3)
    for _ in range(20):
        writer.write(np.zeros((RATE_HZ, 2), np.int16))
        if writer.position >= 3 * RATE_HZ:
            assert writer.position - writer.first >= 3 * RATE_HZ


@pytest.mark.parametrize("back_s", [4.5, 60])
def test_overtaken_is_said_not_hidden(tmp_path: Path, back_s: float) -> None:
    writer = RingWriter.create(tmp_path / "r", RATE_HZ, 1, seconds=3)
    for _ in range(100):
        writer.write(np.ones((RATE_HZ, 1), np.int16))
    with pytest.raises(RingOvertaken) as caught:
        writer.read(writer.position - round(back_s * RATE_HZ), 10)
    assert caught.value.first == writer.first


def test_the_future_is_not_there_yet(tmp_path: Path) -> None:
    writer = RingWriter.create(tmp_path / "r", RATE_HZ, 1, seconds=3)
    writer.write(np.ones((100, 1), np.int16))
    with pytest.raises(RingOvertaken):
        writer.read(95, 6)
    assert len(writer.read(95, 5)) == 5


def test_skip_is_silence_in_its_place(tmp_path: Path) -> None:
    writer = RingWriter.create(tmp_path / "r", RATE_HZ, 2, seconds=30)
    writer.write(np.full((100, 2), 7, np.int16))
    writer.skip(3 * RATE_HZ + 5)
    writer.write(np.full((100, 2), 9, np.int16))
    assert writer.position == 200 + 3 * RATE_HZ + 5
    assert not writer.read(100, 3 * RATE_HZ + 5).any()
    assert (writer.read(writer.position - 100, 100) == 9).all()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    RingWriter.create(tmp_path / "r", RATE_HZ, 1, seconds=3)
    reader = RingReader.open(tmp_path / "r")
    with pytest.raises(ValueError, match="read-only"):
        reader._samples[0] = 1


def test_a_new_ring_leaves_old_readers_with_the_old_one(tmp_path: Path) -> None:
    first = RingWriter.create(tmp_path / "r", RATE_HZ, 1, seconds=3)
    first.write(np.full((10, 1), 5, np.int16))
    old = RingReader.open(tmp_path / "r")
    RingWriter.create(tmp_path / "r", RATE_HZ, 1, seconds=3)
    assert (old.read(0, 10) == 5).all()
    assert RingReader.open(tmp_path / "r").position == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no ring at"), (b"", "no ring at"), (b"x" * 10, "not a ring"), (b"\0" * 4096, "not a ring")],
)
def test_what_is_no_ring_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "r"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RingError, match=says):
        RingReader.open(path)


def test_a_ring_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r"
    RingWriter.create(path, RATE_HZ, 1, seconds=3)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RingError, match="shorter"):
        RingReader.open(path)
