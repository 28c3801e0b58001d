"""Line settings (通道参数) changed by people: a row per line and setting that differs from the file.

The recorder writes down at its start what the file says (`note_file`), so that the page can show and restore
it; it sees a change by `PRAGMA data_version` and applies it when the line's call is over. Every change is a
version with who, when and what.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from edge.line_settings import SETTINGS, LineSettings, LineSettingsError, Setting, Value, read_changes
from sync.db import Migrations, run_script

__all__ = ["SETTINGS", "LineSettings", "LineSettingsError", "Setting"]

migrations = Migrations("line_settings")


@migrations()
def m001_line_settings(db: sqlite3.Connection) -> None:
    """What the file says, what was changed, and every change there was."""
    run_script(
        db,
        """
        CREATE TABLE line_settings_file (   -- as the settings file had it at the recorder's last start
            line            INTEGER PRIMARY KEY,
            settings        TEXT NOT NULL,          -- JSON object, every setting
            most_pre_roll_s REAL NOT NULL           -- what the ring leaves room for
        );
        CREATE TABLE line_settings (        -- what people set instead
            line            INTEGER NOT NULL,
            setting         TEXT NOT NULL,
            value           TEXT NOT NULL,          -- JSON
            PRIMARY KEY (line, setting)
        );
        CREATE TABLE line_setting_changes ( -- only ever added to; a line's version is its newest row
            line            INTEGER NOT NULL,
            version         INTEGER NOT NULL,       -- 1, 2, 3 ... per line
            changed_utc     TEXT NOT NULL,
            changed_by      TEXT NOT NULL,
            changes         TEXT NOT NULL,          -- JSON: setting -> [before, after]; null = the file's
            PRIMARY KEY (line, version)
        )
        """,
    )


@migrations()
def m002_taken(db: sqlite3.Connection) -> None:
    """Which version the recorder follows."""
    run_script(db, "ALTER TABLE line_settings_file ADD COLUMN taken INTEGER NOT NULL DEFAULT 0")


class NoSuchLine(LookupError):
    """No board has this line."""


class ChangedMeanwhile(ValueError):
    """Somebody else has changed the line's settings since they were read."""


@dataclass(frozen=True, slots=True)
class SavedSettings:
    """A line's settings as they are to be; the recorder may still be waiting for the end of a call."""

    settings: LineSettings
    changed: frozenset[str]  # settings that differ from the file because somebody set them
    version: int  # 0 = never changed
    taken: int  # the version the recorder follows; an older one: it waits for the end of a call


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """One version of a line's settings."""

    version: int
    changed_utc: str
    changed_by: str
    changes: dict[str, tuple[Value, Value | None]]  # setting -> before, after (None = the file's again)


def note_file(db: sqlite3.Connection, lines: Iterable[LineSettings], most_pre_roll_s: float) -> None:
    """Write down what the settings file says of every line there is, at a start. Inside `sync.db.write`."""
    db.execute("DELETE FROM line_settings_file")
    db.executemany(
        "INSERT INTO line_settings_file VALUES (?, ?, ?, ?)",
        [(one.line, _json(_values(one)), most_pre_roll_s, _version(db, one.line)) for one in lines],
    )


def note_taken(db: sqlite3.Connection, line: int, version: int) -> None:
    """The recorder follows this version from now on. Inside `sync.db.write`."""
    db.execute("UPDATE line_settings_file SET taken = ? WHERE line = ?", (version, line))


def settings_of(db: sqlite3.Connection, line: int) -> SavedSettings:
    """The settings of a line: the file's, and over them what people changed. NoSuchLine."""
    row = db.execute("SELECT settings, taken FROM line_settings_file WHERE line = ?", (line,)).fetchone()
    if row is None:
        raise NoSuchLine(f"no board has line {line}")
    known = {key: value for key, value in json.loads(row["settings"]).items() if key in SETTINGS}
    rows = db.execute("SELECT setting, value FROM line_settings WHERE line = ?", (line,))
    changed = {one["setting"]: value for one in rows if (value := _read(one)) is not None}
    return SavedSettings(
        LineSettings(line=line, **(known | changed)), frozenset(changed), _version(db, line), row["taken"]
    )


def all_settings(db: sqlite3.Connection) -> tuple[SavedSettings, ...]:
    """The settings of every line there is, in order."""
    rows = db.execute("SELECT line FROM line_settings_file ORDER BY line").fetchall()
    return tuple(settings_of(db, row["line"]) for row in rows)


def change(
    db: sqlite3.Connection,
    line: int,
    changes: Mapping[str, object],
    by: str,
    now_utc: str,
    version: int | None = None,
) -> SavedSettings:
    """Set `changes` (setting -> value, or None for the file's again); inside `sync.db.write`.

    Values may be texts as a form sends them. The caller adds the line to the operation log. With `version`
    the change is refused if there is a newer one. Raises LineSettingsError, NoSuchLine, ChangedMeanwhile;
    then nothing was written.
    """
    before = settings_of(db, line)
    if version is not None and version != before.version:
        raise ChangedMeanwhile(f"line {line} is at version {before.version}, not {version}")
    most = db.execute("SELECT most_pre_roll_s FROM line_settings_file WHERE line = ?", (line,)).fetchone()[0]
    wanted = read_changes(changes, most)
    old = _values(before.settings)
    real = {
        key: value
        for key, value in wanted.items()
        if (key in before.changed if value is None else value != old[key])
    }
    if real:
        _write(db, line, real)
        said = {key: (old[key], value) for key, value in real.items()}
        db.execute(
            "INSERT INTO line_setting_changes VALUES (?, ?, ?, ?, ?)",
            (line, before.version + 1, now_utc, by, _json(said)),
        )
    return settings_of(db, line)


def changes_of(db: sqlite3.Connection, line: int, most: int = 50) -> tuple[SettingsChange, ...]:
    """The line's versions, newest first."""
    rows = db.execute(
        "SELECT version, changed_utc, changed_by, changes FROM line_setting_changes"
        " WHERE line = ? ORDER BY version DESC LIMIT ?",
        (line, most),
    )
    return tuple(
        SettingsChange(
            row["version"],
            row["changed_utc"],
            row["changed_by"],
            {key: (before, after) for key, (before, after) in json.loads(row["changes"]).items()},
        )
        for row in rows
    )


def versions(db: sqlite3.Connection) -> dict[int, int]:
    """line -> version of every line that was ever changed: what the recorder compares with."""
    rows = db.execute("SELECT line, max(version) AS version FROM line_setting_changes GROUP BY line")
    return {row["line"]: row["version"] for row in rows}


def _read(row: sqlite3.Row) -> Value | None:
    """The value of a row; None for one that this version does not know or does not take."""
    try:
        return read_changes({row["setting"]: json.loads(row["value"])})[row["setting"]]
    except ValueError:
        return None


def _write(db: sqlite3.Connection, line: int, changes: Mapping[str, Value | None]) -> None:
    for key, value in changes.items():
        if value is None:
            db.execute("DELETE FROM line_settings WHERE line = ? AND setting = ?", (line, key))
        else:
            db.execute("INSERT OR REPLACE INTO line_settings VALUES (?, ?, ?)", (line, key, _json(value)))


def _version(db: sqlite3.Connection, line: int) -> int:
    row = db.execute("SELECT max(version) FROM line_setting_changes WHERE line = ?", (line,)).fetchone()
    return int(row[0] or 0)


def _values(settings: LineSettings) -> dict[str, Value]:
    return {key: value for key, value in asdict(settings).items() if key != "line"}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
