"""What reconciling costs and finds: a day of hours closed after contact, bits flipped on both sides."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cloud.apply import APPLY
from cloud.audit import Auditor
from cloud.reconcile import Answer, Reconciler
from cloud.store.database import DatabaseUnusable, open_engine
from cloud.store.schema import inbox_tables
from edge.verify import examine
from sync import outbox
from sync.arriving import Origin
from sync.db import write
from sync.events import ClockMeasured, GapFact, RecordingLost, RecordingReady
from sync.ids import new_id
from sync.inbox import Inbox
from sync.keys import key_in
from tests.benchmarks.figures import Figure
from tests.edge.sealed_box import SealedBox, furnish
from tests.sync.station import Box, Office, Station, call_ended, until

HOURS = 24
CALLS = 240  # an hour: eight busy lines; every tenth is recorded
FLIPS = int(os.environ.get("MANIFEST_FLIPS", "600"))  # that change a value, on each side
CLOSE_WITHIN_S = 15 * 60
AT = "2026-11-20T00:00:00.000Z"
OFFICE_TABLES = ("inbox", "calls", "recordings", "gaps", "transfers", "manifests", "box_clocks")
BOX_TABLES = ("calls", "recordings", "gaps", "outbox", "outbox_files", "seal_links")


def measure() -> list[Figure]:
    """A day closed over a real broker; then flips in copies of both databases and in audio."""
    with TemporaryDirectory() as folder:
        station = Station(Path(folder))
        station.start_broker()
        try:
            figures = closing_hours(station)
        finally:
            station.kill_broker()
        return figures + flipped_at_head_office(station) + flipped_at_the_box(Path(folder) / "sealed")


class Counting(Reconciler):
    """A reconciler that counts the bytes it is told and says."""

    heard = 0
    said = 0

    def answer(self, db: Connection, origin: Origin, payload: bytes) -> list[Answer]:
        """See Reconciler."""
        answers = super().answer(db, origin, payload)
        Counting.heard += len(payload)
        Counting.said += sum(len(one) for _, one in answers)
        return answers


def closing_hours(station: Station) -> list[Figure]:
    """A box that was away for a day, from contact until both sides have closed every hour."""
    box, office = station.box(), station.office()
    office.ingest._entries.reconciler = Counting(
        office.reconciler.inbox, office.reconciler.objects, office.reconciler.witness
    )
    write_a_day(box)
    entries = outbox.waiting(box.db).entries
    (written,) = box.db.execute("SELECT sum(length(body)) FROM outbox").fetchone()
    begun_s = time.monotonic()
    until(lambda: all_closed(box, office), box, office, within_s=CLOSE_WITHIN_S)
    took_s = time.monotonic() - begun_s
    states = [row["state"] for row in office.rows("manifests") if len(str(row["span"])) == 13]
    sent = box.syncer._entries_reach.link.published_bytes - Counting.heard
    box.close()
    office.close()
    closed = 100 * states.count("closed") / len(states)
    return [
        Figure(f"G11 hours closed of {HOURS}, {entries} entries", closed, "%", target=100.0, at_least=True),
        Figure("G11 from contact to the last hour closed", took_s, "s", target=CLOSE_WITHIN_S),
        Figure("G11 manifests, both ways, against entries as written", Counting.heard + Counting.said, "B",
               baseline=written, ratio_target=0.01),
        Figure("G11 the same, against entries as deflated and sent", Counting.heard + Counting.said, "B",
               baseline=sent),
    ]  # fmt: skip


def write_a_day(box: Box) -> None:
    """Calls as the recorder tells of them, some with a recording."""
    for hour in range(HOURS):
        with write(box.db):
            drift = ClockMeasured(outbox.epoch_of(box.db), hour * CALLS, None, 100 + hour, 20, "measured")
            outbox.put(box.db, drift, f"2026-11-20T{hour:02}:00:00.000Z")
            for number in range(CALLS):
                at_utc = f"2026-11-20T{hour:02}:{number * 60 // CALLS:02}:{number % 60:02}.000Z"
                call = replace(call_ended(f"138{hour:03}{number:05}"), started_utc=at_utc, ended_utc=at_utc)
                outbox.put(box.db, call, at_utc)
                if number % 10 == 0:
                    _record(box, call.call_id, at_utc)
                if number % 40 == 1:
                    outbox.put(box.db, RecordingLost(new_id(), call.call_id, "disk_full"), at_utc)


def _record(box: Box, call_id: str, at_utc: str) -> None:
    data, recording_id = os.urandom(2000), new_id()
    sha256 = hashlib.sha256(data).hexdigest()
    (box.settings.recordings_dir / f"{recording_id}.flac").write_bytes(data)
    gaps = (GapFact(1000, 20, "overrun"), GapFact(4000, 160, "device_lost"))
    ready = RecordingReady(recording_id, call_id, at_utc, 8000, 8000, "flac", len(data), sha256, gaps)
    outbox.put(box.db, ready, at_utc)
    outbox.put_file(box.db, recording_id, f"{recording_id}.flac", len(data), sha256)


def all_closed(box: Box, office: Office) -> bool:
    """Whether every manifest of the box is closed on both sides."""
    states = {row[0] for row in box.db.execute("SELECT state FROM manifests")}
    return (
        states == {"closed"}
        and box.owes == 0
        and {row["state"] for row in office.rows("manifests")} == states
    )


# -- bit flips


def flipped_at_head_office(station: Station) -> list[Figure]:
    """Single bits in copies of head office's database, and in stored recordings; a smaller day is enough."""
    small = shrunk(station)
    chance = random.Random(1)

    def audit() -> bool:
        objects = station.office_settings.objects
        engine = open_engine(f"sqlite:///{small.with_name('flipped.db')}")
        reconciler = Reconciler(Inbox(inbox_tables, APPLY), objects, key_in(station.folder / "witness.key"))
        try:
            return any(True for _ in Auditor(reconciler).run(engine, AT))
        finally:
            engine.dispose()

    values = flip_database(small, OFFICE_TABLES, audit, chance)
    audio = flip_audio(station.folder / "objects" / "objects", small, audit, chance)
    return [*_figures("head office's database", *values), Figure(
        f"G12 bits flipped in recordings that were found, of {audio[1]}", 100 * audio[0] / audio[1], "%",
        target=100.0, at_least=True)]  # fmt: skip


