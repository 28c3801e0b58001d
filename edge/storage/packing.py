"""Turns old FLAC into Opus, some files at a time in the worker: row, file, row, and then the original goes.

    conversions says begun -> X.opus on disk, hashed -> recordings says opus, conversions done, X.flac in
    removals: one transaction -> X.flac is removed

A kill anywhere leaves `begun` rows, which are done again, or a removal, which the keeper carries out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from pathlib import Path

from edge.codec import Encoded
from edge.opus import PACKED, NotPacked, encode_opus
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


@dataclass(frozen=True, slots=True)
class Packed:
    """What became of one file. Neither `encoded` nor `fault`: the disk did not take it, it is tried again."""

    one: Conversion
    encoded: Encoded | None = None
    fault: str = ""


def pack_files(folder: Path, jobs: Sequence[Conversion], kbit_s: int) -> list[Packed]:
    """Pack each file; runs in the worker."""
    return [_pack_file(folder, one, kbit_s) for one in jobs]


def _pack_file(folder: Path, one: Conversion, kbit_s: int) -> Packed:
    source, target = folder / one.from_file, folder / one.to_file
    try:
        return Packed(one, encode_opus(source, target, one.from_sha256, one.samples, kbit_s))
    except (NotPacked, FileNotFoundError) as error:
        return Packed(one, fault=str(error))
    except OSError:
        return Packed(one)


@dataclass(slots=True)
class Packing:
    """What waits to be packed and what the worker has."""

    db: sqlite3.Connection
    folder: Path
    worker: Callable[[], Executor]
    kbit_s: int
    alone: bool
    waiting: list[Audio] = field(default_factory=list)  # oldest last
    _job: Future[list[Packed]] | None = None

    def step(self, now_utc: str) -> None:
        """Write down what the worker has done, and give it more."""
        if self._job is None:
            self._begin(now_utc)
            jobs = _one_job(conversions_begun(self.db))
            if jobs:
                self._job = self.worker().submit(pack_files, self.folder, jobs, self.kbit_s)
        if self._job is not None and self._job.done():
            job, self._job = self._job, None
            try:
                done = job.result()
            except BrokenExecutor:  # its rows say begun: they are done again
                return
            with write(self.db):
                for packed in done:
                    self._note(packed, now_utc)

    def _begin(self, now_utc: str) -> None:
        if not self.waiting or conversions_begun(self.db):
            return
        with write(self.db):
            for _ in range(min(MOST_FILES, len(self.waiting))):
                recording_id = self.waiting.pop().recording_id
                begin_conversion(self.db, recording_id, PACKED[1:], recording_id + PACKED, now_utc)

    def _note(self, packed: Packed, now_utc: str) -> None:
        if packed.encoded is not None:
            finish_conversion(self.db, packed.one, packed.encoded, self.alone, now_utc)
        elif packed.fault:
            fail_conversion(self.db, packed.one, packed.fault, now_utc)


def _one_job(jobs: list[Conversion]) -> list[Conversion]:
    """As many as finished calls can be asked to wait for, one at least."""
    samples = 0
    for count, one in enumerate(jobs):
        samples += one.samples
        if samples > MOST_SAMPLES:
            return jobs[: max(1, count)]
    return jobs
