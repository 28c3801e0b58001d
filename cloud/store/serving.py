"""Who serves whom: of numbers or customers, those that the person serves and those that others serve.

A number makes calls clear to whoever serves its customer, so one that they wrote into the record themselves
counts only once somebody else has saved it or handed the customer over (`customer_numbers.vouched`). A local
number without its area counts for nobody: elsewhere it is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, RowMapping, select

from cloud.store.customer_tables import customer_numbers, customers

LOCAL = "local:"
AT_ONCE = 5000  # bound values of one statement


@dataclass(frozen=True, slots=True)
class Serving:
    """Of what was asked about: whom the person serves, and whom only others do."""

    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


Lookup = Callable[[Connection, str, Iterable[str]], Serving]


def numbers_served(db: Connection, user_id: str, keys: Iterable[str]) -> Serving:
    """Of these numbers (as `cloud.access.subjects` writes them) those of customers that somebody serves."""
    wanted = [key for key in set(keys) if key and not key.startswith(LOCAL)]
    found: list[RowMapping] = []
    for first in range(0, len(wanted), AT_ONCE):
        statement = (
            select(customer_numbers.c.key.label("subject"), customers.c.served_by)
            .join(customers, customers.c.id == customer_numbers.c.customer_id)
            .where(
                customer_numbers.c.key.in_(wanted[first : first + AT_ONCE]),
                customer_numbers.c.vouched,
                customers.c.served_by.is_not(None),
                customers.c.deleted_utc.is_(None),
            )
        )
        found += db.execute(statement).mappings()
    return _split(user_id, found)


def customers_served(db: Connection, user_id: str, ids: Iterable[str]) -> Serving:
    """Of these ids those of customers that somebody serves."""
    wanted = list(set(ids))
    found: list[RowMapping] = []
    for first in range(0, len(wanted), AT_ONCE):
        statement = select(customers.c.id.label("subject"), customers.c.served_by).where(
            customers.c.id.in_(wanted[first : first + AT_ONCE]),
            customers.c.served_by.is_not(None),
            customers.c.deleted_utc.is_(None),
        )
        found += db.execute(statement).mappings()
    return _split(user_id, found)


# Kind of record -> by what its rows are somebody's. A customer is theirs by its id alone: two may share a
# number.
LOOKUPS: Mapping[str, Lookup] = MappingProxyType(
    {"calls": numbers_served, "recordings": numbers_served, "customers": customers_served}
)


def numbers_of(db: Connection, ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """Customer -> its numbers that count, of those of `ids` that are customers."""
    statement = select(customer_numbers.c.customer_id, customer_numbers.c.key).where(
        customer_numbers.c.customer_id.in_(list(ids)),
        customer_numbers.c.vouched,
        customer_numbers.c.key.not_like(f"{LOCAL}%"),
    )
    found: dict[str, frozenset[str]] = {}
    for row in db.execute(statement).mappings():
        found[row["customer_id"]] = found.get(row["customer_id"], frozenset()) | {row["key"]}
    return found


def hand_over(db: Connection, ids: Sequence[str], user_id: str | None) -> dict[str, str | None]:
    """Let `user_id` serve these customers (None: nobody); who served those that change hands before.

    Whoever hands over vouches for the numbers as they stand.
    """
    statement = select(customers.c.id, customers.c.served_by).where(
        customers.c.id.in_(ids), customers.c.deleted_utc.is_(None)
    )
    before = {id_: served_by for id_, served_by in db.execute(statement) if served_by != user_id}
    changed = list(before)
    db.execute(customers.update().where(customers.c.id.in_(changed)).values(served_by=user_id))
    vouch(db, changed)
    return before


def vouch(db: Connection, ids: Sequence[str]) -> list[str]:
    """Let all numbers of these customers count; those of whom some did not."""
    not_yet = customer_numbers.c.customer_id.in_(ids) & customer_numbers.c.vouched.is_(False)
    statement = customer_numbers.update().where(not_yet).values(vouched=True)
    done = db.execute(statement.returning(customer_numbers.c.customer_id)).scalars()
    return sorted(set(done))


def _split(user_id: str, found: Sequence[RowMapping]) -> Serving:
    own = frozenset(row["subject"] for row in found if row["served_by"] == user_id)
    return Serving(own, frozenset(row["subject"] for row in found) - own)
