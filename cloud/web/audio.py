"""GET /api/v1/recordings/{id}/audio: a recording's bytes, whole or in ranges, and the play that is logged.

The file comes from the object store by the key in its row; no part of a path comes from the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloud.access.decision import Verb, Verdict
from cloud.access.log import ONE_PLAY, Action, Deed, is_new_play
from cloud.access.subjects import call_place, recording_place
from cloud.reading import Found, Look
from cloud.store import calls, trail
from cloud.store.database import read
from cloud.web.asking import ask_of, given
from cloud.web.door import actor_of
from cloud.web.parts import parts_of
from cloud.web.ranges import ByteRange, RangeNotSatisfiable, parse_range
from sync.locale import marked

STORED = "stored"
MEDIA_TYPES = {"flac": "audio/flac"}


@dataclass(frozen=True, slots=True)
class Audio:
    """A recording that may be heard, and which bytes of it are wanted."""

    row: RowMapping
    size_bytes: int | None  # None: it is not in the store
    part: ByteRange | None = None  # None: all of it
    beyond: bool = False  # the range begins after the end


def recording_audio(request: Request, recording_id: Annotated[str, Path(max_length=64)]) -> Response:
    """The audio of a recording. A Range header gets a part of it."""
    audio = _heard(request, recording_id)
    row, size_bytes, part = audio.row, audio.size_bytes, audio.part
    if size_bytes is None:
        raise HTTPException(404, marked("The audio is not in the store."))
    if audio.beyond:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size_bytes}"})
    first, length = (part.first, part.length) if part else (0, size_bytes)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": _etag(row),
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{recording_id}.{row["codec"]}"',
        "Content-Length": str(length),
    }
    if part:
        headers["Content-Range"] = part.content_range
    return StreamingResponse(
        parts_of(request).objects.read(row["object_key"], first, length),
        status_code=206 if part else 200,
        headers=headers,
        media_type=MEDIA_TYPES.get(row["codec"], "application/octet-stream"),
    )


def _heard(request: Request, recording_id: str) -> Audio:
    look = Look(action=Action.PLAY, object_id=recording_id)

    def fetch(connection: Connection, _verdict: Verdict) -> Found[RowMapping] | None:
        row = calls.find_recording(connection, recording_id)
        if row is None or row["state"] != STORED:
            return None
        call = calls.find_call(connection, row["call_id"])
        place = call_place(call) if call else recording_place(row)
        return Found(row, [(row["id"], place)])

    def is_news(audio: Audio) -> bool:
        given_out = audio.size_bytes is not None and not audio.beyond
        return given_out and _is_new_play(request, recording_id)

    return given(
        request,
        ask_of(request, Verb.LISTEN, "recordings"),
        look,
        fetch,
        lambda row, _verdict: _bytes_wanted(request, row),
        is_news,
        marked("There is no such recording, or its audio has not arrived yet."),
    )


def _bytes_wanted(request: Request, row: RowMapping) -> Audio:
    size_bytes = parts_of(request).objects.size(row["object_key"])
    if size_bytes is None:
        return Audio(row, None)
    try:
        return Audio(row, size_bytes, parse_range(_range_header(request, _etag(row)), size_bytes))
    except RangeNotSatisfiable:
        return Audio(row, size_bytes, beyond=True)


def _is_new_play(request: Request, recording_id: str) -> bool:
    parts = parts_of(request)
    now = parts.clock.now()
    deed = Deed(actor=actor_of(request), action=Action.PLAY, kind="recordings", object_id=recording_id)
    with read(parts.engine) as connection:
        return is_new_play(trail.last_done_utc(connection, deed, now - ONE_PLAY), now)


def _etag(row: RowMapping) -> str:
    return f'"{row["sha256"]}"'


def _range_header(request: Request, etag: str) -> str | None:
    """The Range header, unless If-Range says that the browser has bytes of something else."""
    if request.headers.get("if-range", etag) != etag:
        return None
    return request.headers.get("range")
