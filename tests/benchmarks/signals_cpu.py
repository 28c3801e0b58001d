"""What listening costs: CPU of all receivers on all lines beside spandsp's, and of one burst.

SIGNALS_SECONDS sets the seconds of audio a line (120). All is CPU time of one thread, in the same run; of the
two that are compared the least of PASSES, in turns, as work of others on the machine only ever adds to it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from time import process_time

import numpy as np

from edge.line.arbiter import Arbiter
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdFailed, CallerIdRead
from edge.line.profile import PROFILES
from tests.benchmarks import ours, peers
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.scores import shared
from tests.signals import keys, line, speech
from tests.signals.fsk_cells import CELLS, Cell, sweep
from tests.signals.line import FULL_SCALE, RATE_HZ, Clip, Rng, Signal
from tests.signals.messages import BELL202, burst, mdmf, somebody

SECONDS = 120
PASSES = 5
BURST_EVERY_S = 120  # on every line: one caller ID and eight keys, as 720 calls a day would bring
FLOOR_DBM0 = -60.0
BURSTS = 40
VERDICT_S = 0.3
# lines, block in samples -> most CPU against spandsp
BUDGETS: dict[tuple[int, int], float | None] = {
    (8, 160): 1.0,
    (32, 160): 0.5,
    (8, 800): None,
    (32, 800): 0.25,
}
CLEAN, WORST = sweep(BELL202, 25.0), ("0-10 marks between bytes, SNR 8", "8 samples lost singly", "1 ms lost")


def measure() -> list[Figure]:
    """Measure in a process of one thread."""
    peers.install()
    (rows,) = shared(_all, [int(os.environ.get("SIGNALS_SECONDS", SECONDS))])
    return rows


def _all(seconds: int) -> list[Figure]:
    audio = {
        "busy": [busy_line(at, seconds) for at in range(32)],
        "idle": [_heard_as(np.zeros(seconds * RATE_HZ), np.random.default_rng(at)) for at in range(32)],
    }
    rows = [
        row
        for (count, block), most in BUDGETS.items()
        for what, lines in audio.items()
        for row in _streaming(what, lines[:count], block, most if what == "busy" else None)
    ]
    worst = [cell for cell in CELLS if cell.name in WORST]
    rows += _burst("clean", [CLEAN], most_cpu_s=0.1)
    return rows + _burst("worst", [*(sweep(BELL202, snr) for snr in (0.0, 2.0, 4.0)), *worst], most_cpu_s=1.0)


def busy_line(at: int, seconds: int) -> Clip:
    """Half speech, half noise floor; a caller ID and eight keys once in a while, at its own time."""
    rng = np.random.default_rng((2203, at))
    frames = seconds * RATE_HZ
    sound = np.zeros(frames)
    for start in range(0, frames, 20 * RATE_HZ):
        spoken = min(10 * RATE_HZ, frames - start)
        sound[start : start + spoken] = speech.snippet(spoken, rng)
    for start in range(0, frames, BURST_EVERY_S * RATE_HZ):
        keyed = keys.pressed(keys.KEYS[:8], keys.Keypad(), rng)
        calling = burst(mdmf(somebody(rng)), BELL202, rng)
        piece = np.concatenate([calling, np.zeros(RATE_HZ // 2), keyed])
        place = start + int(rng.integers(11, 16) * RATE_HZ)
        sound[place : place + len(piece)] = piece[: max(0, frames - place)]
    return _heard_as(sound, rng)


def _heard_as(sound: Signal, rng: Rng) -> Clip:
    sound = sound + rng.normal(size=len(sound)) * line.peak(FLOOR_DBM0) / np.sqrt(2)
    return np.clip(np.rint(sound * FULL_SCALE), -32768, 32767).astype(np.int16)


def _streaming(kind: str, lines: Sequence[Clip], block: int, most: float | None) -> list[Figure]:
    costs = [(_cost_us(lines, block), peers.spandsp_cost_us(lines, block)) for _ in range(PASSES)]
    cost_us, spandsp_us = (min(one) for one in zip(*costs, strict=True))
    what = f"{len(lines)} {kind} lines, blocks of {1000 * block // RATE_HZ} ms"
    return [
        Figure(f"CPU, {what}, ours", cost_us, "us per line-second", spandsp_us, ratio_target=most),
        Figure(f"CPU, {what}, spandsp", spandsp_us, "us per line-second"),
    ]


def _cost_us(lines: Sequence[Clip], block: int) -> float:
    """Return the CPU of all receivers on these lines, in microseconds per second of one line."""
    arbiter = Arbiter(len(lines), RATE_HZ, PROFILES["cn"], "cn")
    cut = list(ours.blocks(lines, block, silence_s=0))
    before = process_time()
    for one in cut:
        arbiter.feed(one, [])
    return (process_time() - before) * 1e6 / len(lines) / (len(lines[0]) / RATE_HZ)


def _burst(what: str, cells: Sequence[Cell], most_cpu_s: float) -> list[Figure]:
    """One line with one burst: CPU over that of noise alone, and from its last bit to the verdict."""
    cpu_s, late_s = [], []
    for cell in cells:
        idle_s = _watched(replace(cell, spoken=lambda who, modem, rng: np.full(8000, 1e-4)), 0)[0]
        for at in range(BURSTS):
            spent_s, verdict = _watched(cell, at)
            cpu_s.append(spent_s - idle_s)
            if verdict is not None:
                late_s.append(verdict)
    cost, wait = f"{what} burst, CPU of decoding", f"{what} burst, last bit to verdict"
    return [
        Figure(f"{cost}, most of {len(cpu_s)}", max(cpu_s), "s", target=most_cpu_s),
        Figure(f"{cost}, median", percentile(cpu_s, 50), "s"),
        Figure(f"{wait}, p95 of {len(late_s)}", percentile(late_s, 95), "s", target=VERDICT_S),
        Figure(f"{wait}, median", percentile(late_s, 50), "s"),
        Figure(f"{wait}, most", max(late_s), "s"),
    ]


def _watched(cell: Cell, at: int) -> tuple[float, float | None]:
    """Return the CPU of a clip, and how long after the last bit its verdict came, its CPU included."""
    _, clip = cell.clip(at)
    end_s = (len(clip) - round(cell.tail_s * RATE_HZ)) / RATE_HZ - cell.modem.end_marks / cell.modem.baud
    watcher = AudioWatcher(1, RATE_HZ, "cn")
    verdict = None
    cut = list(ours.blocks([clip], ours.BLOCK))
    before = process_time()
    for block in cut:
        started = process_time()
        found = watcher.feed(block, lambda line, position: LineState.IDLE)[1]
        if verdict is None and any(isinstance(one, CallerIdRead | CallerIdFailed) for one in found):
            verdict = block.end / RATE_HZ - end_s + process_time() - started
    return process_time() - before, verdict
