"""Head office's end of the bulk connections: chunks into temporary files, whole recordings into the store."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, select
from sqlalchemy.exc import InterfaceError, OperationalError

from cloud.apply import audio_stored
from cloud.entries import Incoming, Outgoing
from cloud.objects import Objects, WrongHash
from cloud.store.database import read, write
from cloud.store.schema import boxes, inbox_tables
from sync import topics
from sync.chunks import Chunk, ChunkError, FileReceiver, unpack_chunk
from sync.inbox import Origin
from sync.messages import AnyMessage, At, Declined, Fin, MessageError, Open, Stored, pack, unpack

MOST_OPEN = 256  # files kept in memory; one that was forgotten is read from the database again

log = logging.getLogger(__name__)

Key = tuple[str, str]  # box, recording


@dataclass(slots=True)
class FilesDesk:
    """Takes what boxes say on their bulk connections."""

    engine: Engine
    objects: Objects
    _files: dict[Key, FileReceiver] = field(default_factory=dict)

    def handle(self, incoming: list[Incoming], now_utc: str) -> list[Outgoing]:
        """Take messages; what to answer, now that it is on disk or committed."""
        answers: list[tuple[str, AnyMessage]] = []
        moved: dict[Key, None] = {}  # files to name our offset of, in order
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
            except (OperationalError, InterfaceError):
                raise  # locked, full or gone: no message's fault
            except Exception:  # the door: one message must not stop the others
                log.exception("part of a recording of box %s could not be taken", topic.box_id)
        for box_id, rid in moved:
            if (box_id, rid) in self._files:
                answers.append((box_id, At(rid=rid, offset=self._files[box_id, rid].have)))
        return [(topics.build(box_id, "dn", "a", bulk=True), pack(answer)) for box_id, answer in answers]

    def _message(self, origin: Origin, message: AnyMessage) -> list[tuple[str, AnyMessage]]:
        if isinstance(message, Open):
            answer = self._open(origin, message)
        elif isinstance(message, Fin):
            answer = self._fin(origin, message.rid)
        else:
            raise MessageError(f"{type(message).__name__} does not come from a box")
        return [(origin.box_id, answer)] if answer else []

    def _open(self, origin: Origin, opened: Open) -> AnyMessage | None:
        with write(self.engine) as db:
            if not _registered(db, origin.box_id):
                return None  # it learns that on its events connection; its file is not refused for it
            row = _transfer(db, origin.box_id, opened.rid)
            if row is not None and row["state"] == "stored":
                if _receiver(row, 0).same(opened):
                    return Stored(rid=opened.rid, sha256=opened.sha256)
                return Declined(rid=opened.rid, code="other_file", detail="another file was stored before")
            if row is None or not _receiver(row, 0).same(opened):
                self._forget((origin.box_id, opened.rid))
            _begin(db, origin, opened, row)
        receiver = self._find(origin.box_id, opened.rid)
        return At(rid=opened.rid, offset=receiver.have) if receiver else None

    def _chunk(self, box_id: str, chunk: Chunk) -> list[Key]:
        receiver = self._find(box_id, chunk.rid)
        if receiver is None:
            return []
        if receiver.takes(chunk):
            self.objects.append(_temp((box_id, chunk.rid)), chunk.offset, chunk.data)
            receiver.taken(chunk)
        return [(box_id, chunk.rid)]

    def _fin(self, origin: Origin, rid: str) -> AnyMessage | None:
        receiver = self._find(origin.box_id, rid)
        if receiver is None:
            return self._stored_before(origin.box_id, rid)
        if not receiver.complete():
            return At(rid=rid, offset=receiver.have)
        key = (origin.box_id, rid)
        try:
            object_key = self.objects.commit(_temp(key), receiver.sha256)
        except WrongHash as error:
            return self._mismatched(key, receiver, str(error))
        with write(self.engine) as db:
            _save(db, key, state="stored", done_utc=origin.received_utc)
            audio_stored(db, origin, rid, receiver.sha256, object_key)
        self._forget(key)
        return Stored(rid=rid, sha256=receiver.sha256)

    def _mismatched(self, key: Key, receiver: FileReceiver, detail: str) -> AnyMessage:
        again = receiver.mismatched()
        with write(self.engine) as db:
            _save(db, key, state="open" if again else "refused", failures=receiver.failures)
        self.objects.drop(_temp(key))
        if again:
            return At(rid=key[1], offset=0)
        log.warning("recording %s of box %s never matched its hash: %s", key[1], key[0], detail)
        self._forget(key)
        return Declined(rid=key[1], code="wrong_hash", detail=detail)

    def _stored_before(self, box_id: str, rid: str) -> AnyMessage | None:
        with read(self.engine) as db:
            row = _transfer(db, box_id, rid)
        return Stored(rid=rid, sha256=row["sha256"]) if row is not None and row["state"] == "stored" else None

    def _find(self, box_id: str, rid: str) -> FileReceiver | None:
        """The file under way, from memory or, after a restart, from the database and what is on disk."""
        key = (box_id, rid)
        if key not in self._files:
            with read(self.engine) as db:
                row = _transfer(db, box_id, rid)
            if row is None or row["state"] != "open":
                return None
            if len(self._files) >= MOST_OPEN:
                del self._files[next(iter(self._files))]
            have = self.objects.temp_size(_temp(key))
            self._files[key] = _receiver(row, have if have <= row["size_bytes"] else 0)
        return self._files[key]

    def _forget(self, key: Key) -> None:
        self._files.pop(key, None)
        self.objects.drop(_temp(key))


def _temp(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _registered(db: Connection, box_id: str) -> bool:
    return db.execute(select(boxes.c.id).where(boxes.c.id == box_id)).first() is not None


def _is(table: Table, key: Key) -> tuple[Any, Any]:
    return table.c.box_id == key[0], table.c.recording_id == key[1]


def _transfer(db: Connection, box_id: str, rid: str) -> RowMapping | None:
    table = inbox_tables.transfers
    return db.execute(select(table).where(*_is(table, (box_id, rid)))).mappings().one_or_none()


def _receiver(row: RowMapping, have: int) -> FileReceiver:
    return FileReceiver(row["size_bytes"], row["sha256"], have, row["failures"])


def _begin(db: Connection, origin: Origin, opened: Open, row: RowMapping | None) -> None:
    table = inbox_tables.transfers
    values = {"size_bytes": opened.size, "sha256": opened.sha256, "state": "open"}
    if row is None:
        values |= {"failures": 0, "opened_utc": origin.received_utc}
        db.execute(table.insert().values(box_id=origin.box_id, recording_id=opened.rid, **values))
    elif row["state"] != "open" or not _receiver(row, 0).same(opened):
        _save(db, (origin.box_id, opened.rid), failures=0, **values)


def _save(db: Connection, key: Key, **values: object) -> None:
    table = inbox_tables.transfers
    db.execute(table.update().where(*_is(table, key)).values(values))
