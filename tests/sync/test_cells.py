"""A customer in the cells of a sheet and back: the same, whatever people are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cells import Source, contacts_cell, particulars_cells, read_contacts, read_customer
from sync.particulars import KINDS, LEVELS, Contact, Particulars

WORD = st.text("王小明A1 采购-", max_size=8).map(str.strip)
NAME = WORD.filter(bool)
NUMBERS = st.lists(st.text("0123456789", min_size=5, max_size=11), max_size=3, unique=True).map(tuple)
CONTACTS = st.builds(Contact, NAME, WORD, NUMBERS, st.sampled_from(LEVELS))


@given(
    st.builds(
        Particulars,
        NAME,
        st.sampled_from(KINDS),
        NUMBERS,
        st.lists(CONTACTS, max_size=3).map(tuple),
        WORD,
        WORD,
        st.lists(NAME, max_size=3, unique=True).map(tuple),
        WORD,
    ),
    st.builds(Source, WORD, WORD, WORD, WORD),
)
def test_what_is_written_is_read_back(what: Particulars, source: Source) -> None:
    assert read_customer(particulars_cells(what, source)) == (what, source)


@pytest.mark.parametrize(
    ("cell", "contact"),
    [
        ("张经理", Contact("张经理")),
        ("张经理|采购", Contact("张经理", "采购")),
        ("张经理|采购|13800138000；65123456", Contact("张经理", "采购", ("13800138000", "65123456"))),
        ("张经理|采购|13800138000|1", Contact("张经理", "采购", ("13800138000",), 1)),
        ("张经理|||3", Contact("张经理", level=3)),
        (
            "张经理|采购|13800138000|9",
            Contact("张经理", "采购", ("13800138000|9",)),
        ),  # no such level: refused
    ],
)
def test_a_contact_may_leave_out_what_is_not_known(cell: str, contact: Contact) -> None:
    assert read_contacts(cell) == (contact,)


def test_contacts_stand_one_to_a_line() -> None:
    people = (Contact("张", level=2), Contact("李", "财务", ("110",)))
    assert read_contacts(contacts_cell(people)) == people
