"""The golden pairs are what their seeded generators make today: nothing was edited, nothing is left over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.data.signals import classes
from tests.data.signals.make import HERE, made


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks under one of them")
def test_every_pair_is_made_again_as_it_lies_there() -> None:
    names = set()
    for name, samples, sent in made():
        names.add(name)
        kept, rate_hz = soundfile.read(HERE / f"{name}.wav", dtype="int16")
        assert rate_hz == 8000 and len(kept) == len(samples), name
        if name != "spoilt_speech":  # another espeak-ng may speak otherwise
            assert np.abs(kept.astype(int) - samples.reshape(-1)).max() <= 1, name
        assert json.loads((HERE / f"{name}.json").read_text("utf-8")) == sent, name
    assert (
        names == {Path(one).stem for one in HERE.glob("*.wav")} == {one.stem for one in HERE.glob("*.json")}
    )


def test_every_way_of_spoiling_is_a_cell_of_the_benchmark() -> None:
    assert {classes.cell_of(name).name for name in classes.SPOILT} == set(classes.SPOILT.values())
