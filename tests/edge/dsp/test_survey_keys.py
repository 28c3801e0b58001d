"""Keys pressed while a prompt plays: the box's own voice comes back from the line under them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from edge.dsp.dtmf import DtmfReceiver, dtmf_signal
from tests.edge.signals import RATE_HZ, feed, line, silence
from tests.signals.speech import snippet

DIGITS = "1234567890*#"


def heard(prompt_under_db: float, seed: int) -> str:
    """What is found of twelve keys of 100 ms, with speech so far below them all the time."""
    keys = np.concatenate([silence(0.3), dtmf_signal(DIGITS, tone_ms=100, gap_ms=300), silence(0.3)])
    prompt = snippet(len(keys), np.random.default_rng(seed))
    level = np.sqrt(np.mean(dtmf_signal("1", tone_ms=100, gap_ms=0) ** 2) / np.mean(prompt**2))
    mixed = keys + prompt * level * 10 ** (prompt_under_db / 20)
    return "".join(one.digit for one in feed(DtmfReceiver(1, RATE_HZ), line(mixed.astype(np.float32))))


def is_part_of(found: str, sent: str) -> bool:
    """Whether all that was found was sent, in this order."""
    rest = iter(sent)
    return all(key in rest for key in found)


pytestmark = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks the prompt")


@pytest.mark.parametrize("seed", range(4))
def test_every_key_over_a_prompt_15_db_below(seed: int) -> None:
    assert heard(-15, seed) == DIGITS


@pytest.mark.parametrize(("prompt_under_db", "at_least"), [(-12, 94), (-6, 84)])
def test_over_a_louder_prompt_keys_may_be_missed_but_none_is_made_up(
    prompt_under_db: float, at_least: int
) -> None:
    found = [heard(prompt_under_db, seed) for seed in range(8)]
    assert all(is_part_of(one, DIGITS) for one in found)
    assert sum(map(len, found)) >= at_least, "of 96"
