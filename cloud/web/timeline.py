"""Where things lie on the way of a call and along its recording; pure, so that it can be tried as a table."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.access.shape import Call, Recording
from sync.locale import marked
from sync.moment import from_text

WIDTH = 1000  # units of the drawing, whatever its size on the screen
NARROWEST = 3  # a gap of one sample must still be seen


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened in a call, and how long after its beginning."""

    name: str  # a marked text
    at_utc: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording: where it is drawn, and what it is."""

    x: float
    width: float
    start_ms: int
    length_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A recording as a bar."""

    length_ms: int
    gaps: tuple[Stretch, ...]
    answered_x: float | None  # None: not within the recording
    answered_ms: int


def steps_of(call: Call) -> tuple[Step, ...]:
    """What happened, in order."""
    begin = marked("Off hook") if call.direction == "out" else marked("First ring")
    moments = (
        (begin, call.started_utc),
        (marked("Answered"), call.answered_utc),
        (marked("End"), call.ended_utc),
    )
    return tuple(
        Step(name, at_utc, _ms_between(call.started_utc, at_utc)) for name, at_utc in moments if at_utc
    )


def draw_recording(recording: Recording, call: Call) -> Drawing | None:
    """The bar of a recording; None when its length is not known (it was lost)."""
    if not recording.samples or not recording.rate_hz:
        return None
    samples, rate_hz = recording.samples, recording.rate_hz
    gaps = tuple(
        Stretch(
            x=WIDTH * gap.start_sample / samples,
            width=max(NARROWEST, WIDTH * gap.length_samples / samples),
            start_ms=1000 * gap.start_sample // rate_hz,
            length_ms=1000 * gap.length_samples // rate_hz,
            reason=gap.reason,
        )
        for gap in recording.gaps
    )
    length_ms = 1000 * samples // rate_hz
    answered_ms = -1
    if call.answered_utc and recording.started_utc:
        answered_ms = _ms_between(recording.started_utc, call.answered_utc)
    within = 0 <= answered_ms <= length_ms
    return Drawing(length_ms, gaps, WIDTH * answered_ms / length_ms if within else None, answered_ms)


def _ms_between(first_utc: str, second_utc: str) -> int:
    return round((from_text(second_utc) - from_text(first_utc)).total_seconds() * 1000)
