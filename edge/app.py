"""The only place that knows all parts: builds the recorder out of its settings and turns its handle.

`RecordService.step` does everything once and never waits; the loop around it waits for the next audio period.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from edge.adopt import Adopted, adopt_leftovers
from edge.assembly import build_board
from edge.board import Board
from edge.clock import Clock
from edge.codec import settle_worker
from edge.config import Config, HatSettings
from edge.ledger import Ledger
from edge.recorder import Recorder
from edge.ring import RingWriter
from edge.sources.alsa import Capture
from edge.sources.hat import HatLink
from edge.storage.ballast import is_full
from edge.storage.keeper import StorageKeeper, build_keeper
from edge.store import lines as line_rows
from edge.store.health import begin_trouble, end_trouble
from edge.store.line_settings import note_file
from edge.store.requests import new_requests, take_requests
from edge.store.schema import open_store
from edge.timeline import Timeline
from sync.db import data_version, write
from sync.ids import new_id
from sync.moment import to_text

STEP_S = 0.02
KEEP_EVERY_S = 30.0  # room on the disk
LOOK_EVERY_S = 0.5  # at clocks and health
CLOCK_QUALITY_EVERY_S = 60.0


@dataclass(slots=True)
class BoardParts:
    """One board and everything around it."""

    settings: HatSettings
    capture: Capture
    link: HatLink | None
    board: Board
    recorder: Recorder
    timeline: Timeline


@dataclass(slots=True)
class RecordService:
    """The recorder of one box."""

    config: Config
    clock: Clock
    db: sqlite3.Connection
    ledger: Ledger
    keeper: StorageKeeper
    boards: list[BoardParts]
    adopted: Adopted
    _look_s: float = 0.0
    _version: int = -1  # of the database, as last looked at
    _keep_s: float = 0.0
    _quality_s: float = 0.0
    _troubles: dict[str, str] = field(default_factory=dict)
    _senses: dict[int, tuple[bool, bool]] = field(default_factory=dict)

    def step(self) -> None:
        """Take what came in on every board, write down what it means."""
        now_s, now_utc = self.clock.monotonic_s(), to_text(self.clock.utc())
        asked = self._asked(now_utc)
        for parts in self.boards:
            newest = parts.capture.ring.position
            readings = parts.link.step(now_s, newest) if parts.link else []
            parts.recorder.note_gaps(parts.capture.take_gaps())
            actions = parts.board.step(readings, asked)
            self._write(partial(self.ledger.carry_out, actions, parts.recorder, parts.timeline, now_utc))
            closed = parts.recorder.step(self.keeper.audio_allowed)
            self._write(partial(self.ledger.close_parts, closed))
        self._write(partial(self.ledger.collect, now_utc))
        if now_s >= self._keep_s:
            self._keep_s = now_s + KEEP_EVERY_S
            self.keeper.step(now_utc)
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_EVERY_S
            self._look(now_s, now_utc)

    def _write(self, work: Callable[[], None]) -> None:
        """Do `work`; on a disk full to its last block, give up the ballast and do it again."""
        try:
            work()
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            self.keeper.make_room()
            work()

    def close(self) -> None:
        """Stop capturing and close open recordings; their calls are ended at the next start."""
        for parts in self.boards:
            parts.capture.stop()
            if parts.link:
                parts.link.close()
        for parts in self.boards:
            self.ledger.close_parts(parts.recorder.close())
        self.ledger.worker.shutdown(wait=True)
        self.ledger.collect(to_text(self.clock.utc()))
        for parts in self.boards:
            parts.capture.ring.remove()
        self.db.close()

    def _asked(self, now_utc: str) -> dict[int, bool]:
        """Presses of the record button since the last look; asking costs nothing while nobody wrote."""
        version = data_version(self.db)
        if version == self._version:
            return {}
        self._version = version
        asked = new_requests(self.db)
        if asked:
            with write(self.db):
                take_requests(self.db, asked, now_utc)
        return {one.line: one.keep for one in asked}

    def _look(self, now_s: float, now_utc: str) -> None:
        if now_s >= self._quality_s:
            self._quality_s = now_s + CLOCK_QUALITY_EVERY_S
            self.ledger.clock_quality = self.clock.quality()
        for parts in self.boards:
            parts.timeline.look(parts.capture.ring.position, self.clock.utc())
        self._note_troubles(now_utc)
        self._note_senses()

    def _note_troubles(self, now_utc: str) -> None:
        """A board's lost device or port is a state: written when it begins, changes and ends."""
        troubles = {}
        for parts in self.boards:
            if parts.capture.trouble:
                troubles[f"audio:{parts.settings.name}"] = parts.capture.trouble
            if parts.recorder.trouble:
                troubles["recording"] = parts.recorder.trouble
            for line, name in parts.board.alarms():
                troubles[f"{name}:{line}"] = self.config.line(line).name or str(line)
            if parts.link and parts.link.trouble:
                troubles[f"readings:{parts.settings.name}"] = parts.link.trouble
        if troubles == self._troubles:
            return
        with write(self.db):
            for part in self._troubles.keys() - troubles.keys():
                end_trouble(self.db, part, now_utc)
            for part, detail in troubles.items():
                begin_trouble(self.db, part, detail, now_utc)
        self._troubles = troubles

    def _note_senses(self) -> None:
        senses = {
            line: (parts.board.hook_known(line), parts.capture.trouble is None)
            for parts in self.boards
            for line in range(parts.board.first_line, parts.board.first_line + parts.settings.lines)
        }
        changed = {line: now for line, now in senses.items() if self._senses.get(line) != now}
        if changed:
            with write(self.db):
                for line, (hook_known, audio_known) in changed.items():
                    line_rows.show_senses(self.db, line, hook_known, audio_known)
            self._senses = senses


