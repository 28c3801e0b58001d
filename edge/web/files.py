"""Files the page sends: its own assets, recordings by their id, and how loud a recording is.

A recording's file is named by the database alone; what a browser says is only ever looked up there.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from bottle import HTTPError, HTTPResponse, static_file

from edge.store.listing import RecordingRow
from edge.store.operations import Operation, log_operation, log_play
from edge.store.peaks import peaks_of
from edge.web.guard import the_recording
from edge.web.site import ROOM, Visit

STATIC = ROOM / "static"
ONE_PLAY = timedelta(minutes=10)
MIME_TYPES = {"flac": "audio/flac", "opus": "audio/ogg"}


def static(visit: Visit, path: str) -> HTTPResponse:
    """A file of the page's own."""
    return static_file(path, root=str(STATIC), headers={"Cache-Control": "no-cache"})


def audio(visit: Visit, recording_id: str) -> HTTPResponse:
    """A finished recording, whole or in the range asked for; the play goes into the operation log."""
    row = the_recording(visit, recording_id)
    answer = _sent(visit, row, None)
    if answer.status_code < 400 and visit.user is not None:
        played = Operation("play", "done", visit.address, visit.user.name, row.id)
        log_play(visit.db, played, visit.now, ONE_PLAY)
    return answer


def download(visit: Visit, recording_id: str) -> HTTPResponse:
    """A finished recording as a file to keep."""
    row = the_recording(visit, recording_id)
    answer = _sent(visit, row, f"{row.id}.{row.codec or 'audio'}")
    if answer.status_code < 400 and visit.user is not None:
        taken = Operation("download", "done", visit.address, visit.user.name, row.id)
        log_operation(visit.db, taken, visit.now)
    return answer


def peaks(visit: Visit, recording_id: str) -> HTTPResponse:
    """How loud the recording is along its length: {"peaks": [0..1, ...], "length_s": ...}."""
    row = the_recording(visit, recording_id)
    file = file_of(visit, row)
    if file is None:
        raise HTTPError(404)
    found = peaks_of(visit.db, row, file)
    body = {"peaks": [round(one / 255, 3) for one in found], "length_s": row.samples / max(1, row.rate_hz)}
    return HTTPResponse(json.dumps(body), headers={"Content-Type": "application/json"})


def file_of(visit: Visit, row: RecordingRow) -> Path | None:
    """The file of a finished recording, if it is there and below the recordings' folder."""
    folder = visit.site.settings.recordings.resolve()
    file = (folder / row.file).resolve()
    ready = row.state == "ready" and file.is_relative_to(folder) and file.is_file()
    return file if ready else None


def _sent(visit: Visit, row: RecordingRow, download_as: str | None) -> HTTPResponse:
    file = file_of(visit, row)
    if file is None:
        raise HTTPError(404)
    folder = visit.site.settings.recordings.resolve()
    return static_file(
        str(file.relative_to(folder)),
        root=str(folder),
        mimetype=MIME_TYPES.get(row.codec or "", "application/octet-stream"),
        download=download_as or False,
        headers={"Cache-Control": "private, no-store"},
    )
