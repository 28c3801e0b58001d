"""The box's side of the bulk connection: audio out in chunks, driven by sync.upload.FileSender.

Which file is next: a piece of a call that still goes on, else the newest or the oldest that waits, by their
shares. Who waits long gets a turn, and the file that was left goes on later where it was. While head office
reads back a file that was sent, and makes it durable, the next one is on its way already.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Protocol

from edge.syncer.allowance import Allowance
from edge.syncer.early import EarlyAudio
from edge.syncer.lane import Lane, Unreadable
from sync import outbox, topics
from sync.budget import Share
from sync.chunks import HEADER
from sync.db import write
from sync.messages import At, Declined, MessageError, Stored, pack, unpack
from sync.pace import Pace
from sync.transport import PACKET_OVERHEAD, Arrived, Link
from sync.upload import FileSender, PickFile, SendChunk, SendFin, SendOpen, SendSums

Action = PickFile | SendOpen | SendChunk | SendSums | SendFin

MOST_PER_STEP = 4  # chunks between two looks at the events connection
HOLD_S = 60.0  # a file that cannot be read now is tried again after this
LANES = 4  # recordings under way: one is sent, the others were and are being stored


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


class FilesEnd:
    """Uploads recordings, one after another, and marks what head office has."""

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
        self._pace = Pace(settings.min_chunk_bytes, settings.max_chunk_bytes)
        self._lanes = [
            Lane(FileSender(pace=self._pace), settings.recordings_dir, early) for _ in range(LANES)
        ]
        self._up = False
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
        return self._pace.on_the_way

    def woken(self) -> None:
        """There may be new files."""
        for lane in self._lanes:
            lane.sender.woken()

    def take(self, arrived: Arrived, now_s: float) -> None:
        """Handle one answer; what is none is dropped, our timers see to the rest."""
        try:
            message = unpack(arrived.payload)
        except MessageError:
            return
        if not isinstance(message, At | Stored | Declined):
            return
        lane = next((lane for lane in self._lanes if lane.sender.rid == message.rid), None)
        if lane is None:
            return
        if not isinstance(message, At):
            self._done(lane, message)
        elif lane.sender.at(message, now_s) and self._early:
            self._early.sealed(message.rid, lane.sender.span[1])

    def step(self, up: bool, now_s: float) -> None:
        """Send what may be sent now."""
        if up != self._up:
            self._up = up
            if up:
                self._connected()
            else:
                for lane in self._lanes:
                    lane.sender.lost()
        self._release(now_s)
        if self._early and self._early.step(now_s):
            self.woken()
        self.busy = False
        for _ in range(MOST_PER_STEP):
            if not self._act(now_s):
                return
        self.busy = self._link.room > 0

    def close(self) -> None:
        """Let go of the files under way."""
        for lane in self._lanes:
            lane.close()
        if self._early:
            self._early.close()

    def _connected(self) -> None:
        room = self._link.max_packet - PACKET_OVERHEAD - HEADER.size - len(self._topic("c"))
        self._pace.most = max(1, min(self._settings.max_chunk_bytes, room))
        self._pace.least = min(self._settings.min_chunk_bytes, self._pace.most)
        for lane in self._lanes:
            lane.sender.connected()

    def _act(self, now_s: float) -> bool:
        """Do one thing; False when there is none to do."""
        if self._link.room <= 0 or not self._allowance.may(now_s):
            return False
        for lane in self._lanes:
            action = self._next(lane, now_s)
            if action is None:
                continue
            try:
                if isinstance(action, PickFile):
                    self._pick(lane, now_s)
                else:
                    self._send(lane, action, now_s)
            except Unreadable as error:
                self._hold(lane, str(error), now_s)
            return True
        return False

    def _next(self, lane: Lane, now_s: float) -> Action | None:
        """What there is to do about one recording; the next is picked when the one before was sent."""
        if not lane.sender.rid and any(other.sends for other in self._lanes):
            return None
        self._give_others_a_turn(lane, now_s)
        return lane.sender.next(now_s)

    def _send(self, lane: Lane, action: SendOpen | SendChunk | SendSums | SendFin, now_s: float) -> None:
        if isinstance(action, SendChunk):
            action = SendChunk(action.offset, self._allowance.largest(action.length))
        payload = lane.payload(action)
        if isinstance(payload, bytes):
            self._publish("c", payload, now_s)
        else:
            self._publish("f", pack(payload), now_s)
        if isinstance(action, SendOpen):
            lane.sender.opened(now_s)
            return
        if isinstance(action, SendChunk):
            self._share.spend(action.length, oldest=lane.oldest)
        lane.sender.sent(action, now_s)

    def _publish(self, channel: str, payload: bytes, now_s: float) -> None:
        topic = self._topic(channel)
        self._allowance.spend(len(payload) + len(topic) + PACKET_OVERHEAD, now_s)
        self._link.publish(topic, payload)

    # which file

    @property
    def _taken(self) -> list[str]:
        """Recordings that are not to be picked: under way, or unreadable."""
        return [*self._held, *(lane.sender.rid for lane in self._lanes if lane.sender.rid)]

    def _give_others_a_turn(self, lane: Lane, now_s: float) -> None:
        if now_s < lane.turn_until_s or not lane.sends:
            return
        lane.turn_until_s = now_s + self._settings.turn_s
        waits = outbox.next_file(self._db, self._taken) or (self._early and self._early.next(lane.sender.rid))
        lane.sender.others = bool(waits)

    def _pick(self, lane: Lane, now_s: float) -> None:
        lane.close()
        lane.turn_until_s = now_s + self._settings.turn_s
        lane.oldest = self._share.oldest_next()
        row = outbox.next_file(self._db, self._taken, newest=not lane.oldest)
        part = self._early.next() if self._early and not (lane.oldest and row) else None
        if part:
            lane.sender.begin_part(part[0], *part[1])
        elif row:
            lane.begin(row)
        else:
            lane.sender.nothing()

    # what became of it

    def _hold(self, lane: Lane, fault: str, now_s: float) -> None:
        """Leave a file for now, say so, and go on with the others. A part that ended comes as a file."""
        if lane.row is not None:
            self._held[lane.row.recording_id] = now_s + HOLD_S
            self._fault = fault
        lane.sender.drop()
        lane.sender.woken()

    def _release(self, now_s: float) -> None:
        due = [recording_id for recording_id, until_s in self._held.items() if now_s >= until_s]
        for recording_id in due:
            del self._held[recording_id]
            self.woken()

    def _done(self, lane: Lane, answer: Stored | Declined) -> None:
        row = lane.row
        if not lane.sender.finished(answer):
            return
        lane.close()
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
