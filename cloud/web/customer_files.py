"""Customers as a sheet to take away, made as all exports are, in the columns of the branch page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

from sqlalchemy import Connection

from cloud.access.decision import Ask, Verdict
from cloud.access.log import Action
from cloud.access.shapes.customers import Customer
from cloud.exporting import BATCH, Taken, Tell, Wanted, take, untold
from cloud.reading import Desk, Found
from cloud.store import customers as store
from cloud.web.customer_query import CustomerQuery
from cloud.web.customer_reading import Gathered, gather, look_of, shape_all
from cloud.web.export_file import XLSX, ExportFile, spooled
from cloud.web.parts import Parts
from sync.cells import KIND_CELLS, joined
from sync.moment import from_text, to_text
from sync.sheets import CUSTOMERS, write_sheet_into

FORM = "xlsx"
MOST_ROWS = 100_000
Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerExport:
    """Which customers somebody wants to take away."""

    ask: Ask  # to export customers
    query: CustomerQuery
    language: str = "zh"


def make(parts: Parts, desk: Desk, export: CustomerExport, tell: Tell = untold) -> ExportFile:
    """The sheet, whole; NotGiven, or TooMany when it would hold more than one file may."""
    taken = Taken()
    with ExitStack() as unless_whole:
        file = unless_whole.enter_context(spooled(parts.settings.data))
        write_sheet_into(
            file, CUSTOMERS, _told(_rows(parts, desk, export, taken), taken, tell), export.language
        )
        unless_whole.pop_all()  # whoever hands it over closes it
    return _file(parts, desk, file, taken)


def _file(parts: Parts, desk: Desk, file: IO[bytes], taken: Taken) -> ExportFile:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    day = from_text(to_text(desk.now)).astimezone(parts.settings.zone).strftime("%Y-%m-%d")
    count, grants = len(taken.shown), tuple(sorted(taken.grants))
    return ExportFile(file, f"customers-{day}-{count}-rows.xlsx", XLSX, size, count, taken.audit_id, grants)


def _rows(parts: Parts, desk: Desk, export: CustomerExport, taken: Taken) -> Iterator[Cells]:
    look = look_of(export.query, Action.EXPORT)
    for gathered, verdict in take(desk, [export.ask], look, _wanted(export.query), taken):
        for one in shape_all(gathered, verdict, parts.ring):
            yield cells_of(one)


def _told(rows: Iterator[Cells], taken: Taken, tell: Tell) -> Iterator[Cells]:
    for done, row in enumerate(rows):
        tell(done, taken.total)
        yield row


def _wanted(query: CustomerQuery) -> Wanted[Gathered]:
    def ids(db: Connection, verdict: Verdict, most: int) -> Sequence[str]:
        found: list[str] = []
        after = None
        while len(found) < most:
            some = min(BATCH, most - len(found))
            rows = store.list_customers(db, query.wanted, verdict.box_ids, "newest", after, some)
            if not rows:
                break
            found += [row["id"] for row in rows]
            after = store.Place("", rows[-1]["no"])
        return found

    return Wanted(ids=ids, rows=_fetch, most=MOST_ROWS)


def _fetch(db: Connection, ids: Sequence[str]) -> Found[Gathered]:
    rows = {row["id"]: row for row in store.customers_of(db, ids, None)}
    return gather(db, [rows[one] for one in ids if one in rows]).found()


def cells_of(one: Customer) -> Cells:
    """A customer as shown, in the columns of the sheet; what is hidden is empty."""
    fields = one.fields
    contacts = "\n".join(_contact(one, who) for who in one.contacts)
    tags = joined([tag["name"] or "" for tag in one.tags if not tag["by_rule"]])
    cells = (
        fields["id"], KIND_CELLS[fields["kind"]], fields["name"],
        joined([said or "" for said in one.numbers_of(None)]), contacts, fields["address"],
        fields["industry"], tags, fields["remark"], fields["created_by"], "", fields["created_utc"],
    )  # fmt: skip
    return tuple(cell or "" for cell in cells)


def _contact(one: Customer, who: Mapping[str, Any]) -> str:
    numbers = joined([said or "" for said in one.numbers_of(who["id"])])
    level = f"|{who['level']}" if who["level"] else ""
    return f"{who['name'] or ''}|{who['title'] or ''}|{numbers}{level}"
