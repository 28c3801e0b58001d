"""The keeper of the disk: one step looks how full it is and does what policy and ladder say is due.

    step: removals -> look -> climb -> purge -> what the rules delete -> packing -> survey -> say ->
    ballast -> the database's log

Cheap when nothing is due: one look at the disk and two at indexes. Whatever it deletes is committed as a row
before the file goes, and a file that did not go is tried again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path

from edge.config import Config, StorageSettings
from edge.finished import sync_folder
from edge.storage import ballast, ladder, policy
from edge.storage.ladder import Ladder, Rung, Space
from edge.storage.packing import Packing
from edge.storage.policy import Doomed
from edge.storage.survey import Question, Survey, audio_in, survey
from edge.storage.write_ahead import WriteAhead
from edge.store.health import begin_trouble, tell_trouble
from edge.store.operations import Operation, add_operation
from edge.store.retention import THE_BOX, delete_audio, last_backup, note_removed, removals
from sync.db import write
from sync.moment import from_text, to_text

PART, BACKUP_PART = "storage", "backup"  # of the box's health
BATCH = 64  # recordings deleted in one transaction
SURVEY_EVERY = timedelta(hours=1)
BACKUP_EVERY = timedelta(days=2)
MB = 10**6


@dataclass(slots=True)
class StorageKeeper:
    """Keeps room on the disk of one box. `measure` looks at the file system the audio is on."""

    db: sqlite3.Connection
    question: Question  # its `now_utc` and `clock_set` are those of the last survey
    settings: StorageSettings
    recordings_dir: Path
    packing: Packing
    worker: Callable[[], Executor]
    clock_quality: Callable[[], str]
    measure: Callable[[], Space]
    write_ahead: WriteAhead
    rung: Rung = Rung.OK
    found: Survey = field(default_factory=lambda: Survey((), (), 0, 0))
    _doomed: list[Doomed] = field(default_factory=list)  # by the rules, oldest last
    _surveying: Future[Survey] | None = None
    _next_survey_utc: str = ""
    _last_utc: str = ""
    _said: str | None = None
    _stuck: str = ""  # a file that cannot be removed
    _forced: int = 0  # recordings deleted that were nowhere else, since the last rung was entered

    @property
    def optional_allowed(self) -> bool:
        """Whether traces, spare copies and the like may be written to this disk."""
        return self.rung < Rung.STOP

    @property
    def audio_allowed(self) -> bool:
        """Whether there is room for audio now; False: only the reserve is left, and it is the call log's."""
        try:
            return self.measure().audio_free_bytes > 0
        except OSError:  # a disk that cannot even be asked: who writes to it finds out why
            return True

    def step(self, now_utc: str) -> None:
        """Do what is due. A full disk is answered with the ballast, never raised."""
        for _ in range(2):
            try:
                self._step(now_utc)
                return
            except (OSError, sqlite3.Error) as error:
                if not ballast.is_full(error):
                    raise
                self.make_room()

    def make_room(self) -> None:
        """A write found the disk full: give up the ballast, bring the log file back into the database."""
        ballast.drop(self.question.database.parent)
        self._said = None
        try:
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            if not ballast.is_full(error):
                raise

    def _step(self, now_utc: str) -> None:
        self._remove_files()
        space = self.measure()
        self._climb(space, now_utc)
        self._purge(space, now_utc)
        self._obey_rules(now_utc)
        if self.rung < Rung.STOP:
            self.packing.step(now_utc)
        self._survey(now_utc)
        self._tell(self.measure(), now_utc)
        if self.rung < Rung.PURGE:
            ballast.lay(self.question.database.parent, self.settings.ballast_mb * MB)
        self.write_ahead.step(now_utc)
        self._last_utc = now_utc

    def _remove_files(self) -> None:
        files = removals(self.db, 4 * BATCH)
        if not files:
            return
        gone = []
        self._stuck = ""
        for name in files:
            try:
                (self.recordings_dir / name).unlink(missing_ok=True)
            except OSError as error:
                self._stuck = f"{name} cannot be removed: {error.strerror}"
            else:
                gone.append(name)
        sync_folder(self.recordings_dir)
        with write(self.db):
            note_removed(self.db, gone)

    @property
    def _ladder(self) -> Ladder:
        one = self.settings
        return Ladder((one.warn_percent, one.purge_percent, one.stop_percent, one.last_percent))

    def _climb(self, space: Space, now_utc: str) -> None:
        before, self.rung = self.rung, self._ladder.climb(self.rung, space.used_percent)
        if self.rung is not Rung.LAST:
            self._forced = 0
        if max(before, self.rung) >= Rung.PURGE and before is not self.rung:
            says = f"{space.used_percent:.0f} % full: from {before.name.lower()} to {self.rung.name.lower()}"
            with write(self.db):
                add_operation(self.db, Operation("storage", "done", "", THE_BOX, "", says), now_utc)

    def _purge(self, space: Space, now_utc: str) -> None:
        """Confirmed audio first; on the last rung, when there is none, what is nowhere else."""
        wanted = self._ladder.purge_bytes(self.rung, space)
        if not wanted:
            return
        alone = self.question.alone
        oldest = policy.make_space(audio_in(self.db, alone), wanted)
        if self._delete(islice(oldest, BATCH), now_utc, forced=alone):
            return
        wanted = self._ladder.forced_bytes(self.rung, space)
        if wanted:
            oldest = policy.make_space(audio_in(self.db, alone), wanted, forced=True)
            self._forced += self._delete(islice(oldest, BATCH), now_utc, forced=True)

    def _obey_rules(self, now_utc: str) -> None:
        batch = [self._doomed.pop() for _ in range(min(BATCH, len(self._doomed)))]
        self._delete(batch, now_utc, forced=self.question.alone)

    def _delete(self, found: Iterable[Doomed], now_utc: str, forced: bool) -> int:
        """Delete what no protection keeps, rows in one transaction, then the files; returns how many."""
        batch = list(found)
        if not batch:
            return 0
        deleted = 0
        with write(self.db):
            for one in batch:
                audio = one.audio
                reason = one.reason if audio.confirmed else "unconfirmed"
                if delete_audio(self.db, audio.recording_id, reason, None, now_utc, forced):
                    deleted += 1
                    done = Operation("delete_audio", "done", "", THE_BOX, audio.recording_id, reason)
                    add_operation(self.db, done, now_utc)
        self._remove_files()
        return deleted

    def _survey(self, now_utc: str) -> None:
        if self._surveying is None and not self._last_utc <= now_utc < self._next_survey_utc:
            self._next_survey_utc = to_text(from_text(now_utc) + SURVEY_EVERY)
            clock_set = self.clock_quality() in ("ntp", "rtc")
            question = Question(
                self.question.database, self.question.rules, self.question.alone, clock_set, now_utc
            )
            self._surveying = self.worker().submit(survey, question)
            self._ask_for_backup(now_utc)
        if self._surveying is not None and self._surveying.done():
            surveying, self._surveying = self._surveying, None
            try:
                self.found = surveying.result()
            except BrokenExecutor:
                self._next_survey_utc = ""
                return
            self._doomed = list(reversed(self.found.delete))
            self.packing.waiting = list(reversed(self.found.pack))

    def _ask_for_backup(self, now_utc: str) -> None:
        """A backup that is set and does not happen is a trouble; the next one that does ends it."""
        if not self.settings.backup_dir:
            return
        last = last_backup(self.db)
        if last is None or last.at_utc < to_text(from_text(now_utc) - BACKUP_EVERY):
            since = f"the last one is of {last.at_utc}" if last else "there is none yet"
            with write(self.db):
                begin_trouble(self.db, BACKUP_PART, f"no backup for two days: {since}", now_utc)

    def _tell(self, space: Space, now_utc: str) -> None:
        """The page says how it stands; a row is written only when that changes."""
        hours = ladder.hours_until_full(space, self.found.removable_bytes, self.found.last_day_bytes)
        reasons = [self._stuck] if self._stuck else []
        if self._forced:
            reasons.append(f"{self._forced} recordings were deleted that are nowhere else")
        says = ladder.complaint(self.rung, space, hours, self.settings.alarm_hours, reasons)
        if says == self._said:
            return
        with write(self.db):
            tell_trouble(self.db, PART, says, now_utc)
        self._said = says


def build_keeper(
    config: Config,
    db: sqlite3.Connection,
    worker: Callable[[], Executor],
    clock_quality: Callable[[], str],
) -> StorageKeeper:
    """The keeper of this box. `worker` gives the executor of low priority as it is now."""
    folder, alone = config.recordings_dir, not config.head_office.host
    settings = config.storage
    return StorageKeeper(
        db=db,
        question=Question(config.database, config.keep, alone, False, ""),
        settings=settings,
        recordings_dir=folder,
        packing=Packing(db, folder, worker, settings.opus_kbit_s, alone),
        worker=worker,
        clock_quality=clock_quality,
        measure=lambda: look_at(folder, settings.reserve_mb * MB),
        write_ahead=WriteAhead(db, config.database),
    )


def look_at(folder: Path, reserve_bytes: int) -> Space:
    """How full the file system of `folder` is, as for a user who is not root."""
    found = os.statvfs(folder)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    free = found.f_bavail * found.f_frsize
    return Space(used + free, free, reserve_bytes)
