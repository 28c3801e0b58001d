"""The status strip at the top of every page: is the box well, and what does head office still lack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from edge.store.listing import Problem, problems
from edge.store.unreconciled import Unreconciled, unreconciled
from edge.web.site import Visit
from sync.locale import marked
from sync.moment import to_text
from sync.outbox import Waiting, waiting
from sync.uploads import Pause, pause_of

HEAD_OFFICE, UPLOAD = "head_office", "upload"
CLOSES_WITHIN = timedelta(minutes=15)  # of its end an hour is closed; until then it is no trouble

# kind of part, before the colon of its name -> what its loss means
LOSSES = {
    "audio": marked("No audio from %(device)s"),
    "readings": marked("No line voltage from %(device)s"),
    "off_hook": marked("Line %(device)s has been off hook for too long"),
    "silent": marked("Line %(device)s has a call without a voice"),
    "no_ring": marked("Line %(device)s has not rung for days"),
    "encoding": marked("A recording could not be finished yet; it is tried again"),
    "recording": marked("Recordings cannot be written"),
    "clock": marked("The clock was set"),
    "quarantine": marked("Audio files that no call knows were put aside"),
    UPLOAD: marked("A recording could not be sent"),
    "storage": marked("The disk is filling up"),
    "wal": marked("A program has been reading the database for too long"),
    "backup": marked("The backup failed"),
    "reconciling": marked("Head office does not accept what this box says of an hour"),
    "clock_off": marked("The clock is wrong"),
    HEAD_OFFICE: marked("Head office cannot be reached"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is lost, in words."""

    text: str  # marked; may name the device
    device: str
    since_utc: str
    detail: str


@dataclass(frozen=True, slots=True)
class Strip:
    """What the strip says."""

    recorder_runs: bool
    troubles: tuple[Trouble, ...]
    office: Trouble | None  # None: head office is reached
    paused: Pause | None  # audio waits because somebody said so
    waiting: Waiting
    agreed: Unreconciled  # how far head office confirms that it has everything


def strip(visit: Visit) -> Strip:
    """The strip as of now."""
    paused = pause_of(visit.db)
    found = [problem for problem in problems(visit.db) if not (paused and problem.part == UPLOAD)]
    return Strip(
        visit.site.pulse.beats(visit.site.clock.monotonic_s()),
        tuple(_trouble(problem) for problem in found if problem.part != HEAD_OFFICE),
        next((_trouble(problem) for problem in found if problem.part == HEAD_OFFICE), None),
        paused,
        waiting(visit.db),
        unreconciled(visit.db, to_text(visit.site.clock.utc() - CLOSES_WITHIN)),
    )


def _trouble(problem: Problem) -> Trouble:
    kind, _, device = problem.part.partition(":")
    text = LOSSES.get(kind, marked("Not working: %(device)s"))
    return Trouble(text, device or problem.part, problem.since_utc, problem.detail)
