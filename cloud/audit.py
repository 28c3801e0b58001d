"""Looks at what head office keeps of closed hours, bit by bit, and has the damage mended.

Closed means that box and head office agreed on every entry and recording. What differs from that today was
altered here: an entry is asked for again with its manifest, a row is written anew from its entry, audio is
uploaded again. What no entry tells of (a row whose id was altered) is set aside.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, Table, select

from cloud.kept import Held, announced_in, bytes_of, held, here_digest, is_alias
from cloud.objects import NoSuchObject
from cloud.reconcile import DAY_STREAM, Reconciler, forget_audio
from cloud.store import schema, troubles
from cloud.store.database import read, write
from sync.envelope import EnvelopeError, unpack_entry
from sync.events import EVENT_TYPES, CallEnded, RecordingLost, RecordingReady
from sync.inbox import Origin, Told
from sync.manifest import BOX_KEY, WITNESS, ManifestError, Statement, digest, holds, read_statement


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was when its hour was closed."""

    box_id: str
    what: str  # manifest | entries | row | audio | stray
    detail: str


@dataclass(frozen=True, slots=True)
class Auditor:
    """What is needed to look and to mend."""

    reconciler: Reconciler
    audio: bool = True  # hash recordings, too

    def run(self, engine: Engine, now_utc: str) -> Iterator[Fault]:
        """Every closed hour of every box, and rows that no entry tells of; a transaction for each, so that
        boxes are served meanwhile."""
        table = schema.manifests
        with read(engine) as db:
            query = select(table.c.box_id, table.c.epoch, table.c.n).where(
                table.c.state.not_in(("open", "waiting"))  # closed, or a word that damage made of it
            )
            keys = db.execute(query.order_by(table.c.box_id, table.c.epoch, table.c.n)).all()
        for box_id, epoch, n in keys:
            mine = (table.c.box_id == box_id, table.c.epoch == epoch, table.c.n == n)
            with write(engine) as db, _any_text(db):
                for row in db.execute(select(table).where(*mine)).mappings().all():
                    yield from list(self.audit_manifest(db, row, now_utc))
        for box_id in sorted({key[0] for key in keys}):
            with write(engine) as db, _any_text(db):
                yield from list(self._strays(db, box_id, now_utc))

    def audit_manifest(self, db: Connection, row: RowMapping, now_utc: str) -> Iterator[Fault]:
        """One closed manifest and everything it tells of."""
        box_id, name = row["box_id"], f"manifest {row['n']} of epoch {row['epoch']}"
        statement = _statement(row)
        if statement is None:
            _set(db, row, state="open")
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
            _set(db, row, state="open", items=len(off))
            detail = f"{name}, {statement.span}: {', '.join(off)}; the box is asked for them"
            yield self._fault(db, Fault(box_id, "entries", detail), now_utc)
            return
        here = here_digest(helds)
        if here != row["here"]:
            _set(db, row, here=here)
            detail = f"{name}, {statement.span}: when they arrived, or a hash; the entries are whole"
            yield self._fault(db, Fault(box_id, "entries", detail), now_utc)
        for found in helds:
            yield from self._rows(db, found, now_utc)
        yield from self._recordings(db, row, helds, now_utc)
        _set(db, row, audited_utc=now_utc)

    # -- rows

    def _rows(self, db: Connection, found: Held, now_utc: str) -> Iterator[Fault]:
        for seq in sorted(found.rows):
            row = found.rows[seq][-1]
            event = _event(row)
            if event is None:
                continue
            wrong = list(_differences(db, row, event))
            if wrong and not _superseded(db, row, event):
                self._write_anew(db, row, event)
                detail = f"{row['kind']} {_subject(event)}: {', '.join(wrong)}; written anew from its entry"
                yield self._fault(db, Fault(row["box_id"], "row", detail), now_utc)

    def _write_anew(self, db: Connection, row: RowMapping, event: Any) -> None:
        for table, key, value in _places(event):
            db.execute(table.delete().where(key == value))
        told = Told(Origin(row["box_id"], row["received_utc"]), event, row["epoch"], row["seq"])
        self.reconciler.inbox.apply[row["kind"]](db, [told])

    def _strays(self, db: Connection, box_id: str, now_utc: str) -> Iterator[Fault]:
        """Rows of calls and recordings that no entry of the box tells of."""
        inbox = schema.inbox_tables.inbox
        known: set[str] = set()
        query = select(inbox).where(inbox.c.box_id == box_id, inbox.c.code.is_(None))
        for row in db.execute(query).mappings():
            event = _event(row)
            if event is not None:
                known.add(_subject(event))
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


