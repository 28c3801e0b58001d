"""Identity checks in the database: what is on record to compare with, which hold, which differed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, select

from cloud.access.guard import Person
from cloud.access.identity import LASTS, WRONG_WITHIN, Checked, Outcome
from cloud.access.subjects import call_place
from cloud.field_keys import Keyring
from cloud.store import calls
from cloud.store.customer_rows import place
from cloud.store.customer_tables import customer_numbers, customers
from cloud.store.identity_tables import identity_checks
from cloud.store.serving import numbers_of
from sync.ids import new_id
from sync.moment import to_text


def numbers_meant(db: Connection, about: Iterable[str]) -> frozenset[str]:
    """The numbers behind `about`: numbers themselves, those of a customer, those of a call."""
    found: set[str] = set()
    for one in about:
        if "-" not in one:
            found.add(one)
            continue
        found |= numbers_of(db, [one]).get(one, frozenset())
        call = calls.find_call(db, one)
        found |= call_place(call).subjects - {one} if call else set()
    return frozenset(found)


def identities_of(db: Connection, ring: Keyring, numbers: Iterable[str]) -> list[str]:
    """The identity numbers on record of whoever has one of these numbers; KeyFault."""
    statement = (
        select(customers.c.id, customers.c.identity_sealed)
        .join(customer_numbers, customer_numbers.c.customer_id == customers.c.id)
        .where(customer_numbers.c.key.in_(sorted(numbers)), customers.c.deleted_utc.is_(None))
        .distinct()
    )
    return [ring.open(sealed, place(id_, "identity")) for id_, sealed in db.execute(statement)]


def keep(
    db: Connection,
    person: Person,
    channel: str,
    numbers: Iterable[str],
    document: tuple[str, str],
    outcome: Outcome,
    now: datetime,
) -> str:
    """Keep a check of `document` (its kind, its last four); returns its id."""
    check_id = new_id()
    ends = now if outcome is Outcome.DIFFERS else now + LASTS
    row = {
        "id": check_id,
        "user_id": person.user_id,
        "user_name": person.name,
        "session": person.session,
        "channel": channel,
        "numbers": " ".join(sorted(numbers)),
        "document": document[0],
        "last4": document[1],
        "outcome": outcome.value,
        "checked_utc": to_text(now),
        "ends_utc": to_text(ends),
    }
    db.execute(identity_checks.insert().values(row))
    return check_id


def checked(db: Connection, person: Person, channel: str, now: datetime) -> Checked:
    """The checks that hold in this session on this channel."""
    statement = select(identity_checks).where(
        identity_checks.c.session == person.session,
        identity_checks.c.ends_utc > to_text(now),
        identity_checks.c.user_id == person.user_id,
        identity_checks.c.channel == channel,
    )
    rows = db.execute(statement.order_by(identity_checks.c.id)).mappings().all()
    agreed = [row for row in rows if row["outcome"] == Outcome.AGREES]
    return Checked(
        tuple(row["id"] for row in rows),
        frozenset(one for row in rows for one in row["numbers"].split()),
        frozenset(one for row in agreed for one in row["numbers"].split()),
    )


def end(db: Connection, session: str, now: datetime) -> None:
    """The conversation is over: no check of the session holds any more."""
    open_ = (identity_checks.c.session == session) & (identity_checks.c.ends_utc > to_text(now))
    db.execute(identity_checks.update().where(open_).values(ends_utc=to_text(now)))


def wrong_lately(db: Connection, user_id: str, now: datetime) -> int:
    """How many documents differed from the record for that person lately."""
    statement = select(func.count()).where(
        identity_checks.c.user_id == user_id,
        identity_checks.c.checked_utc > to_text(now - WRONG_WITHIN),
        identity_checks.c.outcome == Outcome.DIFFERS,
    )
    return int(db.execute(statement).scalar_one())
