"""Keeps the audio of calls: from the ring to an append-only `.part` (edge.part), made durable every second.

Loss bound: a power cut or a kill costs a recording at most the second since its last fsync (`SYNC_EVERY_S`).
What the ring no longer holds, or never held, becomes silence of the same length and a `Gap` that says why,
so that every sample in the file stands at its own time. A disk that takes nothing is a state (`trouble`): the
ring holds what waits, as long as it is; what it cannot hold any longer is a gap, `disk_full` or `disk_error`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edge.finished import sync_folder
from edge.gaps import Gap, joined, without
from edge.part import pack_blocks, part_name
from edge.ring import RingOvertaken, RingReader, RingWriter
from edge.samples import Samples

SYNC_EVERY_S = 1.0
CATCH_UP_S = 60  # of audio written in one step when the disk is back
FOR_EVER = 1 << 62  # samples
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Part:
    """Audio on disk: samples of one line, from `start` on. None at all when the disk never took any."""

    recording_id: str
    path: Path
    line: int
    rate_hz: int
    start: int  # position of its first sample
    samples: int = 0
    gaps: tuple[Gap, ...] = ()  # positions count from the first sample


@dataclass(slots=True)
class _Open:
    part: Part
    file: BinaryIO | None = None  # None: the disk has not let it be made yet
    named: bool = False  # and its name is durable
    end: int | None = None  # position where it stops, once known
    size_bytes: int = 0  # of whole blocks in the file
    safe_samples: int = 0  # as of the last fsync that succeeded
    safe_bytes: int = 0
    gaps: list[Gap] = field(default_factory=list)  # this recording's own
    missing: int = 0  # samples at the end that nobody could write
    refused: str = ""  # why the disk has taken nothing since the last attempt, as a reason of a gap

    @property
    def next(self) -> int:
        return self.part.start + self.part.samples

    @property
    def unsynced(self) -> int:
        return self.part.samples - self.safe_samples


@dataclass(slots=True)
class Recorder:
    """The open recordings of one board. `ring` is where its capture thread writes."""

    folder: Path
    ring: RingReader | RingWriter
    first_line: int = 1  # box number of the board's line 1
    trouble: str | None = None  # why the disk takes nothing
    _open: dict[str, _Open] = field(default_factory=dict)
    _floor: dict[int, int] = field(default_factory=dict)
    _lost: list[Gap] = field(default_factory=list)  # by the capture, as far back as anybody may need

    def first_position(self, line: int, position: int, pre_roll_s: float) -> int:
        """Where a recording asked for at `position` begins: its pre-roll, as far as the ring still has it.

        It never reaches into an earlier call or recording of the line, which may be one nobody may keep.
        It never begins later than asked: what the ring has lost by now is a gap.
        """
        begin = max(position - round(pre_roll_s * self.ring.rate_hz), self.ring.first)
        return min(position, max(begin, self._floor.get(line, 0)))

    def close_off(self, line: int, position: int) -> None:
        """What `line` carried before `position` belongs to a call that is over: no pre-roll reaches there."""
        self._floor[line] = max(position, self._floor.get(line, 0))

    def start(self, recording_id: str, line: int, position: int, end: int | None = None) -> None:
        """Open a part whose first sample is the one at `position`; FileExistsError if it is there.

        `end`: where it stops, if that is known already.

        A disk that does not let it be made now is asked again with every step; the ring holds the audio.
        """
        path = self.folder / part_name(recording_id)
        recording = _Open(Part(recording_id, path, line, self.ring.rate_hz, position), end=end)
        try:
            self._make_file(recording)
        except FileExistsError:
            raise
        except OSError as error:
            self.trouble = _refuse(recording, error)
        self._open[recording_id] = recording

    def stop(self, recording_id: str, position: int) -> None:
        """End the recording at `position`; `step` returns the part once all of it is on disk."""
        if recording_id in self._open:
            self._open[recording_id].end = position
            self.close_off(self._open[recording_id].part.line, position)

    def note_gaps(self, gaps: Iterable[Gap]) -> None:
        """Samples the capture lost; open and coming recordings that cover them say so."""
        self._lost = joined([*self._lost, *gaps])
        needed = min([self.ring.first, *(one.part.start for one in self._open.values())])
        while self._lost and self._lost[0].end <= needed:
            del self._lost[0]

    def step(self, room: bool = True) -> list[Part]:
        """Write what has come in; return the parts that are complete.

        Without `room` nothing is written: what is left of the disk belongs to the call log.
        """
        trouble, done = None, []
        for recording in list(self._open.values()):
            try:
                if not room:
                    raise OSError(errno.ENOSPC, "the room that is left is kept for the call log")
                whole = self._write(recording)
            except OSError as error:
                trouble = _refuse(recording, error)
                whole = self._is_given_up(recording)
            if whole:
                done.append(self._close(recording))
        if self._open or done:
            self.trouble = trouble
        return done

    def close(self) -> list[Part]:
        """Stop everything where it is (the service is going down)."""
        done = self.step()
        for recording in list(self._open.values()):
            self._give_up(recording, self.ring.position if recording.end is None else recording.end)
            done.append(self._close(recording))
        return done

    def _make_file(self, recording: _Open) -> None:
        if recording.file is None:
            recording.file = recording.part.path.open("xb", buffering=0)
        sync_folder(self.folder)
        recording.named = True

    def _write(self, recording: _Open) -> bool:
        """Append what the ring has for it; True once all of it is on disk for certain."""
        if not recording.named:
            self._make_file(recording)
        end = self.ring.position if recording.end is None else min(recording.end, self.ring.position)
        budget = recording.next + CATCH_UP_S * self.ring.rate_hz
        while (frames := min(end - recording.next, self.ring.rate_hz)) > 0 and recording.next < budget:
            try:
                block = self.ring.read(recording.next, frames)
            except RingOvertaken as overtaken:
                lost = min(overtaken.first, end, budget) - recording.next
                gap = Gap(recording.next, lost, recording.refused or "ring_overtaken")
                _append(recording, np.zeros(lost, np.int16))
                recording.gaps = joined([*recording.gaps, gap])
            else:
                _append(recording, block[:, recording.part.line - self.first_line])
        whole = recording.end is not None and recording.next >= recording.end
        if whole or recording.unsynced >= SYNC_EVERY_S * self.ring.rate_hz:
            _sync(recording)
        if recording.next >= end:
            recording.refused = ""
        return whole

    def _is_given_up(self, recording: _Open) -> bool:
        """The call is over and the ring has gone on: what could not be written never will be."""
        if recording.end is None or recording.next >= self.ring.first:
            return False
        self._give_up(recording, recording.end)
        return True

    def _give_up(self, recording: _Open, end: int) -> None:
        """It ends where it is, or where it was last safe; what is missing until `end` is a gap."""
        with suppress(OSError):
            _sync(recording)
        recording.missing = end - recording.next
        if recording.missing > 0:
            recording.gaps.append(Gap(recording.next, recording.missing, recording.refused or "disk_error"))
            recording.end = recording.next

    def _close(self, recording: _Open) -> Part:
        if recording.file is not None:
            with suppress(OSError):  # what is safe is safe; NFS may say once more that the rest is not
                recording.file.close()
        del self._open[recording.part.recording_id]
        if recording.end is not None and recording.next > recording.end:
            # a hang-up is known only when it has lasted; what was written meanwhile is not the call's
            samples = max(0, recording.end - recording.part.start)
            recording.part = replace(recording.part, samples=samples)
        return replace(recording.part, gaps=self._gaps_of(recording))

    def _gaps_of(self, recording: _Open) -> tuple[Gap, ...]:
        start = recording.part.start
        end = start + recording.part.samples + max(0, recording.missing)
        found = joined([*recording.gaps, *without(self._lost, recording.gaps)])
        clipped = ((max(one.position, start), min(one.end, end), one.reason) for one in found)
        return tuple(Gap(first - start, last - first, why) for first, last, why in clipped if last > first)


def _append(recording: _Open, samples: Samples) -> None:
    """Write behind the last whole block; half a block that an error left there is written over."""
    assert recording.file is not None
    data, at = memoryview(pack_blocks(samples)), recording.size_bytes
    while data:
        written = os.pwrite(recording.file.fileno(), data, at)
        data, at = data[written:], at + written
    recording.size_bytes = at
    recording.part = replace(recording.part, samples=recording.part.samples + len(samples))


def _sync(recording: _Open) -> None:
    """Make what was written durable.

    After an fsync that failed, Linux may have dropped what was to be written, and the next fsync says it is
    well: so all since the last good one counts as not written, and is taken from the ring again.
    """
    if recording.file is None or not recording.unsynced:
        return
    try:
        os.fdatasync(recording.file.fileno())
    except OSError:
        recording.part = replace(recording.part, samples=recording.safe_samples)
        recording.size_bytes = recording.safe_bytes
        recording.gaps = without(recording.gaps, [Gap(recording.next, FOR_EVER, "")])
        raise
    recording.safe_samples, recording.safe_bytes = recording.part.samples, recording.size_bytes


def _refuse(recording: _Open, error: OSError) -> str:
    """The disk did not take it: remember why, tidy up if it lets us; returns the sentence for the page."""
    recording.refused = "disk_full" if error.errno in FULL else "disk_error"
    if recording.file is not None:
        with suppress(OSError):
            os.ftruncate(recording.file.fileno(), recording.size_bytes)
    return f"{recording.part.path.name}: {error.strerror}"
