"""Customers and communications as the cells of a sheet, and back: one form for export, import and pages.

numbers    138 0013 8000；0871-6512 3456转8001        contacts   张经理|采购|13800138000；65123456
tags       高净值；家庭用户                                       one contact to a line
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.store.communications import KINDS as COMMUNICATION_KINDS
from edge.store.communications import Communication, Told
from edge.store.customers import Customer
from edge.store.particulars import KINDS, Contact, Particulars

KIND_CELLS = {"individual": "个人", "enterprise": "企业"}
TOLD_CELLS = {"call": "电话", "sms": "短信", "visit": "拜访", "email": "邮件", "other": "其他"}
YES, NO = "是", "否"

_BETWEEN = re.compile(r"[;；\n]")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row says it comes from; the importer decides whether to believe it."""

    id: str
    employee_number: str
    group_name: str
    created_utc: str


def split(cell: str) -> tuple[str, ...]:
    """The values of a cell, in order, none twice."""
    return tuple(dict.fromkeys(part.strip() for part in _BETWEEN.split(cell) if part.strip()))


def joined(values: Sequence[str]) -> str:
    """The inverse of `split`."""
    return "；".join(values)


def contacts_cell(contacts: Sequence[Contact]) -> str:
    """Contacts, one to a line."""
    return "\n".join(f"{one.name}|{one.title}|{joined(one.numbers)}" for one in contacts)


def read_contacts(cell: str) -> tuple[Contact, ...]:
    """The inverse of `contacts_cell`; what is left out is empty."""
    found = []
    for line in cell.splitlines():
        if line.strip():
            name, title, numbers = (part.strip() for part in (line + "||").split("|", 2))
            found.append(Contact(name, title, split(numbers.strip("| "))))
    return tuple(found)


def customer_cells(customer: Customer) -> tuple[str, ...]:
    """A customer in the columns of `sync.sheets.CUSTOMERS`."""
    what = customer.particulars
    return (
        customer.id, KIND_CELLS[what.kind], what.name, joined(what.numbers), contacts_cell(what.contacts),
        what.address, what.industry, joined(what.tags), what.remark, customer.author.employee_number,
        customer.author.group_name, customer.created_utc,
    )  # fmt: skip


def read_customer(cells: Sequence[str]) -> tuple[Particulars, Source]:
    """The inverse of `customer_cells`; whether it can be so is for `customers.check` to say."""
    customer_id, kind, name, numbers, contacts, address, industry, tags, remark, *source = cells
    what = Particulars(
        name, _key(kind, KIND_CELLS, KINDS), split(numbers), read_contacts(contacts), address, industry,
        split(tags), remark,
    )  # fmt: skip
    return what, Source(customer_id, *source)


def communication_cells(one: Communication) -> tuple[str, ...]:
    """A communication in the columns of `sync.sheets.COMMUNICATIONS`."""
    told = one.told
    return (
        one.id, TOLD_CELLS[told.kind], told.at_utc, told.customer_id or "", told.customer_name, told.number,
        told.subject, told.content, told.feedback, told.call_id or "", YES if told.from_popup else NO,
        one.author.employee_number, one.author.group_name, one.created_utc,
    )  # fmt: skip


def read_communication(cells: Sequence[str]) -> tuple[Told, Source]:
    """The inverse of `communication_cells`."""
    record_id, kind, at_utc, customer_id, customer, number, subject, content, feedback, call_id, *rest = cells
    from_popup, *source = rest
    told = Told(
        _key(kind, TOLD_CELLS, COMMUNICATION_KINDS), at_utc, content, subject, feedback, customer_id or None,
        customer, number, call_id or None, from_popup == YES and bool(call_id),
    )  # fmt: skip
    return told, Source(record_id, *source)


def _key(cell: str, words: Mapping[str, str], kinds: Sequence[str]) -> str:
    """The kind a cell names, in Chinese or as its key; an empty cell is the first kind."""
    if not cell:
        return kinds[0]
    return next((key for key, word in words.items() if cell in (key, word)), cell)
