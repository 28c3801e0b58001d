"""GET /api/v1/recordings/{id}/audio: a recording's bytes, whole or in ranges, and the play that is logged.

The file comes from the object store by the key in its row; no part of a path comes from the request.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from sqlalchemy import RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloud.access import shape
from cloud.access.decision import Verb
from cloud.access.log import ONE_PLAY, Action, Deed, is_new_play
from cloud.access.subjects import call_place, recording_place
from cloud.store import calls, trail
from cloud.store.database import read, write
from cloud.web.asking import ask_of, checked, counted, judged
from cloud.web.door import actor_of
from cloud.web.parts import parts_of
from cloud.web.ranges import RangeNotSatisfiable, parse_range
from sync.locale import marked

MEDIA_TYPES = {"flac": "audio/flac"}


def recording_audio(request: Request, recording_id: Annotated[str, Path(max_length=64)]) -> Response:
    """The audio of a recording. A Range header gets a part of it."""
    row = _playable_row(request, recording_id)
    size_bytes = parts_of(request).objects.size(row["object_key"])
    if size_bytes is None:
        raise HTTPException(404, marked("The audio is not in the store."))
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{row["sha256"]}"',
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{recording_id}.{row["codec"]}"',
    }
    try:
        part = parse_range(_range_header(request, headers["ETag"]), size_bytes)
    except RangeNotSatisfiable:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size_bytes}"})
    _log_play(request, row)
    first, length = (part.first, part.length) if part else (0, size_bytes)
    headers["Content-Length"] = str(length)
    if part:
        headers["Content-Range"] = part.content_range
    return StreamingResponse(
        parts_of(request).objects.read(row["object_key"], first, length),
        status_code=206 if part else 200,
        headers=headers,
        media_type=MEDIA_TYPES.get(row["codec"], "application/octet-stream"),
    )


def _playable_row(request: Request, recording_id: str) -> RowMapping:
    with read(parts_of(request).engine) as connection:
        verdict = judged(request, connection, ask_of(request, Verb.LISTEN, "recordings"))
        row = calls.find_recording(connection, recording_id)
        call = calls.find_call(connection, row["call_id"]) if row else None
    place = call_place(call) if call else recording_place(row) if row else None
    if place is not None:
        verdict = counted(request, verdict, [place])
        checked(verdict, place)
    if row is None or place is None or shape.recording(row, (), place, verdict).audio is None:
        raise HTTPException(404, marked("There is no such recording, or its audio has not arrived yet."))
    return row


def _range_header(request: Request, etag: str) -> str | None:
    """The Range header, unless If-Range says that the browser has bytes of something else."""
    if request.headers.get("if-range", etag) != etag:
        return None
    return request.headers.get("range")


def _log_play(request: Request, row: RowMapping) -> None:
    parts = parts_of(request)
    now = parts.clock.now()
    deed = Deed(
        actor=actor_of(request),
        action=Action.PLAY,
        kind="recordings",
        object_id=row["id"],
        box_id=row["box_id"],
        row_count=1,
        ids=(row["id"],),
    )
    with write(parts.engine) as connection:
        if is_new_play(trail.last_done_utc(connection, deed, now - ONE_PLAY), now):
            trail.append(connection, deed, parts.clock.now_utc())
