"""What is taken from the Calls page: recordings as a zip, the list as XLSX or CSV, a view for the printer.

All four take the same: the calls that are ticked (`call-<id>`), or, when none is, all that pass the filter.
They see no more than the page does, and each stands in the operation log. Texts come from the telephone
line, so a sheet's cells are text and a CSV's cell that a spreadsheet would run is defused.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import IO

from bottle import HTTPResponse

from edge.store.call_list import CallFilter, newest_calls
from edge.store.listing import CallRow, recording
from edge.store.operations import Operation, log_operation
from edge.web import shown
from edge.web.asked import EVERYTHING, TICKED, in_words
from edge.web.calls import AskedBadly, read_search, show_calls
from edge.web.files import file_of
from edge.web.operators import operation
from edge.web.site import Visit
from sync.locale import marked
from sync.sheets import CALLS, write_csv, write_sheet

MOST_ROWS = 50_000
MOST_PRINTED = 1_000
MOST_TICKED = 500
MOST_RECORDINGS = 500
MOST_ZIP_BYTES = 2_000_000_000
IN_MEMORY_BYTES = 4_000_000


def sheet(visit: Visit) -> HTTPResponse:
    """The list as an Excel file."""
    return _taken(visit, _sheet)


def table(visit: Visit) -> HTTPResponse:
    """The list as CSV, UTF-8 with the mark that Excel looks for."""
    return _taken(visit, _table)


def archive(visit: Visit) -> HTTPResponse:
    """The recordings of the calls as one zip."""
    return _taken(visit, _archive)


def printed(visit: Visit) -> HTTPResponse:
    """The list as a page for the printer."""
    return _taken(visit, _printed)


def wanted_calls(visit: Visit, most: int) -> tuple[CallRow, ...]:
    """The ticked calls, or all that pass the filter; AskedBadly when there are more than `most`."""
    ticked = ticked_ids(visit)
    if len(ticked) > MOST_TICKED:
        raise AskedBadly(marked("Too many calls at once; ask for fewer days."))
    wanted = CallFilter(ids=ticked) if ticked else read_search(visit.form, visit.site.settings.zone).wanted
    calls = newest_calls(visit.db, replace(wanted, lines=visit.lines), most + 1)
    if len(calls) > most:
        raise AskedBadly(marked("Too many calls at once; ask for fewer days."))
    return calls


def ticked_ids(visit: Visit) -> tuple[str, ...]:
    """The ids of the calls that are ticked."""
    return tuple(
        name.removeprefix("call-") for name, value in visit.form.items() if name.startswith("call-") and value
    )


def call_cells(visit: Visit, calls: Iterable[CallRow]) -> Iterable[tuple[str, ...]]:
    """The rows of CALLS, times local, words in the reader's language."""
    zone = visit.site.settings.zone
    for call in calls:
        yield (
            call.id,
            shown.day_time(call.started_utc, zone),
            str(call.line),
            shown.visible(call.line_name),
            visit.text(shown.word(shown.DIRECTIONS, call.direction).text),
            visit.text(shown.word(shown.OUTCOMES, call.outcome).text),
            shown.other_party(call) or visit.text(shown.number_words(call)),
            shown.visible(call.caller_name or ""),
            f"{call.duration_ms / 1000:.1f}",
            str(call.ring_count),
            call.recording_id or "",
            str(call.gap_count or ""),
            str(call.note_count or ""),
            call.tags,
        )


def _taken(visit: Visit, take: Callable[[Visit], HTTPResponse]) -> HTTPResponse:
    try:
        return take(visit)
    except AskedBadly as error:
        if visit.is_api:
            raise
        return show_calls(visit, visit.form, str(error))


def _sheet(visit: Visit) -> HTTPResponse:
    calls = wanted_calls(visit, MOST_ROWS)
    body = write_sheet(CALLS, call_cells(visit, calls), visit.language.code)
    _log(visit, "export", f"{len(calls)} xlsx")
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _file(visit, body, kind, "xlsx")


def _table(visit: Visit) -> HTTPResponse:
    calls = wanted_calls(visit, MOST_ROWS)
    text = io.StringIO()
    write_csv(text, CALLS, call_cells(visit, calls), visit.language.code)
    _log(visit, "export", f"{len(calls)} csv")
    return _file(visit, text.getvalue().encode("utf-8-sig"), "text/csv; charset=utf-8", "csv")


def _archive(visit: Visit) -> HTTPResponse:
    calls = wanted_calls(visit, MOST_ROWS)
    recorded = [call for call in calls if call.recording_state == "ready"]
    if not recorded:
        raise AskedBadly(marked("None of these calls has a recording."))
    if len(recorded) > MOST_RECORDINGS:
        raise AskedBadly(marked("Too many recordings at once; tick fewer calls."))
    body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the server closes it
    names = _fill(visit, body, recorded)
    text = io.StringIO()
    write_csv(text, CALLS, call_cells(visit, recorded), visit.language.code)
    with zipfile.ZipFile(body, "a") as archive:
        archive.writestr("calls.csv", text.getvalue().encode("utf-8-sig"))
    size = body.seek(0, io.SEEK_END)
    body.seek(0)
    _log(visit, "download", f"{len(names)} zip", recorded)
    answer = _file(visit, body, "application/zip", "zip")
    answer.set_header("Content-Length", str(size))
    return answer


def _fill(visit: Visit, body: IO[bytes], calls: Sequence[CallRow]) -> list[str]:
    """Put the recordings in, as they are (they are compressed already); their names in the zip."""
    names: list[str] = []
    total = 0
    with zipfile.ZipFile(body, "w", zipfile.ZIP_STORED) as archive:
        for call in calls:
            row = recording(visit.db, call.recording_id or "")
            file = file_of(visit, row) if row else None
            if file is None:
                continue
            total += file.stat().st_size
            if total > MOST_ZIP_BYTES:
                raise AskedBadly(marked("Too many recordings at once; tick fewer calls."))
            names.append(_name(visit, call, file.suffix, len(names)))
            archive.write(file, names[-1])
    return names


def _name(visit: Visit, call: CallRow, suffix: str, at: int) -> str:
    """20261122-140509-line2-13800138000-1.flac; only what every file system takes."""
    stamp = shown.local(call.started_utc, visit.site.settings.zone).strftime("%Y%m%d-%H%M%S")
    number = re.sub(r"[^0-9]", "", shown.other_party(call) or "")[:24] or "unknown"
    return f"{stamp}-line{call.line}-{number}-{at + 1}{suffix}"


def _printed(visit: Visit) -> HTTPResponse:
    calls = wanted_calls(visit, MOST_PRINTED)
    _log(visit, "print", str(len(calls)))
    asked = () if ticked_ids(visit) else in_words(visit, visit.form)
    head = TICKED if ticked_ids(visit) else EVERYTHING
    return visit.page("print.html", calls=calls, asked=asked, head=head)


def _log(visit: Visit, name: str, told: str, calls: Sequence[CallRow] = ()) -> None:
    """One line for the whole, and for what can be heard one line per recording."""
    asked = " ".join(f"{key}={value}" for key, value in visit.form.items() if value and key in shown.ASKED)
    log_operation(visit.db, operation(visit, name, told, asked), visit.now)
    for call in calls:
        one: Operation = operation(visit, name, call.recording_id or "", "zip")
        log_operation(visit.db, one, visit.now)


def _file(visit: Visit, body: object, kind: str, suffix: str) -> HTTPResponse:
    name = f"calls-{visit.today()}.{suffix}"
    headers = {
        "Content-Type": kind,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return HTTPResponse(body, headers=headers)
