"""A second board at both rates, split recordings, numbers never recorded: to the sample, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.config import NeverSettings
from edge.line.board_events import board_event
from edge.line.events import LineEvent, LineHeld, PhoneJoined
from edge.line_settings import LineBlock
from edge.replay import Replay, build_replay, replay_config
from edge.rules import rules_of
from edge.samples import LineReading
from hw import wire
from hw.virtual.exchange import Exchange
from hw.virtual.script import parse_script

CALLED = """
[callers.bank]
number = "95555"
[callers.wang]
number = "02155500147"
[[lines]]
steps = [
  { do = "wait", s = 2.5 },
  { do = "ring", bursts = 1, caller = "%s" },
  { do = "pick_up", after_s = 1.5 },
  { do = "say", who = "far", s = 7 },
  { do = "hang_up", who = "staff" },
  { do = "wait", s = 3 },
  { do = "dial", digits = "%s", ringbacks = 0 },
  { do = "say", who = "far", s = 3 },
  { do = "hang_up", who = "staff" },
]
"""
FIRST_LINE = 5  # a board with four lines comes before this one


def run(
    folder: Path,
    caller: str,
    dialled: str,
    rate_hz: int = 8000,
    never: tuple[str, ...] = (),
    each_second: Callable[[Replay, int], list[LineEvent]] | None = None,
    **block: object,
) -> tuple[Replay, Exchange]:
    """28 s of two lines on the second board of a box; the lines' story is the same."""
    config = replay_config(folder, rate_hz, 2, "cn")
    config = replace(
        config,
        lines=tuple(LineBlock(line=FIRST_LINE + at, **block) for at in range(2)),
        never_record=tuple(NeverSettings(number=number) for number in never),
    )
    exchange = Exchange(parse_script(CALLED % (caller, dialled)), 2, rate_hz, seed=1)
    replay = build_replay(config, FIRST_LINE)
    period = rate_hz // 50
    for position in range(0, 28 * rate_hz, period):
        replay.ring.write(exchange.audio(position, period))
        readings = [
            LineReading(one.line, one.position, one.voltage_v, one.ring_half_waves)
            for one in exchange.readings(position, position + period)
        ]
        seen = each_second(replay, position) if each_second and position % rate_hz == 0 else []
        now_utc = replay.timeline.utc(position)
        actions = replay.board.step(readings, seen=seen)
        replay.ledger.carry_out(actions, replay.recorder, replay.timeline, now_utc)
        replay.ledger.close_parts(replay.recorder.step(), now_utc)
    replay.ledger.worker.shutdown(wait=True)
    replay.ledger.collect(replay.timeline.utc(28 * rate_hz), 28.0)
    return replay, exchange


def rows(replay: Replay, query: str) -> list[dict]:
    return [dict(row) for row in replay.ledger.db.execute(query).fetchall()]


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_recordings_of_a_second_board_are_its_lines_to_the_sample(tmp_path: Path, rate_hz: int) -> None:
    replay, exchange = run(tmp_path, "wang", "114", rate_hz, pre_roll_s=2.0)
    whole = rows(replay, "SELECT line, outcome FROM calls ORDER BY line, started_utc")
    assert [(one["line"], one["outcome"]) for one in whole] == [
        (line, outcome) for line in (5, 6) for outcome in ("answered", "unknown")
    ]
    truth = exchange.audio(0, 28 * rate_hz)
    kept = rows(
        replay,
        "SELECT r.*, c.line FROM recordings r JOIN calls c ON c.id = r.call_id"
        " WHERE r.about = 'call' ORDER BY c.line, r.started_utc",
    )
    assert len(kept) == 4
    for recording in kept:
        audio, rate = soundfile.read(replay.config.recordings_dir / recording["file"], dtype="int16")
        column = truth[:, recording["line"] - FIRST_LINE]
        assert rate == rate_hz and at_place(column, audio) is not None
        assert rows(replay, f"SELECT * FROM gaps WHERE recording_id = '{recording['id']}'") == []


def at_place(column: np.ndarray, audio: np.ndarray) -> int | None:
    """Where in the line's audio a recording lies, to the sample."""
    head = audio[:400]
    starts = np.flatnonzero(column[: len(column) - len(audio) + 1] == head[0])
    return next((int(at) for at in starts if np.array_equal(column[at : at + len(audio)], audio)), None)


