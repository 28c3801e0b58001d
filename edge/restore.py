"""A backup becomes a box again: into an empty folder, every file checked, under a new epoch for head office.

All of it is made ready in `restoring/` beside its place; the last two renames put audio and then database
there. A kill before the last one leaves no database: the command is given again and finishes.

    NotEmpty (BackupError)      there is a branch already; it is never written over
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from edge.backup import (
    MARKER,
    NEWEST,
    RECORDINGS,
    BackupError,
    NotThere,
    NotWhole,
    OfAnotherBox,
    Result,
    copy_checked,
    count_calls,
    newest_in,
    open_copy,
    read_mark,
    settle,
    wanted_files,
)
from edge.config import Config
from edge.store.operations import Operation, add_operation
from edge.store.retention import THE_BOX
from sync import outbox
from sync.db import connect, write

STAGING = "restoring"


class NotEmpty(BackupError):
    """There is a branch already."""


def restore(config: Config, folder: Path, now_utc: str, partial: bool = False) -> Result:
    """Make the box of this configuration out of the backup in `folder`; BackupError says why not.

    `partial`: also when audio is missing or damaged in the backup; the result then names it.
    """
    mark = read_mark(folder)
    if mark is None:
        raise NotThere(f"{folder / MARKER} is not there: this is no backup")
    if mark.box != config.box.id:
        raise OfAnotherBox(f"{folder} holds the backup of box {mark.box!r}, this is {config.box.id!r}")
    staging = config.box.data_dir / STAGING
    audio_in_place = (staging / NEWEST).exists() and not (staging / RECORDINGS).exists()
    _need_empty(config, audio_in_place)
    faults: list[str] = []
    if not audio_in_place:
        faults = _make_ready(folder, staging, now_utc, partial)
        (staging / RECORDINGS).rename(config.recordings_dir)
        settle(config.box.data_dir)
    (staging / NEWEST).rename(config.database)
    settle(config.box.data_dir)
    shutil.rmtree(staging)
    with closing(open_copy(config.database)) as copy:
        recordings = len(wanted_files(copy)) - len(faults)
        return Result(count_calls(copy), recordings, copied=recordings, faults=faults)


def _need_empty(config: Config, audio_in_place: bool) -> None:
    if config.database.exists():
        raise NotEmpty(f"{config.database} is there: a backup is restored into an empty box only")
    if not audio_in_place and config.recordings_dir.exists() and any(config.recordings_dir.iterdir()):
        raise NotEmpty(f"{config.recordings_dir} is not empty: a backup is restored into an empty box only")


def _make_ready(folder: Path, staging: Path, now_utc: str, partial: bool) -> list[str]:
    if staging.exists():
        shutil.rmtree(staging)
    (staging / RECORDINGS).mkdir(parents=True)
    faults = []
    newest = newest_in(folder)
    with closing(open_copy(newest)) as copy:
        for one in wanted_files(copy):
            try:
                copy_checked(folder / RECORDINGS / one.file, staging / RECORDINGS / one.file, one.sha256)
            except FileNotFoundError:
                faults.append(f"{one.file} is missing in the backup")
            except NotWhole as error:
                faults.append(str(error))
    if faults and not partial:
        shutil.rmtree(staging)
        raise NotWhole(f"nothing was restored (--partial leaves these out): {'; '.join(faults[:20])}")
    settle(staging / RECORDINGS)
    draft = staging / (NEWEST + ".draft")
    shutil.copyfile(newest, draft)
    _begin_anew(draft, now_utc)
    draft.rename(staging / NEWEST)
    settle(staging)
    return faults


def _begin_anew(database: Path, now_utc: str) -> None:
    """Head office may know of more than this copy does: number under a new epoch. Nobody is logged in."""
    with closing(connect(database)) as db:
        with write(db):
            outbox.start_epoch(db)
            db.execute("DELETE FROM sessions")
            add_operation(db, Operation("restore", "done", "", THE_BOX), now_utc)
        db.execute("PRAGMA journal_mode=DELETE")  # all of it in one file, for the rename
