"""The box's side of the events connection: outbox rows out, acks in, driven by sync.session.Sender."""

from __future__ import annotations

import secrets
import sqlite3
from datetime import UTC, datetime

from sync import outbox, topics
from sync.db import write
from sync.envelope import (
    ERASED,
    MAX_BATCH_ENTRIES,
    MAX_ENTRY_BYTES,
    chained,
    genesis,
    is_hash,
    opaque_bytes,
    pack_batch,
)
from sync.events import STREAMS
from sync.messages import Ack, AnyMessage, Hello, MessageError, Refused, Standing, Welcome, pack, unpack
from sync.outbox import EntryRow
from sync.session import HELD_BACK, OVER_QUOTA, UNKNOWN_BOX, Read, SayHello, Sender, reference
from sync.transport import Arrived, Link, PacketTooLarge

MOST_PER_STEP = 8

REFUSALS = {
    UNKNOWN_BOX: "head office does not know this box; it has to be registered there",
    HELD_BACK: "head office holds this box back: two boxes use its identity",
    OVER_QUOTA: "this box has sent more than head office takes in a day; the rest follows tomorrow",
}


class EntriesEnd:
    """Sends what the outbox holds and marks what head office has."""

    def __init__(self, box_id: str, db: sqlite3.Connection, link: Link) -> None:
        self._box_id = box_id
        self._db = db
        self._link = link
        self._epoch = outbox.epoch_of(db)
        self._sender = Sender()
        self._up = False
        self._inbox: list[AnyMessage] = []
        self._now = self._asked = datetime.min.replace(tzinfo=UTC)
        self.exchanged: tuple[datetime, datetime, str] | None = None  # hello, welcome, head office's clock
        self.marked = False  # rows were marked since somebody looked
        self.busy = False  # stopped before there was nothing left to do

    @property
    def welcome(self) -> bool:
        """Whether head office has answered on this connection."""
        return self._sender.welcome

    @property
    def idle(self) -> bool:
        """Whether no entry is on its way."""
        return self._sender.idle

    @property
    def failure(self) -> str | None:
        """Why head office takes nothing though the broker is reached; "" well, None not known yet."""
        if self._sender.refusal:
            code = self._sender.refusal
            return REFUSALS.get(code, f"head office refuses what this box sends: {code}")
        if self._sender.unanswered > 1:
            return f"the broker {self._link.address} is reached, but head office does not answer"
        return "" if self._sender.welcome else None

    def woken(self) -> None:
        """The outbox may have new entries."""
        self._sender.woken()

    def again(self) -> None:
        """Rows that were marked are owed again."""
        self._sender.again()

    def take(self, arrived: Arrived) -> None:
        """Keep an answer until `step`; what is none is dropped, our timers see to the rest."""
        try:
            self._inbox.append(unpack(arrived.payload))
        except MessageError:
            self._sender.ignored += 1

    def step(self, up: bool, now_s: float, now: datetime) -> None:
        """Handle what has arrived, in one transaction, and send what may be sent."""
        self._now = now
        if up != self._up:
            self._up = up
            if up:
                self._sender.connected(now_s)
            else:
                self._sender.lost()
        messages, self._inbox = self._inbox, []
        try:
            self._mark([message for message in messages if isinstance(message, Ack)], now_s)
        except sqlite3.Error:  # locked, or the disk is full: what was said still holds
            self._inbox = messages
            raise
        for message in messages:
            if isinstance(message, Welcome) and self._sender.welcomed(message):
                self.exchanged = (self._asked, now, message.hq_utc)
                self._agree(message, now_s)
            elif isinstance(message, Refused):
                self._sender.refused(message, now_s)
        self._send(now_s)

    def _mark(self, acks: list[Ack], now_s: float) -> None:
        true = [ack for ack in acks if self._sender.knows(ack, self._epoch)]
        if not true:
            return
        with write(self._db):
            for ack in true:
                outbox.mark_acked(self._db, self._epoch, ack.stream, ack.upto, ack.ranges, ack.nacks)
        self.marked = True
        for ack in true:
            self._sender.acked(ack, now_s)

    def _agree(self, welcome: Welcome, now_s: float) -> None:
        """Bring our marks in line with head office; begin a new epoch if our past is not its past."""
        standings = [
            (stream, welcome.streams.get(stream) or Standing(0, genesis(self._epoch, stream)))
            for stream in STREAMS
        ]
        with write(self._db):
            for stream, there in standings:
                if not outbox.agrees(self._db, self._epoch, stream, there.upto, there.head):
                    self._epoch = outbox.start_epoch(self._db)
                    self._sender.connected(now_s)
                    return
            for stream, there in standings:
                outbox.rewind(self._db, self._epoch, stream, there.upto, there.ranges)
                outbox.mark_acked(self._db, self._epoch, stream, there.upto, there.ranges, there.nacks)

    def _send(self, now_s: float) -> None:
        for _ in range(MOST_PER_STEP):
            if self._link.room <= 0:
                break
            action = self._sender.next(now_s)
            if isinstance(action, SayHello):
                self._hello(now_s)
            elif isinstance(action, Read):
                self._send_run(action, now_s)
            else:
                self.busy = False
                return
        self.busy = self._link.room > 0

    def _hello(self, now_s: float) -> None:
        heads = outbox.heads(self._db)
        hello = Hello(nonce=secrets.token_hex(8), epoch=self._epoch, heads=heads)
        payload = pack(hello)
        self._link.publish(topics.build(self._box_id, "up", "p"), payload)
        self._asked = self._now
        self._sender.said_hello(hello, reference(payload), now_s)

    def _send_run(self, read: Read, now_s: float) -> None:
        limit = read.limit or MAX_BATCH_ENTRIES
        run = outbox.next_run(self._db, self._epoch, read.stream, read.after_seq, limit)
        if not run:
            if (
                read.after_seq
                and self._sender.idle
                and outbox.next_run(self._db, self._epoch, read.stream, 0, 1)
            ):
                self._sender.again()  # somebody wants an entry sent once more
            else:
                self._sender.nothing(read)
            return
        sound = self._sound(read, run)
        if sound:
            self._publish(read, run[:sound], now_s)
        else:
            self._publish(read, run[:1], now_s, self._wrapped(run[0]))

    def _sound(self, read: Read, run: list[EntryRow]) -> int:
        """How many rows may go before the first that has to be wrapped."""
        if outbox.whole(run) and not self._sender.wrapping:
            return len(run)
        wraps = self._sender.wraps
        wrapped = (at for at, row in enumerate(run) if wraps(read.stream, row.seq) or not row.whole)
        return next(wrapped, len(run))

    def _wrapped(self, row: EntryRow) -> EntryRow:
        room = min(MAX_ENTRY_BYTES, self._link.max_packet) // 2
        body = row.body
        if row.kind != ERASED:
            body = opaque_bytes(row.eid, row.at_utc, row.body, row.seq, room)
        prev = row.prev if is_hash(row.prev) else "0" * 64
        return EntryRow(row.seq, row.eid, row.at_utc, body, prev, chained(prev, body))

    def _publish(
        self, read: Read, run: list[EntryRow], now_s: float, instead: EntryRow | None = None
    ) -> None:
        rows = [instead] if instead else run
        payload = pack_batch(
            self._box_id,
            self._epoch,
            read.stream,
            rows[0].seq,
            rows[0].prev,
            rows[-1].h,
            [row.body for row in rows],
        )
        ref = reference(payload)
        self._sender.sent(read, rows[0].seq, rows[-1].seq, ref, now_s)
        try:
            self._link.publish(topics.build(self._box_id, "up", "e"), payload)
        except PacketTooLarge as error:  # not sent: as if head office had refused it
            self._sender.refused(Refused(ref=ref, code="too_large", detail=str(error)), now_s)
