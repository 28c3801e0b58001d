"""The one collection of head office's tables, which each file of tables adds to; how indexes are named."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_unique_%(column_0_N_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_names_%(referred_table_name)s",
        "pk": "%(table_name)s_key",
    }
)
