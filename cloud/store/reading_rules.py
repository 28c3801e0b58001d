"""The rules of reading that differ from the defaults, one row each."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Connection, Table, Text, select

from cloud.access.rules import DEFAULTS, SETTINGS, Rules, rules_of
from cloud.store.metadata import metadata

reading_rules = Table(
    "reading_rules",
    metadata,
    Column("key", Text, primary_key=True),  # of cloud.access.rules.SETTINGS
    Column("value", Text, nullable=False),
    Column("changed_utc", Text, nullable=False),
    Column("changed_by", Text, nullable=False),
)


def read_rules(db: Connection) -> Rules:
    """What holds now."""
    rows = {key: value for key, value in db.execute(select(reading_rules.c.key, reading_rules.c.value))}
    return rules_of(rows) if rows else DEFAULTS


def values_now(db: Connection) -> dict[str, str]:
    """Every rule as it is set."""
    rows = {key: value for key, value in db.execute(select(reading_rules.c.key, reading_rules.c.value))}
    return {key: rows.get(key, setting.default) for key, setting in SETTINGS.items()}


def set_rules(db: Connection, changed: Mapping[str, str], by: str, now_utc: str) -> None:
    """Set these rules; one set to its default has no row any more."""
    db.execute(reading_rules.delete().where(reading_rules.c.key.in_(list(changed))))
    rows = [
        {"key": key, "value": value, "changed_utc": now_utc, "changed_by": by}
        for key, value in changed.items()
        if value != SETTINGS[key].default
    ]
    if rows:
        db.execute(reading_rules.insert(), rows)
