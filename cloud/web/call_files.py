"""Calls as a file to take away: an Excel sheet, CSV, or a zip of their recordings with such a sheet.

`make` is the one function that makes it, from a question and a filter; it knows no request, so whoever holds
both can have it made. The last row of every sheet says who took how much, when, why, and its audit record.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import IO

from sqlalchemy import Connection, RowMapping

from cloud.access import call_notes as said_shape
from cloud.access import shape
from cloud.access.decision import Ask, Verb, Verdict
from cloud.access.log import Action
from cloud.access.purposes import PURPOSES
from cloud.access.shape import Call
from cloud.access.subjects import call_place
from cloud.exporting import BATCH, Taken, Tell, TooMany, Wanted, take, untold
from cloud.reading import Desk, Found, Look, NothingThere
from cloud.store import call_notes, calls
from cloud.store.call_search import CallFilter, Position
from cloud.web import words
from cloud.web.export_file import XLSX, ExportFile, spooled
from cloud.web.parts import Parts
from cloud.web.views import moment_text, other_party
from sync.locale import marked
from sync.moment import from_text, to_text
from sync.sheets import CALLS_OF_BRANCHES, write_csv, write_sheet_into

MOST_ROWS = 100_000
MOST_RECORDINGS = 500
MOST_ZIP_BYTES = 2_000_000_000
SIGNED = marked(
    "%(count)s calls, taken out by %(name)s at %(time)s for “%(purpose)s”; audit record %(audit)s"
)
SIGNED_AUDIO = marked("%(count)s recordings are in this file; %(missing)s have no audio at head office")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What somebody wants to take away."""

    ask: Ask  # of kind `calls`; what it says of span, branches and purpose holds
    form: str  # a key of FORMS
    wanted: CallFilter
    ticked: tuple[str, ...] = ()  # just these calls, whatever else is wanted
    asked: Mapping[str, str] = field(default_factory=dict)  # the filter, as the audit keeps it
    language: str = "zh"


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call as it may be seen, and what people put on it."""

    call: Call
    tags: tuple[str, ...]
    notes: int
    audio: tuple[tuple[str, str | None], ...]  # (name in a zip, key of the object) of what may be heard


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the database gave for a batch."""

    calls: Sequence[RowMapping]
    recordings: Mapping[str, Sequence[RowMapping]]  # by call
    gaps: Mapping[str, Sequence[RowMapping]]  # by recording
    flags: Mapping[str, Sequence[str]]
    notes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Making:
    """One export while it is made."""

    parts: Parts
    desk: Desk
    export: Export
    taken: Taken
    tell: Tell

    def text(self, marked_text: str, **values: object) -> str:
        return self.parts.views.translate(marked_text, self.export.language, **values)

    def word(self, value: str | None, table: Mapping[str, str]) -> str:
        return self.text(table[value]) if value and value in table else value or ""

    def time(self, utc: str) -> str:
        return moment_text(utc, self.parts.settings.zone)

    def lines(self) -> Iterator[CallLine]:
        """The calls, a batch in memory at a time; once they are out the audit row is written."""
        ask, is_audio = self.export.ask, self.export.form == "zip"
        asks = [replace(ask, verb=Verb.EXPORT, kind="recordings" if is_audio else "calls")]
        if is_audio:
            asks.append(replace(asks[0], verb=Verb.LISTEN))
        ticked = {"ticked": str(len(self.export.ticked)), "form": self.export.form}
        asked = {**self.export.asked, **(ticked if self.export.ticked else {"form": self.export.form})}
        look = Look(action=Action.DOWNLOAD if is_audio else Action.EXPORT, query=asked)
        done = 0
        for rows, verdict in take(self.desk, asks, look, _wanted(self.export), self.taken):
            for row in rows.calls:
                self.tell(done, self.taken.total)
                done += 1
                line = _line(row, rows, verdict)
                if line is not None:
                    yield line

    def cells(self, line: CallLine) -> tuple[str, ...]:
        """A row of CALLS_OF_BRANCHES, times local, words in the reader's language."""
        call = line.call
        number = other_party(call) or self.word(call.caller_presentation, words.PRESENTATIONS)
        return (
            call.id, call.branch, self.time(call.started_utc), str(call.line), call.line_name,
            self.word(call.direction, words.DIRECTIONS), self.word(call.outcome, words.OUTCOMES),
            number, call.caller_name or "", f"{call.duration_ms / 1000:.1f}", str(call.ring_count),
            "；".join(one.id for one in call.recordings),
            str(sum(len(one.gaps) for one in call.recordings) or ""),
            str(line.notes or ""), "；".join(line.tags),
        )  # fmt: skip

    def signature(self) -> str:
        ask = self.export.ask
        return self.text(
            SIGNED,
            count=len(self.taken.shown),
            name=ask.person.name,
            time=self.time(to_text(self.desk.now)),
            purpose=self.word(ask.reason, PURPOSES),
            audit=self.taken.audit_id,
        )

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of all calls, and the last row that says whose they are."""
        for line in self.lines():
            yield self.cells(line)
        yield (self.signature(),)


def make(parts: Parts, desk: Desk, export: Export, tell: Tell = untold) -> ExportFile:
    """The file, whole; NotGiven, NothingThere, or TooMany when it would hold more than one file may.

    Whoever gets it may have it: its audit row is written.
    """
    making = _Making(parts, desk, export, Taken(), tell)
    fill, suffix, media_type = FORMS[export.form]
    with ExitStack() as unless_whole:
        file: IO[bytes] = unless_whole.enter_context(spooled(parts.settings.data))
        fill(making, file)
        unless_whole.pop_all()  # whoever hands it over closes it
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    day = from_text(to_text(desk.now)).astimezone(parts.settings.zone).strftime("%Y-%m-%d")
    count = len(making.taken.shown)
    name = f"calls-{day}-{count}-rows.{suffix}"
    grants = tuple(sorted(making.taken.grants))
    return ExportFile(file, name, media_type, size, count, making.taken.audit_id, grants)


def _wanted(export: Export) -> Wanted[_Rows]:
    is_audio = export.form == "zip"

    def ids(db: Connection, verdict: Verdict, most: int) -> Sequence[str]:
        found = _ticked(db, export.ticked) if export.ticked else _matching(db, export.wanted, verdict, most)
        if is_audio and len(found) < most:
            sizes = [row["size_bytes"] or 0 for row in calls.recordings_of(db, found)]
            if len(sizes) > MOST_RECORDINGS or sum(sizes) > MOST_ZIP_BYTES:
                raise TooMany(MOST_RECORDINGS)
        return found

    most = MOST_RECORDINGS if is_audio else MOST_ROWS
    return Wanted(ids=ids, rows=_fetch, most=most, named=bool(export.ticked))


def _ticked(db: Connection, ticked: Sequence[str]) -> Sequence[str]:
    rows = calls.calls_of(db, list(dict.fromkeys(ticked)))
    if len(rows) < len(set(ticked)):
        raise NothingThere(f"{len(set(ticked)) - len(rows)} of the ticked calls")
    rows = sorted(rows, key=lambda row: (row["started_utc"], row["id"]), reverse=True)
    return [row["id"] for row in rows]


def _matching(db: Connection, wanted: CallFilter, verdict: Verdict, most: int) -> Sequence[str]:
    found: list[str] = []
    after = None
    while len(found) < most:
        rows = calls.list_calls(db, wanted, after, min(BATCH, most - len(found)), verdict)
        if not rows:
            break
        found += [row["id"] for row in rows]
        after = Position(rows[-1]["started_utc"], rows[-1]["id"])
    return found


def _fetch(db: Connection, ids: Sequence[str]) -> Found[_Rows]:
    rows = calls.calls_of(db, ids)
    recordings = _by("call_id", calls.recordings_of(db, ids))
    gaps = _by("recording_id", calls.gaps_of(db, [one["id"] for some in recordings.values() for one in some]))
    flags, notes = call_notes.flags_of_calls(db, ids), call_notes.counts_of_calls(db, ids)
    return Found(_Rows(rows, recordings, gaps, flags, notes), [(row["id"], call_place(row)) for row in rows])


def _by(column: str, rows: Sequence[RowMapping]) -> Mapping[str, Sequence[RowMapping]]:
    found: dict[str, list[RowMapping]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def _line(row: RowMapping, rows: _Rows, verdict: Verdict) -> CallLine | None:
    """The call with what belongs to it; None: not to be shown."""
    recordings = rows.recordings.get(row["id"], ())
    gaps = [gap for one in recordings for gap in rows.gaps.get(one["id"], ())]
    call = shape.call(row, recordings, gaps, verdict)
    if call is None:
        return None
    tags = call_notes.tags_in(rows.flags.get(row["id"], ()))
    stamp = row["started_utc"][:19].replace(":", "").replace("-", "")
    heard = {one.id for one in call.recordings if one.audio}
    audio = tuple(
        (f"{stamp}Z-{call.box_id}-line{call.line}-{one['id']}.{one['codec']}", one["object_key"])
        for one in recordings
        if one["id"] in heard
    )
    return CallLine(
        call, said_shape.tags(tags, call_place(row), verdict), rows.notes.get(row["id"], 0), audio
    )


def _sheet(making: _Making, file: IO[bytes]) -> None:
    write_sheet_into(file, CALLS_OF_BRANCHES, making.rows(), making.export.language)


def _table(making: _Making, file: IO[bytes]) -> None:
    """With the mark that spreadsheets look for."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
    write_csv(text, CALLS_OF_BRANCHES, making.rows(), making.export.language)
    text.detach()


def _archive(making: _Making, file: IO[bytes]) -> None:
    """The recordings as they are (they are compressed already), and the sheet of their calls."""
    rows: list[tuple[str, ...]] = []
    count, missing = 0, 0
    objects = making.parts.objects
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for line in making.lines():
            rows.append(making.cells(line))
            for name, key in line.audio:
                size = objects.size(key) if key else None
                if key is None or size is None:
                    missing += 1
                    continue
                count += 1
                with archive.open(name, "w", force_zip64=True) as part:
                    for block in objects.read(key, 0, size):
                        part.write(block)
        rows.append((making.signature(),))
        rows.append((making.text(SIGNED_AUDIO, count=count, missing=missing),))
        sheet = io.BytesIO()
        write_sheet_into(sheet, CALLS_OF_BRANCHES, rows, making.export.language)
        archive.writestr("calls.xlsx", sheet.getvalue())


Fill = Callable[[_Making, IO[bytes]], None]
FORMS: dict[str, tuple[Fill, str, str]] = {  # form -> (how it is filled, suffix, media type)
    "xlsx": (_sheet, "xlsx", XLSX),
    "csv": (_table, "csv", "text/csv; charset=utf-8"),
    "zip": (_archive, "zip", "application/zip"),
}
