"""Keeps the audio of calls: from the ring to an append-only `.part` (edge.part), made durable every second.

Loss bound: a power cut or a kill costs a recording at most the second since its last fsync (`SYNC_EVERY_S`).
What the ring no longer holds, or never held, becomes silence of the same length and a `Gap` that says why,
so that every sample in the file stands at its own time. A disk that takes nothing is a state (`trouble`): the
ring holds what waits, as long as it is; what it cannot hold any longer is a gap with the reason `disk_full`.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edge.codec import sync_folder
from edge.part import pack_blocks, part_name
from edge.ring import RingOvertaken, RingReader, RingWriter
from edge.samples import Gap, Samples

SYNC_EVERY_S = 1.0
GAPS_KEPT = 256  # capture gaps remembered for pre-roll


@dataclass(frozen=True, slots=True)
class Part:
    """Audio on disk: samples of one line, from `start` on."""

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
    file: BinaryIO
    end: int | None = None  # position where it stops, once known
    unsynced: int = 0
    size_bytes: int = 0  # of whole blocks in the file
    missing: int = 0  # samples at the end that nobody could write
    refused: bool = False  # the disk has taken nothing since the last attempt

    @property
    def next(self) -> int:
        return self.part.start + self.part.samples


@dataclass(slots=True)
class Recorder:
    """The open recordings of one board. `ring` is where its capture thread writes."""

    folder: Path
    ring: RingReader | RingWriter
    first_line: int = 1  # box number of the board's line 1
    trouble: str | None = None  # why the disk takes nothing
    _open: dict[str, _Open] = field(default_factory=dict)
    _room: bool = True
    _floor: dict[int, int] = field(default_factory=dict)
    _lost: deque[Gap] = field(default_factory=lambda: deque(maxlen=GAPS_KEPT))

    def first_position(self, line: int, position: int, pre_roll_s: float) -> int:
        """Where a recording asked for at `position` begins: its pre-roll, as far as the ring still has it.

        It never reaches into an earlier call or recording of the line, which may be one nobody may keep.
        """
        begin = position - round(pre_roll_s * self.ring.rate_hz)
        return max(self.ring.first, min(position, max(begin, self._floor.get(line, 0))))

    def close_off(self, line: int, position: int) -> None:
        """What `line` carried before `position` belongs to a call that is over: no pre-roll reaches there."""
        self._floor[line] = max(position, self._floor.get(line, 0))

    def start(self, recording_id: str, line: int, position: int) -> None:
        """Open a part whose first sample is the one at `position`."""
        path = self.folder / part_name(recording_id)
        file = path.open("xb", buffering=0)
        sync_folder(self.folder)
        self._open[recording_id] = _Open(Part(recording_id, path, line, self.ring.rate_hz, position), file)

    def stop(self, recording_id: str, position: int) -> None:
        """End the recording at `position`; `step` returns the part once all of it is on disk."""
        if recording_id in self._open:
            self._open[recording_id].end = position
            self.close_off(self._open[recording_id].part.line, position)

    def note_gaps(self, gaps: Iterable[Gap]) -> None:
        """Samples the capture lost; open and coming recordings that cover them say so."""
        for gap in gaps:
            last = self._lost[-1] if self._lost else None
            if last and last.position + last.length == gap.position and last.reason == gap.reason:
                self._lost[-1] = Gap(last.position, last.length + gap.length, gap.reason)
            else:
                self._lost.append(gap)

    def step(self, room: bool = True) -> list[Part]:
        """Write what has come in; return the parts that are complete.

        Without `room` nothing is written: what is left of the disk belongs to the call log.
        """
        self._room = room
        done = []
        for recording in list(self._open.values()):
            self._write(recording)
            if recording.end is not None and recording.next >= recording.end:
                done.append(self._close(recording))
        return done

    def close(self) -> list[Part]:
        """Stop everything where it is (the service is going down)."""
        self.step()
        return [self._close(recording) for recording in list(self._open.values())]

    def _write(self, recording: _Open) -> None:
        """Append what the ring has for it; a disk that refuses is asked again with the next step."""
        try:
            if not self._room:
                raise OSError(errno.ENOSPC, "the room that is left is kept for the call log")
            self._write_all(recording)
        except OSError as error:
            self.trouble = f"{recording.part.path.name}: {error.strerror}"
            recording.refused = True
            recording.file.truncate(recording.size_bytes)  # half a block helps nobody
            recording.file.seek(0, os.SEEK_END)
            self._give_up_if_overtaken(recording)
        else:
            self.trouble = None

    def _write_all(self, recording: _Open) -> None:
        end = self.ring.position if recording.end is None else min(recording.end, self.ring.position)
        while (frames := min(end - recording.next, self.ring.rate_hz)) > 0:
            try:
                block = self.ring.read(recording.next, frames)
            except RingOvertaken as overtaken:
                lost = min(overtaken.first, end) - recording.next
                self._append(recording, np.zeros(lost, np.int16))
                reason = "disk_full" if recording.refused else "ring_overtaken"
                self.note_gaps([Gap(recording.next - lost, lost, reason)])
            else:
                self._append(recording, block[:, recording.part.line - self.first_line])
        recording.refused = False
        if recording.unsynced >= SYNC_EVERY_S * self.ring.rate_hz:
            os.fdatasync(recording.file.fileno())
            recording.unsynced = 0

    def _give_up_if_overtaken(self, recording: _Open) -> None:
        """The call is over and the ring has gone on: what could not be written never will be."""
        if recording.end is not None and recording.next < self.ring.first:
            lost = recording.end - recording.next
            self.note_gaps([Gap(recording.next, lost, "disk_full")])
            recording.missing, recording.end = lost, recording.next

    def _append(self, recording: _Open, samples: Samples) -> None:
        data = memoryview(pack_blocks(samples))
        size_bytes = recording.size_bytes + len(data)
        while data:
            data = data[recording.file.write(data) :]
        recording.size_bytes = size_bytes
        recording.part = replace(recording.part, samples=recording.part.samples + len(samples))
        recording.unsynced += len(samples)

    def _close(self, recording: _Open) -> Part:
        os.fsync(recording.file.fileno())
        recording.file.close()
        del self._open[recording.part.recording_id]
        if recording.end is not None and recording.next > recording.end:
            # a hang-up is known only when it has lasted; what was written meanwhile is not the call's
            samples = max(0, recording.end - recording.part.start)
            recording.part = replace(recording.part, samples=samples)
        return replace(recording.part, gaps=self._gaps_of(recording.part, recording.missing))

    def _gaps_of(self, part: Part, missing: int) -> tuple[Gap, ...]:
        end = part.start + part.samples + missing
        found = []
        for gap in self._lost:
            first, last = max(gap.position, part.start), min(gap.position + gap.length, end)
            if last > first:
                found.append(Gap(first - part.start, last - first, gap.reason))
        return tuple(sorted(found, key=lambda gap: gap.position))
