"""What an administrator says of caller numbers and pop-ups: area code, access digit, the minimal card."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import astuple, dataclass
from datetime import datetime

from edge.store.operations import Operation, add_operation
from sync.db import Migrations, run_script, write
from sync.moment import to_text

migrations = Migrations("popup_settings")


@migrations()
def m001_popup_settings(db: sqlite3.Connection) -> None:
    """One row."""
    run_script(
        db,
        """
        CREATE TABLE popup_settings (
            only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
            area_code       TEXT NOT NULL,          -- 0871; empty: not told
            access_digit    TEXT NOT NULL,          -- 9 or 0 of a switchboard; empty: none
            minimal_card    INTEGER NOT NULL        -- POP-09
        );
        INSERT INTO popup_settings VALUES (1, '', '', 0)
        """,
    )


class NoSuchRule(ValueError):
    """A setting that cannot be so; the message says which."""


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How numbers are read here, and whether the minimal card is offered."""

    area_code: str = ""
    access_digit: str = ""
    offers_minimal_card: bool = False


def number_rules(db: sqlite3.Connection) -> NumberRules:
    """As last saved."""
    row = db.execute("SELECT area_code, access_digit, minimal_card FROM popup_settings").fetchone()
    return NumberRules(row[0], row[1], bool(row[2]))


def save_number_rules(db: sqlite3.Connection, rules: NumberRules, by: Operation, now: datetime) -> None:
    """Save them with their line in the operation log; NoSuchRule."""
    if not re.fullmatch(r"(0(10|2\d|[3-9]\d\d))?", rules.area_code):
        raise NoSuchRule("area_code")
    if rules.access_digit not in ("", "0", "9"):
        raise NoSuchRule("access_digit")
    with write(db):
        db.execute(
            "UPDATE popup_settings SET (area_code, access_digit, minimal_card) = (?, ?, ?)", astuple(rules)
        )
        add_operation(db, by, to_text(now))
