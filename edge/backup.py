"""A second copy of everything on another disk: the database whole, each recording checked against its row.

    <folder>/backup.json            whose backup this is, when, how much
             branch.db              the newest copy: what it names is there, or the run said what is not
             branch.previous.db     the one before
             recordings/<file>      what a run did not finish ends in .copying

The database is copied first, to a name of its own; then the audio it names; only then it becomes branch.db.
Audio that rules or people deleted goes here too; what only made room stays here.

    BackupError (ValueError)    the folder cannot be used; the sentence says what to do
      NotThere                  no such folder, or not the disk that was there the last time
      OfAnotherBox              somebody else's backup
      NotWhole                  the copy of the database is damaged; the older copies stay
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge.config import Config
from edge.finished import sync_folder
from edge.store.health import begin_trouble, end_trouble
from edge.store.retention import note_backup
from edge.store.schema import open_store
from sync.db import write

MARKER, NEWEST, PREVIOUS, RECORDINGS = "backup.json", "branch.db", "branch.previous.db", "recordings"
COPYING = ".copying"
PASSES = 3  # recordings are packed and deleted while they are being copied
GOES_TOO = ("age", "erased")  # deletions the backup follows; those for space it does not
PART = "backup"  # of the box's health


class BackupError(ValueError):
    """The folder cannot be used."""


class NotThere(BackupError):
    """No such folder, or not the disk that was there the last time."""


class OfAnotherBox(BackupError):
    """Somebody else's backup."""


class NotWhole(BackupError):
    """A database that does not pass SQLite's check."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What `backup.json` says."""

    box: str
    at_utc: str
    calls: int
    recordings: int  # with audio


@dataclass(slots=True)
class Result:
    """What a run did or found."""

    calls: int = 0
    recordings: int = 0  # with audio, all there now
    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def says(self) -> str:
        """One sentence, and one per fault."""
        line = f"{self.calls} calls, {self.recordings} recordings; {self.copied} copied now"
        return "\n".join([f"{line} ({self.copied_bytes} bytes), {self.removed} removed", *self.faults])


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file the database names."""

    file: str
    size_bytes: int
    sha256: str


def run_backup(config: Config, now_utc: str, folder: Path, first: bool = False) -> Result:
    """`back_up`, and a row that says how it went; raises what `back_up` raises."""
    with closing(open_store(config.database)) as db:
        try:
            result = back_up(db, config, folder, now_utc, first)
        except (BackupError, OSError, sqlite3.Error) as error:
            with write(db):
                note_backup(db, str(folder), "failed", (0, 0, 0), str(error), now_utc)
                begin_trouble(db, PART, str(error), now_utc)
            if isinstance(error, sqlite3.Error):
                raise NotWhole(f"the database cannot be copied: {error}") from error
            raise
        counts = (result.calls, result.recordings, result.copied_bytes)
        with write(db):
            outcome = "failed" if result.faults else "done"
            note_backup(db, str(folder), outcome, counts, "\n".join(result.faults), now_utc)
            if result.faults:
                begin_trouble(db, PART, result.faults[0], now_utc)
            else:
                end_trouble(db, PART, now_utc)
        return result


def back_up(
    db: sqlite3.Connection, config: Config, folder: Path, now_utc: str, first: bool = False
) -> Result:
    """Bring the backup in `folder` up to date. `first`: it is right that there is none yet."""
    _check_folder(db, config, folder, first)
    (folder / RECORDINGS).mkdir(exist_ok=True)
    for half in [*folder.glob(f"*{COPYING}"), *(folder / RECORDINGS).glob(f"*{COPYING}")]:
        half.unlink()
    draft = folder / (NEWEST + COPYING)
    result = Result()
    for _ in range(PASSES):
        copy_database(db, draft)
        vanished = _copy_audio(config.recordings_dir, folder / RECORDINGS, draft, result)
        if not any(_changed(db, one) for one in vanished):
            break
    result.faults += [f"{one.file} is missing on the box" for one in vanished]
    settle(folder / RECORDINGS)
    if (folder / NEWEST).exists():
        (folder / NEWEST).replace(folder / PREVIOUS)
    draft.replace(folder / NEWEST)
    _mark(folder, Mark(config.box.id, now_utc, result.calls, result.recordings))
    result.removed = _remove_deleted(folder)
    return result


def verify_backup(folder: Path) -> Result:
    """Read all of it again: the database's check, and every recording's hash."""
    result = Result()
    with closing(open_copy(newest_in(folder))) as copy:
        result.calls = count_calls(copy)
        for one in wanted_files(copy):
            path = folder / RECORDINGS / one.file
            if not path.is_file():
                result.faults.append(f"{one.file} is missing")
            elif sha256_of(path) != one.sha256:
                result.faults.append(f"{one.file} is damaged: it does not hash to what its row says")
            else:
                result.recordings += 1
    return result


def newest_in(folder: Path) -> Path:
    """The newest copy of the database; a kill between two renames leaves only the one before."""
    newest, previous = folder / NEWEST, folder / PREVIOUS
    return previous if previous.exists() and not newest.exists() else newest


def read_mark(folder: Path) -> Mark | None:
    """Whose backup this is; None when it is none. BackupError for a mark nobody can read."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return Mark(**content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise NotWhole(f"{folder / MARKER} is damaged: {error}") from error


