"""Head office's end of the bulk connections: chunks into temporary files, whole recordings into the store."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, select

from cloud.apply import audio_stored
from cloud.entries import Message, Outgoing
from cloud.incoming import Incoming
from cloud.objects import Objects
from cloud.shards import Fenced, Leases
from cloud.store import allowed
from cloud.store.database import read, write
from cloud.store.schema import boxes, inbox_tables, recordings
from sync import spans, topics
from sync.bulk import is_outage
from sync.chunks import Chunk, ChunkError, FileReceiver, unpack_chunk
from sync.inbox import Origin
from sync.messages import (
    MAX_FILE_BYTES,
    AnyMessage,
    Declined,
    Fin,
    Grow,
    MessageError,
    Open,
    Stored,
    Sums,
    pack,
    unpack,
)
from sync.moment import from_text, to_text
from sync.spans import Spans
from sync.topics import shard_of

GROWING, OPEN, STORED, REFUSED = "growing", "open", "stored", "refused"  # states of a transfer
GROWS_AT_MOST = timedelta(days=3)  # no call goes on for so long
DAY = len("2026-11-22")
MOST_OPEN = 256  # files kept in memory; one that was forgotten is read from the database again

log = logging.getLogger(__name__)

Key = tuple[str, str]  # box, recording


@dataclass(slots=True)
class FilesDesk:
    """Takes what boxes say on their bulk connections."""

    engine: Engine
    objects: Objects
    incoming: Incoming
    leases: Leases | None = None  # None: nobody else serves any box
    _files: dict[Key, FileReceiver] = field(default_factory=dict)
    _expired_day: str = ""

    def handle(self, incoming: list[Message], now_utc: str) -> list[Outgoing]:
        """Take messages; what to answer, now that it is on disk or committed."""
        self._expire(now_utc)
        answers: list[tuple[str, AnyMessage]] = []
        moved: dict[Key, None] = {}  # files to say of what we have, in order
        for topic, payload in incoming:
            try:
                if topic.channel == "c":
                    moved |= dict.fromkeys(self._chunk(topic.box_id, unpack_chunk(payload)))
                else:
                    answers += self._message(Origin(topic.box_id, now_utc), unpack(payload))
            except (ChunkError, MessageError) as error:
                log.warning("box %s sent what is no part of a recording: %s", topic.box_id, error)
            except OSError as error:
                log.warning("recordings cannot be stored now: %s", error)
            except Exception as error:  # the door: one message must not stop the others
                if isinstance(error, Fenced) or is_outage(error):
                    raise  # no message's fault
                log.exception("part of a recording of box %s could not be taken", topic.box_id)
        for box_id, rid in moved:
            if (box_id, rid) in self._files:
                answers.append((box_id, self._files[box_id, rid].at(rid)))
        return [(topics.build(box_id, "dn", "a", bulk=True), pack(answer)) for box_id, answer in answers]

    @contextmanager
    def _write(self, box_id: str) -> Iterator[Connection]:
        """A transaction for one box, which is still ours."""
        with write(self.engine) as db:
            if self.leases is not None:
                self.leases.fence(db, [shard_of(box_id)])
            yield db

    def _expire(self, now_utc: str) -> None:
        """Once a day: what came of calls that were never finished goes; a box that has it begins anew."""
        if now_utc[:DAY] == self._expired_day:
            return
        self._expired_day, table = now_utc[:DAY], inbox_tables.transfers
        before_utc = to_text(from_text(now_utc) - GROWS_AT_MOST)
        old = (table.c.state == GROWING, table.c.opened_utc < before_utc)
        with read(self.engine) as db:
            found = db.execute(select(table.c.box_id, table.c.recording_id).where(*old)).all()
        for box_id, rid in found:
            if self.leases is None or shard_of(box_id) in self.leases.held:
                with self._write(box_id) as db:
                    db.execute(table.delete().where(*_is(table, (box_id, rid)), *old))
                self._forget((box_id, rid))

    def forget_all_but(self, shards: Container[int]) -> None:
        """Keep in memory only files of boxes in these shards: another worker goes on with the others."""
        self._files = {key: file for key, file in self._files.items() if shard_of(key[0]) in shards}

    def _message(self, origin: Origin, message: AnyMessage) -> list[tuple[str, AnyMessage]]:
        if isinstance(message, Open):
            answer = self._open(origin, message)
        elif isinstance(message, Grow):
            answer = self._grow(origin, message.rid)
        elif isinstance(message, Sums):
            answer = self._sums(origin, message)
        elif isinstance(message, Fin):
            answer = self._fin(origin, message.rid)
        else:
            raise MessageError(f"{type(message).__name__} does not come from a box")
        return [(origin.box_id, answer)] if answer else []

    def _open(self, origin: Origin, opened: Open) -> AnyMessage | None:
        key = (origin.box_id, opened.rid)
        with self._write(origin.box_id) as db:
            if not _may_send(db, origin):
                return None  # it learns that on its events connection; its file is not refused for it
            row = _transfer(db, key)
            if row is not None and row["state"] == STORED:
                if _receiver(row, ()).same(opened):
                    return Stored(rid=opened.rid, sha256=opened.sha256)
                return Declined(rid=opened.rid, code="other_file", detail="another file was stored before")
            if row is not None and row["state"] == GROWING:
                self._grown(key, opened.size)
            elif row is None or not _receiver(row, ()).same(opened):
                self._forget(key)
            _begin(db, origin, opened, row)
        receiver = self._find(key)
        return receiver.at(opened.rid, asked=True) if receiver else None

    def _grow(self, origin: Origin, rid: str) -> AnyMessage | None:
        """A recording that still goes on; what is here of one that was lost meanwhile goes."""
        key = (origin.box_id, rid)
        with self._write(origin.box_id) as db:
            if not _may_send(db, origin):
                return None
            row = _transfer(db, key)
            for lost in _lost(db, origin.box_id):
                _save(db, (origin.box_id, lost), state=REFUSED)
                self._forget((origin.box_id, lost))
            if row is None:
                _begin_growing(db, origin, rid)
            elif row["state"] != GROWING:
                return Declined(rid=rid, code="finished", detail="it is open, stored or refused")
        receiver = self._find(key)
        return receiver.at(rid, asked=True) if receiver else None

    def _grown(self, key: Key, size: int) -> None:
        """It has its final size: what came beyond was cut off at the box, too."""
        held = spans.without(self.incoming.held(_temp(key)), size, MAX_FILE_BYTES)
        self.incoming.keep(_temp(key), held)
        self._files.pop(key, None)

    def _chunk(self, box_id: str, chunk: Chunk) -> list[Key]:
        key = (box_id, chunk.rid)
        receiver = self._find(key)
        if receiver is None:
            return []
        if receiver.takes(chunk):
            self.incoming.put(_temp(key), chunk.offset, chunk.data)
            receiver.taken(chunk)
        return [key]

    def _sums(self, origin: Origin, sums: Sums) -> AnyMessage | None:
        """The box says what the pieces should be: those that are not have to come again."""
        key = (origin.box_id, sums.rid)
        receiver = self._find(key)
        if receiver is None:
            return None
        pieces = receiver.whole_pieces(sums)
        found = self.incoming.sums(_temp(key), [piece for piece, _ in pieces])
        wrong = [piece for (piece, wanted), is_ in zip(pieces, found, strict=True) if is_ != wanted]
        if wrong:
            receiver.differs(wrong)
            self.incoming.keep(_temp(key), receiver.have)
        return receiver.at(sums.rid, asked=True)

    def _fin(self, origin: Origin, rid: str) -> AnyMessage | None:
        key = (origin.box_id, rid)
        receiver = self._find(key)
        if receiver is None:
            return self._stored_before(key)
        if not receiver.complete():
            return receiver.at(rid, asked=True)
        file, found = self.incoming.whole(_temp(key))
        if found != receiver.sha256:
            return self._mismatched(key, receiver, f"wanted SHA-256 {receiver.sha256}, got {found}")
        object_key = self.objects.take(file, found)
        with self._write(origin.box_id) as db:
            _save(db, key, state=STORED, done_utc=origin.received_utc)
            audio_stored(db, origin, rid, receiver.sha256, object_key)
            allowed.count(db, origin.box_id, origin.received_utc, receiver.most, 0)
        self._forget(key)
        return Stored(rid=rid, sha256=receiver.sha256)

    def _mismatched(self, key: Key, receiver: FileReceiver, detail: str) -> AnyMessage:
        again = receiver.mismatched()
        with self._write(key[0]) as db:
            _save(db, key, state=OPEN if again else REFUSED, failures=receiver.failures)
        if again:
            return receiver.at(key[1], doubt=True)
        log.warning("recording %s of box %s never matched its hash: %s", key[1], key[0], detail)
        self._forget(key)
        return Declined(rid=key[1], code="wrong_hash", detail=detail)

    def _stored_before(self, key: Key) -> AnyMessage | None:
        with read(self.engine) as db:
            row = _transfer(db, key)
        return (
            Stored(rid=key[1], sha256=row["sha256"]) if row is not None and row["state"] == STORED else None
        )

    def _find(self, key: Key) -> FileReceiver | None:
        """The file under way, from memory or, after a restart, from the database and what is on disk."""
        if key not in self._files:
            with read(self.engine) as db:
                row = _transfer(db, key)
            if row is None or row["state"] not in (OPEN, GROWING):
                return None
            if len(self._files) >= MOST_OPEN:
                del self._files[next(iter(self._files))]
            self._files[key] = _receiver(row, self.incoming.held(_temp(key)))
        return self._files[key]

    def _forget(self, key: Key) -> None:
        self._files.pop(key, None)
        self.incoming.drop(_temp(key))


def _temp(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _may_send(db: Connection, origin: Origin) -> bool:
    registered = db.execute(select(boxes.c.id).where(boxes.c.id == origin.box_id)).first() is not None
    return registered and allowed.refusal(db, origin.box_id, origin.received_utc) is None


def _is(table: Table, key: Key) -> tuple[Any, Any]:
    return table.c.box_id == key[0], table.c.recording_id == key[1]


def _transfer(db: Connection, key: Key) -> RowMapping | None:
    table = inbox_tables.transfers
    return db.execute(select(table).where(*_is(table, key))).mappings().one_or_none()


def _lost(db: Connection, box_id: str) -> list[str]:
    """Recordings of which something arrived while they were made, and which will never be finished."""
    table = inbox_tables.transfers
    query = (
        select(table.c.recording_id)
        .join(recordings, recordings.c.id == table.c.recording_id)
        .where(table.c.box_id == box_id, table.c.state == GROWING, recordings.c.state == "lost")
    )
    return list(db.execute(query).scalars())


def _receiver(row: RowMapping, have: Spans) -> FileReceiver:
    size = None if row["state"] == GROWING else row["size_bytes"]
    within = have if size is None else spans.without(have, size, MAX_FILE_BYTES)
    return FileReceiver(size, row["sha256"], within, row["failures"])


def _begin(db: Connection, origin: Origin, opened: Open, row: RowMapping | None) -> None:
    values = {"size_bytes": opened.size, "sha256": opened.sha256, "state": OPEN}
    if row is None:
        _insert(db, origin, opened.rid, values)
    elif row["state"] != OPEN or not _receiver(row, ()).same(opened):
        _save(db, (origin.box_id, opened.rid), failures=0, **values)


def _begin_growing(db: Connection, origin: Origin, rid: str) -> None:
    _insert(db, origin, rid, {"size_bytes": 0, "sha256": "", "state": GROWING})


def _insert(db: Connection, origin: Origin, rid: str, values: dict[str, object]) -> None:
    key = {"box_id": origin.box_id, "recording_id": rid}
    begun = {"failures": 0, "opened_utc": origin.received_utc}
    db.execute(inbox_tables.transfers.insert().values(key | begun | values))


def _save(db: Connection, key: Key, **values: object) -> None:
    table = inbox_tables.transfers
    db.execute(table.update().where(*_is(table, key)).values(values))
