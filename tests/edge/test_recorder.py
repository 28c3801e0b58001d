"""The recorder: exact to the sample from pre-roll to hang-up, durable each second, honest about gaps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge.codec import encode_flac
from edge.gaps import Gap
from edge.part import pack_blocks, read_blocks
from edge.recorder import Part, Recorder
from edge.ring import RingReader, RingWriter
from tests.fakes import wait_for

RATE_HZ = 1000
LINES = 3


def ring_in(folder: Path, seconds: float = 10) -> RingWriter:
    return RingWriter.create(folder / "ring", RATE_HZ, LINES, seconds)


def count_up(ring: RingWriter, frames: int) -> None:
    """Write frames whose samples tell position and line: position x 10 + line, modulo 30,000."""
    rows = (np.arange(ring.position, ring.position + frames)[:, None] * 10 + np.arange(1, LINES + 1)) % 30_000
    ring.write(rows.astype(np.int16))


def heard_in(part: Part) -> np.ndarray:
    """The samples of a part that are the recording's."""
    return read_part(part.path)[: part.samples]


def read_part(path: Path) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int16), *read_blocks(path)])


def expected(start: int, end: int, line: int) -> np.ndarray:
    return ((np.arange(start, end) * 10 + line) % 30_000).astype(np.int16)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.integers(1, LINES), st.data())
def test_parts_hold_exactly_what_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int], line: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    ring = ring_in(folder)
    recorder = Recorder(folder, ring)
    count_up(ring, 2000)
    total = 2000 + sum(pieces)
    start = data.draw(st.integers(0, 2000))
    end = data.draw(st.integers(2000, total))
    recorder.start("one", line, start)
    parts = []
    for frames in pieces:
        parts += recorder.step()
        if ring.position >= end:
            recorder.stop("one", end)
        count_up(ring, frames)
    recorder.stop("one", end)
    parts += recorder.step()
    (part,) = parts
    audio = heard_in(part)
    np.testing.assert_array_equal(audio, expected(start, end, line))
    assert part.samples == end - start


@pytest.mark.parametrize(("pre_roll_s", "begins"), [(0, 5000), (2, 3000), (5, 0), (60, 0)])
def test_pre_roll_reaches_back_as_far_as_there_is_audio(
    tmp_path: Path, pre_roll_s: float, begins: int
) -> None:
    ring = ring_in(tmp_path)
    count_up(ring, 5000)
    assert Recorder(tmp_path, ring).first_position(1, 5000, pre_roll_s) == begins


def test_pre_roll_stops_where_the_ring_does(tmp_path: Path) -> None:
    ring = ring_in(tmp_path, seconds=3)
    count_up(ring, 3000)
    count_up(ring, 3000)
    assert Recorder(tmp_path, ring).first_position(1, 6000, 60) == ring.first > 0


