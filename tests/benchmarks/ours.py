"""Our own receivers as the recorder runs them: many lines at once, all receivers on, 20 ms blocks.

Clips that have nothing to do with each other lie side by side as lines; silence follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edge.callerid import CallerId
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdRead, DigitKeyed, LineEvent, ToneHeard
from edge.samples import AudioBlock
from tests.signals.line import RATE_HZ, Clip
from tests.signals.messages import Who

LINES = 40
BLOCK = RATE_HZ // 50
SILENCE_S = 1.0


def callers(clips: Sequence[Clip]) -> list[list[Who]]:
    """The callers read on lines that are on hook."""
    heard = _heard(clips, LineState.IDLE)
    return [[_who(one.caller) for one in some if isinstance(one, CallerIdRead)] for some in heard]


def keys(clips: Sequence[Clip]) -> list[str]:
    """The keys found on lines that are off hook."""
    heard = _heard(clips, LineState.OFF_HOOK)
    return ["".join(one.digit for one in some if isinstance(one, DigitKeyed)) for some in heard]


def tones(clips: Sequence[Clip], country: str = "cn") -> list[set[str]]:
    """The tones recognised on lines that are off hook."""
    heard = _heard(clips, LineState.OFF_HOOK, country)
    return [{one.tone for one in some if isinstance(one, ToneHeard)} for some in heard]


def _heard(clips: Sequence[Clip], state: LineState, country: str = "cn") -> list[list[LineEvent]]:
    return [
        some
        for at in range(0, len(clips), LINES)
        for some in _side_by_side(clips[at : at + LINES], state, country)
    ]


def _side_by_side(clips: Sequence[Clip], state: LineState, country: str) -> list[list[LineEvent]]:
    watcher = AudioWatcher(len(clips), RATE_HZ, country)
    found: list[list[LineEvent]] = [[] for _ in clips]
    for block in blocks(clips, BLOCK):
        for one in watcher.feed(block, lambda line, position: state)[1]:
            found[one.line - 1].append(one)
    return found


def blocks(clips: Sequence[Clip], length: int, silence_s: float = SILENCE_S) -> Iterator[AudioBlock]:
    """Yield the clips side by side, and silence after them."""
    frames = max(map(len, clips)) + round(silence_s * RATE_HZ)
    whole = np.zeros((-(-frames // length) * length, len(clips)), np.int16)
    for column, clip in enumerate(clips):
        whole[: len(clip), column] = clip
    for at in range(0, len(whole), length):
        yield AudioBlock(at, whole[at : at + length])


def _who(caller: CallerId) -> Who:
    return Who(caller.date_time or "", caller.number or "", (caller.name or "").rstrip())


CALLERS: dict[str, tuple[Callable[[Sequence[Clip]], list[list[Who]]], ...]] = {"ours": (callers,)}
