"""Head office's end of the bulk connections: chunks into temporary files, whole recordings into the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection, Engine

from cloud import transfers
from cloud.apply import audio_stored
from cloud.entries import Message, Outgoing
from cloud.incoming import Incoming
from cloud.objects import Objects
from cloud.sealing import Sealed, Sealing
from cloud.shards import Fenced, Leases
from cloud.store import allowed
from cloud.store.database import read, write
from cloud.store.jotting import jot
from cloud.transfers import GROWING, OPEN, REFUSED, STORED, Key
from sync import spans, topics
from sync.arriving import Origin
from sync.bulk import is_outage
from sync.chunks import Chunk, ChunkError, FileReceiver, unpack_chunk
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
from sync.topics import shard_of

GROWS_AT_MOST = timedelta(days=3)  # no call goes on for so long
DAY = len("2026-11-22")
MOST_OPEN = 256  # files kept in memory; one that was forgotten is read from the database again

log = logging.getLogger(__name__)

Answers = list[tuple[str, AnyMessage]]  # to which box, what
Transaction = Callable[[Engine], AbstractContextManager[Connection]]


@dataclass(slots=True)
class FilesDesk:
    """Takes what boxes say on their bulk connections."""

    engine: Engine
    objects: Objects
    incoming: Incoming
    works: Executor  # reads back and stores what has arrived whole
    leases: Leases | None = None  # None: nobody else serves any box
    _files: dict[Key, FileReceiver] = field(default_factory=dict)
    _moved: dict[Key, None] = field(default_factory=dict)  # of which chunks came, in order
    _expired_day: str = ""
    _sealing: Sealing = field(init=False)

    def __post_init__(self) -> None:
        self._sealing = Sealing(self.objects, self.incoming, self.works)

    @property
    def bell(self) -> int:
        """What can be read when there is something to answer: a recording was read back and stored."""
        return self._sealing.bell.descriptor

    def handle(self, incoming: list[Message], now_utc: str) -> list[Outgoing]:
        """Take messages; what to answer, now that it is on disk or committed."""
        self._expire(now_utc)
        answers: Answers = []
        for topic, payload in incoming:
            try:
                if topic.channel == "c":
                    self._chunk(topic.box_id, unpack_chunk(payload))
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
        return _outgoing(answers + self._sealed(now_utc))

    def moved(self) -> list[Outgoing]:
        """How far files have come by chunks since this was asked: what gets lost, the next one says, too."""
        moved, self._moved = self._moved, {}
        return _outgoing([(key[0], self._files[key].at(key[1])) for key in moved if key in self._files])

    @contextmanager
    def _write(self, *box_ids: str, how: Transaction = write) -> Iterator[Connection]:
        """A transaction for boxes that are still ours."""
        with how(self.engine) as db:
            if self.leases is not None:
                self.leases.fence(db, {shard_of(box_id) for box_id in box_ids})
            yield db

    def _expire(self, now_utc: str) -> None:
        """Once a day: what came of calls that were never finished goes; a box that has it begins anew."""
        if now_utc[:DAY] == self._expired_day:
            return
        self._expired_day = now_utc[:DAY]
        before_utc = to_text(from_text(now_utc) - GROWS_AT_MOST)
        with read(self.engine) as db:
            found = transfers.growing_since(db, before_utc)
        for box_id, rid in found:
            if self.leases is None or shard_of(box_id) in self.leases.held:
                with self._write(box_id) as db:
                    transfers.give_up_growing(db, (box_id, rid), before_utc)
                self._forget((box_id, rid))

    def forget_all_but(self, shards: Container[int]) -> None:
        """Keep in memory only files of boxes in these shards: another worker goes on with the others."""
        self._files = {key: file for key, file in self._files.items() if shard_of(key[0]) in shards}
        self._sealing.keep(lambda key: shard_of(key[0]) in shards)

    def _message(self, origin: Origin, message: AnyMessage) -> Answers:
        answer: AnyMessage | None
        if isinstance(message, Open | Grow | Sums | Fin) and (origin.box_id, message.rid) in self._sealing:
            answer = None  # it is being read back: who asks again learns what came of it
        elif isinstance(message, Open):
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
        with self._write(origin.box_id, how=jot) as db:
            if not transfers.may_send(db, origin):
                return None  # it learns that on its events connection; its file is not refused for it
            row = transfers.find(db, key)
            if row is not None and row["state"] == STORED:
                if transfers.receiver(row, ()).same(opened):
                    return Stored(rid=opened.rid, sha256=opened.sha256)
                return Declined(rid=opened.rid, code="other_file", detail="another file was stored before")
            if row is not None and row["state"] == GROWING:
                self._grown(key, opened.size)
            elif row is None or not transfers.receiver(row, ()).same(opened):
                self._forget(key)
            begun = transfers.begin(db, origin, opened, row)
        receiver = self._files.get(key) or self._remember(key, begun)
        return receiver.at(opened.rid, asked=True)

    def _grow(self, origin: Origin, rid: str) -> AnyMessage | None:
        """A recording that still goes on; what is here of one that was lost meanwhile goes."""
        key = (origin.box_id, rid)
        with self._write(origin.box_id, how=jot) as db:
            if not transfers.may_send(db, origin):
                return None
            row = transfers.find(db, key)
            for lost in transfers.lost(db, origin.box_id):
                transfers.save(db, (origin.box_id, lost), state=REFUSED)
                self._forget((origin.box_id, lost))
            if row is None:
                transfers.begin_growing(db, origin, rid)
            elif row["state"] != GROWING:
                return Declined(rid=rid, code="finished", detail="it is open, stored or refused")
        receiver = self._find(key)
        return receiver.at(rid, asked=True) if receiver else None

    def _grown(self, key: Key, size: int) -> None:
        """It has its final size: what came beyond was cut off at the box, too."""
        held = spans.without(self.incoming.held(_temp(key)), size, MAX_FILE_BYTES)
        self.incoming.keep(_temp(key), held)
        self._files.pop(key, None)

    def _chunk(self, box_id: str, chunk: Chunk) -> None:
        key = (box_id, chunk.rid)
        receiver = self._find(key)
        if receiver is None:
            return
        if receiver.takes(chunk):
            self.incoming.put(_temp(key), chunk.offset, chunk.data)
            receiver.taken(chunk)
        self._moved[key] = None

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
        self._sealing.begin(key, _temp(key), receiver.sha256)
        return None

    def _sealed(self, now_utc: str) -> Answers:
        """What became of the files that were read back."""
        answers: Answers = []
        stored: list[tuple[Key, FileReceiver, str]] = []  # and where
        for key, job in self._sealing.done():
            sealed = _result(key, job)
            receiver = self._find(key)
            if sealed is None or receiver is None:
                continue
            if sealed.object_key is not None:
                stored.append((key, receiver, sealed.object_key))
            else:
                wrong = f"wanted SHA-256 {receiver.sha256}, got {sealed.sha256}"
                answers.append((key[0], self._mismatched(key, receiver, wrong)))
        return answers + self._stored(stored, now_utc)

    def _stored(self, stored: Sequence[tuple[Key, FileReceiver, str]], now_utc: str) -> Answers:
        """One commit for all of them, then the word to their boxes."""
        if not stored:
            return []
        answers: Answers = []
        with self._write(*(key[0] for key, _, _ in stored)) as db:
            for (box_id, rid), receiver, object_key in stored:
                transfers.save(db, (box_id, rid), state=STORED, done_utc=now_utc)
                audio_stored(db, Origin(box_id, now_utc), rid, receiver.sha256, object_key)
                allowed.count(db, box_id, now_utc, receiver.most, 0)
                answers.append((box_id, Stored(rid=rid, sha256=receiver.sha256)))
        for key, _, _ in stored:
            self._forget(key)
        return answers

    def _mismatched(self, key: Key, receiver: FileReceiver, detail: str) -> AnyMessage:
        again = receiver.mismatched()
        with self._write(key[0]) as db:
            transfers.save(db, key, state=OPEN if again else REFUSED, failures=receiver.failures)
        if again:
            return receiver.at(key[1], doubt=True)
        log.warning("recording %s of box %s never matched its hash: %s", key[1], key[0], detail)
        self._forget(key)
        return Declined(rid=key[1], code="wrong_hash", detail=detail)

    def _stored_before(self, key: Key) -> AnyMessage | None:
        with read(self.engine) as db:
            row = transfers.find(db, key)
        return (
            Stored(rid=key[1], sha256=row["sha256"]) if row is not None and row["state"] == STORED else None
        )

    def _find(self, key: Key) -> FileReceiver | None:
        """The file under way, from memory or, after a restart, from the database and what is on disk."""
        if key not in self._files:
            with read(self.engine) as db:
                row = transfers.find(db, key)
            if row is None or row["state"] not in (OPEN, GROWING):
                return None
            return self._remember(key, row)
        return self._files[key]

    def _remember(self, key: Key, row: transfers.Row) -> FileReceiver:
        if len(self._files) >= MOST_OPEN:
            del self._files[next(iter(self._files))]
        self._files[key] = transfers.receiver(row, self.incoming.held(_temp(key)))
        return self._files[key]

    def _forget(self, key: Key) -> None:
        self._files.pop(key, None)
        self.incoming.drop(_temp(key))


def _result(key: Key, job: Future[Sealed]) -> Sealed | None:
    try:
        return job.result()
    except OSError as error:
        log.warning("recordings cannot be stored now: %s", error)
    except Exception:  # the door: one recording must not stop the others
        log.exception("recording %s of box %s could not be stored", key[1], key[0])
    return None  # the box asks again


def _outgoing(answers: Answers) -> list[Outgoing]:
    return [(topics.build(box_id, "dn", "a", bulk=True), pack(answer)) for box_id, answer in answers]


def _temp(key: Key) -> str:
    return f"{key[0]}.{key[1]}"