def _event(row: RowMapping) -> Any | None:
    """The sync event of an entry that was applied."""
    if row["code"] or is_alias(row) or row["kind"] not in EVENT_TYPES:
        return None
    try:
        return msgspec.convert(unpack_entry(bytes_of(row)).data, EVENT_TYPES[row["kind"]][0])
    except (EnvelopeError, msgspec.ValidationError):
        return None


def _subject(event: Any) -> str:
    return str(getattr(event, "recording_id", None) or getattr(event, "call_id", ""))


def _places(event: Any) -> list[tuple[Table, Any, str]]:
    """The rows that an event writes: table, key column, key."""
    if isinstance(event, CallEnded):
        return [(schema.calls, schema.calls.c.id, event.call_id)]
    if isinstance(event, RecordingReady):
        return [
            (schema.recordings, schema.recordings.c.id, event.recording_id),
            (schema.gaps, schema.gaps.c.recording_id, event.recording_id),
        ]
    return []


def _differences(db: Connection, row: RowMapping, event: Any) -> Iterator[str]:
    """What a row says otherwise than the entry it was written from."""
    if isinstance(event, CallEnded):
        yield from _row_differs(db, schema.calls, event.call_id, _wanted_call(row, event))
    elif isinstance(event, RecordingReady):
        yield from _row_differs(db, schema.recordings, event.recording_id, _wanted_recording(db, row, event))
        gaps = schema.gaps
        query = select(gaps).where(gaps.c.recording_id == event.recording_id)
        found = sorted(
            (gap["start_sample"], gap["length_samples"], gap["reason"])
            for gap in db.execute(query).mappings()
        )
        if found != sorted(dataclasses.astuple(gap) for gap in event.gaps):
            yield "gaps"
    elif isinstance(event, RecordingLost):
        wanted = {
            "call_id": event.call_id,
            "box_id": row["box_id"],
            "state": "lost",
            "lost_reason": event.reason,
        }
        if not _is_stored(db, event.recording_id):
            yield from _row_differs(db, schema.recordings, event.recording_id, wanted)


def _wanted_call(row: RowMapping, event: CallEnded) -> dict[str, object]:
    fields = {
        one.name: getattr(event, one.name) for one in dataclasses.fields(event) if one.name != "call_id"
    }
    return fields | {"box_id": row["box_id"], "received_utc": row["received_utc"]}


def _wanted_recording(db: Connection, row: RowMapping, event: RecordingReady) -> dict[str, object]:
    left_out = ("recording_id", "gaps")
    fields = {
        one.name: getattr(event, one.name) for one in dataclasses.fields(event) if one.name not in left_out
    }
    transfers = schema.inbox_tables.transfers
    done_utc = db.execute(
        select(transfers.c.done_utc).where(
            transfers.c.box_id == row["box_id"],
            transfers.c.recording_id == event.recording_id,
            transfers.c.sha256 == event.sha256,
            transfers.c.state == "stored",
        )
    ).scalar()
    state = "announced" if done_utc is None else "stored"
    key = None if done_utc is None else event.sha256
    return fields | {"box_id": row["box_id"], "state": state, "object_key": key, "stored_utc": done_utc}


def _row_differs(db: Connection, table: Table, key: str, wanted: dict[str, object]) -> Iterator[str]:
    found = db.execute(select(table).where(table.c.id == key)).mappings().one_or_none()
    if found is None:
        yield "the row is gone"
        return
    for name, value in wanted.items():
        if name in table.c and (found[name] != value or type(found[name]) is not type(value)):
            yield name


def _superseded(db: Connection, row: RowMapping, event: Any) -> bool:
    """Whether a later entry about the same subject has written the row."""
    inbox = schema.inbox_tables.inbox
    query = select(inbox).where(inbox.c.box_id == row["box_id"], inbox.c.eid > row["eid"])
    later = (_event(one) for one in db.execute(query).mappings())
    return any(
        type(one) in (type(event), RecordingLost) and _subject(one) == _subject(event) for one in later if one
    )


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
