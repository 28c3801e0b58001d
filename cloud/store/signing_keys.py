"""Secrets that all of head office's processes share, each made by whoever needs it first."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from cloud.store.call_tables import signing_keys
from cloud.store.database import read, write

BYTES = 32


def secret_of(engine: Engine, name: str) -> bytes:
    """The secret of that name; the same for ever and for every process."""
    found = _find(engine, name)
    if found is not None:
        return found
    try:
        with write(engine) as db:
            db.execute(signing_keys.insert().values(name=name, secret=secrets.token_bytes(BYTES)))
    except IntegrityError:  # another process was quicker
        pass
    made = _find(engine, name)
    assert made is not None
    return made


def _find(engine: Engine, name: str) -> bytes | None:
    with read(engine) as db:
        found = db.execute(select(signing_keys.c.secret).where(signing_keys.c.name == name)).scalar()
    return None if found is None else bytes(found)
