"""The only place that knows all parts: builds the recorder out of its settings and turns its handle.

`RecordService.step` does everything once and never waits; the loop around it waits for the next audio period.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO

from edge.adopt import Adopted, adopt_leftovers
from edge.alarms import ALARMS
from edge.assembly import build_board
from edge.board import Board
from edge.call import Action, NameLine
from edge.clock import Clock
from edge.codec import settle_worker
from edge.config import Config, HatSettings
from edge.holding import hold_all, release
from edge.ledger import Ledger
from edge.line.board_events import board_event
from edge.line.events import LineEvent
from edge.line_memory import memory_of
from edge.recorder import Recorder
from edge.ring import RingWriter
from edge.rules import LineRules
from edge.settings_watch import SettingsWatch
from edge.sources.alsa import Capture
from edge.sources.hat import HatLink
from edge.sources.hat_events import EventMark, HatEvent
from edge.sources.hat_status import write_status
from edge.storage.keeper import StorageKeeper, build_keeper
from edge.store import lines as line_rows
from edge.store.hat_events import keep_events, mark_of
from edge.store.health import begin_trouble, end_trouble, open_troubles
from edge.store.line_settings import note_file
from edge.store.requests import new_requests, take_requests
from edge.store.schema import open_store
from edge.timeline import Timeline
from edge.writes import Writes
from sync.db import data_version, write
from sync.ids import new_id
from sync.moment import to_text

STEP_S = 0.02
KEEP_EVERY_S = 30.0  # room on the disk
LOOK_EVERY_S = 0.5  # at clocks and health
CLOCK_QUALITY_EVERY_S = 60.0
# What _note_troubles tells of, by the first word of its part.
OURS = ("clock", "recording", "audio", "readings", *ALARMS)
STEPPED_SHOWN_S = 3600.0  # the page says for so long that the clock was set


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
    settings: SettingsWatch
    writes: Writes
    held: list[IO[str]]  # locks that keep a second recorder away
    _look_s: float = 0.0
    _version: int = -1  # of the database, as last looked at
    _keep_s: float = 0.0
    _quality_s: float = 0.0
    _stepped: str = ""  # how the clock was last set
    _stepped_until_s: float = 0.0  # that is shown
    _troubles: dict[str, str] = field(init=False)  # as the database has them: some began before this start
    _senses: dict[int, tuple[bool, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._troubles = open_troubles(self.db, OURS)

    def step(self) -> None:
        """Take what came in on every board, write down what it means."""
        now_s, now_utc = self.clock.monotonic_s(), to_text(self.clock.utc())
        writes = self.writes
        asked: dict[int, bool] = {}
        changed: dict[int, LineRules] = {}
        writes.attempt(partial(self._news, asked, changed, now_utc), now_utc)
        for parts in self.boards:
            newest = parts.capture.ring.position
            readings = parts.link.step(now_s, newest) if parts.link else []
            parts.recorder.note_gaps(parts.capture.take_gaps())
            actions = self._change(parts.board, changed)
            actions += parts.board.step(readings, asked, _seen(parts.link))
            if actions:
                carry_out = partial(self.ledger.carry_out, actions, parts.recorder, parts.timeline, now_utc)
                writes.do(carry_out, now_utc)
            if closed := parts.recorder.step(self.keeper.audio_allowed):
                writes.do(partial(self.ledger.close_parts, closed, now_utc), now_utc)
        if not writes.catch_up(now_utc):
            return
        writes.attempt(partial(self.ledger.collect, now_utc, now_s), now_utc)
        if now_s >= self._keep_s:
            self._keep_s = now_s + KEEP_EVERY_S
            writes.attempt(partial(self.keeper.step, now_utc), now_utc)
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_EVERY_S
            writes.attempt(partial(self._look, now_s, now_utc), now_utc)

    def close(self) -> None:
        """Stop capturing and close open recordings; their calls are ended at the next start."""
        for parts in self.boards:
            parts.capture.stop()
            if parts.link:
                parts.link.close()
        now_s, now_utc = self.clock.monotonic_s(), to_text(self.clock.utc())
        for parts in self.boards:
            self.writes.do(partial(self.ledger.close_parts, parts.recorder.close(), now_utc), now_utc)
        self.ledger.worker.shutdown(wait=True)
        self.writes.attempt(partial(self.ledger.collect, now_utc, now_s), now_utc)
        for parts in self.boards:
            parts.capture.ring.remove()
            self.config.status_path(parts.settings).unlink(missing_ok=True)
        self.db.close()
        release(self.held)

    def _news(self, asked: dict[int, bool], changed: dict[int, LineRules], now_utc: str) -> None:
        """What people did since the last look; looking costs nothing while nobody wrote."""
        version = data_version(self.db)
        if version == self._version:
            return
        changed.update(self.settings.changed())
        asked.update(self._asked(now_utc))
        self._version = version

    def _change(self, board: Board, changed: dict[int, LineRules]) -> list[Action]:
        """Let the board follow the changed settings of its lines."""
        actions: list[Action] = []
        for line in changed.keys() & set(board.lines):
            actions.append(NameLine(line, self.settings.names[line]))
            actions += board.change(line, changed[line])
        return actions

    def _asked(self, now_utc: str) -> dict[int, bool]:
        """Presses of the record button."""
        asked = new_requests(self.db)
        if asked:
            with write(self.db):
                take_requests(self.db, asked, now_utc)
        return {one.line: one.keep for one in asked}

    def _look(self, now_s: float, now_utc: str) -> None:
        for parts in self.boards:
            if parts.link:
                write_status(self.config.status_path(parts.settings), parts.link.status())
            self._compare_clocks(parts, now_s, now_utc)
        if now_s >= self._quality_s:
            self._quality_s = now_s + CLOCK_QUALITY_EVERY_S
            self.ledger.clock_quality = self.clock.quality()
        self._note_outage(now_utc)
        self._note_troubles(now_s, now_utc)
        self._note_senses()

    def _compare_clocks(self, parts: BoardParts, now_s: float, now_utc: str) -> None:
        """Where the samples lie in UTC; before the first one there is nothing to compare."""
        if parts.capture.heard is None:
            return
        position, at_s = parts.capture.heard
        heard_utc = self.clock.utc() - timedelta(seconds=self.clock.monotonic_s() - at_s)
        if stepped_s := parts.timeline.look(position, heard_utc):
            self._stepped = f"it was set by {stepped_s:+.1f} s at {now_utc}"
            self._stepped_until_s, self._quality_s = now_s + STEPPED_SHOWN_S, now_s

    def _note_outage(self, now_utc: str) -> None:
        """The database takes what it is given again: when it did not becomes a row."""
        if self.writes.trouble is None:
            return
        with write(self.db):
            begin_trouble(self.db, "database", self.writes.trouble, self.writes.since_utc)
            end_trouble(self.db, "database", now_utc)
        self.writes.trouble = None

    def _note_troubles(self, now_s: float, now_utc: str) -> None:
        """A board's lost device or port is a state: written when it begins, changes and ends."""
        troubles = {"clock": self._stepped} if now_s < self._stepped_until_s else {}
        for parts in self.boards:
            if parts.capture.trouble:
                troubles[f"audio:{parts.settings.name}"] = parts.capture.trouble
            if parts.recorder.trouble:
                troubles["recording"] = parts.recorder.trouble
            for line, name in parts.board.alarms():
                troubles[f"{name}:{line}"] = self.ledger.name_of(line) or str(line)
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
    """Put the recorder together: open the store, adopt what an earlier run left, start capturing.

    HeldElsewhere when another recorder works on this database, a ring or a card of these settings.
    """
    now_utc = to_text(clock.utc())
    config.recordings_dir.mkdir(parents=True, exist_ok=True)
    held = hold_all(_wanted(config), now_utc)
    db = open_store(config.database)
    ledger = Ledger(db, config, new_worker, new_id, clock.quality())
    adopted = adopt_leftovers(ledger, now_utc)
    settings = SettingsWatch(db, ledger.names)
    _note_lines(db, config)
    boards = [_build_board(config, hat, clock, db, settings) for hat in config.hats]
    _name_lines(db, config, settings, now_utc)
    for parts in boards:
        parts.capture.start()
    keeper = build_keeper(config, db, lambda: ledger.worker, lambda: ledger.clock_quality)
    look_s = clock.monotonic_s() + LOOK_EVERY_S
    writes = Writes(keeper.make_room)
    return RecordService(config, clock, db, ledger, keeper, boards, adopted, settings, writes, held, look_s)


