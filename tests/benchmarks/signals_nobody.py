"""Nobody is calling: how many caller IDs are read from a day of speech, noise, music and fax.

SIGNALS_HOURS sets the hours (24). Every line is idle, so nothing excuses a caller.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdFailed, CallerIdRead
from tests.benchmarks import ours, peers
from tests.benchmarks.figures import Figure
from tests.benchmarks.scores import shared
from tests.signals.line import FULL_SCALE, RATE_HZ, Clip
from tests.signals.nobody import SOUNDS

HOURS = 24.0
LINES = 30  # a piece is half an hour: a minute on each line
SEED = 69
Piece = tuple[str, list[Clip]]


def measure() -> list[Figure]:
    """Listen to all of it."""
    peers.install()
    hours = float(os.environ.get("SIGNALS_HOURS", HOURS))
    totals: Counter[tuple[str, str]] = Counter()
    for found in shared(_listen, _pieces(hours)):
        totals += found
    length = {name: sum(1 for some, _ in _plan(hours) if some == name) / 2 for name in SOUNDS}
    rows = [
        Figure(f"caller IDs in {length[name]:g} h of {name}, {decoder}", totals[name, decoder], "callers",
               target=0 if decoder == "ours" else None)
        for name in SOUNDS
        for decoder in ("ours", "spandsp")
    ]  # fmt: skip
    refused = [
        Figure(f"refusals in {length[name]:g} h of {name}, ours", totals[name, "refused"], "refusals")
        for name in SOUNDS
    ]
    return rows + refused


def _plan(hours: float) -> list[tuple[str, int]]:
    """Which sound and which seed each half hour has."""
    halves = [(name, max(1, round(2 * hours * share))) for name, (_, share) in SOUNDS.items()]
    return [(name, at) for name, count in halves for at in range(count)]


def _pieces(hours: float) -> Iterator[Piece]:
    for at, (name, _) in enumerate(_plan(hours)):
        make = SOUNDS[name][0]
        yield name, [_clip(make(np.random.default_rng((SEED, at, line)))) for line in range(LINES)]


def _clip(sound: np.ndarray) -> Clip:
    return np.clip(np.rint(sound * FULL_SCALE), -32768, 32767).astype(np.int16)


def _listen(piece: Piece) -> Counter[tuple[str, str]]:
    name, clips = piece
    read, refused = _ours(clips)
    theirs = peers.CALLER_PEERS["spandsp"]
    spandsp = sum(any(some) for some in zip(*(receive(clips) for receive in theirs), strict=True))
    return Counter({(name, "ours"): read, (name, "refused"): refused, (name, "spandsp"): spandsp})


def _ours(clips: Sequence[Clip]) -> tuple[int, int]:
    watcher = AudioWatcher(len(clips), RATE_HZ, "cn")
    found = [
        one
        for block in ours.blocks(clips, ours.BLOCK)
        for one in watcher.feed(block, lambda line, position: LineState.IDLE)[1]
    ]
    read = sum(isinstance(one, CallerIdRead) for one in found)
    return read, sum(isinstance(one, CallerIdFailed) for one in found)
