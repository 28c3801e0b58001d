"""The tables of customers: the record, its numbers as keys, each change, and the search index.

Apart from `edge.store.customers`, which reads and writes them: tables change seldom.
"""

from __future__ import annotations

import sqlite3

from sync.db import Migrations, run_script
from sync.search import index_script

migrations = Migrations("customers")


@migrations()
def m001_customers(db: sqlite3.Connection) -> None:
    """Customers, their numbers, their changes."""
    run_script(
        db,
        """
        CREATE TABLE customers (
            no              INTEGER PRIMARY KEY AUTOINCREMENT,
            id              TEXT NOT NULL UNIQUE,
            kind            TEXT NOT NULL,          -- individual | enterprise
            name            TEXT NOT NULL,
            numbers         TEXT NOT NULL,          -- JSON list, as people wrote them
            contacts        TEXT NOT NULL,          -- JSON list of {name, title, numbers}
            address         TEXT NOT NULL,
            industry        TEXT NOT NULL,
            tags            TEXT NOT NULL,          -- JSON list
            remark          TEXT NOT NULL,
            creator_name    TEXT NOT NULL,
            creator_number  TEXT NOT NULL,          -- employee number when it was added (POP-10)
            creator_group_id TEXT,                  -- group when it was added
            creator_group   TEXT NOT NULL,          -- its name then
            created_utc     TEXT NOT NULL,
            changed_utc     TEXT NOT NULL,
            revision        INTEGER NOT NULL DEFAULT 1,
            import_id       TEXT,
            deleted_utc     TEXT,
            terms           TEXT NOT NULL
        );
        CREATE INDEX customers_by_creator ON customers (creator_number, no) WHERE deleted_utc IS NULL;
        CREATE INDEX customers_by_group ON customers (creator_group_id, no) WHERE deleted_utc IS NULL;
        CREATE INDEX customers_by_import ON customers (import_id) WHERE import_id IS NOT NULL;
        CREATE TABLE customer_numbers (
            key             TEXT NOT NULL,          -- sync.phone.Number.keys
            customer_no     INTEGER NOT NULL REFERENCES customers (no) ON DELETE CASCADE,
            said            TEXT NOT NULL,
            PRIMARY KEY (key, customer_no, said)
        ) WITHOUT ROWID;
        CREATE INDEX customer_numbers_by_customer ON customer_numbers (customer_no);
        CREATE TABLE customer_changes (
            id              INTEGER PRIMARY KEY,
            customer_id     TEXT NOT NULL,
            at_utc          TEXT NOT NULL,
            user_name       TEXT NOT NULL,
            what            TEXT NOT NULL,          -- changed | deleted
            fields          TEXT NOT NULL           -- JSON: {field: [old, new]}
        );
        CREATE INDEX customer_changes_by_customer ON customer_changes (customer_id, id);
        """
        + index_script("customers", "no"),
    )


@migrations()
def m_told(db: sqlite3.Connection) -> None:
    """Which revision of a customer head office has been told of; 0: none, as of those from before."""
    run_script(
        db,
        """
        ALTER TABLE customers ADD COLUMN told_revision INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX customers_untold ON customers (no) WHERE told_revision < revision;
        """,
    )
