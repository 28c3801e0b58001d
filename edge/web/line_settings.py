"""Line settings (通道参数, REC-24): a form per line, and a copy for other lines at a wish.

Saved as rows; the recorder takes them when the line's call is over, so no call in progress is lost by it.
What is refused is said beside its field, and then nothing is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bottle import HTTPError, HTTPResponse

from edge.store import line_settings as store
from edge.store.line_settings import (
    SETTINGS,
    ChangedMeanwhile,
    LineSettingsError,
    NoSuchLine,
    SavedSettings,
    Setting,
    SettingsChange,
)
from edge.store.listing import line_names
from edge.store.operations import add_operation
from edge.web.operators import operation
from edge.web.shown import Word
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.db import write
from sync.locale import marked
from sync.moment import to_text

ITS_OWN = frozenset({"name"})  # what copying leaves as it is
LONG_TEXTS = frozenset({"never_record", "schedule"})
CHANGED = marked("Somebody else has changed this line meanwhile. Look again, then save.")
TICK_ONE = marked("Tick the lines that are to get these settings.")
PARTS = {"general": marked("General part"), "special": marked("Special part")}
CHOICES: dict[str, Word] = {
    "voltage": Word(marked("Line voltage"), "talking", "quiet"),
    "voice": Word(marked("Voice"), "listen", "quiet"),
    "manual": Word(marked("The record button"), "record", "quiet"),
    "always": Word(marked("Always"), "waiting", "quiet"),
    "cn": Word(marked("China"), "list", "quiet"),
    "us": Word(marked("United States"), "list", "quiet"),
    "uk": Word(marked("United Kingdom"), "list", "quiet"),
    "eu": Word(marked("Europe"), "list", "quiet"),
    "country": Word(marked("As is usual in the country"), "list", "quiet"),
    "ends": Word(marked("Ends the call"), "on-hook", "quiet"),
    "noted": Word(marked("Is only noted"), "note", "quiet"),
}
HINTS = {
    "schedule": marked("mon-fri 08:00-12:00 13:00-20:00; sat 09:00-18:00; holiday none — empty: always"),
    "holidays": marked("2026-10-01 2026-10-02"),
    "never_record": marked("one number to a line; * stands for any digits, ? for one; a note may follow"),
    "longest_part_min": marked("0: never"),
    "off_hook_alarm_min": marked("0: never"),
    "silent_alarm_min": marked("0: never"),
    "no_ring_alarm_days": marked("0: never"),
    "off_hook_below_v": marked("0: learned from the line"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A setting as the form shows it."""

    setting: Setting
    value: str  # as the form has it; of a switch 1 or nothing
    is_changed: bool  # people set it; else the settings file did
    fault: str = ""  # in the reader's language


class NotSaved(ValueError):
    """A change that was refused: by setting, in the reader's language; "" is what concerns them all."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = faults
        super().__init__("; ".join(filter(None, faults.values())))


def first(visit: Visit) -> HTTPResponse:
    """On to the first line there is."""
    lines = line_names(visit.db)
    return see_other(f"/settings/lines/{min(lines)}" if lines else "/settings/numbers")


def show(visit: Visit, line: str) -> HTTPResponse:
    """The form of one line, and who changed what."""
    return _page(visit, known_line(visit, line), {}, {})


def save(visit: Visit, line: str) -> HTTPResponse:
    """Save the form, or show it again with what is wrong beside each field."""
    number = known_line(visit, line)
    try:
        saved(visit, number, _wanted(visit.form), visit.form.get("version"))
    except NotSaved as error:
        return _page(visit, number, visit.form, error.faults)
    return see_other(f"/settings/lines/{number}?saved=1")


def copy(visit: Visit, line: str) -> HTTPResponse:
    """Give the ticked lines (`to-3`) this line's settings, all of them or none."""
    number = known_line(visit, line)
    try:
        copied(visit, number)
    except NotSaved as error:
        return _page(visit, number, {}, error.faults)
    return see_other(f"/settings/lines/{number}?copied=1")


