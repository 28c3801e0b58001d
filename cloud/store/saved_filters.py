"""Filters of lists that people keep under a name, each person their own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, RowMapping, Table, Text, func, select

from cloud.store.metadata import metadata
from sync.ids import new_id

MOST_FILTERS = 20  # of one person and list

saved_filters = Table(
    "saved_filters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("page", Text, nullable=False),  # the path of the list
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),  # as it stands in the address
    Column("created_utc", Text, nullable=False),
    Index("saved_filters_by_user", "user_id", "page", "name", unique=True),
)


def filters_of(db: Connection, user_id: str, page: str) -> Sequence[RowMapping]:
    """A person's own filters of that list, by name."""
    mine = (saved_filters.c.user_id == user_id, saved_filters.c.page == page)
    return db.execute(select(saved_filters).where(*mine).order_by(saved_filters.c.name)).mappings().all()


def save_filter(db: Connection, user_id: str, page: str, name: str, query: str, now_utc: str) -> bool:
    """Keep a filter, in place of the one of that name; False when the person has as many as there may be."""
    mine = (saved_filters.c.user_id == user_id, saved_filters.c.page == page)
    named = (*mine, saved_filters.c.name == name)
    if db.execute(saved_filters.update().where(*named).values(query=query)).rowcount:
        return True
    count = db.execute(select(func.count()).select_from(saved_filters).where(*mine)).scalar_one()
    if count >= MOST_FILTERS:
        return False
    row = {"id": new_id(), "user_id": user_id, "page": page, "name": name, "query": query}
    db.execute(saved_filters.insert().values(**row, created_utc=now_utc))
    return True


def delete_filter(db: Connection, user_id: str, filter_id: str) -> bool:
    """Let a person's own filter go; False when there is none."""
    mine = (saved_filters.c.id == filter_id, saved_filters.c.user_id == user_id)
    return bool(db.execute(saved_filters.delete().where(*mine)).rowcount)
