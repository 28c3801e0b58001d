"""Call-progress tones: is each class of tone, on lines of every level and noise, named and nothing else?

SIGNALS_CLIPS sets the clips per class and cell (20). The peer is spandsp's super-tone receiver.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tests.benchmarks import ours, peers
from tests.benchmarks.figures import Figure
from tests.benchmarks.scores import Score, shared
from tests.signals.line import Clip
from tests.signals.progress import CADENCES, CELLS, ToneCell

CLIPS = 20
BETTER_THAN_SPANDSP = 1.25
DECODERS: dict[str, Callable[[Sequence[Clip]], list[set[str]]]] = {
    "ours": ours.tones,
    "spandsp": peers.spandsp_tones,
}
Piece = tuple[str, str, list[Clip]]


def measure() -> list[Figure]:
    """Score every class in every cell."""
    peers.install()
    count = int(os.environ.get("SIGNALS_CLIPS", CLIPS))
    scores = {(cell, tone): score for cell, tone, score in shared(_score, _pieces(CELLS, count))}
    means = {name: float(np.mean([each[name].success for each in scores.values()])) for name in DECODERS}
    cells = [
        Figure(f"{cell}, {tone}, {name}, right", score.success, f"of {score.count}")
        for (cell, tone), each in scores.items()
        for name, score in each.items()
    ]
    behind = [
        Figure(f"behind spandsp: {cell}, {tone}", each["ours"].success, "share", each["spandsp"].success,
               ratio_target=1.0, at_least=True)
        for (cell, tone), each in scores.items()
        if each["ours"].success < each["spandsp"].success
    ]  # fmt: skip
    return [
        Figure("tones right, ours", means["ours"], "share", means["spandsp"],
               ratio_target=BETTER_THAN_SPANDSP, at_least=True),
        Figure("tones right, spandsp", means["spandsp"], "share"),
        Figure("tones wrong, ours", sum(each["ours"].wrong for each in scores.values()), "clips"),
        *behind,
        *cells,
    ]  # fmt: skip


def _pieces(cells: Sequence[ToneCell], count: int) -> Iterator[Piece]:
    for cell in cells:
        for tone in CADENCES:
            yield cell.name, tone, [cell.clip(tone, at) for at in range(count)]


def _score(piece: Piece) -> tuple[str, str, dict[str, Score]]:
    cell, tone, clips = piece
    return cell, tone, {name: _compare(tone, find(clips)) for name, find in DECODERS.items()}


def _compare(tone: str, found: Sequence[set[str]]) -> Score:
    right = sum(names == {tone} for names in found)
    return Score(len(found), right, sum(bool(names - {tone}) for names in found))
