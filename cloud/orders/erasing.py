"""Erases what else is here of calls that were deleted: entries in inbox and quarantine, files laid aside.

Each becomes one that keeps its number, its hash and the order, so manifests stay comparable; what was noted
over the rows of a closed hour is noted anew, unless it did not hold before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine, RowMapping, select

from cloud.kept import bytes_of, held, here_digest
from cloud.reconcile import DAY_STREAM
from cloud.store import call_deletions, releases
from cloud.store.database import read, write
from cloud.store.schema import inbox_tables, manifests, recordings
from sync.envelope import ERASED, Entry, EnvelopeError, erased_bytes, facts, unpack_entry
from sync.locale import marked
from sync.manifest import HOUR, ManifestError, read_statement

BATCH = 20
WAS_DELETED = marked("A call in it was deleted by order.")
ABOUT_CALLS = "call_ended"  # the kind of entry that says who spoke, in these fields
WHO = ("caller_number", "caller_name", "dialled", "keys", "second_number", "second_name", "marks")


def sweep(engine: Engine, now_utc: str) -> int:
    """Erase what is still here of deleted calls, a transaction each; how many calls."""
    with read(engine) as db:
        tombs = call_deletions.waiting(db, BATCH)
    for tomb in tombs:
        with read(engine) as db:  # a look at all entries of the box holds up nobody who writes
            found = list(_entries_of(db, tomb))
        with write(engine) as db:
            _sweep_call(db, tomb, found, now_utc)
            call_deletions.note_swept(db, tomb["call_id"], now_utc)
    return len(tombs)


def _sweep_call(
    db: Connection, tomb: RowMapping, found: Sequence[tuple[RowMapping, Entry]], now_utc: str
) -> None:
    hours = sorted({row["at_utc"][:HOUR] for row, _ in found})
    sound = [row for row in _closed(db, tomb["box_id"], hours) if _here(db, row) == row["here"]]
    table = inbox_tables.inbox
    for row, entry in found:
        mine = (table.c.eid == row["eid"], table.c.box_id == row["box_id"])
        body = _instead(row, entry, tomb)
        db.execute(table.update().where(*mine).values(kind=ERASED, body=body))
    for row in sound:
        mine = (manifests.c.box_id == row["box_id"], manifests.c.epoch == row["epoch"])
        change = manifests.update().where(*mine, manifests.c.n == row["n"])
        db.execute(change.values(here=_here(db, row)))
    _sweep_quarantine(db, tomb)
    _withhold_files(db, tomb, now_utc)


def _withhold_files(db: Connection, tomb: RowMapping, now_utc: str) -> None:
    of_call = select(recordings.c.id).where(recordings.c.call_id == tomb["call_id"])
    ids = {tomb["call_id"], *db.execute(of_call).scalars()}
    releases.withhold_all_of(db, ids, WAS_DELETED, now_utc)


def _entries_of(db: Connection, tomb: RowMapping) -> Iterator[tuple[RowMapping, Entry]]:
    """Entries of the box that name the call, but for the last: that one tells of it without a name."""
    table = inbox_tables.inbox
    query = select(table).where(table.c.box_id == tomb["box_id"], table.c.kind == ABOUT_CALLS)
    for row in db.execute(query.execution_options(yield_per=500)).mappings():
        entry = _about(bytes_of(row), tomb["call_id"])
        if entry is not None and _says_who(entry):
            yield row, entry


def _about(body: bytes, call_id: str) -> Entry | None:
    if call_id.encode() not in body:
        return None
    try:
        entry = unpack_entry(body)
        return entry if facts(entry).get("call_id") == call_id else None
    except EnvelopeError:
        return None


def _says_who(entry: Entry) -> bool:
    said = facts(entry)
    return any(said.get(name) for name in WHO)


def _instead(row: RowMapping, entry: Entry, tomb: RowMapping) -> bytes:
    of_what = (tomb["call_id"], tomb["order_id"])
    return erased_bytes(entry.eid, entry.at, bytes_of(row), row["seq"], *of_what)


def _sweep_quarantine(db: Connection, tomb: RowMapping) -> None:
    table = inbox_tables.quarantine
    query = select(table).where(table.c.box_id == tomb["box_id"], table.c.kind == ABOUT_CALLS)
    for row in db.execute(query).mappings().all():
        entry = _about(bytes_of(row), tomb["call_id"])
        if entry is not None:
            of_what = (tomb["call_id"], tomb["order_id"])
            body = erased_bytes(entry.eid, entry.at, bytes_of(row), entry.seq, *of_what)
            db.execute(table.update().where(table.c.id == row["id"]).values(kind=ERASED, body=body))


def _closed(db: Connection, box_id: str, hours: Sequence[str]) -> Sequence[RowMapping]:
    query = select(manifests).where(manifests.c.box_id == box_id, manifests.c.span.in_(hours))
    return db.execute(query.where(manifests.c.here.is_not(None))).mappings().all()


def _here(db: Connection, row: RowMapping) -> str:
    """What is to be noted of the rows of a closed hour; "" of a manifest that cannot be read."""
    try:
        statement = read_statement(bytes_of(row))
    except ManifestError:
        return ""
    parts = [part for part in statement.parts if part.stream != DAY_STREAM]
    helds = [held(db, row["box_id"], statement.epoch, part) for part in parts]
    return here_digest(db, row["box_id"], helds, (row["received_utc"], row["closed_utc"], row["audited_utc"]))
