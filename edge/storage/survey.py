"""Goes through every recording and says what is due: to be deleted, to be packed, how much could go.

It takes seconds on a big branch, so it runs in the worker process and reads through a connection of its own;
what it finds is checked again, row by row, in the transaction that acts on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

from edge.config import KeepSettings
from edge.storage import policy
from edge.storage.policy import Audio, Doomed
from edge.store.finished_audio import audio_by_age, bytes_made_since
from edge.store.orders import ordered_days
from sync.moment import from_text, to_text

MOST = 512  # of each kind; the rest is found by the next survey


@dataclass(frozen=True, slots=True)
class Question:
    """What the survey goes by."""

    database: Path
    rules: tuple[KeepSettings, ...]
    alone: bool  # no head office: what is here is confirmed by nobody and counts as such
    clock_set: bool  # False: ages are not known, and nothing is done by age
    now_utc: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What is due, oldest first."""

    delete: tuple[Doomed, ...]
    pack: tuple[Audio, ...]
    removable_bytes: int  # of audio the ladder may take before its last rung
    last_day_bytes: int  # recorded in the last 24 hours


def survey(question: Question) -> Survey:
    """Look at everything once."""
    with closing(sqlite3.connect(f"file:{question.database}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        alone = question.alone
        delete = policy.oldest(doomed(db, question), MOST)
        pack = policy.due_for_opus(audio_in(db, alone), in_force(db, question), question.now_utc)
        removable = sum(audio.size_bytes for audio in audio_in(db, alone) if policy.may_go(audio))
        yesterday = to_text(from_text(question.now_utc) - timedelta(days=1))
        going = {one.audio.recording_id for one in delete}
        due = tuple(audio for audio in islice(pack, MOST) if audio.recording_id not in going)
        return Survey(tuple(delete), due, removable, bytes_made_since(db, yesterday))


def doomed(db: sqlite3.Connection, question: Question) -> Iterator[Doomed]:
    """Everything the rules delete now, newest first."""
    audios = audio_in(db, question.alone, newest_first=True)
    return policy.doomed(audios, in_force(db, question), question.now_utc)


def in_force(db: sqlite3.Connection, question: Question) -> Sequence[KeepSettings]:
    """Head office's rules before the branch's; without their ages while nobody knows what day it is."""
    rules = policy.with_ordered(question.rules, ordered_days(db))
    if question.clock_set:
        return rules
    return [replace(rule, keep_days=0, opus_after_days=0) for rule in rules]


def audio_in(db: sqlite3.Connection, alone: bool, newest_first: bool = False) -> Iterator[Audio]:
    """Every finished recording as the policy sees it."""
    for row in audio_by_age(db, newest_first):
        yield Audio(
            recording_id=row.recording_id,
            call_id=row.call_id,
            line=row.line,
            calls=row.calls,
            started_utc=row.started_utc,
            size_bytes=row.size_bytes,
            codec=row.codec,
            confirmed=alone or bool(row.confirmed),
            held=bool(row.held),
            about=row.about,
        )
