"""The unfinished file: what is read back is what was written, up to the first thing that does not check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.part import MOST_SAMPLES, pack_blocks, read_blocks, samples_in

SAMPLES = st.lists(st.lists(st.integers(-32768, 32767), min_size=1, max_size=50), min_size=1, max_size=8)


def read(path: Path) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int16), *read_blocks(path)])


@given(SAMPLES)
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[int]]
) -> None:
    path = tmp_path_factory.mktemp("part") / "x.part"
    path.write_bytes(b"".join(pack_blocks(np.array(piece, np.int16)) for piece in pieces))
    assert read(path).tolist() == [sample for piece in pieces for sample in piece]
    assert samples_in(path) == sum(map(len, pieces))


@given(SAMPLES, st.data())
def test_any_damage_ends_the_reading_before_it(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[int]], data: st.DataObject
) -> None:
    blocks = [pack_blocks(np.array(piece, np.int16)) for piece in pieces]
    whole = bytearray(b"".join(blocks))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("part") / "x.part"
    path.write_bytes(whole)
    found = read(path).tolist()
    before, size = [], 0
    for piece, block in zip(pieces, blocks, strict=True):
        size += len(block)
        if size > at:
            break
        before += piece
    assert found == before


def test_cut_at_any_byte_it_costs_only_the_block_that_was_cut(tmp_path: Path) -> None:
    samples = np.arange(-240, 240, dtype=np.int16)
    pieces = (samples[:7], samples[7:160], samples[160:161], samples[161:480])
    data = b"".join(map(pack_blocks, pieces))
    ends = np.cumsum([len(pack_blocks(piece)) for piece in pieces])
    whole = np.cumsum([0, *map(len, pieces)])
    path = tmp_path / "x.part"
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        kept = whole[np.searchsorted(ends, cut, side="right")]
        np.testing.assert_array_equal(read(path), samples[:kept], f"cut at byte {cut}")


@pytest.mark.parametrize("zeros", [1, 4096, 100_000])
def test_holes_of_zeros_are_not_silence(tmp_path: Path, zeros: int) -> None:
    samples = np.arange(160, dtype=np.int16)
    (tmp_path / "x.part").write_bytes(pack_blocks(samples) + bytes(zeros) + pack_blocks(samples))
    np.testing.assert_array_equal(read(tmp_path / "x.part"), samples)


def test_many_samples_make_several_blocks(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, 2 * MOST_SAMPLES + 7).astype(np.int16)
    (tmp_path / "x.part").write_bytes(pack_blocks(samples))
    np.testing.assert_array_equal(read(tmp_path / "x.part"), samples)


def test_nothing_there_is_no_samples(tmp_path: Path) -> None:
    assert samples_in(tmp_path / "x.part") == 0
    (tmp_path / "x.part").touch()
    assert samples_in(tmp_path / "x.part") == 0
