"""`edge decode --again`: the caller IDs of kept calls once more, by the decoder of today.

    python -m edge decode --again [--call ID | --failed] [--write] --config FILE

prints one JSON object a call: call_id, line, started_utc, file; `before` and `now` (presentation number name
date_time standard confidence; null: nothing heard); `better`, `written`, `never_recorded`. Without --write
nothing is changed. With it a call whose caller ID had failed, or was read with less confidence, gets what is
read now: row, news for head office, seal and operation log in one transaction. A surer reading stays.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sqlite3
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge.callerid import CallerId
from edge.config import Config, read_config
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdRead
from edge.line_settings import read_never
from edge.samples import AudioBlock, SamplesError
from edge.seal import sha256
from edge.sources.wav import RATE_HZ, read_wav
from edge.store.calls import CallRow, other_text
from edge.store.line_settings import NoSuchLine, settings_of
from edge.store.on_hook import OnHookAudio, correct_caller, on_hook_audio
from edge.store.retention import delete_audio
from edge.store.schema import open_store
from sync.db import write
from sync.moment import to_text
from sync.settings import SettingsError

FLUSH_S = 6  # of silence after the file, so that whatever is open closes
UNREAD = (None, "failed")  # presentations of a call whose caller nobody could read
REASON = "never_recorded"


def read_again(path: Path, country: str) -> CallerId | None:
    """The caller an on-hook line announces in this file; None for none, or for two different ones.

    Raises SamplesError for what is not audio.
    """
    watcher = AudioWatcher(1, RATE_HZ, country)
    callers: list[CallerId] = []

    def listen(block: AudioBlock) -> None:
        found = watcher.feed(block, lambda line, position: LineState.IDLE)[1]
        callers.extend(one.caller for one in found if isinstance(one, CallerIdRead))

    end = 0
    for block in read_wav(path):
        listen(block)
        end = block.end
    for second in range(FLUSH_S):
        listen(AudioBlock(end + second * RATE_HZ, np.zeros((RATE_HZ, 1), np.int16)))
    if len({(one.number, one.presentation) for one in callers}) != 1:
        return None
    return max(callers, key=lambda one: one.confidence)


def with_caller(call: CallRow, caller: CallerId) -> CallRow:
    """The call as it would stand had this caller been read at once."""
    return replace(
        call,
        caller_number=caller.number,
        caller_name=caller.name,
        caller_presentation=caller.presentation,
        caller_standard=caller.standard,
        caller_confidence=round(caller.confidence, 4),
        caller_time=caller.date_time,
        caller_other=other_text(caller.other),
    )


def is_better(before: CallRow, now: CallRow) -> bool:
    """Whether a reading says something else than the call has, and is surer of it."""
    if replace(now, caller_confidence=before.caller_confidence) == before:
        return False
    if before.caller_presentation in UNREAD and before.caller_number is None:
        return True
    sure, surer = before.caller_confidence, now.caller_confidence
    return sure is not None and surer is not None and surer > sure


def main(arguments: list[str], default_config: Path) -> int:
    """Run `decode --again`; returns 2 for bad input, or when a file could not be read."""
    options = _options(arguments, default_config)
    try:
        config = read_config(options.config)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not config.database.exists():
        sys.stderr.write(f"decode: there is no {config.database}: this box has taken no call yet\n")
        return 2
    db = open_store(config.database)
    try:
        return _run(db, config, options)
    finally:
        db.close()


def _run(db: sqlite3.Connection, config: Config, options: argparse.Namespace) -> int:
    status, seen = 0, False
    for audio in on_hook_audio(db, options.call, options.failed):
        seen = True
        try:
            said = _one(db, config, audio, options.write)
        except (SamplesError, OSError) as error:
            sys.stdout.flush()
            sys.stderr.write(f"decode: call {audio.call.id}: {error}\n")
            status = 2
            continue
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    if options.call and not seen:
        sys.stderr.write(f"decode: call {options.call}: no on-hook audio of it is kept\n")
        return 2
    return status


def _one(db: sqlite3.Connection, config: Config, audio: OnHookAudio, may_write: bool) -> dict[str, Any]:
    path = config.recordings_dir / audio.file
    if sha256(path.read_bytes()) != audio.sha256:
        raise SamplesError(f"{audio.file} was changed since it was sealed: nothing is read from it")
    caller = read_again(path, config.box.country)
    before = audio.call
    now = with_caller(before, caller) if caller else before
    better = caller is not None and is_better(before, now)
    never = better and _never_recorded(db, config, now)
    written = better and may_write and _write(db, audio, now, never)
    said: dict[str, Any] = {"call_id": before.id, "line": before.line, "started_utc": before.started_utc}
    said |= {"file": audio.file, "before": _said(before), "now": _said(now) if caller else None}
    return said | {"better": better, "written": written, "never_recorded": never}


def _write(db: sqlite3.Connection, audio: OnHookAudio, now: CallRow, never: bool) -> bool:
    """One transaction; the on-hook audio of a number that is never recorded goes with it."""
    user, now_utc = getpass.getuser(), to_text(datetime.now(UTC))
    with write(db):
        reason = f"{_told(audio.call)} -> {_told(now)}"
        if not correct_caller(db, audio.call, now, user, reason, now_utc):
            return False
        if never:
            delete_audio(db, audio.recording_id, REASON, user, now_utc, forced=True)
    return True


def _never_recorded(db: sqlite3.Connection, config: Config, call: CallRow) -> bool:
    """Whether the number that is now known is one whose calls are not recorded."""
    try:
        settings = settings_of(db, call.line).settings
    except NoSuchLine:
        settings = config.line(call.line)
    return call.caller_number is not None and read_never(settings.never_record).has(call.caller_number)


def _said(call: CallRow) -> dict[str, Any] | None:
    if call.caller_presentation is None:
        return None
    return {
        "presentation": call.caller_presentation,
        "number": call.caller_number,
        "name": call.caller_name,
        "date_time": call.caller_time,
        "standard": call.caller_standard,
        "confidence": call.caller_confidence,
    }


def _told(call: CallRow) -> str:
    """The caller in a few words, for the operation log."""
    who = " ".join(filter(None, (call.caller_number, call.caller_name))) or call.caller_presentation or "none"
    return who if call.caller_confidence is None else f"{who} ({call.caller_confidence:g})"


def _options(arguments: list[str], default_config: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m edge decode --again", description="Read the caller IDs of kept calls again."
    )
    parser.add_argument("--again", action="store_true", help="kept calls instead of files")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--call", default="", metavar="ID", help="only this call")
    which.add_argument("--failed", action="store_true", help="only calls whose caller ID could not be read")
    parser.add_argument("--write", action="store_true", help="put what is read better in its place")
    parser.add_argument("--json", action="store_true", help="as always here: one JSON object a line")
    parser.add_argument("--config", type=Path, default=default_config, help="the box's settings file")
    return parser.parse_args(arguments)
