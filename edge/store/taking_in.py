"""Rows of a sheet judged before any is added: what each would become, or the reason why it cannot.

An importer who sees everything may restore records as they were, with their authors and their calls; anybody
else becomes the author of what they import, so that a sheet gives nobody a record, or a recording, of others.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from edge.store import communications, customers
from edge.store.cells import read_communication
from edge.store.communications import UnfitCommunication
from edge.store.popup_settings import NumberRules
from edge.store.scope import Author
from sync.cells import Source, read_customer
from sync.ids import new_id
from sync.moment import from_text, to_text
from sync.particulars import Unfit
from sync.particulars import check as check_particulars

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")

Insert = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports, and into which table's scope."""

    author: Author
    sees_all: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: the insert it would be, or a word for why not."""

    insert: Insert | None
    fault: str = ""


class _Fault(ValueError):
    """A row that cannot be; the message is a word of edge.web.records.FAULT_WORDS."""


class Judge:
    """Judges the rows of one sheet; remembers their ids, since none may stand twice."""

    def __init__(
        self, db: sqlite3.Connection, importer: Importer, rules: NumberRules, now: datetime, import_id: str
    ) -> None:
        self._db, self._importer, self._rules = db, importer, rules
        self._now_utc, self._import_id = to_text(now), import_id
        self._seen: set[str] = set()
        self._groups = {row[1]: row[0] for row in db.execute("SELECT id, name FROM groups")}

    def customer(self, cells: Sequence[str]) -> Judged:
        """A row of `sync.sheets.CUSTOMERS`."""
        what, source = read_customer(cells)
        try:
            what = check_particulars(what)
            author, created_utc = self._author(source)
            row_id = self._id(source, "customers")
        except (Unfit, _Fault) as error:
            return Judged(None, str(error))
        row = customers.new_row(row_id, what, author, created_utc, self._now_utc, self._import_id)
        numbers, who = customers.number_rows(what, self._rules), self._importer.author.user_name
        return Judged(partial(customers.insert, self._db, row, numbers, who))

    def communication(self, cells: Sequence[str]) -> Judged:
        """A row of `sync.sheets.COMMUNICATIONS`."""
        told, source = read_communication(cells)
        try:
            told = communications.check(replace(told, at_utc=told.at_utc or self._now_utc))
            author, created_utc = self._author(source)
            row_id = self._id(source, "communications")
        except (UnfitCommunication, _Fault) as error:
            return Judged(None, str(error))
        if not self._importer.sees_all:
            told = replace(told, call_id=None, from_popup=False)
        row = communications.new_row(row_id, told, author, created_utc, self._import_id)
        return Judged(partial(communications.insert, self._db, row, self._now_utc))

    def _author(self, source: Source) -> tuple[Author, str]:
        """The author and time a row is added with."""
        mine = self._importer.author
        if not self._importer.sees_all or not source.employee_number:
            return mine, self._now_utc
        try:
            created_utc = to_text(from_text(source.created_utc)) if source.created_utc else self._now_utc
        except ValueError as error:
            raise _Fault("no_time") from error
        number, group = source.employee_number, source.group_name
        return Author(mine.user_name, number, self._groups.get(group), group), created_utc

    def _id(self, source: Source, table: str) -> str:
        if not source.id:
            return new_id()
        if not _ID.fullmatch(source.id):
            raise _Fault("bad_id")
        if source.id in self._seen:
            raise _Fault("id_twice")
        if self._db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (source.id,)).fetchone():
            raise _Fault("known_id")
        self._seen.add(source.id)
        return source.id
