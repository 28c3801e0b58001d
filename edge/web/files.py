"""Files the page sends: its own assets, and recordings by their id.

A recording's file is named by the database alone; what a browser says is only ever looked up there.
"""

from __future__ import annotations

from datetime import timedelta

from bottle import HTTPError, HTTPResponse, static_file

from edge.store.operations import Operation, log_play
from edge.web.guard import the_recording
from edge.web.site import ROOM, Visit

STATIC = ROOM / "static"
ONE_PLAY = timedelta(minutes=10)
MIME_TYPES = {"flac": "audio/flac"}


def static(visit: Visit, path: str) -> HTTPResponse:
    """A file of the page's own."""
    return static_file(path, root=str(STATIC), headers={"Cache-Control": "no-cache"})


def audio(visit: Visit, recording_id: str) -> HTTPResponse:
    """A finished recording, whole or in the range asked for; the play goes into the operation log."""
    row = the_recording(visit, recording_id)
    if row.state != "ready" or visit.user is None:
        raise HTTPError(404)
    folder = visit.site.settings.recordings.resolve()
    file = (folder / row.file).resolve()
    if not file.is_relative_to(folder):
        raise HTTPError(404)
    answer = static_file(
        str(file.relative_to(folder)),
        root=str(folder),
        mimetype=MIME_TYPES.get(row.codec or "", "application/octet-stream"),
        headers={"Cache-Control": "private, no-store"},
    )
    if answer.status_code < 400:
        played = Operation("play", "done", visit.address, visit.user.name, row.id)
        log_play(visit.db, played, visit.now, ONE_PLAY)
    return answer