def copy_database(db: sqlite3.Connection, target: Path) -> None:
    """A copy of one moment in a single file, checked and on the disk; the box goes on writing meanwhile."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target)) as copy:
        db.backup(copy)  # in one step: others may write meanwhile, and a backup in steps would start over
        copy.execute("PRAGMA journal_mode=DELETE")
        (answer,) = copy.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        raise NotWhole(f"the copy of the database is damaged ({answer}); the earlier copies stay")
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def open_copy(path: Path) -> sqlite3.Connection:
    """Read a copied database without touching it; NotThere or NotWhole."""
    if not path.is_file():
        raise NotThere(f"{path} is not there: this is no backup, or its first run was never finished")
    copy = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    copy.row_factory = sqlite3.Row
    try:
        (answer,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        copy.close()
        raise NotWhole(f"{path} is damaged ({answer})")
    return copy


def wanted_files(copy: sqlite3.Connection) -> list[Wanted]:
    """The audio this database names."""
    rows = copy.execute("SELECT file, size_bytes, sha256 FROM recordings WHERE state = 'ready' ORDER BY id")
    return [Wanted(*row) for row in rows]


def count_calls(copy: sqlite3.Connection) -> int:
    """How many calls it holds."""
    return int(copy.execute("SELECT count(*) FROM calls").fetchone()[0])


def copy_checked(source: Path, target: Path, sha256: str) -> int:
    """Copy a file that hashes to `sha256`: written, fsynced, renamed. Its size; NotWhole if it is damaged."""
    draft = target.with_name(target.name + COPYING)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, draft.open("wb") as writer:
        while raw := reader.read(1 << 20):
            digest.update(raw)
            size += writer.write(raw)
        writer.flush()
        os.fsync(writer.fileno())
    if digest.hexdigest() != sha256:
        draft.unlink()
        raise NotWhole(f"{source.name} is damaged: it does not hash to what its row says")
    draft.replace(target)
    return size


def settle(folder: Path) -> None:
    """Make the names in `folder` durable, where the file system can (a network share may not)."""
    try:
        sync_folder(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def sha256_of(path: Path) -> str:
    """Lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_folder(db: sqlite3.Connection, config: Config, folder: Path, first: bool) -> None:
    if not folder.is_dir():
        raise NotThere(f"{folder} is not there: is the disk plugged in, the share mounted?")
    mark = read_mark(folder)
    if mark is not None and mark.box != config.box.id:
        raise OfAnotherBox(f"{folder} holds the backup of box {mark.box!r}, this is {config.box.id!r}")
    before = db.execute(
        "SELECT max(at_utc) FROM backups WHERE folder = ? AND result = 'done'", (str(folder),)
    ).fetchone()[0]
    if mark is None and before and not first:
        raise NotThere(
            f"{folder} is empty, but the backup of {before} went there: is the right disk mounted?"
            " If it is a new one, run `python -m edge backup --first` once"
        )


def _copy_audio(source: Path, target: Path, draft: Path, result: Result) -> list[Wanted]:
    """Copy what is not there yet; returns what the box no longer has."""
    vanished = []
    result.recordings, result.faults = 0, []
    with closing(open_copy(draft)) as copy:
        result.calls = count_calls(copy)
        wanted = wanted_files(copy)
    for one in wanted:
        path = target / one.file
        if not (path.is_file() and path.stat().st_size == one.size_bytes):
            try:
                result.copied_bytes += copy_checked(source / one.file, path, one.sha256)
            except FileNotFoundError:
                vanished.append(one)
                continue
            except NotWhole as error:
                result.faults.append(str(error))
                continue
            result.copied += 1
        result.recordings += 1
    return vanished


def _changed(db: sqlite3.Connection, one: Wanted) -> bool:
    """Whether the box has packed or deleted the file meanwhile."""
    query = "SELECT 1 FROM recordings WHERE file = ? AND state = 'ready'"
    return db.execute(query, (one.file,)).fetchone() is None


def _mark(folder: Path, mark: Mark) -> None:
    draft = folder / (MARKER + COPYING)
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(mark), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / MARKER)
    settle(folder)


def _remove_deleted(folder: Path) -> int:
    """Follow the deletions that are meant for every copy."""
    removed = 0
    with closing(open_copy(folder / NEWEST)) as copy:
        for name in _deleted_files(copy):
            path = folder / RECORDINGS / name
            if path.exists():
                path.unlink()
                removed += 1
    settle(folder / RECORDINGS)
    return removed


def _deleted_files(copy: sqlite3.Connection) -> Iterator[str]:
    rows = copy.execute(
        f"""SELECT r.file, v.from_file FROM deletions d JOIN recordings r ON r.id = d.recording_id
            LEFT JOIN conversions v ON v.recording_id = r.id
            WHERE d.reason IN ({", ".join("?" * len(GOES_TOO))})""",
        GOES_TOO,
    )
    for row in rows:
        yield from (name for name in row if name)