def _wanted(config: Config) -> Iterator[tuple[Path, str]]:
    """What this recorder needs for itself alone: the lock file of each, and its name."""
    yield config.box.data_dir / "recorder.lock", f"the database {config.database}"
    for hat in config.hats:
        ring = config.ring_path(hat)
        yield ring.with_name(ring.name + ".lock"), f"the ring {ring}"
        card = "".join(one if one.isalnum() else "-" for one in hat.alsa_device)
        yield config.box.ring_dir / f"branchline-card-{card}.lock", f"the card {hat.alsa_device}"


def _build_board(
    config: Config, hat: HatSettings, clock: Clock, db: sqlite3.Connection, settings: SettingsWatch
) -> BoardParts:
    ring = RingWriter.create(config.ring_path(hat), hat.rate_hz, hat.lines, config.record.ring_s)
    first, timeline = config.first_line(hat), Timeline(hat.rate_hz, clock.utc())
    return BoardParts(
        settings=hat,
        capture=Capture(hat.alsa_device, ring, clock.monotonic_s),
        link=_link(db, hat, first, timeline) if hat.readings_port else None,
        board=build_board(
            config, ring, first, timeline, settings.rules, lambda line: memory_of(db, line, timeline)
        ),
        recorder=Recorder(config.recordings_dir, ring, first),
        timeline=timeline,
    )


