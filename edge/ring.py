"""The ring: the last minutes of every line's audio in shared memory, written by one, read by many.

    file in /dev/shm      0        8        16       24       32            64 ...
                        +--------+--------+--------+--------+--   ...   --+---------------------------------+
                        | magic  | rate   | lines  | frames | written     | frames x lines samples, int16   |
                        +--------+--------+--------+--------+--   ...   --+---------------------------------+
                          all u64, little-endian; `written` = position just after the newest frame

The recorder's capture thread is the only writer; it raises `written` after the samples are in place. A reader
that is too slow finds its position overtaken: it is told so (RingOvertaken), never given newer audio instead.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.samples import Samples, SamplesError

MAGIC = 0x474E495248434E42  # "BNCHRING" read as a little-endian number
HEADER_BYTES = 64
CLEAR_S = 2  # twice what the writer writes before it says so
_WRITTEN = 4


class RingError(SamplesError):
    """The file is not a ring, or not the one expected."""


class RingOvertaken(RingError):
    """The wanted samples are no longer there (or not yet): `first`..`end` are."""

    def __init__(self, wanted: int, first: int, end: int) -> None:
        self.first, self.end = first, end
        super().__init__(f"position {wanted} is outside the ring, which holds {first} to {end}")


class _Ring:
    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self._memory = memory
        self._header: NDArray[np.uint64] = np.frombuffer(memory, np.uint64, HEADER_BYTES // 8)
        self.rate_hz, self.lines, self.frames = (int(self._header[at]) for at in (1, 2, 3))
        flat = np.frombuffer(memory, np.int16, self.frames * self.lines, HEADER_BYTES)
        self._samples = flat.reshape(self.frames, self.lines)

    @property
    def position(self) -> int:
        """Just after the newest frame."""
        return int(self._header[_WRITTEN])

    @property
    def first(self) -> int:
        """The oldest frame that is surely still there (`CLEAR_S` are kept clear for the writer)."""
        return max(0, self.position - self.frames + CLEAR_S * self.rate_hz)

    def read(self, position: int, frames: int) -> Samples:
        """A copy of `frames` frames from `position`, int16 (frames, lines); RingOvertaken if one is gone."""
        if position < self.first or position + frames > self.position:
            raise RingOvertaken(position, self.first, self.position)
        at = position % self.frames
        head = min(frames, self.frames - at)
        block = np.concatenate((self._samples[at : at + head], self._samples[: frames - head]))
        if position < self.first:  # the writer came round while we copied
            raise RingOvertaken(position, self.first, self.position)
        return block


class RingReader(_Ring):
    """A read-only view that other processes may open while the recorder runs."""

    @classmethod
    def open(cls, path: Path) -> RingReader:
        """Map an existing ring; RingError when there is none or it is something else."""
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except (OSError, ValueError) as error:
            raise RingError(f"no ring at {path}: {error}") from error
        header = np.frombuffer(memory, np.uint64, HEADER_BYTES // 8) if len(memory) >= HEADER_BYTES else None
        if header is None or int(header[0]) != MAGIC:
            raise RingError(f"{path} is not a ring of this program")
        if len(memory) < HEADER_BYTES + int(header[2]) * int(header[3]) * 2:
            raise RingError(f"{path} is shorter than its header says")
        return cls(path, memory)


class RingWriter(_Ring):
    """The one writer. Creating it replaces an older ring, so that readers never see two recorders mixed."""

    @classmethod
    def create(cls, path: Path, rate_hz: int, lines: int, seconds: float) -> RingWriter:
        """Make a ring at `path` that keeps `seconds` whole."""
        frames = round(rate_hz * (seconds + CLEAR_S))
        fresh = path.with_name(path.name + ".new")
        size = HEADER_BYTES + frames * lines * 2
        with fresh.open("wb+") as file:
            file.truncate(size)
            os.posix_fallocate(file.fileno(), 0, size)  # a full /dev/shm must fail here, not as SIGBUS later
            memory = mmap.mmap(file.fileno(), size)
        header = np.frombuffer(memory, np.uint64, HEADER_BYTES // 8)
        header[:5] = (MAGIC, rate_hz, lines, frames, 0)
        fresh.rename(path)
        return cls(path, memory)

    def remove(self) -> None:
        """Take the name away; who has it mapped keeps what there was."""
        self.path.unlink(missing_ok=True)

    def write(self, samples: Samples) -> None:
        """Append frames, int16 (n, lines), a second at a time: a reader trusts that no more is under way."""
        for first in range(0, len(samples), self.rate_hz):
            self._write(samples[first : first + self.rate_hz])

    def _write(self, samples: Samples) -> None:
        start = self.position
        at = start % self.frames
        head = min(len(samples), self.frames - at)
        self._samples[at : at + head] = samples[:head]
        self._samples[: len(samples) - head] = samples[head:]
        self._header[_WRITTEN] = start + len(samples)

    def skip(self, frames: int) -> None:
        """Append silence for samples that were lost, so that positions stay times."""
        while frames > 0:
            step = min(frames, self.rate_hz)
            self.write(np.zeros((step, self.lines), np.int16))
            frames -= step
