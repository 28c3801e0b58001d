"""Turns one round of a line's steps into what is heard, measured and true on that line.

A round is everything from the first step to the last, placed at positions; the exchange asks for the next one
only when it gets there, so a script can go on for ever. Same seed, line and round: same result.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hw.virtual.script import Caller, LineScript, Script
from hw.virtual.sound import Cue, Sounds
from hw.virtual.steps import (
    Dead,
    Dial,
    Flash,
    HangUp,
    Keys,
    PickUp,
    Repeat,
    Ring,
    Say,
    Span,
    Step,
    Wait,
)

WINDOW_MS = 20
DATA_AFTER_RING_S = 0.6  # the FSK of caller ID begins 0.5-1.5 s after the first burst (YD/T 1277.1)
RING_AFTER_DTMF_S = 0.4
RELEASE_S = 0.4  # from the far end's hang-up to busy tone
CONNECT_S = 0.8  # from the last digit to ringback or busy tone
RINGBACK_PERIOD_S = 5.0


@dataclass(frozen=True, slots=True)
class Level:
    """The line voltage from `position` on, signed, tip to ring."""

    position: int
    voltage_v: float


@dataclass(frozen=True, slots=True)
class Burst:
    """Ringing voltage between two positions."""

    position: int
    end: int


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """What truly happened in one call, to compare with what a recorder says."""

    line: int
    direction: str  # in | out
    outcome: str  # answered | missed | busy | no_answer
    begin: int  # position of the first burst, or of the handset being lifted
    end: int  # position of the handset being put down, or of the end of the last burst
    answered: int | None = None  # staff lifted the handset (in), far end answered (out)
    rings: int = 0
    caller: Caller | None = None
    caller_id_end: int | None = None  # None too if the handset was lifted before it was sent
    dialled: str = ""
    keys: tuple[tuple[str, str], ...] = ()  # (who, digits)
    flashes: int = 0
    far_gone: int | None = None  # the far end hung up


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
    return Round(start, end, (), (Level(start, _sign(line) * line.idle_v),), (), ())


def play_round(
    script: Script, number: int, start: int, sounds: Sounds, rng: random.Random, began: datetime
) -> Round:
    """Play line `number`'s steps from `start`; the round takes at least a second and ends with a window."""
    line = script.line(number)
    stage = _Stage(script, line, number, start, sounds, rng, began)
    stage.set_voltage(line.idle_v)
    for step in line.steps:
        stage.play(step)
    stage.give_up()
    window = sounds.rate_hz * WINDOW_MS // 1000
    last = max([stage.at, start + sounds.rate_hz, *(cue.end for cue in stage.cues)])
    end = -(-last // window) * window
    cues = tuple(sorted((cue for cue in stage.cues if cue.frames), key=lambda cue: cue.position))
    return Round(start, end, cues, tuple(stage.levels), tuple(stage.bursts), tuple(stage.calls))


def _sign(line: LineScript) -> int:
    return -1 if line.reversed else 1


@dataclass(slots=True)
class _Stage:
    """The line while its steps are being played: where we are, what is placed so far, the call under way."""

    script: Script
    line: LineScript
    number: int
    at: int
    sounds: Sounds
    rng: random.Random
    began: datetime
    cues: list[Cue] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    calls: list[ScriptedCall] = field(default_factory=list)
    call: ScriptedCall | None = None
    tone: tuple[str, int] | None = None  # sounds from this position until the handset is put down
    polarity: int = 1

    def play(self, step: Step) -> None:
        """One step; a call that only rang ends before anything but pick_up."""
        if not isinstance(step, (PickUp, Repeat)):
            self.give_up()
        PLAY[type(step)](self, step)

    def frames(self, span: Span) -> int:
        """A span as frames; the seed picks from [least, most]."""
        seconds = span if isinstance(span, (int, float)) else self.rng.uniform(span[0], span[-1])
        return round(seconds * self.sounds.rate_hz)

    def set_voltage(self, volts: float) -> None:
        """From here on the line has `volts`."""
        self.levels.append(Level(self.at, _sign(self.line) * self.polarity * volts))

    def place(self, samples: Any, frames: int | None = None, at: int | None = None) -> int:
        """Place a sound (once through, unless `frames` says how long); return its end."""
        cue = Cue(self.at if at is None else at, len(samples) if frames is None else frames, samples)
        self.cues.append(cue)
        return cue.end

    def hook(self, volts: float) -> None:
        """The handset is lifted or put down: new voltage and a click."""
        self.set_voltage(volts)
        self.place(self.sounds.click())

    def cut(self) -> None:
        """What still sounds stops here: the exchange sends nothing on once the handset is lifted."""
        self.cues = [
            replace(cue, frames=max(0, min(cue.frames, self.at - cue.position))) for cue in self.cues
        ]

    def update(self, **changes: Any) -> ScriptedCall:
        """Note something about the call under way."""
        assert self.call is not None
        self.call = replace(self.call, **changes)
        return self.call

    def close(self, **changes: Any) -> None:
        """The call is over."""
        self.calls.append(self.update(**changes))
        self.call = None

    def give_up(self) -> None:
        """If it only rang so far, the caller has hung up; caller ID is still sent to its end."""
        if self.call is not None and self.call.direction == "in" and self.call.answered is None:
            self.at = max(self.at, self.call.caller_id_end or 0)
            self.close(outcome="missed")

    def exchange_time(self) -> str:
        """MMDDhhmm at this position."""
        passed = timedelta(seconds=self.at / self.sounds.rate_hz)
        return (self.began + passed).strftime("%m%d%H%M")


def _wait(stage: _Stage, step: Wait) -> None:
    stage.at += stage.frames(step.s)


def _ring(stage: _Stage, step: Ring) -> None:
    names = (step.caller,) if isinstance(step.caller, str) else step.caller
    caller = stage.script.callers[stage.rng.choice(names)] if names else None
    message, first = None, False
    if caller is not None:
        message = stage.sounds.caller_id(caller, stage.exchange_time(), stage.rng.random())
        first = (caller.place or ("before-ring" if caller.sends == "dtmf" else "")) == "before-ring"
    sent = None
    if message is not None and first:
        sent = stage.place(message)
        stage.at = sent + stage.frames(RING_AFTER_DTMF_S)
    begin = stage.at
    for burst in range(step.bursts):
        if burst:
            stage.at += stage.frames(step.off_s)
        _burst(stage, step)
        if message is not None and not first and burst == 0:
            sent = stage.place(message, at=stage.at + stage.frames(DATA_AFTER_RING_S))
    stage.call = ScriptedCall(
        stage.number, "in", "missed", begin, stage.at, rings=step.bursts, caller=caller, caller_id_end=sent
    )


def _burst(stage: _Stage, step: Ring) -> None:
    stage.place(stage.sounds.ring_leak(step.on_s))
    start = stage.at
    stage.at += stage.frames(step.on_s)
    stage.bursts.append(Burst(start, stage.at))
    stage.place(stage.sounds.click())


def _pick_up(stage: _Stage, step: PickUp) -> None:
    stage.at += stage.frames(step.after_s)
    stage.cut()
    stage.hook(stage.line.off_hook_v)
    sent = stage.update(answered=stage.at, outcome="answered").caller_id_end
    if sent is not None and sent > stage.at:
        stage.update(caller_id_end=None)


def _dial(stage: _Stage, step: Dial) -> None:
    stage.hook(stage.line.off_hook_v)
    stage.call = ScriptedCall(stage.number, "out", step.then, stage.at, stage.at, dialled=step.digits)
    tone_frames = stage.frames(step.dial_tone_s)
    stage.place(stage.sounds.tone("dial"), tone_frames)
    stage.at += tone_frames
    stage.at = stage.place(stage.sounds.keys("staff", step.digits, 90, 90)) + stage.frames(CONNECT_S)
    if step.then == "answer":
        ringing = stage.frames(max(0.0, step.ringbacks * RINGBACK_PERIOD_S - stage.rng.uniform(0.5, 3.5)))
        stage.place(stage.sounds.tone("ringback"), ringing)
        stage.at += ringing
        stage.update(answered=stage.at, outcome="answered")
        if step.reverses:
            stage.polarity = -1
            stage.set_voltage(stage.line.off_hook_v)
    elif step.then == "busy":
        stage.tone = ("busy", stage.at)
    else:
        stage.tone = ("ringback", stage.at)
        stage.at += stage.frames(step.ringbacks * RINGBACK_PERIOD_S)


def _say(stage: _Stage, step: Say) -> None:
    stage.at += stage.frames(step.after_s)
    speech = stage.sounds.speech(step.who, stage.script.voice(stage.number, step), step.text)
    stage.at = stage.place(speech, None if step.s is None else stage.frames(step.s))


def _keys(stage: _Stage, step: Keys) -> None:
    stage.at += stage.frames(step.after_s)
    stage.at = stage.place(stage.sounds.keys(step.who, step.digits, step.tone_ms, step.gap_ms))
    assert stage.call is not None
    stage.update(keys=(*stage.call.keys, (step.who, step.digits)))


def _flash(stage: _Stage, step: Flash) -> None:
    stage.hook(stage.line.idle_v)
    stage.at += stage.frames(step.ms / 1000)
    stage.hook(stage.line.off_hook_v)
    assert stage.call is not None
    stage.update(flashes=stage.call.flashes + 1)


def _hang_up(stage: _Stage, step: HangUp) -> None:
    if step.who == "far":
        stage.update(far_gone=stage.at)
        if stage.polarity < 0:
            stage.polarity = 1
            stage.set_voltage(stage.line.off_hook_v)
        stage.at += stage.frames(RELEASE_S)
        stage.tone = ("busy", stage.at)
        stage.at += stage.frames(step.staff_after_s)
    if stage.tone is not None:
        name, since = stage.tone
        stage.place(stage.sounds.tone(name), stage.at - since, since)
        stage.tone = None
    stage.polarity = 1
    stage.hook(stage.line.idle_v)
    stage.close(end=stage.at)


def _dead(stage: _Stage, step: Dead) -> None:
    stage.set_voltage(0.0)
    stage.at += stage.frames(step.s)
    stage.set_voltage(stage.line.idle_v)


def _repeat(stage: _Stage, step: Repeat) -> None:
    for _ in range(step.times):
        for inner in step.steps:
            stage.play(inner)


PLAY: dict[type[Step], Callable[[_Stage, Any], None]] = {
    Wait: _wait,
    Ring: _ring,
    PickUp: _pick_up,
    Dial: _dial,
    Say: _say,
    Keys: _keys,
    Flash: _flash,
    HangUp: _hang_up,
    Dead: _dead,
    Repeat: _repeat,
}
