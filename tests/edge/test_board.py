"""A board that is not the first: its lines are counted on by the box, whoever tells of them."""

from __future__ import annotations

from pathlib import Path

from edge.calls import BeginCall, EndCall, StartRecording
from edge.replay import build_replay, replay_config
from edge.samples import LineReading
from hw.virtual.exchange import Exchange
from hw.virtual.script import parse_script

RATE_HZ, PERIOD, FIRST = 8000, 160, 5
SCRIPT = """
[[lines]]
steps = [{ do = "wait", s = 60 }]
[[lines]]
steps = [
  { do = "wait", s = 1 },
  { do = "dial", digits = "12", dial_tone_s = 0.3, ringbacks = 0 },
  { do = "say", who = "far", s = 2 },
  { do = "hang_up", who = "staff" },
]
"""


def test_the_second_boards_second_line_is_line_six(tmp_path: Path) -> None:
    lines = Exchange(parse_script(SCRIPT, "script"), 2, RATE_HZ)
    replay = build_replay(replay_config(tmp_path, RATE_HZ, 2, "cn"), FIRST)
    done = []
    for position in range(0, 9 * RATE_HZ, PERIOD):
        replay.ring.write(lines.audio(position, PERIOD))
        rows = [LineReading(one.line, one.position, one.voltage_v, one.ring_half_waves)
                for one in lines.readings(position, position + PERIOD)]  # fmt: skip
        asked = {1: True, 6: True} if position == 4 * RATE_HZ else {}
        done += replay.board.step(rows, asked)
    for kind in (BeginCall, StartRecording, EndCall):
        assert {one.call.line for one in done if isinstance(one, kind)} == {6}, kind
    assert replay.board.hook_known(5) and replay.board.hook_known(6)
