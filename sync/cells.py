"""A customer as the cells of a sheet, and back: one form for the sheets of both ends and for their pages.

numbers    138 0013 8000；0871-6512 3456转8001        contacts   张经理|采购|13800138000；65123456|1
tags       高净值；家庭用户                                       one contact to a line; level 1 to 3 or none
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.particulars import KINDS, LEVELS, Contact, Particulars

KIND_CELLS = {"individual": "个人", "enterprise": "企业"}

_BETWEEN = re.compile(r"[;；\n]")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row says it comes from; the importer decides whether to believe it."""

    id: str
    employee_number: str = ""
    group_name: str = ""
    created_utc: str = ""


def split(cell: str) -> tuple[str, ...]:
    """The values of a cell, in order, none twice."""
    return tuple(dict.fromkeys(part.strip() for part in _BETWEEN.split(cell) if part.strip()))


def joined(values: Sequence[str]) -> str:
    """The inverse of `split`."""
    return "；".join(values)


def contacts_cell(contacts: Sequence[Contact]) -> str:
    """Contacts, one to a line."""
    return "\n".join(
        f"{one.name}|{one.title}|{joined(one.numbers)}" + (f"|{one.level}" if one.level else "")
        for one in contacts
    )


def read_contacts(cell: str) -> tuple[Contact, ...]:
    """The inverse of `contacts_cell`; what is left out is empty."""
    found = []
    for line in cell.splitlines():
        if line.strip():
            name, title, numbers = (part.strip() for part in (line + "||").split("|", 2))
            numbers, level = _level(numbers.rstrip("| "))
            found.append(Contact(name, title, split(numbers.strip("| ")), level))
    return tuple(found)


def _level(numbers: str) -> tuple[str, int]:
    """Numbers, and the level behind them; what is no level stays, and no number has a | in it."""
    plain, bar, level = numbers.rpartition("|")
    level = level.strip()
    return (plain, int(level)) if bar and level in map(str, LEVELS) else (numbers, 0)


def particulars_cells(what: Particulars, source: Source) -> tuple[str, ...]:
    """A customer in the columns of `sync.sheets.CUSTOMERS`."""
    return (
        source.id, KIND_CELLS[what.kind], what.name, joined(what.numbers), contacts_cell(what.contacts),
        what.address, what.industry, joined(what.tags), what.remark, source.employee_number,
        source.group_name, source.created_utc,
    )  # fmt: skip


def read_customer(cells: Sequence[str]) -> tuple[Particulars, Source]:
    """The inverse of `particulars_cells`; whether it can be so is for `sync.particulars.check` to say."""
    customer_id, kind, name, numbers, contacts, address, industry, tags, remark, *source = cells
    what = Particulars(
        name, key_of(kind, KIND_CELLS, KINDS), split(numbers), read_contacts(contacts), address, industry,
        split(tags), remark,
    )  # fmt: skip
    return what, Source(customer_id, *source)


def key_of(cell: str, words: Mapping[str, str], kinds: Sequence[str]) -> str:
    """The kind a cell names, in Chinese or as its key; an empty cell is the first kind."""
    if not cell:
        return kinds[0]
    return next((key for key, word in words.items() if cell in (key, word)), cell)