def test_parts_of_a_split_recording_join_to_the_sample(tmp_path: Path) -> None:
    def split(replay: Replay, position: int) -> list[LineEvent]:
        if position == 0:
            rules = rules_of(replay.config.line(FIRST_LINE))
            replay.board.change(FIRST_LINE, replace(rules, keep=replace(rules.keep, longest_part_s=1.5)))
        return []

    replay, exchange = run(tmp_path, "wang", "114", each_second=split)
    column = exchange.audio(0, 28 * 8000)[:, 0]
    for call in rows(replay, "SELECT id FROM calls WHERE line = 5"):
        kept = rows(
            replay,
            f"SELECT file, samples FROM recordings WHERE call_id = '{call['id']}' AND about = 'call'"
            " ORDER BY started_utc",
        )
        assert len(kept) >= 3
        parts = [soundfile.read(replay.config.recordings_dir / one["file"], dtype="int16")[0] for one in kept]
        assert at_place(column, np.concatenate(parts)) is not None
        assert all(len(part) == 12_000 for part in parts[1:-1])


def test_new_settings_wait_for_the_end_of_the_call(tmp_path: Path) -> None:
    taken: dict[int, list] = {}

    def change(replay: Replay, position: int) -> list[LineEvent]:
        if position in (8_000, 64_000):  # idle; in mid call
            taken[position] = replay.board.change(5, rules_of(replay.config.line(5), version=position))
        return []

    replay, exchange = run(tmp_path, "wang", "114", each_second=change)
    call = exchange.story()[0]
    assert call.begin < 64_000 < call.end
    assert [(action.line, action.version) for action in taken[8_000]] == [(5, 8_000)]
    assert taken[64_000] == []
    parts = replay.board._lines[0]
    assert parts.waiting is None and parts.rules.version == 64_000


@pytest.mark.parametrize("never", ["95555", "955*", "9?555"])
@pytest.mark.parametrize("trigger", ["voltage", "always", "voice"])
def test_of_a_number_never_recorded_no_sample_reaches_the_disk(
    tmp_path: Path, never: str, trigger: str
) -> None:
    def look(replay: Replay, _: int) -> list[LineEvent]:
        assert list(replay.config.recordings_dir.iterdir()) == []
        return []

    replay, _ = run(tmp_path, "bank", "95555", never=(never,), each_second=look, trigger=trigger)
    logged = rows(replay, "SELECT caller_number, dialled FROM calls WHERE line = 5 ORDER BY started_utc")
    assert [(one["caller_number"], one["dialled"]) for one in logged] == [("95555", None), (None, "95555")]
    assert rows(replay, "SELECT * FROM recordings") == []
    assert list(replay.config.recordings_dir.iterdir()) == []


def test_what_only_the_board_knows_makes_a_voicemail_or_a_takeover(tmp_path: Path) -> None:
    def board(replay: Replay, position: int) -> list[LineEvent]:
        found = []
        if position == 5 * 8000:  # just answered, and it was the box itself
            found = [board_event(wire.HELD, line, position) for line in (5, 6)]
        if position == 8 * 8000:
            found = [board_event(wire.PHONE_JOINED, 6, position)]
        return [one for one in found if one is not None]

    replay, exchange = run(tmp_path, "wang", "114", each_second=board)
    answered = exchange.story()[0].answered
    assert answered is not None and 0 <= 5 * 8000 - answered <= 8000
    incoming = rows(replay, "SELECT line, outcome FROM calls WHERE direction = 'in' ORDER BY line")
    assert [one["outcome"] for one in incoming] == ["voicemail", "answered"]
    assert len(rows(replay, "SELECT * FROM recordings WHERE about = 'call'")) == 4


def test_board_events_that_the_readings_tell_too_are_passed_over() -> None:
    assert board_event(wire.HELD, 3, 70) == LineHeld(3, 70)
    assert board_event(wire.PHONE_JOINED, 3, 70) == PhoneJoined(3, 70)
    assert board_event(wire.OFF_HOOK, 3, 70) is None
    assert board_event(wire.HELD, 3, None) is None, "from before a start: nobody knows when"
