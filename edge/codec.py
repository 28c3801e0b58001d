"""Finished audio: a `.part` (edge.part) becomes a FLAC file that is on the disk for certain.

Runs in a worker process of low priority, so nothing here shares the recorder's interpreter lock.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import soundfile

from edge.finished import ENCODING, Encoded, settle_file
from edge.part import read_blocks
from edge.samples import Samples

BLOCK_SAMPLES = 1 << 16
NICENESS = 15
KILLED_BEFORE = 500  # of -1000 to 1000: who goes first when memory runs out; what it did is done again
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def settle_worker() -> None:
    """Called once in the worker process: it yields to the recorder, of memory too, and dies with it.

    It gives up the recorder's real-time priority itself: were that reset for all children of the service,
    Linux would take it from its threads too, and one of them that is never run may hold the interpreter's
    lock, which the capture waits for.
    """
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(NICENESS)
    with suppress(OSError):  # it was started with more than that
        Path("/proc/self/oom_score_adj").write_text(str(KILLED_BEFORE))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    recorder = parent_process()
    if recorder is not None and os.getppid() != recorder.pid:  # it was killed while we were being started
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the recorder, which then ends us in order


def encode_flac(part: Path, target: Path, rate_hz: int, samples: int) -> Encoded:
    """Write the first `samples` of `part` as FLAC: encoded, hashed, fsynced, renamed, folder fsynced.

    Raises OSError when the disk does not take it; then there is no `target`, and the part is untouched.
    """
    unfinished = target.with_suffix(ENCODING)
    try:
        written = _write_flac(part, unfinished, rate_hz, samples)
    except soundfile.SoundFileError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(f"{unfinished.name} cannot be written: {error}") from error
    return settle_file(unfinished, target, written)


class GrowingFlac:
    """The FLAC file a recording will be, as far as it is known while the call goes on.

    FLAC's frames depend on the samples alone, not on how they were handed over, so all bytes from `start` on
    are those of the finished file; what comes before names lengths nobody knows yet. The file has no name: it
    is gone with the process, and is made again from the part.
    """

    def __init__(self, folder: Path, rate_hz: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by close
        self._sink = _flac_sink(self._file.fileno(), rate_hz)
        self.samples = 0

    @property
    def size(self) -> int:
        """Bytes there are."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def start(self) -> int:
        """Where the frames begin; 0 before there are any."""
        head = self.read(0, 4)
        at, last = len(head), head != b"fLaC"
        while not last:
            block = self.read(at, 4)
            if len(block) < 4:
                return 0
            last, at = block[0] >= 0x80, at + 4 + int.from_bytes(block[1:], "big")
        return at

    def write(self, samples: Samples) -> None:
        """The next samples of the recording. OSError when the disk does not take them."""
        try:
            self._sink.write(samples)
        except soundfile.SoundFileError as error:
            raise OSError(errno.EIO, str(error)) from error
        self.samples += len(samples)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file."""
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Give the room back."""
        with suppress(soundfile.SoundFileError):
            self._sink.close()
        self._file.close()


def _flac_sink(target: Path | int, rate_hz: int) -> soundfile.SoundFile:
    return soundfile.SoundFile(target, "w", rate_hz, 1, subtype="PCM_16", format="FLAC", closefd=False)


def _write_flac(part: Path, target: Path, rate_hz: int, most: int) -> int:
    written = 0
    with _flac_sink(target, rate_hz) as sink:
        for block in _larger(read_blocks(part)):
            block = block[: most - written]
            sink.write(block)
            written += len(block)
    return written


def _larger(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """The same samples in blocks that are worth a call of the encoder."""
    waiting: list[Samples] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= BLOCK_SAMPLES:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
