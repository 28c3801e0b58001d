"""One line while its script is being played: where we are, what is placed so far, the call under way.

The steps in acts.py write here, and timeline.py takes the result; only this knows how things are placed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hw.virtual.script import Caller, LineScript, Script
from hw.virtual.sound import Cue, Samples, Sounds
from hw.virtual.steps import Span


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
    waited: tuple[Caller, ...] = ()  # who called meanwhile
    open_loops: int = 0
    reversals: int = 0
    is_fax: bool = False
    far_gone: int | None = None  # the far end hung up


@dataclass(slots=True)
class Stage:
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

    def frames(self, span: Span) -> int:
        """A span as frames; the seed picks from [least, most]."""
        seconds = span if isinstance(span, (int, float)) else self.rng.uniform(span[0], span[-1])
        return round(seconds * self.sounds.rate_hz)

    def set_voltage(self, volts: float) -> None:
        """From here on the line has `volts`."""
        self.levels.append(Level(self.at, self.line.sign * self.polarity * volts))

    def place(self, samples: Samples, frames: int | None = None, at: int | None = None) -> int:
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
