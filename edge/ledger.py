"""Carries out actions: rows in one transaction, audio files beside it, finished files from the worker.

The order is what makes a power cut harmless: the row that names a file is committed before the file is made,
and the file is safe on the disk before a row calls it ready.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field, replace
from functools import partial

from edge.call import (
    Action,
    Call,
    EndCall,
    KeepOnHook,
    MarkCall,
    NameLine,
    Noted,
    ShowLine,
    ShowMessages,
    StartRecording,
    StopRecording,
    TakeSettings,
)
from edge.callerid import CallerId
from edge.codec import encode_flac
from edge.config import Config
from edge.finished import FINISHED, Encoded
from edge.part import part_name
from edge.recorder import Part, Recorder
from edge.store import calls as call_rows
from edge.store import line_settings, marks
from edge.store import lines as line_rows
from edge.store import recordings as recording_rows
from edge.store.calls import CallRow, other_text
from edge.store.health import begin_trouble, end_trouble
from edge.store.marks import Mark
from edge.store.recordings import ON_HOOK, RecordingRow
from edge.timeline import Timeline
from sync.db import write

STEPPED = "stepped"  # quality of the clock of a call during which it was set
RETRY_S = 5.0  # after a part could not be encoded; twice as long after each further time
LONGEST_RETRY_S = 600.0


@dataclass(frozen=True, slots=True)
class _Job:
    """One closed part on its way to a finished file."""

    rate_hz: int
    samples: int
    future: Future[Encoded] | None = None  # None: it waits until `due_s`
    worker: Executor | None = None  # that has it
    failed: int = 0  # times
    due_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Begun:
    """A recording whose row is there and whose file is to be made."""

    recording_id: str
    line: int
    position: int
    end: int | None = None


@dataclass(slots=True)
class Ledger:
    """Everything the recorder writes down. One per box."""

    db: sqlite3.Connection
    config: Config
    new_worker: Callable[[], Executor]
    new_id: Callable[[], str]
    clock_quality: str = "unknown"
    names: dict[int, str] = field(default_factory=dict)  # of lines, as people call them now
    worker: Executor = field(init=False)
    _recording_of: dict[str, str] = field(default_factory=dict)  # call -> recording
    _encoding: dict[str, _Job] = field(default_factory=dict)  # recording -> its file to come
    _clocks: dict[str, Timeline] = field(default_factory=dict)  # call -> the clock it began by

    def __post_init__(self) -> None:
        self.worker = self.new_worker()

    def carry_out(self, actions: list[Action], recorder: Recorder, timeline: Timeline, now_utc: str) -> None:
        """Write down what `actions` say, in one transaction, then start and stop audio files.

        Raises what the database raises; then nothing was done, and the same actions may be given again.
        """
        if not actions:
            return
        begun: list[_Begun] = []
        stopped: list[tuple[str, int, int]] = []
        before = dict(self._recording_of), dict(self._clocks)
        try:
            with write(self.db):
                for action in actions:
                    if isinstance(action, StartRecording):
                        begun.append(self._begin(action, recorder, timeline))
                    elif isinstance(action, KeepOnHook):
                        begun += self._keep_on_hook(action, recorder, timeline)
                    elif isinstance(action, StopRecording):
                        stopped.append(self._stop(action.call, action.position))
                    else:
                        self._note(action, timeline, now_utc)
                    if isinstance(action, EndCall) and action.call.ended is not None:
                        stopped.append(self._stop(action.call, action.call.ended))
        except sqlite3.Error:
            self._recording_of, self._clocks = before
            raise
        for one in begun:
            self._start(recorder, one, now_utc)
        for recording_id, line, position in stopped:
            recorder.stop(recording_id, position)
            recorder.close_off(line, position)

    def close_parts(self, parts: list[Part], now_utc: str) -> None:
        """These parts are complete on disk: note their length and gaps, and have them encoded.

        One of which the disk never took a sample is lost, and head office is told why.
        """
        if not parts:
            return
        with write(self.db):
            for part in parts:
                recording_rows.close_recording(self.db, part.recording_id, part.samples, part.gaps)
                if not part.samples and part.gaps:
                    reason = part.gaps[0].reason
                    recording_rows.lose_recording(self.db, part.recording_id, reason, now_utc)
        for part in parts:
            if part.samples or not part.gaps:
                self.encode(part.recording_id, part.rate_hz, part.samples)

    def encode(self, recording_id: str, rate_hz: int, samples: int) -> None:
        """Hand a closed part to the worker."""
        self._submit(recording_id, _Job(rate_hz, samples))

    def _submit(self, recording_id: str, job: _Job) -> _Job:
        part = self.config.recordings_dir / part_name(recording_id)
        target = part.with_suffix(FINISHED)
        work = partial(encode_flac, part, target, job.rate_hz, job.samples)
        try:
            future = self.worker.submit(work)
        except BrokenExecutor:
            self.worker = self.new_worker()
            future = self.worker.submit(work)
        self._encoding[recording_id] = job = replace(job, future=future, worker=self.worker)
        return job

    def collect(self, now_utc: str, now_s: float) -> None:
        """Write down what the worker has finished, and give it again what it could not; `now_s` monotonic.

        The part goes once its row says ready; until then it stays, whatever happens.
        """
        for recording_id, job in list(self._encoding.items()):
            if job.future is None and now_s >= job.due_s:
                job = self._submit(recording_id, job)
            if job.future is None or not job.future.done():
                continue
            try:
                encoded = job.future.result()
            except (OSError, BrokenExecutor) as error:
                self._not_encoded(recording_id, job, error, now_utc, now_s)
            else:
                self._encoded(recording_id, encoded, now_utc)

    def _encoded(self, recording_id: str, encoded: Encoded, now_utc: str) -> None:
        others_wait = any(job.failed for name, job in self._encoding.items() if name != recording_id)
        with write(self.db):
            recording_rows.finish_recording(self.db, recording_id, encoded, now_utc)
            if not others_wait:
                end_trouble(self.db, "encoding", now_utc)
        del self._encoding[recording_id]
        (self.config.recordings_dir / part_name(recording_id)).unlink(missing_ok=True)

    def _not_encoded(
        self, recording_id: str, job: _Job, error: Exception, now_utc: str, now_s: float
    ) -> None:
        """The part waits for its next turn, twice as long each time."""
        with write(self.db):
            begin_trouble(self.db, "encoding", str(error) or type(error).__name__, now_utc)
        pause_s = min(LONGEST_RETRY_S, RETRY_S * 2.0**job.failed)
        self._encoding[recording_id] = replace(job, future=None, failed=job.failed + 1, due_s=now_s + pause_s)
        if isinstance(error, BrokenExecutor) and job.worker is self.worker:
            self.worker = self.new_worker()

    def _begin(self, action: StartRecording, recorder: Recorder, timeline: Timeline) -> _Begun:
        line = action.call.line
        recording_id = self.new_id()
        timeline = self._clock_of(action.call, timeline)
        position = recorder.first_position(line, action.position, action.pre_roll_s)
        row = RecordingRow(
            id=recording_id,
            call_id=action.call.id,
            state="recording",
            file=part_name(recording_id),
            started_utc=timeline.utc(position),
            rate_hz=timeline.rate_hz,
        )
        recording_rows.begin_recording(self.db, row)
        self._recording_of[action.call.id] = recording_id
        return _Begun(recording_id, line, position)

    def _keep_on_hook(self, action: KeepOnHook, recorder: Recorder, timeline: Timeline) -> list[_Begun]:
        """Nothing where the ring, or an earlier call, has left nothing of those seconds."""
        line, before_s = action.call.line, (action.end - action.start) / timeline.rate_hz
        position = recorder.first_position(line, action.end, before_s)
        if position >= action.end or not self.config.record.on_hook_audio:
            return []
        recording_id = self.new_id()
        row = RecordingRow(
            id=recording_id,
            call_id=action.call.id,
            state="recording",
            file=part_name(recording_id),
            started_utc=self._clocks.get(action.call.id, timeline).utc(position),
            rate_hz=timeline.rate_hz,
            about=ON_HOOK,
        )
        recording_rows.begin_recording(self.db, row)
        return [_Begun(recording_id, line, position, action.end)]

    def _start(self, recorder: Recorder, one: _Begun, now_utc: str) -> None:
        try:
            recorder.start(one.recording_id, one.line, one.position, one.end)
        except OSError as error:  # the call is logged all the same, and says what became of its audio
            with write(self.db):
                recording_rows.lose_recording(self.db, one.recording_id, "disk_full", now_utc)
                begin_trouble(self.db, "recording", str(error), now_utc)

    def _stop(self, call: Call, position: int) -> tuple[str, int, int]:
        return self._recording_of.pop(call.id, ""), call.line, position

    def _note(self, action: Noted, timeline: Timeline, now_utc: str) -> None:
        if isinstance(action, ShowLine):
            since_utc = timeline.utc(action.position)
            line_rows.show_line(self.db, action.line, action.state, since_utc, action.call_id)
        elif isinstance(action, ShowMessages):
            line_rows.show_messages(self.db, action.line, action.waiting, action.count)
        elif isinstance(action, TakeSettings):
            line_settings.note_taken(self.db, action.line, action.version)
        elif isinstance(action, NameLine):
            line_rows.rename_line(self.db, action.line, action.name)
        elif isinstance(action, MarkCall):
            at_ms = timeline.ms(action.position - action.call.started)
            marks.add_mark(self.db, action.call.id, Mark(at_ms, action.kind, action.detail))
        elif isinstance(action, EndCall):
            call_rows.end_call(self.db, self.row(action.call, timeline), now_utc)
            self._clocks.pop(action.call.id, None)
        else:
            call_rows.save_call(self.db, self.row(action.call, timeline))

    def _clock_of(self, call: Call, timeline: Timeline) -> Timeline:
        """The clock as it went when the call began: one that is set meanwhile changes no stamp of it."""
        return self._clocks.setdefault(call.id, replace(timeline))

    def name_of(self, line: int) -> str:
        """What people call the line now."""
        return self.names.get(line) or self.config.line(line).name

    def row(self, call: Call, timeline: Timeline) -> CallRow:
        """`call` with times for people, all by the clock it began by."""
        now, timeline = timeline, self._clock_of(call, timeline)
        talked_from = call.answered if call.direction == "in" else call.started
        talked = call.ended - talked_from if call.ended is not None and talked_from is not None else 0
        number, name, presentation = _party(call.caller, call.caller_failed)
        second, second_name, second_presentation = _party(call.second_caller, call.second_failed)
        return CallRow(
            id=call.id,
            line=call.line,
            line_name=self.name_of(call.line),
            direction=call.direction,
            started_utc=timeline.utc(call.started),
            outcome=call.outcome,
            answered_utc=None if call.answered is None else timeline.utc(call.answered),
            ended_utc=None if call.ended is None else timeline.utc(call.ended),
            duration_ms=timeline.ms(talked),
            ring_count=call.ring_count,
            caller_number=number,
            caller_name=name,
            caller_presentation=presentation,
            caller_standard=call.caller.standard if call.caller else None,
            dialled=call.dialled or None,
            keys=call.keys or None,
            end_reason=call.end_reason,
            hook_known=call.hook_known,
            clock_quality=STEPPED if now.steps > timeline.steps else self.clock_quality,
            caller_confidence=None if call.caller is None else round(call.caller.confidence, 4),
            caller_time=call.caller.date_time if call.caller else None,
            caller_other=other_text(call.caller.other) if call.caller else None,
            is_fax=call.is_fax,
            second_number=second or call.second_dialled or None,
            second_name=second_name,
            second_presentation=second_presentation or ("dialled" if call.second_dialled else None),
        )


def _party(caller: CallerId | None, failed: bool) -> tuple[str | None, str | None, str | None]:
    """Number, name, and whether they are available, withheld, unavailable or failed (None: nothing sent)."""
    if caller is None:
        return None, None, "failed" if failed else None
    return caller.number, caller.name, caller.presentation
