"""Rows of a sheet judged before any is added: what each would become, or the word for why it cannot.

The sheet is that of the branch page (`sync.sheets.CUSTOMERS`), column for column, so what a branch has
exported goes in here as it is: with its ids, and with who added each record and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cloud.customers.record import Record, check
from sync.cells import Source, particulars_cells, read_customer
from sync.moment import from_text, to_text
from sync.particulars import Unfit

FAULTS = ("known_id", "id_twice", "bad_id", "no_time")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: the record it would be, or a word for why not."""

    record: Record | None
    source: Source
    fault: str = ""


def judge(rows: Iterable[Sequence[str]], known_ids: frozenset[str] | set[str]) -> Iterator[Judged]:
    """Each row of cells, judged; none of `known_ids` may come again, and none twice."""
    seen: set[str] = set()
    for cells in rows:
        what, source = read_customer(cells)
        fault = _fault(source, known_ids, seen)
        seen.add(source.id)
        try:
            record = check(Record(what))
        except Unfit as error:
            fault = fault or str(error)
        yield Judged(None, source, fault) if fault else Judged(record, source)


def ids_in(rows: Iterable[Sequence[str]]) -> list[str]:
    """The ids that a sheet names."""
    return [cells[0] for cells in rows if cells[0]]


def cells_of(what_shown: Record, source: Source) -> tuple[str, ...]:
    """A customer as a row of the sheet."""
    return particulars_cells(what_shown.what, source)


def _fault(source: Source, known_ids: frozenset[str] | set[str], seen: set[str]) -> str:
    if source.id:
        if not _ID.fullmatch(source.id):
            return "bad_id"
        if source.id in known_ids:
            return "known_id"
        if source.id in seen:
            return "id_twice"
    try:
        if source.created_utc and to_text(from_text(source.created_utc)) != source.created_utc:
            return "no_time"
    except ValueError:
        return "no_time"
    return ""
