"""The branch's records as the cells of a sheet, and back; a customer in the form both ends share."""

from __future__ import annotations

from collections.abc import Sequence

from edge.store.communications import KINDS as COMMUNICATION_KINDS
from edge.store.communications import Communication, Told
from edge.store.customers import Customer
from sync.cells import Source, key_of, particulars_cells

TOLD_CELLS = {"call": "电话", "sms": "短信", "visit": "拜访", "email": "邮件", "other": "其他"}
YES, NO = "是", "否"


def customer_cells(customer: Customer) -> tuple[str, ...]:
    """A customer in the columns of `sync.sheets.CUSTOMERS`."""
    author = customer.author
    source = Source(customer.id, author.employee_number, author.group_name, customer.created_utc)
    return particulars_cells(customer.particulars, source)


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
        key_of(kind, TOLD_CELLS, COMMUNICATION_KINDS), at_utc, content, subject, feedback,
        customer_id or None, customer, number, call_id or None, from_popup == YES and bool(call_id),
    )  # fmt: skip
    return told, Source(record_id, *source)
