"""The box's side of channel `m`: makes manifests when an hour is over and sees each one closed.

It speaks only when nothing of an hour is on its way any more, one manifest at a time, and lets call records
that wait go first: after days without a line nobody wants to see those later for a proof of the others. What
head office lost is owed again and goes the usual way; what this box lost is asked for and put back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from edge.store import manifests, unreconciled
from edge.store.health import begin_trouble, end_trouble
from edge.store.manifest_making import damaged, make_next
from edge.store.manifests import ManifestRow
from sync import topics
from sync.db import write
from sync.envelope import EnvelopeError, unpack_batch
from sync.manifest import (
    HOUR,
    MOST_RANGES,
    WITNESS,
    Ask,
    FromBox,
    FromOffice,
    Hashes,
    Resend,
    Standing,
    Verdict,
    Want,
    divided,
    holds,
    pack,
    unpack_from_office,
)
from sync.moment import from_text, to_text
from sync.transport import Arrived, Link

LOOK_EVERY_S = 60.0  # whether an hour is over, or rows are damaged
PATIENCE_S = 15.0
TRY_EVERY_S = 0.5  # while some manifest is not closed: its entries may have been confirmed
ASK_AGAIN_S = 120.0  # about a manifest that waits for audio which this box has sent or cannot send
ENTRIES_FIRST_S = 300.0  # entries on their way go before manifests, but not for longer than this
AUDIO_FIRST = timedelta(minutes=5)  # a fresh manifest lets its recordings go before it
MOST_WANTED = MOST_RANGES
AUDIT_MANIFESTS = 4  # of the closed ones, per look
KEEP_DAYS = 30  # entries stay this long after they were closed: head office's backups are younger
PART = "reconciling"  # of the box's health


@dataclass(slots=True)
class ManifestsEnd:
    """Makes, sends and closes manifests. `step` never sleeps."""

    box_id: str
    db: sqlite3.Connection
    link: Link
    owed_again: Callable[[], None]  # told when entries or recordings are to be sent once more
    _inbox: list[Arrived] = field(default_factory=list)
    _agreed: set[str] = field(default_factory=set)  # epochs whose standing is known on this connection
    _flight: tuple[str, int] | None = None  # manifest (or 0: standing) that an answer is awaited of
    _flight_until_s: float = 0.0
    _look_s: float = 0.0
    _ask_s: float = 0.0
    _try_s: float = 0.0
    _clear_s: float = 0.0  # when no entry was on its way, or we last spoke all the same
    _may_send: bool = True
    _hour: str = ""
    _audited: tuple[str, int] = ("", 0)
    _told: str = ""

    def woken(self) -> None:
        """Rows may have been confirmed or audio stored."""
        self._may_send = True

    def take(self, arrived: Arrived) -> None:
        """Keep an answer until `step`."""
        self._inbox.append(arrived)

    def step(self, welcome: bool, now_s: float, now_utc: str, *, clear: bool = True) -> None:
        """Make what is due; handle what has arrived; send one thing if nothing is awaited.

        `clear` says that no entry is on its way.
        """
        if now_s >= self._look_s or now_utc[:HOUR] != self._hour:
            if now_utc[:HOUR] != self._hour:
                self._purge(now_utc)
            self._look_s, self._hour = now_s + LOOK_EVERY_S, now_utc[:HOUR]
            self._make(now_utc)
            self._audit(welcome)
        if not welcome:
            self._agreed.clear()
            self._flight = None
            self._inbox.clear()
            return
        arrived, self._inbox = self._inbox, []
        for one in arrived:
            self._handle(one, now_utc)
        if self._flight is not None and now_s < self._flight_until_s:
            return
        if not clear and now_s - self._clear_s < ENTRIES_FIRST_S:
            return
        self._clear_s = now_s
        if self._flight is not None or self._may_send or now_s >= self._ask_s or self._is_time(now_s):
            self._flight = None
            self._send(now_s, now_utc)

    def _is_time(self, now_s: float) -> bool:
        if now_s < self._try_s:
            return False
        self._try_s = now_s + TRY_EVERY_S
        return manifests.any_open(self.db)

    # -- out

    def _make(self, now_utc: str) -> None:
        for epoch in manifests.epochs(self.db):
            while True:
                with write(self.db):
                    if make_next(self.db, self.box_id, epoch, now_utc) is None:
                        break
                self._may_send = True

    def _purge(self, now_utc: str) -> None:
        before = to_text(from_text(now_utc) - timedelta(days=KEEP_DAYS))
        if unreconciled.purgeable(self.db, before):
            with write(self.db):
                unreconciled.purge(self.db, before)

    def _audit(self, welcome: bool) -> None:
        """Look over rows that keep a manifest from being made, and some of those in closed ones."""
        if not welcome:
            return
        wanted = [(epoch, *one) for epoch in manifests.epochs(self.db) for one in damaged(self.db, epoch)]
        seen = list(unreconciled.audit(self.db, AUDIT_MANIFESTS, self._audited))
        self._audited = (seen[-1][0], seen[-1][1]) if seen else ("", 0)
        wanted += [(epoch, stream, seqs) for epoch, _, stream, seqs in seen if seqs]
        for epoch, stream, seqs in wanted:
            self._say(Want(epoch=epoch, stream=stream, seqs=tuple(seqs[:MOST_WANTED])))

    def _send(self, now_s: float, now_utc: str) -> None:
        before_utc = to_text(from_text(now_utc) - AUDIO_FIRST)
        ask_waiting = now_s >= self._ask_s
        if ask_waiting:
            self._ask_s = now_s + ASK_AGAIN_S
        for epoch in manifests.epochs(self.db):
            if epoch not in self._agreed:
                n, h = manifests.top(self.db, epoch)
                self._await(epoch, 0, now_s)
                self._say(Standing(epoch=epoch, top=n, h=h))
                return
            row = manifests.to_send(self.db, epoch, ask_waiting, before_utc)
            if row is not None:
                self._await(epoch, row.n, now_s)
                self._say(row.message)
                return
        self._may_send = False

    def _await(self, epoch: str, n: int, now_s: float) -> None:
        self._flight, self._flight_until_s = (epoch, n), now_s + PATIENCE_S

    def _say(self, message: FromBox) -> None:
        self.link.publish(topics.build(self.box_id, "up", "m"), pack(message))

    # -- in

    def _handle(self, arrived: Arrived, now_utc: str) -> None:
        try:
            if topics.parse(arrived.topic).channel == "e":
                self._mend(arrived.payload)
            else:
                self._heard(unpack_from_office(arrived.payload), now_utc)
        except (EnvelopeError, topics.TopicError):
            return  # not for us; our timers see to the rest

    def _heard(self, message: FromOffice, now_utc: str) -> None:
        self._flight, self._may_send = None, True
        if isinstance(message, Standing):
            self._agree(message, now_utc)
        elif isinstance(message, Verdict):
            self._judged(message, now_utc)
        elif isinstance(message, Ask):
            mine = manifests.stretch(self.db, message.epoch, message.stream, message.ranges)
            hashes = tuple(divided(mine, message.ranges))
            self._say(Hashes(epoch=message.epoch, n=message.n, stream=message.stream, hashes=hashes))
            self._may_send = False  # the manifest is not said again before the answer, or our patience ends
            self._flight = (message.epoch, message.n)
        elif isinstance(message, Resend):
            with write(self.db):
                manifests.owe_again(self.db, message.epoch, message.n, message.stream, message.ranges)
            self.owed_again()

    def _agree(self, there: Standing, now_utc: str) -> None:
        self._agreed.add(there.epoch)
        here = manifests.find(self.db, there.epoch, there.top)
        unknown = there.top > 0 and (here is None or here.h != there.h)
        with write(self.db):
            if unknown:
                manifests.go_on_after(self.db, there.epoch, there.top, there.h, now_utc)
            manifests.reopen(self.db, there.epoch, there.open, there.top)

    def _judged(self, verdict: Verdict, now_utc: str) -> None:
        row = manifests.find(self.db, verdict.epoch, verdict.n)
        if row is None or row.h != verdict.h:
            return
        with write(self.db):
            if verdict.state == "closed" and holds(verdict.key, WITNESS, row.h, verdict.sig):
                manifests.close(self.db, row.epoch, row.n, verdict.key, verdict.sig, now_utc)
            elif verdict.state == "waiting":
                manifests.owe_files_again(self.db, verdict.lacks)
                sent = manifests.files_sent(self.db, row.epoch, row.n)
                manifests.mark(self.db, row.epoch, row.n, "waiting", "audio_missing" if sent else "")
            elif verdict.state == "refused":
                self._refused(row, verdict, now_utc)
            manifests.reopen(
                self.db, row.epoch, verdict.open, max(manifests.top(self.db, row.epoch)[0], row.n)
            )
            self._tell(row, verdict, now_utc)
        if verdict.lacks:
            self.owed_again()

    def _refused(self, row: ManifestRow, verdict: Verdict, now_utc: str) -> None:
        """Head office holds others before this one: ask how it stands, or say so if that did not help."""
        if verdict.code == "missing_before":
            self._agreed.discard(row.epoch)
        else:
            manifests.mark(self.db, row.epoch, row.n, "refused", verdict.code)

    def _tell(self, row: ManifestRow, verdict: Verdict, now_utc: str) -> None:
        """One open health row while head office refuses a manifest."""
        failure = ""
        if verdict.state == "refused" and verdict.code != "missing_before":
            failure = f"head office does not accept the manifest of {row.span}: {verdict.code}"
        if failure and failure != self._told:
            begin_trouble(self.db, PART, failure, now_utc)
        elif self._told and not failure:
            end_trouble(self.db, PART, now_utc)
        self._told = failure

    def _mend(self, payload: bytes) -> None:
        batch = unpack_batch(payload)
        with write(self.db):
            for seq, body in enumerate(batch.entries, start=batch.first):
                manifests.mend(self.db, batch.epoch, batch.stream, seq, body)
        self._may_send = True
        self._look_s = 0.0  # what could not be made before may be now
