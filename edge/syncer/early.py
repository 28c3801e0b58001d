"""Audio of calls that still go on, ready to be sent: each running part as the FLAC file it will become.

Only what can no longer change leaves early. A hang-up is known only when it has lasted, so the last
`margin_s` of a recording wait. Nothing has to wait for the decision whether the call may be kept at all: its
recording is not begun, and has no row, before that is certain (edge.keeping).
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge.store.recordings import RecordingRow, running_recordings
from sync.spans import Span

if TYPE_CHECKING:
    from edge.codec import GrowingFlac
    from edge.part import PartTail

LOOK_S = 1.0
SEGMENT_S = 60.0  # what is sent at once while a call goes on
MOST_SAMPLES = 240_000  # encoded between two looks at the connections

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    row: RecordingRow
    tail: PartTail
    flac: GrowingFlac
    sealed: int = 0  # head office has checked the bytes up to here
    sealed_samples: int = 0
    offered_samples: int = 0

    @property
    def ready(self) -> bool:
        return self.flac.samples - self.sealed_samples >= SEGMENT_S * self.row.rate_hz

    def close(self) -> None:
        self.tail.close()
        self.flac.close()


@dataclass(slots=True)
class EarlyAudio:
    """The recordings that are being made now."""

    db: sqlite3.Connection
    folder: Path
    margin_s: float
    _running: dict[str, _Running] = field(default_factory=dict)
    _look_s: float = 0.0

    def step(self, now_s: float) -> bool:
        """Follow the parts; True while one has a segment to be sent."""
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_S
            self._look()
        for running in self._running.values():
            self._encode(running)
        return any(running.ready for running in self._running.values())

    def next(self, skip: str = "") -> tuple[str, Span] | None:
        """A recording with a segment to be sent, and the bytes of it."""
        for recording_id, running in self._running.items():
            if running.ready and recording_id != skip:
                running.offered_samples = running.flac.samples
                return recording_id, (running.sealed or running.flac.start, running.flac.size)
        return None

    def read(self, recording_id: str, offset: int, length: int) -> bytes:
        """Bytes of the file to come; b"" when its call is over."""
        running = self._running.get(recording_id)
        return running.flac.read(offset, length) if running else b""

    def sealed(self, recording_id: str, end: int) -> None:
        """Head office has checked what came up to `end`."""
        running = self._running.get(recording_id)
        if running:
            running.sealed, running.sealed_samples = end, running.offered_samples

    def give_up(self, recording_id: str) -> None:
        """Head office takes nothing of it now: it comes when the call is over."""
        running = self._running.get(recording_id)
        if running:
            running.sealed_samples = 1 << 62

    def close(self) -> None:
        """Let go of everything."""
        for recording_id in list(self._running):
            self._running.pop(recording_id).close()

    def _look(self) -> None:
        rows = {row.id: row for row in running_recordings(self.db)}
        for recording_id in set(self._running) - set(rows):
            self._running.pop(recording_id).close()
        for recording_id in set(rows) - set(self._running):
            self._follow(rows[recording_id])

    def _follow(self, row: RecordingRow) -> None:
        # Encoder and arrays are a third of this process, and most of the time nobody is on the phone.
        from edge.codec import GrowingFlac
        from edge.part import PartTail

        try:
            tail = PartTail(self.folder / row.file)
        except OSError:
            return  # its row comes first: look again
        try:
            self._running[row.id] = _Running(row, tail, GrowingFlac(self.folder, row.rate_hz))
        except OSError as error:
            tail.close()
            log.warning("the audio of a running call is not sent early: %s", error)

    def _encode(self, running: _Running) -> None:
        settled = running.tail.samples_ahead() - round(self.margin_s * running.row.rate_hz)
        try:
            for block in running.tail.read(min(settled, MOST_SAMPLES)):
                running.flac.write(block)
        except OSError as error:  # a full disk; it is sent when the call is over
            log.warning("the audio of a running call is not sent early: %s", error)
            self.give_up(running.row.id)
