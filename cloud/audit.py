"""Looks at what head office keeps of closed hours, bit by bit, and has the damage mended.

Closed means that box and head office agreed on every entry and recording. What differs from that today was
altered here: an entry is asked for again with its manifest, a row is written anew from its entry, audio is
uploaded again. What no entry tells of (a row whose id was altered) is set aside. On SQLite the database's own
check goes first: a query by an index shows what the index says, and only that check compares it with the row.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, Table, select

from cloud.expected import (
    clocks_differ,
    differences,
    event_of,
    events_of,
    measured_anew,
    subject_of,
    write_anew,
)
from cloud.kept import Held, announced_in, bytes_of, held, here_digest
from cloud.objects import NoSuchObject
from cloud.reconcile import DAY_STREAM, Reconciler, forget_audio
from cloud.store import schema, troubles
from cloud.store.database import mended_indexes, read, write
from cloud.store.deletions import DELETED
from sync.arriving import Origin
from sync.manifest import BOX_KEY, WITNESS, ManifestError, Statement, digest, holds, read_statement


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was when its hour was closed."""

    box_id: str
    what: str  # database | manifest | entries | clock | row | audio | stray
    detail: str


@dataclass(frozen=True, slots=True)
class Auditor:
    """What is needed to look and to mend."""

    reconciler: Reconciler
    audio: bool = True  # hash recordings, too

    def run(self, engine: Engine, now_utc: str) -> Iterator[Fault]:
        """Every closed hour of every box, and rows that no entry tells of; a transaction for each, so that
        boxes are served meanwhile."""
        yield from (Fault("", "database", says) for says in mended_indexes(engine))
        table = schema.manifests
        with read(engine) as db:
            query = select(table.c.box_id, table.c.epoch, table.c.n).where(
                table.c.state.not_in(("open", "waiting"))  # closed, or a word that damage made of it
            )
            keys = db.execute(query.order_by(table.c.box_id, table.c.epoch, table.c.n)).all()
        boxes = sorted({key[0] for key in keys})
        for box_id in boxes:
            with write(engine) as db, _any_text(db):
                yield from list(self._clock(db, box_id, now_utc))
        for box_id, epoch, n in keys:
            mine = (table.c.box_id == box_id, table.c.epoch == epoch, table.c.n == n)
            with write(engine) as db, _any_text(db):
                for row in db.execute(select(table).where(*mine)).mappings().all():
                    yield from list(self.audit_manifest(db, row, now_utc))
        for box_id in boxes:
            with write(engine) as db, _any_text(db):
                yield from list(self._strays(db, box_id, now_utc))

    def audit_manifest(self, db: Connection, row: RowMapping, now_utc: str) -> Iterator[Fault]:
        """One closed manifest and everything it tells of."""
        box_id, name = row["box_id"], f"manifest {row['n']} of epoch {row['epoch']}"
        statement = _statement(row)
        if statement is None:
            _set(db, row, state="open", audited_utc=now_utc)
            yield self._fault(db, Fault(box_id, "manifest", f"{name} was altered"), now_utc)
            return
        parts = [part for part in statement.parts if part.stream != DAY_STREAM]
        helds = [held(db, box_id, statement.epoch, part) for part in parts]
        off = [
            part.stream
            for part, found in zip(parts, helds, strict=True)
            if found.unsound or found.stretch.root(part.first, part.last) != part.root
        ]
        if off:
            _set(db, row, state="open", items=len(off), audited_utc=now_utc)
            detail = f"{name}, {statement.span}: {', '.join(off)}; the box is asked for them"
            yield self._fault(db, Fault(box_id, "entries", detail), now_utc)
            return
        moments = (row["received_utc"], row["closed_utc"], row["audited_utc"])
        if here_digest(db, box_id, helds, moments) != row["here"]:
            detail = f"{name}, {statement.span}: when something arrived, or a hash; the entries are whole"
            yield self._fault(db, Fault(box_id, "entries", detail), now_utc)
        for found in helds:
            yield from self._rows(db, found, now_utc)
        yield from self._recordings(db, row, helds, now_utc)
        here = here_digest(db, box_id, helds, (row["received_utc"], row["closed_utc"], now_utc))
        _set(db, row, audited_utc=now_utc, here=here)

    # -- rows

    def _rows(self, db: Connection, found: Held, now_utc: str) -> Iterator[Fault]:
        for seq in sorted(found.rows):
            row = found.rows[seq][-1]
            event = event_of(row)
            wrong = differences(db, row, event) if event else []
            if wrong:
                write_anew(db, self.reconciler.inbox.apply, row, event)
                detail = f"{row['kind']} {subject_of(event)}: {', '.join(wrong)}; written anew from its entry"
                yield self._fault(db, Fault(row["box_id"], "row", detail), now_utc)

    def _clock(self, db: Connection, box_id: str, now_utc: str) -> Iterator[Fault]:
        if clocks_differ(db, box_id):
            measured_anew(db, box_id)
            detail = "how far its clock was off; written anew from what it measured"
            yield self._fault(db, Fault(box_id, "clock", detail), now_utc)

    def _strays(self, db: Connection, box_id: str, now_utc: str) -> Iterator[Fault]:
        """Rows of calls and recordings that no entry of the box tells of."""
        known = {subject_of(event) for _, event in events_of(db, box_id)}
        for table in (schema.calls, schema.recordings):
            for row in db.execute(select(table).where(table.c.box_id == box_id)).mappings().all():
                if row["id"] not in known:
                    self._set_stray_aside(db, table, row, now_utc)
                    detail = f"{table.name} {row['id']!r}: no entry tells of it; set aside"
                    yield self._fault(db, Fault(box_id, "stray", detail), now_utc)

    def _set_stray_aside(self, db: Connection, table: Table, row: RowMapping, now_utc: str) -> None:
        body = json.dumps({name: repr(value) for name, value in row.items()}).encode()
        origin = Origin(row["box_id"], now_utc)
        self.reconciler.inbox.quarantine(db, origin, table.name, body, "stray", "no entry tells of it")
        db.execute(table.delete().where(table.c.id == row["id"]))

    # -- audio

    def _recordings(
        self, db: Connection, row: RowMapping, helds: Sequence[Held], now_utc: str
    ) -> Iterator[Fault]:
        transfers = schema.inbox_tables.transfers
        for one in (one for found in helds for one in announced_in(found)):
            mine = (transfers.c.box_id == row["box_id"], transfers.c.recording_id == one.recording_id)
            found = db.execute(select(transfers).where(*mine)).mappings().one_or_none()
            if _state(db, one.recording_id) == DELETED:
                continue
            if found is None or found["state"] != "stored" or found["sha256"] != one.sha256:
                if not _is_lost(db, one.recording_id) and not _announced_anew(
                    db, one.recording_id, one.sha256
                ):
                    yield self._ask_again(db, row, one.recording_id, "its transfer was altered", now_utc)
            elif found["size_bytes"] != one.size_bytes or self._damaged(one.sha256, one.size_bytes):
                self.reconciler.objects.delete(one.sha256)
                yield self._ask_again(db, row, one.recording_id, "its audio was altered or is gone", now_utc)

    def _ask_again(self, db: Connection, row: RowMapping, recording_id: str, why: str, now_utc: str) -> Fault:
        forget_audio(db, row["box_id"], recording_id)
        _set(db, row, state="waiting")
        detail = f"recording {recording_id}: {why}; the box is asked for it"
        return self._fault(db, Fault(row["box_id"], "audio", detail), now_utc)

    def _damaged(self, sha256: str, size_bytes: int) -> bool:
        objects = self.reconciler.objects
        if objects.size(sha256) != size_bytes:
            return True
        if not self.audio:
            return False
        hashed = hashlib.sha256()
        try:
            for block in objects.read(sha256, 0, size_bytes):
                hashed.update(block)
        except (NoSuchObject, OSError):
            return True
        return hashed.hexdigest() != sha256

    def _fault(self, db: Connection, fault: Fault, now_utc: str) -> Fault:
        troubles.begin(db, fault.box_id, "altered_here", f"{fault.what}: {fault.detail}", now_utc)
        return fault