def known_line(visit: Visit, line: str) -> int:
    """The number of a line that has settings; 404."""
    number = int(line) if line.isascii() and line.isdecimal() and len(line) <= 3 else 0
    try:
        store.settings_of(visit.db, number)
    except NoSuchLine as error:
        raise HTTPError(404) from error
    return number


def saved(visit: Visit, line: int, wanted: Mapping[str, object], version: str | None) -> SavedSettings:
    """The line with `wanted` (setting -> value, None: the file's again) set; NotSaved."""
    seen = int(version) if version and version.isascii() and version.isdecimal() else None
    with write(visit.db):
        return _set(visit, line, wanted, seen)


def copied(visit: Visit, line: int) -> tuple[int, ...]:
    """The lines that have this line's settings now; NotSaved."""
    targets = tuple(
        sorted(known_line(visit, name.removeprefix("to-")) for name in visit.form if name.startswith("to-"))
    )
    if not targets:
        raise NotSaved({"": visit.text(TICK_ONE)})
    source = store.settings_of(visit.db, line).settings
    values = {key: getattr(source, key) for key in SETTINGS if key not in ITS_OWN}
    with write(visit.db):
        for target in targets:
            _set(visit, target, values, None, f" (as line {line})")
    return targets


def history(visit: Visit, line: int) -> tuple[SettingsChange, ...]:
    """Who changed what, newest first."""
    return store.changes_of(visit.db, line)


def _set(
    visit: Visit, line: int, wanted: Mapping[str, object], version: int | None, how: str = ""
) -> SavedSettings:
    """One line's change with its line in the operation log, inside the caller's `write`; NotSaved."""
    by, at_utc = operation(visit, "line_settings", f"line {line}"), to_text(visit.now)
    try:
        before = store.settings_of(visit.db, line).version
        now = store.change(visit.db, line, wanted, by.user_name or "", at_utc, version)
    except LineSettingsError as error:
        raise NotSaved(
            {one.key: visit.text(one.text) % _words(visit, one.values) for one in error.faults}
        ) from error
    except ChangedMeanwhile as error:
        raise NotSaved({"": visit.text(CHANGED)}) from error
    if now.version != before:
        (newest, *_) = store.changes_of(visit.db, line, 1)
        told = ", ".join(
            f"{key} {old}>{'-' if new is None else new}" for key, (old, new) in newest.changes.items()
        )
        add_operation(visit.db, operation(visit, "line_settings", f"line {line}", told + how), at_utc)
    return now


def _words(visit: Visit, values: Mapping[str, object]) -> dict[str, object]:
    return {name: visit.text(one) if isinstance(one, str) and one else one for name, one in values.items()}


def _wanted(form: Mapping[str, str]) -> dict[str, object]:
    """What the form says of every setting; a tick that is not there is a switch that is off."""
    return {key: None if form.get(f"file-{key}") else form.get(key, "") for key in SETTINGS}


def _page(visit: Visit, line: int, form: Mapping[str, str], faults: Mapping[str, str]) -> HTTPResponse:
    now, names = store.settings_of(visit.db, line), line_names(visit.db)
    fields = [
        Field(
            one,
            form.get(key, "") if form else as_text(getattr(now.settings, key)),
            key in now.changed,
            faults.get(key, ""),
        )
        for key, one in SETTINGS.items()
    ]
    return visit.page(
        "line_settings.html",
        400 if faults else 200,
        strip=strip(visit),
        line=line,
        line_names=names,
        others={number: name for number, name in names.items() if number != line},
        parts=[(PARTS[part], [field for field in fields if field.setting.part == part]) for part in PARTS],
        version=form.get("version", now.version),
        fault=faults.get(
            "", marked("Nothing was saved: look at the fields that are marked.") if faults else ""
        ),
        said="saved" if visit.query.get("saved") else "copied" if visit.query.get("copied") else "",
        changes=history(visit, line),
        settings_table=SETTINGS,
        choices=CHOICES,
        hints=HINTS,
        long_texts=LONG_TEXTS,
        as_text=as_text,
    )


def as_text(value: object) -> str:
    """A setting's value as a form has it."""
    if isinstance(value, bool):
        return "1" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)
