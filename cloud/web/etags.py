"""Versions of single things over HTTP (RFC 9110, 13): what a reader has already, what a writer has seen.

    ETag: "<id>.<version>.<first 16 hex digits of SHA-256 of what is shown>"

The last part differs between two readers of whom one sees more: each is told when what they see has changed.
A change is bound to id and version alone, for it is the record that must not have changed meanwhile.

    Unconditional (HTTPException)     428: If-Match is missing
    Stale (HTTPException)             412: the record has another version than the writer saw
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Header
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sync.locale import marked

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="the ETag that it was read with; 428 without")
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="304 to what you have already")]
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_OURS = re.compile(r"([0-9A-Za-z-]{1,64})\.(\d{1,9})\.[0-9a-f]{16}")


class Unconditional(HTTPException):
    """A change that does not say which version it is made to."""

    def __init__(self) -> None:
        super().__init__(428, marked("Say in If-Match which version you change: the ETag it was read with."))


class Stale(HTTPException):
    """Somebody else has changed it meanwhile."""

    def __init__(self) -> None:
        super().__init__(412, marked("It was changed meanwhile. Read it again, then change it."))


def etag_of(object_id: str, version: int, shown: str) -> str:
    """The strong tag of something that is shown to somebody as this JSON."""
    digest = hashlib.sha256(shown.encode()).hexdigest()[:16]
    return f'"{object_id}.{version}.{digest}"'


def version_in(etag: str) -> int:
    """The version that a tag of `etag_of` names."""
    return int(etag.split(".")[-2])


def told(shown: str, etag: str, seen_before: str | None) -> Response:
    """The answer with its tag; 304 to whoever has just that already (If-None-Match, weakly compared)."""
    tags = {f'"{tag}"' for _, tag in _TAG.findall(seen_before or "")}
    headers = {"ETag": etag}
    if etag in tags or (seen_before or "").strip() == "*":
        return Response(status_code=304, headers=headers)
    return Response(shown, 200, headers, media_type="application/json")


def seen_version(if_match: str | None, object_id: str) -> int:
    """The version of this thing that If-Match names, strongly compared; Unconditional, Stale."""
    if if_match is None:
        raise Unconditional
    for weak, tag in _TAG.findall(if_match):
        ours = _OURS.fullmatch(tag)
        if ours and not weak and ours[1] == object_id:
            return int(ours[2])
    raise Stale
