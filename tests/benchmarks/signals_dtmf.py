"""DTMF keys: noise, the limits every receiver must keep, and what it finds in hours of speech without any.

SIGNALS_SPEECH_H sets the hours of speech (3.2), and again as many of voices held out while limits were
chosen; all are spoken once and kept in build/speech.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdRead, DigitKeyed
from tests.benchmarks import ours, peers
from tests.benchmarks.figures import Figure
from tests.benchmarks.scores import Score, crossing, shared
from tests.signals import keys, speech
from tests.signals.keys import KeyCell
from tests.signals.line import FULL_SCALE, RATE_HZ, Clip

CLIPS = 12  # of 16 keys
SNRS_DB = tuple(float(snr) for snr in range(-10, 13))
LENGTHS_MS = (50.0, 100.0)
SPEECH_H = 3.2
BELOW_SPANDSP_DB = 6.0
LIMITS_KEPT = 1.25  # times spandsp's
DECODERS: dict[str, Callable[[Sequence[Clip]], list[str]]] = {"ours": ours.keys} | peers.KEY_PEERS
Piece = tuple[str, list[str], list[Clip]]


def measure() -> list[Figure]:
    """Sweep noise, try every limit, listen to speech."""
    peers.install()
    hours = float(os.environ.get("SIGNALS_SPEECH_H", SPEECH_H))
    held_out = "voices no limit was chosen by"
    figures = _talk_off("voices", speech.VOICES, hours) + _talk_off(held_out, speech.HELD_OUT, hours)
    return [*_noise(), *_limits(), *figures]


def _scores(cells: Sequence[KeyCell]) -> dict[str, dict[str, Score]]:
    """Return cell -> decoder -> score of its keys."""
    return dict(shared(_score, _pieces(cells)))


def _pieces(cells: Sequence[KeyCell]) -> Iterator[Piece]:
    for cell in cells:
        clips = [cell.clip(at) for at in range(CLIPS)]
        yield cell.name, [truth for truth, _ in clips], [clip for _, clip in clips]


def _score(piece: Piece) -> tuple[str, dict[str, Score]]:
    cell, truths, clips = piece
    return cell, {name: _compare(truths, find(clips)) for name, find in DECODERS.items()}


def _compare(truths: Sequence[str], found: Sequence[str]) -> Score:
    right = sum(in_common(truth, some) for truth, some in zip(truths, found, strict=True))
    return Score(sum(map(len, truths)), right, sum(map(len, found)) - right)


def in_common(one: str, other: str) -> int:
    """Return the length of the longest sequence of keys that both hold in this order."""
    row = np.zeros(len(other) + 1, np.int64)
    for key in one:
        same = np.array([key == each for each in other], bool)
        best = np.concatenate([[0], np.where(same, row[:-1] + 1, 0)])
        row = np.maximum.accumulate(np.maximum(row, best))
    return int(row[-1])


def _noise() -> list[Figure]:
    figures: list[Figure] = []
    for length in LENGTHS_MS:
        cells = {snr: keys.sweep(length, snr) for snr in SNRS_DB}
        scores = _scores(list(cells.values()))
        swept = {name: {snr: scores[cell.name][name] for snr, cell in cells.items()} for name in DECODERS}
        figures += _crossings(f"keys of {length:g} ms", swept)
    return figures


def _crossings(what: str, swept: Mapping[str, Mapping[float, Score]]) -> list[Figure]:
    figures: list[Figure] = []
    for share in (0.5, 0.95):
        spandsp = crossing(swept["spandsp"], share)
        for name, curve in swept.items():
            snr = crossing(curve, share)
            target = (
                spandsp - BELOW_SPANDSP_DB if spandsp is not None and (name, share) == ("ours", 0.5) else None
            )
            if snr is not None:
                figures.append(
                    Figure(f"{what}, {name}, {share:.0%} right from", snr, "dB SNR", target=target)
                )
    return figures


def _limits() -> list[Figure]:
    scores = _scores(keys.CELLS)
    figures = [row for cell in keys.CELLS for row in _limit(cell, scores[cell.name])]
    judged = [cell for cell in keys.CELLS if cell.heard is not None]
    means = {
        name: float(np.mean([_kept(cell, scores[cell.name][name]) for cell in judged])) for name in DECODERS
    }
    floor = {"baseline": means["spandsp"], "ratio_target": LIMITS_KEPT, "at_least": True}
    return [
        *figures,
        *(
            Figure(f"limits kept, {name}", mean, "share", **(floor if name == "ours" else {}))
            for name, mean in means.items()
        ),
    ]


def _limit(cell: KeyCell, scores: Mapping[str, Score]) -> Iterator[Figure]:
    for name, score in scores.items():
        must = cell.heard if name == "ours" else None
        target = None if must is None else float(must)
        what, unit = f"{cell.name}, {name}, keys found", f"of {score.count}"
        yield Figure(what, score.success, unit, target=target, at_least=bool(must))
        if score.wrong:
            yield Figure(f"{cell.name}, {name}, keys nobody pressed", score.wrong, "keys")


def _kept(cell: KeyCell, score: Score) -> float:
    return score.success if cell.heard else 1 - score.success


def _talk_off(which: str, voices: tuple[speech.Voice, ...], hours: float) -> list[Figure]:
    seconds = hours * 3600 / len(voices)
    clips = [_spoken(at, seconds, voices) for at in range(len(voices))]
    found, callers = _ours_in_speech(clips)
    heard = {"ours": found} | {name: find(clips) for name, find in peers.KEY_PEERS.items()}
    spandsp = sum(map(len, heard["spandsp"]))
    what = f"in {hours:g} h of speech, {len(clips)} {which}"
    figures = [
        Figure(
            f"keys {what}, {name}", sum(map(len, some)), "keys", target=spandsp if name == "ours" else None
        )
        for name, some in heard.items()
    ]
    return [*figures, Figure(f"caller IDs {what}, ours", callers, "caller IDs", target=0)]


def _spoken(at: int, seconds: float, voices: tuple[speech.Voice, ...]) -> Clip:
    sound = speech.voice(at, seconds, voices=voices)
    return np.clip(np.rint(sound * FULL_SCALE), -32768, 32767).astype(np.int16)


def _ours_in_speech(clips: Sequence[Clip]) -> tuple[list[str], int]:
    """All voices side by side: the keys of each, and how many callers were read."""
    watcher = AudioWatcher(len(clips), RATE_HZ, "cn")
    found = [""] * len(clips)
    callers = 0
    for block in ours.blocks(clips, ours.BLOCK):
        for one in watcher.feed(block, lambda line, position: LineState.OFF_HOOK)[1]:
            callers += isinstance(one, CallerIdRead)
            if isinstance(one, DigitKeyed):
                found[one.line - 1] += one.digit
    return found, callers
