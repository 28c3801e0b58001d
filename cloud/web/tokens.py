"""API tokens: made for oneself, shown once, taken back; as part of the page 接口 and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.log import Action
from cloud.access.purposes import may_name
from cloud.access.tokens import TokenRefused, check_token
from cloud.store import tokens
from cloud.store.database import read, write
from cloud.store.tokens import NewToken
from cloud.web.answers import translate
from cloud.web.door import note_deed, person_of
from cloud.web.etags import IfMatch, Stale, etag_of, seen_version, version_in
from cloud.web.parts import parts_of
from sync.locale import marked
from sync.moment import to_text

KIND = "tokens"  # in the audit
NO_TOKEN = marked("There is no such token of yours.")


class TokenWanted(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="what it is for")
    rights: list[str] = Field(description="some of your own, e.g. read_calls", max_length=64)
    days: int = Field(90, description="how long it lives: 1 to 366")
    purpose: str = Field("", description="what is read for; yours if not given")


class TokenShown(BaseModel):
    """A token as it is listed."""

    id: str
    name: str
    rights: list[str]
    purpose: str
    created_utc: str
    expires_utc: str
    last_used_utc: str | None
    revoked_utc: str | None
    etag: str = Field(description="what taking it back has to name in `If-Match`")


class TokenMade(TokenShown):
    """A token that was just made. `token` itself is told only now."""

    token: str


def list_tokens(request: Request) -> list[TokenShown]:
    """Your tokens, the newest first."""
    with read(parts_of(request).engine) as db:
        return [_shown(row) for row in tokens.tokens_of(db, person_of(request).user_id)]


def make_token(request: Request, wanted: TokenWanted) -> TokenMade:
    """A new token for some of your rights."""
    person, parts = person_of(request), parts_of(request)
    if wanted.purpose and not may_name(person.role, wanted.purpose):
        raise HTTPException(422, marked("Purpose: pick one of your role's."))
    try:
        rights = check_token(person, wanted.name, wanted.rights, wanted.days)
    except TokenRefused as refused:
        raise HTTPException(422, translate(request, refused.text, **refused.values)) from refused
    now = parts.clock.now()
    ends_utc = to_text(now + timedelta(days=wanted.days))
    new = NewToken(person.user_id, wanted.name.strip(), rights, wanted.purpose, ends_utc)
    with write(parts.engine) as db:
        token_id, token = tokens.make_token(db, new, to_text(now))
        row = next(row for row in tokens.tokens_of(db, person.user_id) if row["id"] == token_id)
        changes = {"name": (None, new.name), "rights": (None, " ".join(rights))}
        note_deed(request, db, Action.CREATE, KIND, token_id, changes=changes)
    return TokenMade(**_shown(row).model_dump(), token=token)


def revoke_token(
    request: Request, token_id: Annotated[str, Path(max_length=64)], if_match: IfMatch = None
) -> Response:
    """It opens nothing from now on. Needs `If-Match`."""
    version = seen_version(if_match, token_id)
    now = next((one for one in list_tokens(request) if one.id == token_id), None)
    if now is not None and version_in(now.etag) != version:
        raise Stale
    return take_back(request, token_id)


def take_back(request: Request, token_id: str) -> Response:
    """A token of one's own opens nothing from now on; 404 when there is none that does."""
    parts = parts_of(request)
    with write(parts.engine) as db:
        if not tokens.revoke_token(db, token_id, person_of(request).user_id, parts.clock.now_utc()):
            raise HTTPException(404, NO_TOKEN)
        note_deed(request, db, Action.DELETE, KIND, token_id)
    return Response(status_code=204)


def _shown(row: RowMapping) -> TokenShown:
    said = dict(
        id=row["id"],
        name=row["name"],
        rights=json.loads(row["rights"]),
        purpose=row["purpose"],
        created_utc=row["created_utc"],
        expires_utc=row["expires_utc"],
        last_used_utc=row["last_used_utc"],
        revoked_utc=row["revoked_utc"],
    )
    etag = etag_of(row["id"], 1 if row["revoked_utc"] is None else 2, json.dumps(said))
    return TokenShown(**said, etag=etag)
