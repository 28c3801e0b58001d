"""Speech comes in many voices, sounds like speech, and is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.signals import speech
from tests.signals.line import RATE_HZ


def test_there_are_voices_enough() -> None:
    assert len(speech.VOICES) >= 16
    assert {"cmn", "yue"} <= {language for _, language, _, _ in speech.VOICES}
    assert len({name for name, *_ in speech.VOICES}) == len(speech.VOICES)


def test_voices_held_out_are_others_and_say_other_things(tmp_path: Path) -> None:
    names, others = ({name for name, *_ in table} for table in (speech.VOICES, speech.HELD_OUT))
    assert not names & others and len(others) >= 16
    (words, seed), (other_words, other_seed) = speech.SAID[speech.VOICES], speech.SAID[speech.HELD_OUT]
    assert seed != other_seed
    lines = words.read_text(encoding="utf-8").splitlines()
    assert not set(lines) & set(other_words.read_text(encoding="utf-8").splitlines())
    sound = speech.voice(0, 3.0, folder=tmp_path, voices=speech.HELD_OUT)
    assert len(sound) == 3 * RATE_HZ and np.sqrt(np.mean(sound**2)) > 0.01


def test_speech_is_spoken_once_and_kept(tmp_path: Path) -> None:
    first = speech.voice(10, 5.0, folder=tmp_path)
    made = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert list(made) == ["cmn.flac"]
    assert np.array_equal(first, speech.voice(10, 5.0, folder=tmp_path))
    assert np.array_equal(first[800:1000], speech.voice(10, 5.0, 800, 200, tmp_path))
    assert made == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_speech_has_a_level_and_pauses(tmp_path: Path) -> None:
    sound = speech.voice(10, 20.0, folder=tmp_path)
    assert len(sound) == 20 * RATE_HZ
    assert 10 * np.log10(2 * np.mean(sound**2)) + 3.14 == pytest.approx(speech.LEVEL_DBM0, abs=1.5)
    frames = np.sqrt(np.mean(sound.reshape(-1, 160) ** 2, axis=1))
    assert np.percentile(frames, 95) > 10 * np.percentile(frames, 5)
