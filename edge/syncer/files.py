"""The box's side of the bulk connection: audio out in chunks, driven by sync.upload.FileSender.

Which file is next: a piece of a call that still goes on, else the newest or the oldest that waits, by their
shares. Who waits long gets a turn, and the file that was left goes on later where it was.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Protocol

from edge.syncer.allowance import Allowance
from edge.syncer.early import EarlyAudio
from sync import outbox, topics
from sync.budget import Share
from sync.chunks import HEADER, Chunk, pack_chunk
from sync.db import write
from sync.messages import AnyMessage, At, Declined, Fin, Grow, MessageError, Open, Stored, Sums, pack, unpack
from sync.outbox import FileRow
from sync.transport import PACKET_OVERHEAD, Arrived, Link
from sync.upload import FileSender, PickFile, SendChunk, SendFin, SendOpen, SendSums

MOST_PER_STEP = 4  # chunks between two looks at the events connection
HOLD_S = 60.0  # a file that cannot be read now is tried again after this
READ_BYTES = 1 << 20


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

    @property
    def turn_s(self) -> float:
        """Turn of one file while others wait."""


class Unreadable(Exception):
    """A recording cannot be read as its row says."""


class FilesEnd:
    """Uploads recordings, one at a time, and marks what head office has."""

    def __init__(
        self,
        settings: FilesSettings,
        db: sqlite3.Connection,
        link: Link,
        allowance: Allowance,
        early: EarlyAudio | None,
        share: Share,
    ) -> None:
        self._settings = settings
        self._db = db
        self._link = link
        self._allowance = allowance
        self._early = early
        self._share = share
        self._sender = FileSender(settings.min_chunk_bytes, settings.max_chunk_bytes)
        self._up = False
        self._row: FileRow | None = None  # None: a part of a call that goes on
        self._file: FileIO | None = None
        self._oldest = False  # the file under way is so by its share
        self._turn_until_s = 0.0
        self._held: dict[str, float] = {}  # recordings that cannot be read now, and until when
        self._fault = ""
        self.busy = False

    @property
    def failure(self) -> str:
        """Why audio does not get through; "" if it does."""
        return self._allowance.refusal or self._fault

    @property
    def on_the_way(self) -> int:
        """Bytes of audio sent and not yet acknowledged."""
        return self._sender.on_the_way

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
            if self._sender.at(message, now_s) and self._early:
                self._early.sealed(message.rid, self._sender.span[1])
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
        if self._early and self._early.step(now_s):
            self._sender.woken()
        self.busy = False
        for _ in range(MOST_PER_STEP):
            if not self._act(now_s):
                return
        self.busy = self._link.room > 0

    def close(self) -> None:
        """Let go of the files under way."""
        self._close_file()
        if self._early:
            self._early.close()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _connected(self) -> None:
        room = self._link.max_packet - PACKET_OVERHEAD - HEADER.size - len(self._topic("c"))
        most = max(1, min(self._settings.max_chunk_bytes, room))
        self._sender.limits(min(self._settings.min_chunk_bytes, most), most)
        self._sender.connected()

    def _act(self, now_s: float) -> bool:
        """Do one thing; False when there is none to do."""
        if self._link.room <= 0 or not self._allowance.may(now_s):
            return False
        self._give_others_a_turn(now_s)
        action = self._sender.next(now_s)
        if action is None:
            return False
        try:
            if isinstance(action, PickFile):
                self._pick(now_s)
            elif isinstance(action, SendOpen):
                self._publish("f", pack(self._opening()), now_s)
                self._sender.opened(now_s)
            else:
                self._send(action, now_s)
        except Unreadable as error:
            self._hold(str(error), now_s)
        return True

    def _send(self, action: SendChunk | SendSums | SendFin, now_s: float) -> None:
        rid = self._sender.rid
        if isinstance(action, SendChunk):
            length = min(action.length, self._allowance.largest(action.length))
            action = SendChunk(action.offset, length)
            chunk = Chunk(rid, action.offset, self._read(action.offset, length))
            self._publish("c", pack_chunk(chunk), now_s)
            self._share.spend(length, oldest=self._oldest)
        elif isinstance(action, SendSums):
            self._publish("f", pack(self._sums(action)), now_s)
        else:
            self._publish("f", pack(Fin(rid=rid)), now_s)
        self._sender.sent(action, now_s)

    def _publish(self, channel: str, payload: bytes, now_s: float) -> None:
        topic = self._topic(channel)
        self._allowance.spend(len(payload) + len(topic) + PACKET_OVERHEAD, now_s)
        self._link.publish(topic, payload)

    def _give_others_a_turn(self, now_s: float) -> None:
        if now_s < self._turn_until_s or not self._sender.rid:
            return
        self._turn_until_s = now_s + self._settings.turn_s
        skip = [*self._held, self._sender.rid]
        waits = outbox.next_file(self._db, skip) or (self._early and self._early.next(self._sender.rid))
        self._sender.others = bool(waits)

    # which file

    def _pick(self, now_s: float) -> None:
        self._close_file()
        self._turn_until_s = now_s + self._settings.turn_s
        self._oldest = self._share.oldest_next()
        self._row = row = outbox.next_file(self._db, self._held, newest=not self._oldest)
        part = self._early.next() if self._early and not (self._oldest and row) else None
        if part:
            self._row = None
            self._sender.begin_part(part[0], *part[1])
        elif row:
            self._sender.begin(row.recording_id, row.size_bytes)
            self._open_file(row)
        else:
            self._sender.nothing()

    def _open_file(self, row: FileRow) -> None:
        try:
            self._file = FileIO(self._settings.recordings_dir / row.file)
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise Unreadable(f"recording {row.file} cannot be read: {error.strerror}") from error
        if size != row.size_bytes:
            raise Unreadable(f"recording {row.file} has {size} bytes, not {row.size_bytes}")

    # what is in it

    def _opening(self) -> AnyMessage:
        if self._row is None:
            return Grow(rid=self._sender.rid)
        return Open(rid=self._row.recording_id, size=self._row.size_bytes, sha256=self._row.sha256)

    def _read(self, offset: int, length: int) -> bytes:
        if self._file is None:
            data = self._early.read(self._sender.rid, offset, length) if self._early else b""
        else:
            try:
                data = os.pread(self._file.fileno(), length, offset)
            except OSError as error:
                raise Unreadable(f"recording {self._name} cannot be read: {error.strerror}") from error
        if len(data) != length:
            raise Unreadable(f"recording {self._name} became shorter than {offset + length} bytes")
        return data

    def _sums(self, action: SendSums) -> Sums:
        starts = range(action.start, action.end, action.step)
        sums = tuple(self._sum(start, min(start + action.step, action.end)) for start in starts)
        rid = self._sender.rid
        return Sums(rid=rid, start=action.start, end=action.end, step=action.step, sums=sums)

    def _sum(self, start: int, end: int) -> str:
        digest = hashlib.sha256()
        for block in self._blocks(start, end):
            digest.update(block)
        return digest.hexdigest()

    def _blocks(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, READ_BYTES):
            yield self._read(at, min(READ_BYTES, end - at))

    @property
    def _name(self) -> str:
        return self._row.file if self._row else self._sender.rid

    # what became of it

    def _hold(self, fault: str, now_s: float) -> None:
        """Leave a file for now, say so, and go on with the others. A part that ended comes as a file."""
        if self._row is not None:
            self._held[self._row.recording_id] = now_s + HOLD_S
            self._fault = fault
        self._sender.drop()
        self._sender.woken()

    def _release(self, now_s: float) -> None:
        due = [recording_id for recording_id, until_s in self._held.items() if now_s >= until_s]
        for recording_id in due:
            del self._held[recording_id]
            self._sender.woken()

    def _done(self, answer: Stored | Declined) -> None:
        row = self._row
        if not self._sender.finished(answer):
            return
        self._close_file()
        if row is None:
            if self._early:
                self._early.give_up(answer.rid)
            return
        with write(self._db):
            if isinstance(answer, Declined):
                outbox.mark_file(self._db, row.recording_id, "refused", answer.code)
                self._fault = f"head office refuses recording {row.file}: {answer.code}"
            elif answer.sha256 == row.sha256:
                outbox.mark_file(self._db, row.recording_id, "stored")
                if not self._held:
                    self._fault = ""

    def _topic(self, channel: str) -> str:
        return topics.build(self._settings.box_id, "up", channel, bulk=True)
