"""A short life of the recorder for power-cut tests: calls through the real pipeline, telling what it heard.

Printed lines are promises a power cut must not break: `heard N` (audio up to position N was in the ring by
then), `begun ID` (the recording runs, its pre-roll is synced), `ended ID` (the call's row and its
news were committed), `ready ID` (so was its finished recording).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from edge.replay import build_replay, replay_config
from edge.samples import LineReading
from hw.virtual.exchange import Exchange
from hw.virtual.script import parse_script

RATE_HZ = 8000
PERIOD = 160
SECONDS = 34
TOLD = (("recordings", "begun", "recording"), ("calls", "ended", "ended"), ("recordings", "ready", "ready"))
SCRIPT = """
[callers.test]
number = "02155500199"
name = "测试"
[[lines]]
steps = [
  { do = "wait", s = 1 },
  { do = "ring", bursts = 1, caller = "test" },
  { do = "pick_up", after_s = 3 },
  { do = "keys", who = "staff", digits = "159#" },
  { do = "wait", s = 6 },
  { do = "hang_up", who = "staff" },
  { do = "wait", s = 3 },
  { do = "ring", bursts = 1, caller = "test" },
  { do = "pick_up", after_s = 3 },
  { do = "wait", s = 12 },
  { do = "hang_up", who = "staff" },
]
"""


def exchange() -> Exchange:
    """The line's truth, the same in every process."""
    return Exchange(parse_script(SCRIPT, "script"), 1, RATE_HZ, seed=5)


def say(text: str) -> None:
    """One write, so that the trace has it whole and in its place."""
    os.write(1, f"{text}\n".encode())


def main(folder: Path, paced: bool) -> None:
    """Live through the script; `paced`: half a second for each byte on standard input."""
    lines, replay = exchange(), build_replay(replay_config(folder, RATE_HZ, 1, "cn"))
    told: set[str] = set()
    for position in range(0, SECONDS * RATE_HZ, PERIOD):
        replay.ring.write(lines.audio(position, PERIOD))
        if position % (RATE_HZ // 2) == 0:
            say(f"heard {replay.ring.position}")
            if paced:
                os.read(0, 1)
        readings = lines.readings(position, position + PERIOD)
        rows = [LineReading(one.line, one.position, one.voltage_v, one.ring_half_waves) for one in readings]
        now_utc = replay.timeline.utc(position)
        replay.ledger.carry_out(replay.board.step(rows), replay.recorder, replay.timeline, now_utc)
        replay.ledger.close_parts(replay.recorder.step(), now_utc)
        replay.ledger.collect(now_utc, position / RATE_HZ)
        for table, word, state in TOLD:
            for (row_id,) in replay.ledger.db.execute(f"SELECT id FROM {table} WHERE state = ?", (state,)):
                if f"{word} {row_id}" not in told:
                    told.add(f"{word} {row_id}")
                    say(f"{word} {row_id}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] == ["paced"])