def test_pre_roll_never_reaches_into_an_earlier_call_of_the_line(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    count_up(ring, 5000)
    recorder = Recorder(tmp_path, ring)
    recorder.close_off(1, 4200)
    assert recorder.first_position(1, 5000, 3) == 4200
    assert recorder.first_position(2, 5000, 3) == 2000


def test_gap_of_the_capture_is_placed_within_the_recording(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    recorder = Recorder(tmp_path, ring)
    count_up(ring, 1000)
    recorder.note_gaps([Gap(1000, 300, "overrun"), Gap(1300, 200, "overrun"), Gap(9000, 10, "overrun")])
    ring.skip(500)
    count_up(ring, 500)
    recorder.start("one", 1, 1100)
    recorder.stop("one", 2000)
    (part,) = recorder.step()
    assert part.gaps == (Gap(0, 400, "overrun"),), "clipped to the recording, neighbours joined"
    audio = heard_in(part)
    assert not audio[:400].any()
    np.testing.assert_array_equal(audio[400:], expected(1500, 2000, 1))


def test_recorder_that_was_overtaken_writes_silence_and_says_so(tmp_path: Path) -> None:
    ring = ring_in(tmp_path, seconds=2)
    recorder = Recorder(tmp_path, ring)
    count_up(ring, 500)
    recorder.start("one", 2, 0)
    recorder.step()
    for _ in range(6):
        count_up(ring, 1000)
    recorder.stop("one", 6000)
    (part,) = recorder.step()
    (gap,) = part.gaps
    assert gap.reason == "ring_overtaken" and gap.position == 500
    audio = heard_in(part)
    assert len(audio) == 6000 and not audio[500 : 500 + gap.length].any()
    np.testing.assert_array_equal(audio[500 + gap.length :], expected(500 + gap.length, 6000, 2))


def test_two_lines_at_once_do_not_mix(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    recorder = Recorder(tmp_path, ring, first_line=5)
    recorder.start("five", 5, 0)
    recorder.start("seven", 7, 0)
    count_up(ring, 2500)
    parts = {part.recording_id: part for part in recorder.close()}
    for name, column in (("five", 1), ("seven", 3)):
        audio = heard_in(parts[name])
        np.testing.assert_array_equal(audio, expected(0, 2500, column))


def test_a_part_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "one.part").write_bytes(b"earlier")
    with pytest.raises(FileExistsError):
        Recorder(tmp_path, ring_in(tmp_path)).start("one", 1, 0)
    assert (tmp_path / "one.part").read_bytes() == b"earlier"


WRITER = """
import sys, numpy as np
from collections.abc import Iterator
from pathlib import Path
from edge.part import pack_blocks, read_blocks
from edge.recorder import Part, Recorder
from edge.ring import RingReader
ring = RingReader.open(Path(sys.argv[1]) / "ring")
recorder = Recorder(Path(sys.argv[1]), ring)
recorder.start("one", 1, 0)
print("ready", flush=True)
while True:
    recorder.step()
"""


def test_kill_keeps_every_sample_that_was_there_a_second_ago(tmp_path: Path) -> None:
    ring = ring_in(tmp_path, seconds=60)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline() == b"ready\n"
        for _ in range(50):
            count_up(ring, 100)
        part = tmp_path / "one.part"
        wait_for(lambda: part.stat().st_size >= 4000 * 2, what="all but the last second in the file")
        os.kill(child.pid, signal.SIGKILL)
    audio = read_part(part)
    np.testing.assert_array_equal(audio, expected(0, len(audio), 1))
    assert len(audio) >= 4000


@pytest.mark.parametrize("extra", [b"", b"\x01"], ids=["whole", "cut in mid-sample"])
def test_flac_gives_back_the_same_samples(tmp_path: Path, extra: bytes) -> None:
    samples = np.random.default_rng(7).integers(-32768, 32768, 150_001).astype("<i2")
    part = tmp_path / "one.part"
    part.write_bytes(pack_blocks(samples) + extra)
    encoded = encode_flac(part, tmp_path / "one.flac", 8000, len(samples) + 1)
    audio, rate_hz = soundfile.read(tmp_path / "one.flac", dtype="int16")
    np.testing.assert_array_equal(audio, samples)
    assert (rate_hz, encoded.samples, encoded.file) == (8000, 150_001, "one.flac")
    assert encoded.size_bytes == (tmp_path / "one.flac").stat().st_size
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.flac", "one.part"]


def test_reader_ring_serves_the_recorder_too(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    count_up(ring, 1500)
    recorder = Recorder(tmp_path, RingReader.open(tmp_path / "ring"))
    recorder.start("one", 3, 100)
    recorder.stop("one", 1200)
    (part,) = recorder.step()
    np.testing.assert_array_equal(heard_in(part), expected(100, 1200, 3))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KB; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system of our own: mounting needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk_waits_in_the_ring_and_loses_nothing_if_room_comes(
    tmp_path: Path, small_disk: Path
) -> None:
    ring = ring_in(tmp_path, seconds=60)
    recorder = Recorder(small_disk, ring)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(48 * 1024))
    recorder.start("one", 1, 0)
    for _ in range(12):
        count_up(ring, 1000)
        recorder.step()
    assert recorder.trouble and "space" in recorder.trouble
    ballast.unlink()
    recorder.stop("one", 12_000)
    (part,) = recorder.step()
    assert recorder.trouble is None and part.gaps == ()
    np.testing.assert_array_equal(heard_in(part), expected(0, 12_000, 1))


def test_full_disk_beyond_the_ring_is_a_gap_that_says_so(tmp_path: Path, small_disk: Path) -> None:
    ring = ring_in(tmp_path, seconds=3)
    recorder = Recorder(small_disk, ring)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(56 * 1024))
    recorder.start("one", 2, 0)
    for _ in range(20):
        count_up(ring, 1000)
        recorder.step()
    ballast.unlink()
    recorder.stop("one", 21_000)
    count_up(ring, 1000)
    (part,) = recorder.step()
    (gap,) = part.gaps
    audio = heard_in(part)
    assert gap.reason == "disk_full" and len(audio) == 21_000
    np.testing.assert_array_equal(audio[: gap.position], expected(0, gap.position, 2))
    after = gap.position + gap.length
    np.testing.assert_array_equal(audio[after:], expected(after, 21_000, 2))


def test_full_disk_to_the_end_keeps_what_there_was(tmp_path: Path, small_disk: Path) -> None:
    ring = ring_in(tmp_path, seconds=3)
    recorder = Recorder(small_disk, ring)
    (small_disk / "ballast").write_bytes(bytes(56 * 1024))
    recorder.start("one", 1, 0)
    parts = []
    for second in range(20):
        count_up(ring, 1000)
        if second == 10:
            recorder.stop("one", 10_000)
        parts += recorder.step()
    (part,) = parts
    audio = heard_in(part)
    np.testing.assert_array_equal(audio, expected(0, len(audio), 1))
    assert part.gaps == (Gap(len(audio), 10_000 - len(audio), "disk_full"),)
