"""The branch database: its tables, as numbered migrations.

One SQLite file is all that the recorder, the page and the syncer share, audio files and the ring apart.
Times are UTC text with milliseconds (`sync.moment`), so they sort as text; flags are 0 / 1.
The outbox tables are sync's own (`sync.outbox.migrations`).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge.store.call_search import migrations as call_search_migrations
from edge.store.communications import migrations as communications_migrations
from edge.store.customers_tables import migrations as customers_migrations
from edge.store.erasures import migrations as erasures_migrations
from edge.store.hat_events import migrations as hat_events_migrations
from edge.store.imports import migrations as imports_migrations
from edge.store.line_settings import migrations as line_settings_migrations
from edge.store.lines import migrations as lines_migrations
from edge.store.manifests import migrations as manifests_migrations
from edge.store.marks import migrations as marks_migrations
from edge.store.notes import migrations as notes_migrations
from edge.store.on_hook import migrations as on_hook_migrations
from edge.store.orders import migrations as orders_migrations
from edge.store.popup_settings import migrations as popup_settings_migrations
from edge.store.requests import migrations as requests_migrations
from edge.store.retention import migrations as retention_migrations
from edge.store.seals import migrations as seals_migrations
from edge.store.stretches import migrations as stretches_migrations
from edge.store.users_tables import migrations as users_migrations
from sync.db import Migrations, connect, migrate, run_script
from sync.outbox import migrations as outbox_migrations
from sync.uploads import migrations as uploads_migrations

migrations = Migrations("edge")


@migrations()
def m001_first_call(db: sqlite3.Connection) -> None:
    """Lines, calls, recordings and their gaps, health states."""
    run_script(
        db,
        """
        CREATE TABLE lines (            -- as they are now; the recorder writes, the page reads
            line            INTEGER PRIMARY KEY,
            name            TEXT NOT NULL,
            state           TEXT NOT NULL,          -- edge.calls.LineState values
            since_utc       TEXT NOT NULL,
            call_id         TEXT,                   -- the call in progress, if any
            hook_known      INTEGER NOT NULL DEFAULT 1,
            audio_known     INTEGER NOT NULL DEFAULT 1
        );
        CREATE TABLE calls (
            id              TEXT PRIMARY KEY,
            line            INTEGER NOT NULL,
            line_name       TEXT NOT NULL,
            state           TEXT NOT NULL,          -- open | ended
            direction       TEXT NOT NULL,          -- in | out | unknown
            outcome         TEXT NOT NULL,          -- edge.outcomes, or open
            started_utc     TEXT NOT NULL,
            answered_utc    TEXT,
            ended_utc       TEXT,
            duration_ms     INTEGER NOT NULL DEFAULT 0,
            ring_count      INTEGER NOT NULL DEFAULT 0,
            caller_number   TEXT,
            caller_name     TEXT,
            caller_presentation TEXT,               -- available | withheld | unavailable | failed
            caller_standard TEXT,
            dialled         TEXT,
            keys            TEXT,
            end_reason      TEXT,
            hook_known      INTEGER NOT NULL DEFAULT 1,
            clock_quality   TEXT NOT NULL DEFAULT 'unknown'
        );
        CREATE INDEX calls_by_start ON calls (started_utc DESC, id DESC);
        CREATE INDEX calls_by_line ON calls (line, started_utc DESC);
        CREATE INDEX calls_by_number ON calls (caller_number, started_utc DESC);
        CREATE INDEX calls_open ON calls (state) WHERE state = 'open';
        CREATE TABLE recordings (
            id              TEXT PRIMARY KEY,
            call_id         TEXT NOT NULL REFERENCES calls (id),
            state           TEXT NOT NULL,          -- recording | part | ready | lost
            file            TEXT NOT NULL,          -- name below the recordings folder
            started_utc     TEXT NOT NULL,
            rate_hz         INTEGER NOT NULL,
            samples         INTEGER NOT NULL DEFAULT 0,
            codec           TEXT,                   -- flac when ready
            size_bytes      INTEGER,
            sha256          TEXT
        );
        CREATE INDEX recordings_by_call ON recordings (call_id);
        CREATE INDEX recordings_unfinished ON recordings (state) WHERE state IN ('recording', 'part');
        CREATE TABLE gaps (
            recording_id    TEXT NOT NULL REFERENCES recordings (id),
            start_sample    INTEGER NOT NULL,
            length_samples  INTEGER NOT NULL,
            reason          TEXT NOT NULL,
            PRIMARY KEY (recording_id, start_sample)
        );
        CREATE TABLE health (           -- states with a start and an end, never an exception
            id              INTEGER PRIMARY KEY,
            part            TEXT NOT NULL,          -- e.g. audio:hat0, readings:hat0, head_office
            state           TEXT NOT NULL,          -- lost
            since_utc       TEXT NOT NULL,
            until_utc       TEXT,                   -- NULL while it lasts
            detail          TEXT NOT NULL DEFAULT ''
        );
        CREATE UNIQUE INDEX health_now ON health (part) WHERE until_utc IS NULL
        """,
    )


MIGRATIONS = (
    migrations,
    users_migrations,
    notes_migrations,
    outbox_migrations,
    seals_migrations,
    retention_migrations,
    requests_migrations,
    customers_migrations,
    communications_migrations,
    imports_migrations,
    popup_settings_migrations,
    line_settings_migrations,
    uploads_migrations,
    manifests_migrations,
    stretches_migrations,
    on_hook_migrations,
    marks_migrations,
    hat_events_migrations,
    lines_migrations,
    call_search_migrations,
    orders_migrations,
    erasures_migrations,
)


def open_store(path: Path | str) -> sqlite3.Connection:
    """Open the branch database, bringing its tables up to date."""
    db = connect(path)
    migrate(db, *MIGRATIONS)
    return db