def _statement(row: RowMapping) -> Statement | None:
    """What a row of manifests says, if it is what box and head office signed."""
    body = bytes_of(row)
    try:
        statement = read_statement(body)
    except ManifestError:
        return None
    fits = (row["epoch"], row["n"], row["span"]) == (statement.epoch, statement.n, statement.span)
    whole = digest(body) == row["h"] and row["items"] == 0
    signed = holds(statement.key, BOX_KEY, row["h"], row["sig"])
    witnessed = holds(row["witness_key"] or "", WITNESS, row["h"], row["witness_sig"] or "")
    return statement if fits and whole and signed and witnessed and row["state"] == "closed" else None


def _set(db: Connection, row: RowMapping, **values: object) -> None:
    table = schema.manifests
    mine = (table.c.box_id == row["box_id"], table.c.epoch == row["epoch"], table.c.n == row["n"])
    db.execute(table.update().where(*mine).values(values))


def _is_lost(db: Connection, recording_id: str) -> bool:
    return _state(db, recording_id) == "lost"


def _is_stored(db: Connection, recording_id: str) -> bool:
    return _state(db, recording_id) == "stored"


def _state(db: Connection, recording_id: str) -> str | None:
    query = select(schema.recordings.c.state).where(schema.recordings.c.id == recording_id)
    return db.execute(query).scalar()


def _announced_anew(db: Connection, recording_id: str, sha256: str) -> bool:
    """Whether a later entry has announced another file for it."""
    query = select(schema.recordings.c.sha256).where(schema.recordings.c.id == recording_id)
    return db.execute(query).scalar() not in (None, sha256)


@contextmanager
def _any_text(db: Connection) -> Iterator[None]:
    """Damage may leave text that is no UTF-8; SQLite's driver would raise instead of showing it."""
    driver = db.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    before, driver.text_factory = driver.text_factory, lambda raw: raw.decode(errors="backslashreplace")
    try:
        yield
    finally:
        driver.text_factory = before