def shrunk(station: Station) -> Path:
    """A copy of head office's database with one closed hour, so that an audit takes milliseconds."""
    small = station.folder / "small.db"
    with closing(sqlite3.connect(station.folder / "head-office.db")) as db:
        db.execute("VACUUM INTO ?", (str(small),))
    with closing(sqlite3.connect(small)) as db:
        later = "SELECT n FROM manifests WHERE length(span) != 13 OR span > '2026-11-20T00'"
        db.executescript(
            f"""
            DELETE FROM inbox WHERE at_utc > '2026-11-20T01';
            DELETE FROM calls WHERE started_utc > '2026-11-20T01';
            DELETE FROM recordings WHERE call_id NOT IN (SELECT id FROM calls);
            DELETE FROM transfers WHERE recording_id NOT IN (SELECT id FROM recordings);
            DELETE FROM gaps WHERE recording_id NOT IN (SELECT id FROM recordings);
            DELETE FROM box_clocks WHERE after_seq > 0;
            UPDATE box_clocks SET upto_seq = NULL;
            DELETE FROM manifests WHERE n IN ({later});
            VACUUM;
            """
        )
    return small


def flipped_at_the_box(folder: Path) -> list[Figure]:
    """The same in copies of a branch database, looked at by `edge verify`."""
    furnish(folder)
    box = SealedBox(folder)
    box.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    box.db.close()
    flipped = folder / "flipped.db"

    def verify() -> bool:
        return any(True for _ in examine(flipped, box.audio, settle_s=0.0))

    return _figures("a branch's database", *flip_database(box.database, BOX_TABLES, verify, random.Random(2)))


def flip_database(
    database: Path, tables: tuple[str, ...], look: Callable[[], bool], chance: random.Random
) -> tuple[int, int, int]:
    """(flips that changed a value, of these found by us, of these found by SQLite's own check)."""
    original = database.read_bytes()
    wanted = _values(database, tables)
    changed = ours = theirs = 0
    flipped = database.with_name("flipped.db")
    while changed < FLIPS:
        at = chance.randrange(8 * len(original))
        damaged = bytearray(original)
        damaged[at // 8] ^= 1 << at % 8
        _put(flipped, damaged)
        if _values(flipped, tables) == wanted:
            continue
        changed += 1
        theirs += not _integrity_ok(flipped)
        _put(flipped, damaged)
        try:
            ours += look()
        except (
            SQLAlchemyError,
            DatabaseUnusable,
            CommandError,
            sqlite3.Error,
            OSError,
            ValueError,
            TypeError,
        ):
            ours += 1  # it cannot even be read: nobody takes that for well
    return changed, ours, theirs


def flip_audio(
    folder: Path, database: Path, look: Callable[[], bool], chance: random.Random
) -> tuple[int, int]:
    """(found, flipped): a bit in a recording of the hours that are left."""
    with closing(sqlite3.connect(database)) as db:
        keys = [key for (key,) in db.execute("SELECT object_key FROM recordings WHERE state = 'stored'")]
    found = count = 0
    for _ in range(FLIPS // 3):
        path = folder / keys[chance.randrange(len(keys))][:2]
        path = next(one for one in path.iterdir() if one.name in keys)
        good = path.read_bytes()
        at = chance.randrange(8 * len(good))
        path.write_bytes(good[: at // 8] + bytes([good[at // 8] ^ 1 << at % 8]) + good[at // 8 + 1 :])
        _put(database.with_name("flipped.db"), database.read_bytes())
        found += look()
        count += 1
        path.write_bytes(good)
    return found, count


def _put(path: Path, content: bytes | bytearray) -> None:
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    path.write_bytes(content)


def _values(path: Path, tables: tuple[str, ...]) -> object:
    """Every value of these tables, as SQLite reads them; what it says instead if it cannot."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        db.text_factory = bytes
        try:
            return [list(_rows(db, table)) for table in tables]
        except (sqlite3.Error, UnicodeError) as error:  # its words about a damaged schema may be damaged, too
            return str(error)


def _rows(db: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    yield from db.execute(f"SELECT * FROM {table} NOT INDEXED")


def _integrity_ok(path: Path) -> bool:
    with suppress(sqlite3.Error, UnicodeError), closing(sqlite3.connect(path)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    return False


def _figures(where: str, changed: int, ours: int, theirs: int) -> list[Figure]:
    name = f"G12 bits flipped in {where} that changed a value and were found, of {changed}"
    share, baseline = 100 * ours / changed, 100 * theirs / changed
    return [Figure(f"{name}; against SQLite's own check", share, "%", baseline, target=100.0, at_least=True)]
