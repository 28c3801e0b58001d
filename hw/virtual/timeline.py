"""Turns one round of a line's steps into what is heard, measured and true on that line.

A round is everything from the first step to the last, placed at positions; the exchange asks for the next one
only when it gets there, so a script can go on for ever. Same seed, line and round: same result.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hw.virtual.acts import play
from hw.virtual.script import LineScript, Script
from hw.virtual.sound import Cue, Sounds
from hw.virtual.stage import Burst, Level, ScriptedCall, Stage
from hw.virtual.steps import Repeat, Say, Step

WINDOW_MS = 20


@dataclass(frozen=True, slots=True)
class Round:
    """One pass through a line's steps, all in positions, in order."""

    start: int
    end: int
    cues: tuple[Cue, ...]
    levels: tuple[Level, ...]
    bursts: tuple[Burst, ...]
    calls: tuple[ScriptedCall, ...]


def prepare(script: Script, sounds: Sounds) -> None:
    """Make all speech of the script now, so that no round waits for it."""
    for number, line in enumerate(script.lines, 1):
        for step in _flat(line.steps):
            if isinstance(step, Say):
                sounds.speech(step.who, script.voice(number, step), step.text)


def _flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Repeat):
            yield from _flat(step.steps)
        else:
            yield step


def idle_round(line: LineScript, start: int, end: int) -> Round:
    """Nothing happens from `start` to `end`."""
    return Round(start, end, (), (Level(start, line.sign * line.idle_v),), (), ())


def play_round(
    script: Script, number: int, start: int, sounds: Sounds, rng: random.Random, began: datetime
) -> Round:
    """Play line `number`'s steps from `start`; the round takes at least a second and ends with a window."""
    line = script.line(number)
    stage = Stage(script, line, number, start, sounds, rng, began)
    stage.set_voltage(line.idle_v)
    for step in line.steps:
        play(stage, step)
    stage.give_up()
    window = sounds.rate_hz * WINDOW_MS // 1000
    last = max([stage.at, start + sounds.rate_hz, *(cue.end for cue in stage.cues)])
    end = -(-last // window) * window
    cues = tuple(sorted((cue for cue in stage.cues if cue.frames), key=lambda cue: cue.position))
    return Round(start, end, cues, tuple(stage.levels), tuple(stage.bursts), tuple(stage.calls))
