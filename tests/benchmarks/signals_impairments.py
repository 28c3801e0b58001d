"""Caller ID on bad lines and from odd senders: every decoder on the same clips, cell by cell.

SIGNALS_MESSAGES sets the messages a cell (60). A cell where a peer reads more than we do is named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from tests.benchmarks import peers
from tests.benchmarks.figures import Figure
from tests.benchmarks.scores import Score, score_cells
from tests.signals.fsk_cells import CELLS

MESSAGES = 60
LOST_AGAINST_SPANDSP = 0.45
BETTER_THAN_SPANDSP = 1.15


def measure() -> list[Figure]:
    """Score every cell."""
    peers.install()
    scores = score_cells(CELLS, int(os.environ.get("SIGNALS_MESSAGES", MESSAGES)))
    theirs = {name: scores[name] for name in peers.CALLER_PEERS}
    return [*_whole(scores), *_below(scores["ours"], theirs), *_cells(scores)]


def _whole(scores: Mapping[str, Mapping[str, Score]]) -> list[Figure]:
    right = {name: _mean([score.success for score in mine.values()]) for name, mine in scores.items()}
    wrong = {name: sum(score.wrong for score in mine.values()) for name, mine in scores.items()}
    lost = {name: sum(score.count - score.right for score in mine.values()) for name, mine in scores.items()}
    count = sum(score.count for score in scores["ours"].values())
    what = f"all {len(CELLS)} cells"
    return [
        Figure(f"{what}, right, ours", right["ours"], "share", right["spandsp"],
               ratio_target=BETTER_THAN_SPANDSP, at_least=True),
        Figure(f"{what}, not read, ours against spandsp", lost["ours"], f"of {count}", lost["spandsp"],
               ratio_target=LOST_AGAINST_SPANDSP),
        *(Figure(f"{what}, right, {name}", right[name], "share") for name in peers.CALLER_PEERS),
        *(Figure(f"{what}, wrong, {name}", number, f"of {count}") for name, number in wrong.items()),
    ]  # fmt: skip


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _below(ours: Mapping[str, Score], theirs: Mapping[str, Mapping[str, Score]]) -> list[Figure]:
    best = {cell: max(theirs, key=lambda name: theirs[name][cell].success) for cell in ours}
    behind = {cell: name for cell, name in best.items() if theirs[name][cell].success > ours[cell].success}
    return [
        Figure("cells in which a peer reads more", len(behind), f"of {len(ours)}", target=0),
        *(
            Figure(f"behind {name}: {cell}", ours[cell].success, "share", theirs[name][cell].success,
                   ratio_target=1.0, at_least=True)
            for cell, name in behind.items()
        ),
    ]  # fmt: skip


def _cells(scores: Mapping[str, Mapping[str, Score]]) -> list[Figure]:
    figures = []
    for cell in CELLS:
        for name, mine in scores.items():
            score = mine[cell.name]
            figures.append(Figure(f"{cell.name}, {name}, right", score.success, f"of {score.count}"))
            if score.wrong:
                figures.append(Figure(f"{cell.name}, {name}, wrong", score.wrongs, f"of {score.count}"))
    return figures
