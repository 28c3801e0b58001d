"""The API's tokens: each is somebody's, for some of their rights, until a day; shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from cloud.store.schema import api, users
from sync.ids import new_id

PREFIX = "blt_"  # so that one which was left in a text is found by searching
TOKENS = api.tokens


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be made."""

    owner_id: str
    name: str
    rights: tuple[str, ...]
    purpose: str
    expires_utc: str


def make_token(db: Connection, new: NewToken, now_utc: str) -> tuple[str, str]:
    """A new token: its id, and the token itself, which is told once."""
    token, token_id = PREFIX + secrets.token_urlsafe(32), new_id()
    row = {
        "id": token_id,
        "owner_id": new.owner_id,
        "name": new.name,
        "sha256": token_hash(token),
        "rights": json.dumps(sorted(new.rights)),
        "purpose": new.purpose,
        "created_utc": now_utc,
        "expires_utc": new.expires_utc,
    }
    db.execute(TOKENS.insert().values(row))
    return token_id, token


def token_hash(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_token(db: Connection, token: str, now_utc: str) -> RowMapping | None:
    """The live token, with its owner's `user_name`, `role`, `unit_id`, `numbers`; None for any other."""
    query = (
        select(TOKENS, users.c.name.label("user_name"), users.c.role, users.c.unit_id, users.c.numbers)
        .join(users, users.c.id == TOKENS.c.owner_id)
        .where(
            TOKENS.c.sha256 == token_hash(token),
            TOKENS.c.expires_utc > now_utc,
            TOKENS.c.revoked_utc.is_(None),
            users.c.disabled_utc.is_(None),
        )
    )
    return db.execute(query).mappings().one_or_none()


def touch_token(db: Connection, token_id: str, now_utc: str) -> None:
    """Note that it was used."""
    db.execute(TOKENS.update().where(TOKENS.c.id == token_id).values(last_used_utc=now_utc))


def tokens_of(db: Connection, owner_id: str) -> Sequence[RowMapping]:
    """That person's tokens, the newest first."""
    mine = select(TOKENS).where(TOKENS.c.owner_id == owner_id).order_by(TOKENS.c.id.desc())
    return db.execute(mine).mappings().all()


def revoke_token(db: Connection, token_id: str, owner_id: str, now_utc: str) -> bool:
    """It opens nothing from now on; False when it is not theirs, or was revoked before."""
    mine = TOKENS.update().where(
        TOKENS.c.id == token_id, TOKENS.c.owner_id == owner_id, TOKENS.c.revoked_utc.is_(None)
    )
    return db.execute(mine.values(revoked_utc=now_utc)).rowcount == 1