def _seen(link: HatLink | None) -> list[LineEvent]:
    """What only the board itself can know, since the last look."""
    found = []
    while link is not None and link.events:
        event = link.events.popleft()
        found.append(board_event(event.kind, event.line, event.position))
    return [event for event in found if event is not None]


def _link(db: sqlite3.Connection, hat: HatSettings, first_line: int, timeline: Timeline) -> HatLink:
    """The link to a board, which may forget an event once it is in the store."""

    def keep(events: list[HatEvent], mark: EventMark) -> bool:
        timed = [(one, None if one.position is None else timeline.utc(one.position)) for one in events]
        try:
            with write(db):
                keep_events(db, hat.name, timed, mark)
        except sqlite3.Error:
            return False  # the board keeps them and is asked again; the trouble itself is told elsewhere
        return True

    return HatLink(hat.readings_port, first_line, hat.lines, hat.rate_hz, mark_of(db, hat.name), keep)


def _note_lines(db: sqlite3.Connection, config: Config) -> None:
    lines = range(1, config.total_lines + 1)
    with write(db):
        note_file(db, [config.line(line) for line in lines], config.most_pre_roll_s)


def _name_lines(db: sqlite3.Connection, config: Config, settings: SettingsWatch, now_utc: str) -> None:
    with write(db):
        line_rows.drop_lines_after(db, config.total_lines)
        for line in range(1, config.total_lines + 1):
            line_rows.name_line(db, line, settings.names[line], now_utc)


def run(service: RecordService, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Turn the handle until `stop` is set."""
    ready()
    try:
        while not stop.wait(STEP_S):
            service.step()
    finally:
        service.close()
