"""The ring file that stands for a sound card's samples: made, mapped, written and read from Python.

It is the other side of pcm_vhat.c, so an exchange (or a test) decides what libasound will hear, and when.

    byte  0  u32  magic "VHAT"              48  u64  written      frames below this hold audio
          4  u32  version 1                 56  u32  overruns     +1 = the next poll finds an overrun
          8  u32  rate in Hz                60  u32  gone         1 = unplugged
         12  u32  channels                  64  u64  starved      frames asked for but not yet written
         16  u32  frames in the ring        72  ...  zero
         20  u32  clock turn (odd = the next three are being changed)
         24  u64  epoch, CLOCK_MONOTONIC ns
         32  u64  frame at the epoch
         40  f64  speed (1 = real time)
       4096  i16  frames x channels, interleaved; frame n lies at n modulo frames
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x54414856
VERSION = 1
HEADER_BYTES = 4096
HEADER = np.dtype(
    [
        ("magic", "<u4"),
        ("version", "<u4"),
        ("rate", "<u4"),
        ("channels", "<u4"),
        ("frames", "<u4"),
        ("clock_turn", "<u4"),
        ("epoch_ns", "<u8"),
        ("epoch_frame", "<u8"),
        ("speed", "<f8"),
        ("written", "<u8"),
        ("overruns", "<u4"),
        ("gone", "<u4"),
        ("starved", "<u8"),
        ("zero", f"V{HEADER_BYTES - 72}"),
    ]
)

Samples = NDArray[np.int16]


class RingError(ValueError):
    """A file that is no ring, or samples that do not fit one."""


class Ring:
    """One direction of one virtual HAT. Open with `Ring.create` or `Ring.open`; close it, or use `with`."""

    def __init__(self, path: Path, map_: mmap.mmap, inode: int) -> None:
        self.path = path
        self._inode = inode
        self._map = map_
        self._header = np.frombuffer(map_, HEADER, 1)
        self.rate_hz = int(self._header["rate"][0])
        self.channels = int(self._header["channels"][0])
        self.frames = int(self._header["frames"][0])
        flat = np.frombuffer(map_, "<i2", self.frames * self.channels, HEADER_BYTES)
        self._samples = flat.reshape(self.frames, self.channels)

    @classmethod
    def create(
        cls,
        path: Path,
        rate_hz: int,
        channels: int,
        frames: int,
        speed: float = 1.0,
        epoch_ns: int | None = None,
    ) -> Ring:
        """Make a silent ring, position 0 at `epoch_ns` (now); one already at `path` is unplugged first."""
        if not (4000 <= rate_hz <= 192_000 and 1 <= channels <= 64 and frames >= 64 and speed > 0):
            raise RingError(
                f"a ring has 4000-192000 Hz, 1-64 channels, at least 64 frames and a speed above 0, "
                f"got {rate_hz} Hz, {channels}, {frames}, {speed}"
            )
        unplug(path)
        half_made = path.with_name(f".{path.name}.{os.getpid()}")
        with half_made.open("wb") as file:
            file.truncate(HEADER_BYTES + frames * channels * 2)
        header = np.zeros(1, HEADER)
        header["magic"], header["version"] = MAGIC, VERSION
        header["rate"], header["channels"], header["frames"] = rate_hz, channels, frames
        header["epoch_ns"] = time.monotonic_ns() if epoch_ns is None else epoch_ns
        header["speed"] = speed
        with half_made.open("r+b") as file:
            file.write(header.tobytes())
        half_made.rename(path)  # nobody ever opens a half-made ring
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Ring:
        """Map the ring at `path`; raises RingError if it is none, OSError if it cannot be read."""
        with path.open("r+b") as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            if size <= HEADER_BYTES:
                raise RingError(f"{path} has {size} bytes, a ring has more than {HEADER_BYTES}")
            map_ = mmap.mmap(file.fileno(), size)
        header = np.frombuffer(map_[:HEADER_BYTES], HEADER, 1)[0]
        needed = HEADER_BYTES + int(header["frames"]) * int(header["channels"]) * 2
        if header["magic"] != MAGIC or header["version"] != VERSION or size < needed:
            map_.close()
            raise RingError(f"{path} is not a ring of version {VERSION}, or shorter than its header says")
        return cls(path, map_, status.st_ino)

    def __enter__(self) -> Ring:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def remove(self) -> None:
        """Unplug the card and delete the file, unless another ring has taken its place."""
        self.set_gone(True)
        if self.path.exists() and self.path.stat().st_ino == self._inode:
            self.path.unlink()

    def close(self) -> None:
        """Unmap; the file stays."""
        del self._header, self._samples
        self._map.close()

    def _get(self, field: str) -> int:
        return int(self._header[field][0])

    def position(self, now_ns: int | None = None) -> int:
        """The frame the card is at, now or at a CLOCK_MONOTONIC time."""
        passed_ns = (time.monotonic_ns() if now_ns is None else now_ns) - self._get("epoch_ns")
        return self._get("epoch_frame") + int(max(0, passed_ns) * (self.speed * self.rate_hz / 1e9))

    def time_ns(self, position: int) -> int:
        """The CLOCK_MONOTONIC time at which the card reaches `position`."""
        frames = position - self._get("epoch_frame")
        return self._get("epoch_ns") + int(np.ceil(frames / (self.speed * self.rate_hz / 1e9)))

    @property
    def speed(self) -> float:
        """Card seconds per real second."""
        return float(self._header["speed"][0])

    @property
    def written(self) -> int:
        """Frames below this position hold audio; the plug-in gives silence from here on."""
        return self._get("written")

    @property
    def starved(self) -> int:
        """Frames the card had to fill with silence because they were not written in time."""
        return self._get("starved")

    def write(self, position: int, samples: Samples) -> None:
        """Put int16 frames (n, channels) at `position`; at most one ring full."""
        if samples.dtype != np.int16 or samples.ndim != 2 or samples.shape[1] != self.channels:
            raise RingError(f"wanted int16 (frames, {self.channels}), got {samples.dtype} {samples.shape}")
        if len(samples) > self.frames:
            raise RingError(f"a ring of {self.frames} frames cannot take {len(samples)}")
        at = position % self.frames
        run = min(len(samples), self.frames - at)
        self._samples[at : at + run] = samples[:run]
        self._samples[: len(samples) - run] = samples[run:]
        self.declare_written(position + len(samples))

    def declare_written(self, position: int) -> None:
        """Let everything below `position` count as audio; far ahead, the ring plays round and round."""
        self._header["written"][0] = position

    def read(self, position: int, frames: int) -> Samples:
        """A copy of the frames at `position`, whoever wrote them."""
        return self._samples[np.arange(position, position + frames) % self.frames]

    def overrun(self) -> None:
        """Let the running stream find an overrun, as if the application had been too slow."""
        self._header["overruns"][0] += 1

    def set_gone(self, gone: bool) -> None:
        """Unplug the card (ENODEV for whoever has it open), or plug it in again."""
        self._header["gone"][0] = int(gone)

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from now on, without a jump in position."""
        if not speed > 0:
            raise RingError(f"a speed is above 0, got {speed}")
        now_ns = time.monotonic_ns()
        position = self.position(now_ns)
        self._header["clock_turn"][0] += 1
        self._header["epoch_ns"], self._header["epoch_frame"], self._header["speed"] = now_ns, position, speed
        self._header["clock_turn"][0] += 1


def unplug(path: Path) -> None:
    """Remove the ring at `path` if there is one, as pulling the card: whoever has it open gets ENODEV."""
    if path.exists():
        try:
            with Ring.open(path) as old:
                old.set_gone(True)
        except RingError:
            pass  # no ring: nobody can have it open as a card
        path.unlink()