def encoding_worker() -> Executor:
    """One process of low priority that encodes finished parts, started before there are threads."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=settle_worker)


def build_record_service(config: Config, clock: Clock, new_worker: Callable[[], Executor]) -> RecordService:
    """Put the recorder together: open the store, adopt what an earlier run left, start capturing."""
    config.recordings_dir.mkdir(parents=True, exist_ok=True)
    db = open_store(config.database)
    ledger = Ledger(db, config, new_worker, new_id, clock.quality())
    adopted = adopt_leftovers(ledger, to_text(clock.utc()))
    boards = [_build_board(config, hat, clock) for hat in config.hats]
    _name_lines(db, config, to_text(clock.utc()))
    for parts in boards:
        parts.capture.start()
    keeper = build_keeper(config, db, lambda: ledger.worker, lambda: ledger.clock_quality)
    return RecordService(
        config, clock, db, ledger, keeper, boards, adopted, clock.monotonic_s() + LOOK_EVERY_S
    )


def _build_board(config: Config, hat: HatSettings, clock: Clock) -> BoardParts:
    ring = RingWriter.create(config.ring_path(hat), hat.rate_hz, hat.lines, config.record.ring_s)
    first = config.first_line(hat)
    return BoardParts(
        settings=hat,
        capture=Capture(hat.alsa_device, ring, clock.monotonic_s),
        link=HatLink(hat.readings_port, first, hat.lines, hat.rate_hz) if hat.readings_port else None,
        board=build_board(config, ring, first, timeline := Timeline(hat.rate_hz, clock.utc())),
        recorder=Recorder(config.recordings_dir, ring, first),
        timeline=timeline,
    )


def _name_lines(db: sqlite3.Connection, config: Config, now_utc: str) -> None:
    lines = range(1, config.total_lines + 1)
    with write(db):
        line_rows.drop_lines_after(db, config.total_lines)
        note_file(db, [config.line(line) for line in lines], config.most_pre_roll_s)
        for line in lines:
            line_rows.name_line(db, line, config.line(line).name, now_utc)


def run(service: RecordService, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Turn the handle until `stop` is set."""
    ready()
    try:
        while not stop.wait(STEP_S):
            service.step()
    finally:
        service.close()
