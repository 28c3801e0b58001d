"""ETag and If-Match (RFC 9110, 13): nobody writes over what they have not seen.

GET    ETag: "7"
PUT    If-Match: "7"      412 with the present ETag when somebody was there before; 428 without If-Match
"""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sync.locale import marked

_TAG = re.compile(r'"([0-9]{1,18})"')


def etag(version: int) -> str:
    """The ETag of that version of something."""
    return f'"{version}"'


def seen_version(request: Request) -> int:
    """The version that the request says it has seen; 428 when it says nothing, 412 for no version of ours."""
    value = request.headers.get("if-match")
    if value is None:
        raise HTTPException(428, marked("Say with If-Match which version you have seen."))
    tag = _TAG.fullmatch(value.strip())
    if tag is None:
        raise HTTPException(412, marked("If-Match names no version of this."))
    return int(tag[1])


def changed_meanwhile(version: int) -> HTTPException:
    """The answer to somebody who has seen an older version than `version`."""
    sentence = marked("Somebody has changed this meanwhile. Load it again.")
    return HTTPException(412, sentence, {"ETag": etag(version)})
