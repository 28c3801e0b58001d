"""Where things lie along a call and its recording; how times, lengths and numbers are written."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from cloud.access.shape import Call, Gap, Recording
from cloud.access.shape import call as shape_call
from cloud.web.timeline import NARROWEST, WIDTH, draw_recording, steps_of
from cloud.web.views import length_text, moment_text, other_party, phone_text, size_text
from tests.cloud.house import call_row
from tests.cloud.verdicts import make_grant, verdict_for

AGENT = verdict_for("agent", [make_grant()])


def make_call(**fields: object) -> Call:
    shaped = shape_call({**call_row(id="c1", **fields), "branch": "Dali"}, [], [], AGENT)
    assert shaped is not None
    return shaped


def make_recording(
    samples: int | None = 80_000, *gaps: Gap, started_utc: str = "2026-03-02T04:00:00.000Z"
) -> Recording:
    return Recording(
        id="r",
        call_id="c",
        state="stored",
        started_utc=started_utc,
        rate_hz=None if samples is None else 8000,
        samples=samples,
        codec="flac",
        size_bytes=1,
        sha256="0",
        stored_utc=None,
        lost_reason=None,
        gaps=gaps,
        audio=None,
    )


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({}, [("First ring", 0), ("Answered", 5000), ("End", 65_000)]),
        ({"answered_utc": None}, [("First ring", 0), ("End", 65_000)]),
        ({"direction": "out"}, [("Off hook", 0), ("Answered", 5000), ("End", 65_000)]),
    ],
)
def test_steps(fields: dict[str, object], steps: list[tuple[str, int]]) -> None:
    assert [(step.name, step.after_ms) for step in steps_of(make_call(**fields))] == steps


def test_gaps_lie_where_they_are_missing() -> None:
    drawing = draw_recording(make_recording(80_000, Gap(40_000, 8000, "overrun")), make_call())
    assert drawing is not None and drawing.length_ms == 10_000
    (gap,) = drawing.gaps
    assert (gap.x, gap.width, gap.start_ms, gap.length_ms) == (WIDTH / 2, WIDTH / 10, 5000, 1000)


def test_the_shortest_gap_can_be_seen() -> None:
    drawing = draw_recording(make_recording(8_000_000, Gap(5, 1, "overrun")), make_call())
    assert drawing is not None and drawing.gaps[0].width == NARROWEST


@pytest.mark.parametrize(
    ("started_utc", "x"),
    [
        ("2026-03-02T04:00:00.000Z", WIDTH / 2),
        ("2026-03-02T04:00:05.000Z", 0),
        ("2026-03-02T04:00:06.000Z", None),  # begun after the answer
        ("2026-03-02T03:59:00.000Z", None),  # over before it
    ],
)
def test_the_answer_is_marked_within_the_recording(started_utc: str, x: float | None) -> None:
    drawing = draw_recording(make_recording(started_utc=started_utc), make_call())
    assert drawing is not None and drawing.answered_x == x


def test_a_missed_call_has_no_answer_to_mark() -> None:
    drawing = draw_recording(make_recording(), make_call(answered_utc=None))
    assert drawing is not None and drawing.answered_x is None


@pytest.mark.parametrize("samples", [None, 0])
def test_a_recording_of_no_known_length_is_not_drawn(samples: int | None) -> None:
    assert draw_recording(make_recording(samples), make_call()) is None


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0:00"),
        (999, "0:00"),
        (7000, "0:07"),
        (754_000, "12:34"),
        (3_599_999, "59:59"),
        (3_723_000, "1:02:03"),
    ],
)
def test_length_text(ms: int, text: str) -> None:
    assert length_text(ms) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("13800138000", "138 0013 8000"),
        ("087165123456", "087165123456"),
        ("95588", "95588"),
        ("1380013800x", "1380013800x"),
        ("１３８００１３８０００", "１３８００１３８０００"),
    ],
)
def test_phone_text(number: str, text: str) -> None:
    assert phone_text(number) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (663_512, "663.5 kB"), (1_234_567, "1.2 MB")],
)
def test_size_text(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


def test_moments_are_shown_in_the_zone() -> None:
    assert moment_text("2026-02-03T16:05:09.999Z", ZoneInfo("Asia/Shanghai")) == "2026-02-04 00:05:09"


@pytest.mark.parametrize(
    ("direction", "party"), [("in", "13800138000"), ("unknown", "13800138000"), ("out", "0871")]
)
def test_the_other_party(direction: str, party: str) -> None:
    assert other_party(make_call(direction=direction, dialled="0871")) == party
