"""The box's side of the bulk connection: recordings out in chunks, driven by sync.chunks.FileSender."""

from __future__ import annotations

import os
import sqlite3
from io import FileIO
from pathlib import Path
from typing import Protocol

from sync import outbox, topics
from sync.chunks import (
    HEADER,
    Chunk,
    FileSender,
    PickFile,
    SendChunk,
    SendFin,
    SendOpen,
    pack_chunk,
)
from sync.db import write
from sync.messages import At, Declined, Fin, MessageError, Open, Stored, pack, unpack
from sync.outbox import FileRow
from sync.transport import PACKET_OVERHEAD, Arrived, Link

MOST_PER_STEP = 2  # chunks between two looks at the events connection
HOLD_S = 60.0  # a file that cannot be read now is tried again after this


class FilesSettings(Protocol):
    """What of the syncer's settings this side needs."""

    @property
    def box_id(self) -> str:
        """The box."""

    @property
    def recordings_dir(self) -> Path:
        """Folder the file names are below."""

    @property
    def min_chunk_bytes(self) -> int:
        """Smallest chunk."""

    @property
    def max_chunk_bytes(self) -> int:
        """Largest chunk."""


class FilesEnd:
    """Uploads one recording after the other, oldest first, and marks what head office has."""

    def __init__(self, settings: FilesSettings, db: sqlite3.Connection, link: Link) -> None:
        self._settings = settings
        self._db = db
        self._link = link
        self._sender = FileSender(settings.min_chunk_bytes, settings.max_chunk_bytes)
        self._up = False
        self._row: FileRow | None = None
        self._file: FileIO | None = None
        self._held: dict[str, float] = {}  # recordings that cannot be read now, and until when
        self._declined = ""
        self.failure: str = ""
        self.busy = False

    def woken(self) -> None:
        """There may be new files."""
        self._sender.woken()

    def take(self, arrived: Arrived, now_s: float) -> None:
        """Handle one answer; what is none is dropped, our timers see to the rest."""
        try:
            message = unpack(arrived.payload)
        except MessageError:
            return
        if isinstance(message, At):
            self._sender.at(message, now_s)
        elif isinstance(message, Stored | Declined):
            self._done(message)

    def step(self, up: bool, now_s: float) -> None:
        """Send what may be sent now."""
        if up != self._up:
            self._up = up
            if up:
                self._connected()
            else:
                self._sender.lost()
        self._release(now_s)
        self.busy = False
        for _ in range(MOST_PER_STEP):
            if not self._act(now_s):
                return
        self.busy = self._link.room > 0

    def close(self) -> None:
        """Close the file under way."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _connected(self) -> None:
        room = self._link.max_packet - PACKET_OVERHEAD - HEADER.size - len(self._topic("c"))
        self._sender.max_chunk = max(1, min(self._settings.max_chunk_bytes, room))
        self._sender.min_chunk = min(self._settings.min_chunk_bytes, self._sender.max_chunk)
        self._sender.chunk = min(self._sender.chunk, self._sender.max_chunk)
        self._sender.connected()

    def _act(self, now_s: float) -> bool:
        """Do one thing; False when there is none to do."""
        action = self._sender.next(now_s) if self._link.room > 0 else None
        if isinstance(action, PickFile):
            self._pick(now_s)
        elif isinstance(action, SendOpen) and self._row:
            row = self._row
            opened = Open(rid=row.recording_id, size=row.size_bytes, sha256=row.sha256)
            self._link.publish(self._topic("f"), pack(opened))
            self._sender.opened(now_s)
        elif isinstance(action, SendChunk) and self._row:
            self._send_chunk(action, self._row, now_s)
        elif isinstance(action, SendFin) and self._row:
            self._link.publish(self._topic("f"), pack(Fin(rid=self._row.recording_id)))
            self._sender.sent(action, now_s)
        else:
            return False
        return True

    def _pick(self, now_s: float) -> None:
        self.close()
        self._row = row = outbox.next_file(self._db, self._held)
        if row is None:
            self._sender.nothing()
            return
        try:
            self._file = FileIO(self._settings.recordings_dir / row.file)
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            self._hold(row, f"recording {row.file} cannot be read: {error.strerror}", now_s)
            return
        if size != row.size_bytes:
            self._hold(row, f"recording {row.file} has {size} bytes, not {row.size_bytes}", now_s)
            return
        self._sender.begin(row.recording_id, row.size_bytes)

    def _send_chunk(self, action: SendChunk, row: FileRow, now_s: float) -> None:
        assert self._file is not None
        try:
            data = os.pread(self._file.fileno(), action.length, action.offset)
        except OSError as error:
            self._hold(row, f"recording {row.file} cannot be read: {error.strerror}", now_s)
            return
        if len(data) != action.length:
            self._hold(row, f"recording {row.file} became shorter than {row.size_bytes} bytes", now_s)
            return
        self._link.publish(self._topic("c"), pack_chunk(Chunk(row.recording_id, action.offset, data)))
        self._sender.sent(action, now_s)

    def _hold(self, row: FileRow, failure: str, now_s: float) -> None:
        """Leave a file for now, say so, and go on with the others."""
        self._held[row.recording_id] = now_s + HOLD_S
        self.failure = failure
        self._sender.drop()
        self._sender.woken()

    def _release(self, now_s: float) -> None:
        due = [recording_id for recording_id, until_s in self._held.items() if now_s >= until_s]
        for recording_id in due:
            del self._held[recording_id]
            self._sender.woken()

    def _done(self, answer: Stored | Declined) -> None:
        row = self._row
        if row is None or not self._sender.finished(answer):
            return
        self.close()
        with write(self._db):
            if isinstance(answer, Declined):
                outbox.mark_file(self._db, row.recording_id, "refused", answer.code)
                self.failure = f"head office refuses recording {row.file}: {answer.code}"
            elif answer.sha256 == row.sha256:
                outbox.mark_file(self._db, row.recording_id, "stored")
                if not self._held:
                    self.failure = ""

    def _topic(self, channel: str) -> str:
        return topics.build(self._settings.box_id, "up", channel, bulk=True)
