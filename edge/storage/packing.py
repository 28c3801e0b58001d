"""Turns old FLAC into Opus, some files at a time in the worker: row, file, row, and then the original goes.

    conversions says begun -> X.opus on disk, hashed -> recordings says opus, conversions done, X.flac in
    removals: one transaction -> X.flac is removed

A kill anywhere leaves `begun` rows, which are done again, or a removal, which the keeper carries out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from pathlib import Path

from edge.opus import PACKED, Job, Packed, pack_files
from edge.storage.policy import Audio
from edge.store.conversions import (
    Conversion,
    begin_conversion,
    conversions_begun,
    fail_conversion,
    finish_conversion,
)
from sync.db import write

MOST_FILES = 8  # in one job of the worker: finished calls wait for it
MOST_SAMPLES = 8000 * 600


@dataclass(slots=True)
class Packing:
    """What waits to be packed and what the worker has."""

    db: sqlite3.Connection
    folder: Path
    worker: Callable[[], Executor]
    kbit_s: int
    alone: bool
    waiting: list[Audio] = field(default_factory=list)  # oldest last
    _at_work: list[Conversion] = field(default_factory=list)
    _job: Future[list[Packed]] | None = None  # what becomes of them

    def step(self, now_utc: str) -> None:
        """Write down what the worker has done, and give it more."""
        if self._job is None:
            self._begin(now_utc)
            self._at_work = _one_job(conversions_begun(self.db))
            if self._at_work:
                jobs = [self._job_of(one) for one in self._at_work]
                self._job = self.worker().submit(pack_files, jobs, self.kbit_s)
        if self._job is not None and self._job.done():
            job, self._job = self._job, None
            try:
                done = job.result()
            except BrokenExecutor:  # its rows say begun: they are done again
                return
            with write(self.db):
                for one, packed in zip(self._at_work, done, strict=True):
                    self._note(one, packed, now_utc)

    def _begin(self, now_utc: str) -> None:
        if not self.waiting or conversions_begun(self.db):
            return
        with write(self.db):
            for _ in range(min(MOST_FILES, len(self.waiting))):
                recording_id = self.waiting.pop().recording_id
                begin_conversion(self.db, recording_id, PACKED[1:], recording_id + PACKED, now_utc)

    def _job_of(self, one: Conversion) -> Job:
        return Job(self.folder / one.from_file, self.folder / one.to_file, one.from_sha256, one.samples)

    def _note(self, one: Conversion, packed: Packed, now_utc: str) -> None:
        if packed.encoded is not None:
            finish_conversion(self.db, one, packed.encoded, self.alone, now_utc)
        elif packed.fault:
            fail_conversion(self.db, one, packed.fault, now_utc)


def _one_job(jobs: list[Conversion]) -> list[Conversion]:
    """As many as finished calls can be asked to wait for, one at least."""
    samples = 0
    for count, one in enumerate(jobs):
        samples += one.samples
        if samples > MOST_SAMPLES:
            return jobs[: max(1, count)]
    return jobs
