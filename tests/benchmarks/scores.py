"""How often a decoder is right, wrong or silent, cell by cell, on both cores when nobody else needs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from typing import TypeVar

from tests.benchmarks import ours, peers
from tests.signals.fsk_cells import Cell
from tests.signals.line import Clip
from tests.signals.messages import Who

Piece = tuple[str, list[Who], list[Clip]]  # cell, who is truly in the clips, the clips
PIECE = 40  # clips that are decoded at a time
Job = TypeVar("Job")
Result = TypeVar("Result")
WRONG, LOST, RIGHT = 0, 1, 2
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Score:
    """Of `count` clips, how many were read as they are, and for how many something else was claimed."""

    count: int = 0
    right: int = 0
    wrong: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.count + other.count, self.right + other.right, self.wrong + other.wrong)

    @property
    def success(self) -> float:
        """Share of right ones."""
        return self.right / self.count

    @property
    def wrongs(self) -> float:
        """Share of wrong ones."""
        return self.wrong / self.count


def score_cells(cells: Sequence[Cell], count: int) -> dict[str, dict[str, Score]]:
    """Return decoder -> cell name -> score of `count` clips, the same clips for all."""
    totals: dict[str, dict[str, Score]] = {}
    for cell, scores in shared(_score_piece, _pieces(cells, count)):
        for decoder, score in scores.items():
            mine = totals.setdefault(decoder, {})
            mine[cell] = mine.get(cell, Score()) + score
    return totals


def shared(work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Map over processes of one thread each: as many as cores are free now, at least one."""
    free = max(1, (os.cpu_count() or 1) - round(os.getloadavg()[0]))
    os.environ |= dict.fromkeys(THREADS, "1")
    with get_context("spawn").Pool(free) as pool:
        yield from pool.imap(work, jobs)


def _pieces(cells: Iterable[Cell], count: int) -> Iterator[Piece]:
    for cell in cells:
        for at in range(0, count, PIECE):
            clips = [cell.clip(one) for one in range(at, min(at + PIECE, count))]
            yield cell.name, [who for who, _ in clips], [clip for _, clip in clips]


def _score_piece(piece: Piece) -> tuple[str, dict[str, Score]]:
    cell, truths, clips = piece
    decoders = ours.CALLERS | peers.CALLER_PEERS
    return cell, {name: _score(truths, clips, receivers) for name, receivers in decoders.items()}


def _score(truths: Sequence[Who], clips: Sequence[Clip], receivers: Sequence[peers.Callers]) -> Score:
    outcomes = [
        [_outcome(who, some) for who, some in zip(truths, read(clips), strict=True)] for read in receivers
    ]
    of_both = list(zip(*outcomes, strict=True))
    right = sum(RIGHT in each for each in of_both)
    wrong = sum(WRONG in each and RIGHT not in each for each in of_both)
    return Score(len(clips), right, wrong)


def _outcome(truth: Who, read: Sequence[Who]) -> int:
    """One wrong caller spoils a clip, however often the right one is read as well."""
    if any(who != truth for who in read):
        return WRONG
    return RIGHT if read else LOST


def crossing(curve: Mapping[float, Score], share: float) -> float | None:
    """Return the SNR above which the curve stays over `share`, between its points; None if it never does."""
    points = sorted(curve.items(), reverse=True)
    for (above, high), (below, low) in pairwise(points):
        if low.success < share <= high.success:
            return below + (above - below) * (share - low.success) / (high.success - low.success)
    return None if points[0][1].success < share else points[-1][0]
