"""Blocks of any length in, whole tenths of a second out: two and more at a time, or one when it is urgent.

A call of numpy costs much the same for one hop as for twenty, so receivers take as many as may be late. Turns
lie on a grid that starts with the first sample, or with the first after samples were lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.samples import AudioBlock, check_block

TURN_MS = 100
PATIENCE = 2  # turns that are waited for when nothing is urgent


class Turns:
    """Gathers the blocks of one board until a turn is whole."""

    def __init__(self, lines: int, rate_hz: int) -> None:
        self._lines, self._turn = lines, rate_hz * TURN_MS // 1000
        self._waiting: list[AudioBlock] = []
        self._frames = 0  # in `waiting`

    def feed(self, block: AudioBlock, urgent: bool = False) -> Iterator[AudioBlock]:
        """Yield the turns that are whole if they are enough, or urgent; before a jump whatever there is."""
        check_block(block.samples, self._lines)
        if self._waiting and block.position != self._waiting[-1].end:
            yield self._take(self._frames)
        if len(block.samples):
            self._waiting.append(block)
            self._frames += len(block.samples)
        if self._frames >= self._turn * (1 if urgent else PATIENCE):
            yield self._take(self._frames // self._turn * self._turn)

    def _take(self, frames: int) -> AudioBlock:
        position = self._waiting[0].position
        blocks = [block.samples for block in self._waiting]
        samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        rest = AudioBlock(position + frames, samples[frames:].copy())
        self._frames = len(rest.samples)
        self._waiting = [rest] if self._frames else []
        return AudioBlock(position, samples[:frames])
